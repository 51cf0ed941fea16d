"""Measure what comparing the feeds of a district adds to an import: ``python -m benchmarks.feeds [--sizes 10000 100000]``.

Belongs here: a district with a Clever and a Canvas feed, a day of each, and the CPU time of the next days' comparisons beside that of the
imports that they follow, as the daemon runs them. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.run import generate
from benchmarks.warm import DISTRICT, forked, preload
from roster_etl.orchestration.assets import warehouse_assets
from roster_etl.pipeline.reporting import announce, report_files
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed

BAR = 0.15
CHURN = 0.01
FEEDS = ("clever", "canvas")
PARTS = {
    "compare": (announce, "try_reconcile_published"),
    "report": (report_files, "district_differences"),
    "asset": (warehouse_assets, "log_reconciliation"),
}
"""What an import does for the sake of other feeds: a name → the module that calls it, and its name there."""
COSTS = "ROSTER_BENCH_COSTS"  # the file to which a forked import writes them


def time_parts() -> None:
    """Have each of `PARTS` add its CPU seconds to the file that the environment names."""
    for part, (module, name) in PARTS.items():
        setattr(module, name, timed(part, getattr(module, name)))


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, with its CPU seconds written to the file of costs."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            with Path(os.environ[COSTS]).open("a", encoding="utf-8") as file:
                file.write(json.dumps({part: time.process_time() - start}) + "\n")

    return call


def prepare(students: int, work: Path) -> Path:
    """Return a home with the first day of both feeds, made unless `work` has it."""
    home = work / f"home-{students}"
    for source in FEEDS:
        generate(students, work / f"data-{students}-{source}", churn=CHURN, format_=source)
    if not (home / "warehouse.sqlite").exists():
        with closing(Workspace.open(home)) as workspace:
            workspace.registry.add(District(id=DISTRICT, feeds=tuple(Feed(format=source) for source in FEEDS)))
        for source in FEEDS:
            print(f"{students:>9,} {source} first day", *measured(home, work, students, source, "day1"), flush=True)
    return home


def measured(home: Path, work: Path, students: int, source: str, day: str) -> tuple[float, dict[str, float]]:
    """Import a day of a feed. Returns the CPU seconds of all, and of each of `PARTS`."""
    costs = work / "costs.jsonl"
    costs.unlink(missing_ok=True)
    os.environ[COSTS] = str(costs)
    _, cost = forked(home, str(work / f"data-{students}-{source}" / day), source=source)
    found = dict.fromkeys(PARTS, 0.0)
    for line in costs.read_text("utf-8").splitlines():
        for part, seconds in json.loads(line).items():
            found[part] += seconds
    return cost["cpu"], found


def rounds(home: Path, work: Path, students: int, count: int) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield the cost of the second day of each feed, `count` times, each time in a copy of `home`."""
    for _ in range(count):
        copy = work / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(home, copy)
        for source in FEEDS:
            yield source, *measured(copy, work, students, source, "day2")


def open_differences(home: Path) -> int:
    """Return how many differences are open in a home."""
    with closing(sqlite3.connect(home / "warehouse.sqlite")) as database:
        return int(database.execute("SELECT count(*) FROM reconciliation WHERE closed_at IS NULL").fetchone()[0])


def bench(students: int, work: Path, count: int) -> list[dict[str, Any]]:
    """Measure one size, print its figures, and return them by feed."""
    home = prepare(students, work)
    costs: dict[str, list[tuple[float, dict[str, float]]]] = {source: [] for source in FEEDS}
    for source, cpu, parts in rounds(home, work, students, count):
        costs[source].append((cpu, parts))
    figures = []
    for source, found in costs.items():
        parts = {part: statistics.median(one[part] for _, one in found) for part in PARTS}
        rest = statistics.median(cpu - sum(one.values()) for cpu, one in found)
        ratio = statistics.median(sum(one.values()) / (cpu - sum(one.values())) for cpu, one in found)
        figures.append({"students": students, "feed": source, "import": rest, **parts, "ratio": ratio})
        held = "" if ratio <= BAR else f", bar {BAR}: missed"
        shown = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        print(f"{students:>9,} {source}: import {rest:.2f} s CPU, {shown}; {ratio:.2f} × the import{held}", flush=True)
    print(f"{students:>9,} {open_differences(home):,} differences are open before", flush=True)
    return figures


def main() -> None:
    """Measure every requested size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="districts by number of students")
    parser.add_argument("--rounds", type=int, default=3, help="how often each second day is imported")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    time_parts()
    preload()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as temporary:
        work = (asked.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        figures = [one for students in asked.sizes for one in bench(students, work, asked.rounds)]
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
