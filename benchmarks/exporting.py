"""Time an export to OneRoster 1.2 beside the first import of the same roster: ``python benchmarks/exporting.py [--sizes 10000 100000]``.

Belongs here: one import and one export of each size, each in a cold process, and the two bars beside their figures. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from run import MIB, Run, generate, import_command, measure

RATIO_LIMIT, PEAK_LIMIT = 0.5, 500 * MIB
"""CPU seconds against those of the first import, and bytes: the bars for 100,000 students."""


def export_command(home: Path, to: Path, version: str) -> list[str]:
    """Return our export command, as a person would type it."""
    words = ["export", "oneroster", "--district", "bench", "--to", str(to), "--option", f"oneroster_version={version}"]
    return [sys.executable, "-m", "roster_etl.cli", *words, "--option", "user_ids=kinded", "--home", str(home), "--json"]


def bench(students: int, work: Path, version: str) -> dict[str, Any]:
    """Import a district once, export it once, and return the figures."""
    district, home, to = work / f"district-{students}-0.01-0.0", work / f"home-{students}", work / f"out-{students}"
    generate(students, district, churn=0.01)
    for old in (home, to):
        shutil.rmtree(old, ignore_errors=True)
    log = work / "export.log"
    imported, _ = measure(import_command(district / "day1", home, "bench"), log=log)
    exported, text = measure(export_command(home, to, version), log=log)
    files = json.loads(text)["files"]
    return {
        "students": students,
        "import": asdict(imported),
        "export": asdict(exported),
        "rows": sum(file["rows"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
        "ratio": exported.cpu / imported.cpu,
    }


def print_result(found: dict[str, Any]) -> None:
    """Print the figures of one size, and the bars from 100,000 students on."""
    for name in ("import", "export"):
        run = Run(**found[name])
        print(f"{found['students']:>9,} {name:7} {run.wall:7.2f} s wall {run.cpu:7.2f} s CPU {run.peak / MIB:6.0f} MiB")
    print(f"          {found['rows']:,} rows, {found['bytes'] / MIB:.1f} MiB written")
    if found["students"] >= 100_000:
        peak = found["export"]["peak"]
        print(
            f"          CPU {found['ratio']:.2f} × the first import: {'met' if found['ratio'] <= RATIO_LIMIT else 'missed'} ({RATIO_LIMIT})"
        )
        print(f"          peak {peak / MIB:.0f} MiB: {'met' if peak <= PEAK_LIMIT else 'missed'} ({PEAK_LIMIT / MIB:.0f})")
    else:
        print(f"          CPU {found['ratio']:.2f} × the first import")


def main() -> None:
    """Measure every requested size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="districts by number of students")
    parser.add_argument("--oneroster-version", default="1.2", choices=("1.1", "1.2"), help="the version that is written")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as temporary:
        work = (asked.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        figures = [bench(students, work, asked.oneroster_version) for students in asked.sizes]
    for found in figures:
        print_result(found)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
