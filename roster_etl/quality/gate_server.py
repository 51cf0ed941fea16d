"""The gates' process from the inside: ``python -m roster_etl.quality.gate_server``, requests in, answers out, one JSON line each.

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
from typing import IO, Any

Answer = dict[str, Any]


def serve(requests: IO[bytes], answers: IO[bytes], judge: Callable[[Mapping[str, Any]], Answer]) -> None:
    """Answer each line of `requests` with a line, until there are no more."""
    for request in requests:
        answers.write(json.dumps(judge(json.loads(request))).encode() + b"\n")
        answers.flush()


def answer(request: Mapping[str, Any]) -> Answer:
    """Return what every expectation of the request observed, or why its suite is broken. No cell is in either."""
    import pandas as pd

    from roster_etl.quality.engine_room import run_expectations
    from roster_etl.quality.observed import SuiteBroken

    try:
        found = run_expectations(request["suite"], request["expectations"], pd.DataFrame(request["lines"]))
    except SuiteBroken as error:
        return {"broken": error.problems}
    return {"observed": [(one.passed, one.judged, one.failing) for one in found]}


def main() -> None:
    """Load the library, and serve the pipe that is this process's input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent decides what becomes of this one
    gc.disable()  # nothing that loading allocates is garbage: it takes a quarter less
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # whatever a library prints must not be taken for an answer
    from roster_etl.quality.engine_room import great_expectations

    great_expectations()
    gc.freeze()
    gc.enable()
    serve(sys.stdin.buffer, answers, answer)


if __name__ == "__main__":
    main()
