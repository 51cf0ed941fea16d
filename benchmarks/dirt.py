"""Measure what damaged rows cost: ``python -m benchmarks.dirt [--students 10000] [--shares 0.05 0.2] [--nights 3]``.

Belongs here: nights of one district, each imported clean and with shares of damaged rows, in turn, into homes of their own, as the daemon
runs them. An import that is held is approved, which runs all its steps once more and publishes. Printed: CPU seconds of both, their ratios
to the clean import of the same night, and the findings. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import tempfile
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.district import ChangingDistrict
from benchmarks.run import DIRT_LIMITS, generate
from benchmarks.warm import DISTRICT, forked, preload
from roster_etl.cli import main as call
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed


def imported(home: Path, upload: Path) -> tuple[float, float]:
    """Import an upload, approve it if it is held, and return the CPU seconds of both; 0: it was not held."""
    outcome, cost = forked(home, str(upload))
    return cost["cpu"], approved(home, outcome["import_id"]) if outcome["status"] == "held" else 0.0


def approved(home: Path, number: int) -> float:
    """Approve a held import in a forked process, and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pid = os.fork()
    if not pid:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            code = call(["holds", "approve", str(number), "--by", "bench", "--home", str(home), "--json"])
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"import {number} could not be approved")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def findings(home: Path) -> int:
    """Return how many findings the newest import has."""
    with closing(sqlite3.connect(home / "warehouse.sqlite")) as database:
        query = "SELECT coalesce(sum(count), 0) FROM findings WHERE import_id = (SELECT max(import_id) FROM imports)"
        return int(database.execute(query).fetchone()[0])


def bench(work: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Import each night clean and damaged, print the figures, and return them."""
    generate(asked.students, work / "first", churn=0)
    shares, district, found = [0.0, *asked.shares], ChangingDistrict(work / "first" / "day1"), []
    homes = {share: work / f"home{share}" for share in shares}
    for home in homes.values():
        with closing(Workspace.open_to_write(home)) as workspace:
            workspace.registry.add(District(id=DISTRICT, feeds=(Feed(format="clever"),)))
    for night in range(1, asked.nights + 1):
        costs: dict[float, tuple[float, float]] = {}
        for share in shares if night % 2 else shares[::-1]:
            costs[share] = imported(homes[share], district.write(work / f"night{night}-{share}", share))
        clean = sum(costs[0.0])
        for share in asked.shares:
            limit = next((limit for most, limit in DIRT_LIMITS if share <= most), DIRT_LIMITS[-1][1])
            ratios = [round(seconds / clean, 2) for seconds in costs[share] if seconds]
            found.append({"night": night, "share": share, "cpu": costs[share], "clean": clean, "ratios": ratios})
            figures = f"{' and '.join(f'{seconds:.2f}' for seconds in costs[share] if seconds)} CPU s, clean {clean:.2f}"
            ending = f"ratio {', approving it '.join(map(str, ratios))}, bar {limit}, {findings(homes[share]):,} findings"
            print(f"  night {night}, {share:.0%} dirty: {figures}, {ending}", flush=True)
        district.next_night(asked.churn)
    return found


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--students", type=int, default=10_000, help="students of the district")
    parser.add_argument("--shares", type=float, nargs="*", default=[0.05, 0.2], help="shares of the rows that are damaged")
    parser.add_argument("--nights", type=int, default=3, help="nights that are imported one after the other")
    parser.add_argument("--churn", type=float, default=0.01, help="share of the students that change in a night")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory(prefix="roster-dirt-") as work:
        found = bench(Path(work), asked)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
