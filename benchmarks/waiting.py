"""Measure what rejected rows cost that wait for a later upload of Canvas: ``python -m benchmarks.waiting [--rows 20000] [--imports 1 1000]``.

Belongs here: validating such rows again, and applying them to a roster that still lacks what they name. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, ChangeInput, apply_changes
from roster_etl.pipeline.steps.retry_quarantine import quarantined_rows
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.store.warehouse.ledger_read import OPEN_QUARANTINE
from roster_etl.vendors import vendor

CANVAS = vendor("canvas")
COLUMNS = ("course_id", "user_id", "role", "section_id", "status", "limit_section_privileges")


def waiting_rows(rows: int, imports: int) -> pa.Table:
    """Return so many enrollments of users whom nobody knows, rejected by so many imports."""
    lines = []
    for number in range(rows):
        cells = ("", f"9{number:07}", "student", f"S{number % 300}", "active", "")
        record = json.dumps(dict(zip(COLUMNS, cells, strict=True)))
        place = {"import_id": number * imports // rows + 1, "file": "enrollments.csv", "kind": "enrollments", "row": number + 2}
        lines.append({**place, "record": record, "code": "unknown_reference"})
    return pa.Table.from_pylist(lines, schema=OPEN_QUARANTINE)


def known_users(count: int) -> pa.Table:
    """Return current versions of so many users."""
    schema = TABLES["users"].full_schema
    made = {
        "version_id": list(range(count)),
        "user_kind": ["user"] * count,
        "user_id": [f"U{number}" for number in range(count)],
        "row_hash": [f"{number:016x}" for number in range(count)],
    }
    columns = {
        field.name: pa.array(made[field.name], field.type) if field.name in made else pa.nulls(count, field.type)
        for field in schema
    }
    return pa.table(columns, schema=schema)


def applied(sources: Sequence[ChangeFile], users: pa.Table) -> float:
    """Return the CPU seconds of applying `sources` to a roster of `users`."""
    assert CANVAS.change_plan is not None
    start = time.process_time()
    apply_changes(CANVAS.change_plan, ChangeInput(sources=sources, current={"users": users}))
    return time.process_time() - start


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="rows that wait")
    parser.add_argument("--imports", type=int, nargs="*", default=[1, 1000], help="imports that rejected them")
    parser.add_argument("--users", type=int, default=10_000, help="users of the roster")
    asked = parser.parse_args()
    upload, users = cast("Upload", SimpleNamespace(format=CANVAS.format, replacements={})), known_users(asked.users)
    without = applied((), users)
    for imports in asked.imports:
        waiting, start = waiting_rows(asked.rows, imports), time.process_time()
        sources = list(quarantined_rows(upload, waiting))
        validated = time.process_time() - start
        seconds = applied(sources, users) - without
        print(f"  {asked.rows:,} rows of {imports:,} imports: validated in {validated:.2f} CPU s, applied in {seconds:.2f}")


if __name__ == "__main__":
    main()
