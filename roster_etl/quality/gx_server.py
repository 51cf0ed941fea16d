"""The Great Expectations process, ``python -m roster_etl.quality.gx_server``: one JSON line per request, one per answer.

It ends when its standard input is closed, so that a killed parent leaves no child.
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

from roster_etl.quality.tested_gx import is_tested_gx

Answer = dict[str, Any]
BLOCKED_MODULES = ("boto3", "botocore", "sqlalchemy", "psycopg2")
"""What the library imports if it is installed, to read object stores and databases: none of it is used here, and it takes a sixth of the time."""
DEFERRED_MODULES = ("altair", "scipy.stats")  # a second and 75 MB, for one expectation that no generated suite uses


def serve(requests: IO[bytes], answers: IO[bytes], handle: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Answer each line of `requests` with one line, until the end of input."""
    for request in requests:
        answers.write(json.dumps(handle(json.loads(request))).encode() + b"\n")
        answers.flush()


def handle_request(request: Mapping[str, Any]) -> Answer:
    """Return each suite's expectation results, the number of Data Docs pages, or the error of a broken suite; never a cell."""
    from roster_etl.quality.expectation_result import SuiteBroken

    try:
        return _write_data_docs(request) if "docs" in request else _observed(request)
    except SuiteBroken as error:
        return {"suite": error.suite, "broken": error.problems}


def _observed(request: Mapping[str, Any]) -> Answer:
    from roster_etl.quality.gx_runner import run_suites

    suites = [(one["suite"], one["expectations"], one["lines"]) for one in request["suites"]]
    return {"observed": [[(o.passed, o.judged, o.failing) for o in found] for found in run_suites(suites)]}


def _write_data_docs(request: Mapping[str, Any]) -> Answer:
    from roster_etl.quality.data_docs import write_pages

    return {"pages": write_pages(Path(request["docs"]), request["about"], request["suites"])}


class LazyModule(ModuleType):
    """A module loaded at the first attribute access; the library's own lazy loader loads at the next ``import`` already."""

    def __getattr__(self, name: str) -> Any:
        """Load the module, replace this one with it, and return the attribute."""
        sys.modules.pop(self.__name__, None)
        real = import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


def defer_import(name: str) -> None:
    """Defer the next ``import`` of module `name` until it is used; no effect if it is loaded or not installed."""
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = LazyModule(name)
    module.__spec__, module.__file__ = spec, spec.origin
    sys.modules[name] = module


def load_library() -> None:
    """Load Great Expectations, and of the tested version nothing that no suite uses."""
    gc.disable()  # loading creates no garbage; without collection it takes a quarter less time
    tested = is_tested_gx("modules loaded later")
    blocked = [name for name in BLOCKED_MODULES if tested and name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type] # so `import` says that it is not there
    for name in DEFERRED_MODULES if tested else ():
        defer_import(name)
    try:
        from roster_etl.quality.gx_runner import load_great_expectations

        load_great_expectations()
    finally:
        for name in blocked:  # what runs in this process later may need them
            sys.modules.pop(name, None)
        gc.freeze()
        gc.enable()


def main() -> None:
    """Load the library, and serve requests from standard input to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent decides when this one ends
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # library output must not be taken for an answer
    load_library()
    serve(sys.stdin.buffer, answers, handle_request)


if __name__ == "__main__":
    main()
