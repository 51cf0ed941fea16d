"""Measure what rejected rows cost that wait for a later upload of Canvas: ``python -m benchmarks.waiting [--rows 20000] [--imports 1 1000]``.

Belongs here: validating such rows again, and applying them to a roster that still lacks what they name; and reading from the warehouse
those that an upload of ten people touches, beside reading all. Nothing asserts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORT_FILES, IMPORTS, REJECTED_ROWS, WAITING_FEEDS, WAITING_FOR
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, ChangeInput, apply_changes
from roster_etl.pipeline.steps.retry_quarantine import quarantined_rows
from roster_etl.pipeline.steps.waiting_rows import FeedQuarantine, basis_of, hash_texts
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.store.warehouse import Warehouse
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


def filled(warehouse: Warehouse, upload: Upload, waiting: pa.Table) -> None:
    """Enter the imports that rejected the rows `waiting`, and that each waits for its user."""
    lines, feed = waiting.to_pylist(), (upload.district_id, upload.source)
    begun = datetime(2026, 11, 2, tzinfo=UTC)
    about = {
        "kind": "upload",
        "district_id": feed[0],
        "source": feed[1],
        "status": "published",
        "started_at": begun,
        "finished_at": begun,
    }
    numbers = sorted({line["import_id"] for line in lines})
    texts = [f"users.user_id={json.loads(line['record'])['user_id']}" for line in lines]
    places = [{name: line[name] for name in ("import_id", "file", "row")} for line in lines]
    hashes = hash_texts(feed, pa.array(texts)).to_pylist()
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        IMPORTS: [{**about, "import_id": n, "options": {}, "summary": {}, "file_set": "", "quarantined": True} for n in numbers],
        IMPORT_FILES: [{"import_id": n, "file": "enrollments.csv", "kind": "enrollments"} for n in numbers],
        REJECTED_ROWS: [
            {**place, "code": line["code"], "record": line["record"]} for place, line in zip(places, lines, strict=True)
        ],
        WAITING_FOR: [{**place, "awaits": number} for place, number in zip(places, hashes, strict=True)],
        WAITING_FEEDS: [{"district_id": feed[0], "source": feed[1], "import_id": numbers[-1], "basis": basis_of(upload, ())}],
    }
    with warehouse.write(directly=True) as session:
        for table, values in rows.items():
            session._connection.execute(sa.insert(table), values)  # noqa: SLF001 - rows that no import wrote


def read(warehouse: Warehouse, upload: Upload, texts: pa.Array) -> tuple[float, int]:
    """Return the CPU seconds of reading and validating the rows that wait for `texts`, and how many these are."""
    start = time.process_time()
    with warehouse.read() as session:
        quarantine = FeedQuarantine(session.roster, upload, ())
        quarantine.load(texts)
    return time.process_time() - start, quarantine.tried.num_rows


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="rows that wait")
    parser.add_argument("--imports", type=int, nargs="*", default=[1, 1000], help="imports that rejected them")
    parser.add_argument("--users", type=int, default=10_000, help="users of the roster")
    asked = parser.parse_args()
    about = {"format": CANVAS.format, "replacements": {}, "district_id": "lincoln", "source": "canvas", "settings": "s"}
    upload, users = cast("Upload", SimpleNamespace(**about)), known_users(asked.users)
    without = applied((), users)
    for imports in asked.imports:
        waiting, start = waiting_rows(asked.rows, imports), time.process_time()
        sources = list(quarantined_rows(upload, waiting))
        validated = time.process_time() - start
        seconds = applied(sources, users) - without
        print(f"  {asked.rows:,} rows of {imports:,} imports: validated in {validated:.2f} CPU s, applied in {seconds:.2f}")
        some = pa.array([f"users.user_id=9{number:07}" for number in range(10)])
        with TemporaryDirectory() as folder, Warehouse(f"sqlite:///{folder}/warehouse.sqlite") as warehouse:
            warehouse.revision()
            filled(warehouse, upload, waiting)
            touched, tried = read(warehouse, upload, some)
            everything, all_ = read(warehouse, cast("Upload", SimpleNamespace(**{**about, "settings": "other"})), some)
        print(
            f"    read and validated: all {all_:,} in {everything:.3f} CPU s; the {tried} of which something happened in {touched:.3f}"
        )


if __name__ == "__main__":
    main()
