"""The gates' process from the inside: ``python -m roster_etl.quality.gx_server``, requests in, answers out, one JSON line each.

Belongs here: the loop, and keeping the pipe clean of what libraries print. It ends when its standard input does, so that a parent that
was killed leaves nothing. Not here: how expectations are run (``engine_room``).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import IO, Any

Answer = dict[str, Any]
BLOCKED_MODULES = (
    "boto3",
    "botocore",
)  # the library takes a bucket's client along where it is installed; nothing is read from one here
DEFERRED_MODULES = ("altair", "scipy.stats")  # a second and 75 MB, for one expectation that no suite of rules has


def serve(requests: IO[bytes], answers: IO[bytes], handle: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Answer each line of `requests` with a line, until there are no more."""
    for request in requests:
        answers.write(json.dumps(handle(json.loads(request))).encode() + b"\n")
        answers.flush()


def handle_request(request: Mapping[str, Any]) -> Answer:
    """Return what every expectation of the request observed, or that its Data Docs are written, or which suite is broken. No cell is in it."""
    from roster_etl.quality.expectation_result import SuiteBroken

    try:
        return _write_data_docs(request) if "docs" in request else _run_expectations(request)
    except SuiteBroken as error:
        return {"suite": error.suite, "broken": error.problems}


def _run_expectations(request: Mapping[str, Any]) -> Answer:
    import pandas as pd

    from roster_etl.quality.gx_runner import run_expectations

    found = run_expectations(request["suite"], request["expectations"], pd.DataFrame(request["lines"]))
    return {"observed": [(one.passed, one.judged, one.failing) for one in found]}


def _write_data_docs(request: Mapping[str, Any]) -> Answer:
    from roster_etl.quality.data_docs import write_pages

    return {"pages": write_pages(Path(request["docs"]), request["about"], request["suites"])}


class LazyModule(ModuleType):
    """Stands for a module until something in it is asked for. The library's own lazy loader loads at the next ``import`` already."""

    def __getattr__(self, name: str) -> Any:
        """Load the module, take its place, and return what was asked for."""
        sys.modules.pop(self.__name__, None)
        real = import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


def defer_import(name: str) -> None:
    """Let the next ``import`` of module `name` cost nothing; one that is loaded, or is not there, stays as it is."""
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = LazyModule(name)
    module.__spec__, module.__file__ = spec, spec.origin
    sys.modules[name] = module


def main() -> None:
    """Load the library, and serve the pipe that is this process's input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent decides what becomes of this one
    gc.disable()  # nothing that loading allocates is garbage: it takes a quarter less
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # whatever a library prints must not be taken for an answer
    for name in BLOCKED_MODULES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # so `import` says that it is not there
    for name in DEFERRED_MODULES:
        defer_import(name)
    from roster_etl.quality.gx_runner import load_great_expectations

    load_great_expectations()
    gc.freeze()
    gc.enable()
    serve(sys.stdin.buffer, answers, handle_request)


if __name__ == "__main__":
    main()
