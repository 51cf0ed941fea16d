"""Time exports beside the first import of the same roster: ``python -m benchmarks.exporting [--sizes 10000 100000] [--formats all]``.

Belongs here: one import and one export of each size and format, each in a cold process, and the bars beside their figures. Nothing asserts.
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

from benchmarks.run import MIB, Run, generate, import_command, measure

RATIO_LIMIT, PEAK_LIMIT = 0.5, 500 * MIB
"""CPU seconds of OneRoster 1.2 against those of the first import, and bytes of any format: the bars for 100,000 students."""


KINDED = ("user_ids=kinded",)
FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "oneroster": ("oneroster", ("oneroster_version=1.2", *KINDED)),
    "oneroster-1.1": ("oneroster", ("oneroster_version=1.1", *KINDED)),
    "clever": ("clever", ()),
    "canvas": ("canvas", KINDED),
    "mastery_connect": ("mastery_connect", KINDED),
    "catapult_connect": ("catapult_connect", ()),
    "dyknow": ("dyknow", ()),
    "sds": ("sds", KINDED),
    "apple_school_manager": ("apple_school_manager", KINDED),
    "edfi": ("edfi", ("school_id=organization_id", "student_id=user_id", *KINDED)),
    "parquet": ("canonical", ("file_type=parquet",)),
    "csv": ("canonical", ("file_type=csv",)),
}
"""What is written, by the word for it here: the format and its options."""


def export_command(home: Path, to: Path, name: str) -> list[str]:
    """Return our export command, as a person would type it."""
    format_, options = FORMATS[name]
    words = ["export", format_, "--district", "bench", "--to", str(to), *(word for o in options for word in ("--option", o))]
    return [sys.executable, "-m", "roster_etl.cli", *words, "--home", str(home), "--json"]


def bench(students: int, work: Path, names: list[str], url: str | None) -> list[dict[str, Any]]:
    """Import a district once, export it once in each format, and return the figures. ``url``: of an empty database, if not SQLite."""
    district, home = work / f"district-{students}-0.01-0.0", work / f"home-{students}"
    generate(students, district, churn=0.01)
    shutil.rmtree(home, ignore_errors=True)
    if url is not None:
        home.mkdir()
        (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', encoding="utf-8")
    log = work / "export.log"
    imported, _ = measure(import_command(district / "day1", home, "bench"), log=log)
    return [_export(students, home, work / f"out-{students}", name, imported, log) for name in names]


def _export(students: int, home: Path, to: Path, name: str, imported: Run, log: Path) -> dict[str, Any]:
    shutil.rmtree(to, ignore_errors=True)
    exported, text = measure(export_command(home, to, name), log=log)
    files = json.loads(text)["files"]
    return {
        "students": students,
        "format": name,
        "import": asdict(imported),
        "export": asdict(exported),
        "rows": sum(file["rows"] for file in files),
        "bytes": sum(file["bytes"] for file in files),
        "ratio": exported.cpu / imported.cpu,
    }


def print_result(found: dict[str, Any]) -> None:
    """Print the figures of one size, and the bars from 100,000 students on."""
    for name, label in (("import", "import"), ("export", found["format"])):
        run = Run(**found[name])
        print(f"{found['students']:>9,} {label:20} {run.wall:7.2f} s wall {run.cpu:7.2f} s CPU {run.peak / MIB:6.0f} MiB")
    print(f"          {found['rows']:,} rows, {found['bytes'] / MIB:.1f} MiB written")
    judged = found["students"] >= 100_000
    met = f": {'met' if found['ratio'] <= RATIO_LIMIT else 'missed'} ({RATIO_LIMIT})" if found["format"] == "oneroster" else ""
    print(f"          CPU {found['ratio']:.2f} × the first import{met if judged else ''}")
    if judged:
        peak = found["export"]["peak"]
        print(f"          peak {peak / MIB:.0f} MiB: {'met' if peak <= PEAK_LIMIT else 'missed'} ({PEAK_LIMIT / MIB:.0f})")


def main() -> None:
    """Measure every requested size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="districts by number of students")
    parser.add_argument("--formats", nargs="*", default=["oneroster"], choices=(*FORMATS, "all"), help="what is written")
    parser.add_argument("--url", help="an empty PostgreSQL database for one size (default: SQLite)")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep (default: a temporary one)")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as temporary:
        work = (asked.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        names = [*FORMATS] if "all" in asked.formats else asked.formats
        figures = [found for students in asked.sizes for found in bench(students, work, names, asked.url)]
    for found in figures:
        print_result(found)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
