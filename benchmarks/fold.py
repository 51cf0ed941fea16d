"""Measure applying a delta: a million enrollments onto the current state, against a plain read, merge and deduplication.

Run: ``python -m benchmarks.fold [--rows N] [--users N]``. Each measurement runs in its own process; ``ratio`` compares CPU
seconds with the plain one of the same run, on the same file. The figure includes reading, resolving references, the last row of
each record, new hashes and closings; it excludes the strict reader and the cell rules, which other formats have too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, ChangeInput, apply_changes
from roster_etl.frames.arrow import REFUSED, ROW, use_jemalloc
from roster_etl.frames.row_hashes import HASH, row_hash
from roster_etl.vendors.canvas.change_rules import CHANGE_PLAN

KEY = ["section_id", "user_id", "role"]
SECTIONS_PER_COURSE = 4


def write_files(folder: Path, rows: int, users: int) -> None:
    """Write ``today.csv`` and ``tomorrow.csv`` (one row in a hundred differs), rows in random order, some keys twice."""
    random = np.random.default_rng(7)
    sections = max(rows // 25, 1)
    pairs = np.unique(random.integers(0, users * sections, int(rows * 1.02)))[:rows]
    random.shuffle(pairs)
    frame = pd.DataFrame({"section_id": [f"S{n}" for n in pairs % sections], "user_id": [f"U{n}" for n in pairs // sections]})
    frame["role"] = np.where(random.random(len(frame)) < 0.95, "student", "teacher")
    frame["status"] = np.where(random.random(len(frame)) < 0.97, "active", "completed")
    frame.to_csv(folder / "today.csv", index=False)
    changed = random.random(len(frame)) < 0.01
    frame.loc[changed, "status"] = "deleted"
    frame.to_csv(folder / "tomorrow.csv", index=False)


def world(rows: int, users: int) -> dict[str, pa.Table]:
    """Return the current users, courses and sections."""
    sections = max(rows // 25, 1)
    ids = [f"S{n}" for n in range(sections)]
    courses = [f"C{n // SECTIONS_PER_COURSE}" for n in range(sections)]
    return {
        "users": _current(
            "users", user_kind="user", user_id=[f"U{n}" for n in range(users)], username=[f"u{n}" for n in range(users)]
        ),
        "courses": _current("courses", course_id=list(dict.fromkeys(courses))),
        "sections": _current("sections", section_id=ids, course_id=courses, home_course_id=courses),
    }


def _current(name: str, **columns: Any) -> pa.Table:
    target = TABLES[name]
    size = max(len(values) for values in columns.values() if isinstance(values, list))
    usual = {"source_file": "x.csv", "derived": "[]", "extensions": "{}"}
    made = {}
    for field in target.full_schema:
        value = columns.get(field.name, usual.get(field.name))
        made[field.name] = (
            pa.array(value, field.type) if isinstance(value, list) else pa.repeat(pa.scalar(value, field.type), size)
        )
    table = pa.table(made)
    return table.set_column(table.schema.get_field_index(HASH), HASH, row_hash(table, target))


def read(path: Path) -> pa.Table:
    """Return a file as validated rows."""
    text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(("section_id", "user_id", "role", "status"), pa.string()))
    rows = pyarrow.csv.read_csv(path, convert_options=text)
    rows = rows.append_column(ROW, pa.array(np.arange(2, rows.num_rows + 2)))
    return rows.append_column(REFUSED, pa.array(np.zeros(rows.num_rows, dtype=bool)))


def plain(folder: Path) -> dict[str, float]:
    """Read both days with pandas, keep the last row of each key, and merge the two."""
    before = pd.read_csv(folder / "today.csv", dtype=str).drop_duplicates(KEY, keep="last")
    start = time.process_time()
    rows = pd.read_csv(folder / "tomorrow.csv", dtype=str).drop_duplicates(KEY, keep="last")
    merged = before.merge(rows, on=KEY, how="outer", suffixes=("", "_new"))
    merged["status"] = merged["status_new"].fillna(merged["status"])
    assert len(merged[merged["status"] != "deleted"])
    return {"seconds": time.process_time() - start}


def folded(folder: Path, rows: int, users: int) -> dict[str, float]:
    """Apply the first day to an empty state, and the second day to the result."""
    use_jemalloc()
    current = world(rows, users)
    start = time.process_time()
    state = _fold(folder / "today.csv", current)
    first = time.process_time() - start
    current["enrollments"] = _published(state)
    del state
    start = time.process_time()
    then = _fold(folder / "tomorrow.csv", current)
    assert then.num_rows
    return {"seconds": time.process_time() - start, "first_load": first}


def _fold(path: Path, current: dict[str, pa.Table]) -> pa.Table:
    source = ChangeFile(kind="enrollments", file=path.name, rows=read(path))
    return apply_changes(CHANGE_PLAN, ChangeInput(sources=[source], current=current)).tables["enrollments"]


def _published(rows: pa.Table) -> pa.Table:
    columns = {
        field.name: rows.column(field.name) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in TABLES["enrollments"].full_schema
    }
    return pa.table(columns)


def _apart(what: str, folder: Path, rows: int, users: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--only", what, "--folder", str(folder), "--rows", str(rows), "--users", str(users)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Run the measurements, and print one line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--only", choices=("plain", "folded"))
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.only:
        found = plain(given.folder) if given.only == "plain" else folded(given.folder, given.rows, given.users)
        print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, given.rows, given.users)
        base = _apart("plain", folder, given.rows, given.users)
        found = _apart("folded", folder, given.rows, given.users)
        half_folder = folder / "half"
        half_folder.mkdir()
        write_files(half_folder, given.rows // 2, given.users)
        half = _apart("folded", half_folder, given.rows // 2, given.users)
    print(f"{given.rows:,} rows, {given.users:,} users")
    print(f"plain pandas        {base['seconds']:6.2f} s              peak {base['peak_mb']:6.0f} MB")
    ratio = found["seconds"] / base["seconds"]
    print(f"fold, next day      {found['seconds']:6.2f} s  ratio {ratio:4.2f}  peak {found['peak_mb']:6.0f} MB")
    print(f"fold, first load    {found['first_load']:6.2f} s")
    print(f"half the rows       {half['seconds']:6.2f} s  {found['seconds'] / half['seconds']:4.2f} times less")


if __name__ == "__main__":
    main()
