"""Import an upload as the daemon runs it: in a process forked from one that has loaded everything.

Run: ``python -m benchmarks.warm HOME UPLOAD``. Prints two lines of JSON: what became of the upload, and what it cost. ``cpu``: user and
system seconds of the forked process. The sensor's tick, which asked for the run, and the request to the code server are not in it.
`growth.py` forks as many imports as it needs.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from roster_etl.orchestration.jobs.build import definitions_for, job_name
from roster_etl.orchestration.jobs.in_process_runs import execute_import
from roster_etl.orchestration.runtime.forkserver import PRELOADED_MODULES
from roster_etl.pipeline.uploads.order import Order

DISTRICT, FORMAT = "bench", "clever"


def preload() -> None:
    """Load what the process has loaded from which the daemon's runs are forked, but for the watchdog, which looks for the daemon."""
    for name in PRELOADED_MODULES:
        if not name.endswith("watchdog"):
            import_module(name)
    definitions_for(FORMAT).resolve_job_def(job_name(FORMAT))


def import_once(home: Path, upload: str, district: str, answer: int, source: str = FORMAT) -> None:
    """Import one upload, write what became of it to the file descriptor `answer`, and end this process; 1: the import failed."""
    code = 1
    try:
        done = execute_import(home, Order(district_id=district, source=source, path=upload))
        status = done.summary.status if done.summary else ""
        os.write(answer, json.dumps({"import_id": done.import_id, "status": status}).encode())
        code = 0 if status in ("published", "unchanged", "held") else 1
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def forked(home: Path, upload: str, district: str = DISTRICT, source: str = FORMAT) -> tuple[dict[str, Any], dict[str, float]]:
    """Import one upload in a forked process. Returns what became of it, and its cost in seconds. Raises SystemExit: the import failed."""
    start = time.perf_counter()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        import_once(home, upload, district, writer, source)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        outcome = answer.read()
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"the import of {upload} failed")
    return json.loads(outcome), {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.perf_counter() - start}


def main() -> None:
    """Import the upload that the command line names."""
    home, upload = sys.argv[1:]
    preload()
    for answer in forked(Path(home), upload):
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
