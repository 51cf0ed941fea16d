"""Readers of the ledger that run each night, tick or import cost the same however long the ledger is: steps of SQLite's machine, counted.

The plans of the statements (``test_query_plans``) say that an index is used; a statement may still walk through all imports of a feed in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import EXPORTS, FINDINGS, HOLDS, IMPORT_FILES, IMPORTS, REJECTED_ROWS, WAITING_FOR
from roster_etl.canonical.receipts import RECEIPTS
from roster_etl.store.warehouse import (
    Warehouse,
    bulk_load,
    export_ledger,
    feed_status_read,
    ledger_read,
    receipts,
    roster_read,
    waiting_rows,
)
from tests.pipeline.work import count_imports
from tests.rosters import DISTRICT, SOURCE, change, day, enrollment, published, user

FEW, MANY = 30, 3000
LONG, SHORT = ("lincoln", "clever"), ("lincoln", "dyknow")
"""A feed with many imports, and one of the same district with three, which are the oldest."""

READERS: dict[str, Callable[[sa.Connection, int], Any]] = {
    "newest import": lambda c, _: ledger_read.imports(c, limit=1),
    "newest of a district": lambda c, _: ledger_read.imports(c, "lincoln", limit=1),
    "newest of a feed": lambda c, _: [ledger_read.imports(c, *feed, limit=5) for feed in (LONG, SHORT)],
    "newest of a file set": lambda c, _: [ledger_read.imports(c, *LONG, limit=1, file_set=name) for name in ("", "attendance")],
    "running": lambda c, _: (ledger_read.imports(c, status="running"), ledger_read.imports(c, "lincoln", status="running")),
    "one": lambda c, n: (ledger_read.import_(c, n), ledger_read.files(c, n), ledger_read.findings(c, n), ledger_read.hold(c, n)),
    "times": lambda c, n: (ledger_read.import_times(c, [1, n]), ledger_read.row_counts(c, [1, n])),
    "counts": lambda c, _: (ledger_read.import_counts(c), ledger_read.import_counts(c, "lincoln")),
    "after": lambda c, n: ledger_read.imports_after(c, n - 20, 20),
    "history": lambda c, n: [ledger_read.history(c, number, 20) for number in (n, 3)],
    "findings before": lambda c, n: ledger_read.previous_finding_counts(c, *LONG, n, ("reject",)),
    "last published": lambda c, _: [
        ledger_read.last_published(c, *feed, "upload", name) for feed in (LONG, SHORT) for name in (None, "", "attendance")
    ],
    "published before": lambda c, n: ledger_read.published_imports(c, *LONG, "attendance", before=n, limit=2),
    "undone imports": lambda c, _: ledger_read.reverted_imports(c, *LONG),
    "open holds": lambda c, _: (ledger_read.holds(c), ledger_read.holds(c, *LONG)),
    "open quarantine": lambda c, _: ledger_read.open_quarantine(c, *LONG),
    "rows that wait": lambda c, n: (
        waiting_rows.rows_waiting_for(c, *LONG, pa.array([n])), waiting_rows.waits_recorded(c, *LONG), waiting_rows.has_quarantine(c, *LONG)
    ),
    "refused since": lambda c, n: ledger_read.quarantined_since(c, [n]),
    "formats": lambda c, _: (ledger_read.sources(c, "lincoln"), ledger_read.published_sources(c, "lincoln")),
    "status of feeds": lambda c, _: feed_status_read.newest_of_feeds(c, [(*LONG, ""), (*LONG, "attendance"), (*SHORT, "")]),
    "quarantine of feeds": lambda c, _: feed_status_read.quarantined_imports(c, [(*LONG, "attendance"), (*SHORT, "")], [(*LONG, "")]),
    "rows in quarantine": lambda c, n: feed_status_read.quarantine_totals(c, [n]),
    "new publishes": lambda c, n: export_ledger.newest_publishes(c, [LONG, SHORT], day(1) + timedelta(minutes=n - 1)),
    "published until": lambda c, n: export_ledger.newest_published(c, *LONG, day(1) + timedelta(minutes=n)),
    "changes since": lambda c, n: export_ledger.change_moments(c, *LONG, day(1) + timedelta(minutes=n - 5), day(28)),
    "roster of some imports ago": lambda c, n: [
        export_ledger.roster_rows(c, *LONG, "users", day(1) + timedelta(minutes=n - 5), collect=collected),
        roster_read.as_of(c, day(1) + timedelta(minutes=n - 5), "users", *LONG),
    ],
    "last export": lambda c, _: (
        export_ledger.list_exports(c, "lincoln", destination="app", limit=1), export_ledger.list_exports(c, "lincoln", place="out", limit=20)
    ),
    "last receipt": lambda c, n: (
        receipts.last(c, *LONG), receipts.unsigned(c, *LONG), receipts.of_import(c, n), receipts.unsigned_count(c)
    ),
    "events without receipt": lambda c, n: receipts.reserve(c, *LONG, n - 2),
}  # fmt: skip


def collected(batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Sequence[str]) -> pa.Table:
    """Read all batches of a query."""
    del order
    return pa.Table.from_batches(list(batches), schema=schema)


def fill(url: str, imports: int) -> None:
    """Enter imports of `LONG`, one a minute, most of them published, each with a file, a finding, a version of one record, an export and a receipt; three before are of `SHORT`."""
    numbers = range(1, imports + 1)
    at = {n: day(1) + timedelta(minutes=n) for n in numbers}
    feed = {n: dict(zip(("district_id", "source"), SHORT if n <= 3 else LONG, strict=True)) for n in numbers}
    status = {n: {5: "unchanged", 7: "rejected", 9: "discarded"}.get(n % 10, "published") for n in numbers}
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        IMPORTS: [
            {"import_id": n, "kind": "upload", **feed[n], "status": status[n], "started_at": at[n], "finished_at": at[n], "options": {}, "summary": {}, "file_set": "", "quarantined": n == imports}
            for n in numbers
        ],
        IMPORT_FILES: [{"import_id": n, "file": "students.csv", "kind": "students", "rows_read": 9} for n in numbers],
        FINDINGS: [{"import_id": n, "id": 1, "severity": "reject", "code": "bad_date", "message": "bad", "count": 1} for n in numbers],
        REJECTED_ROWS: [{"import_id": imports, "file": "students.csv", "row": 2, "code": "bad_date", "record": "{}", "record_hash": "a", "refused_at": at[imports]}],
        WAITING_FOR: [{"import_id": n, "file": "students.csv", "row": 2, "awaits": n} for n in numbers],
        HOLDS: [{"import_id": n, "reason": "x", "plan_sha256": "0", "created_at": at[n], "decision": "discarded"} for n in numbers if status[n] == "discarded"],
        EXPORTS: [
            {**feed[n], "format": "dyknow", "options": {}, "destination": "out", "destination_name": "app", "status": "written", "started_at": at[n], "files": [], "losses": [], "requested_by": "s"}
            for n in numbers
        ],
        history_table("users"): [
            {
                "district_id": LONG[0], "source": LONG[1], "user_kind": "student", "user_id": "a", "row_hash": str(n), "derived": "[]", "extensions": "{}",
                "valid_from_import": n, "valid_from": at[n], "valid_to_import": n + 1 if n < imports else None, "valid_to": at.get(n + 1),
            }
            for n in numbers
        ],
        RECEIPTS: [
            {**feed[n], "number": n, "kind": "import", "import_id": n, "status": status[n], "undecided": False, "covered_to": n, "sha256": "0"}
            for n in numbers[:-2]
        ],
    }  # fmt: skip
    with Warehouse(url) as warehouse:
        warehouse.revision()
        with warehouse.write(directly=True) as session:
            for table, values in rows.items():
                session._connection.execute(sa.insert(table), values)
            count_imports(session._connection)


class Recording:
    """The statements and the staged tables of a reader, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Any]] = []
        literal, stage = bulk_load.literal, bulk_load.stage

        def rendered(connection: sa.Connection, query: Any) -> str:
            sql = str(literal(connection, query))
            if sql.startswith("SELECT"):  # else a part of a statement
                self.calls.append((sql, ()))
            return sql

        def staged(connection: sa.Connection, name: str, rows: pa.Table) -> Any:
            self.calls.append((name, rows))
            return stage(connection, name, rows)

        monkeypatch.setattr(bulk_load, "literal", rendered)
        monkeypatch.setattr(bulk_load, "stage", staged)

    def note(self, _: Any, __: Any, sql: str, parameters: Any, ___: Any, many: bool) -> None:
        """Note a statement of SQLAlchemy; of many rows, the first."""
        self.calls.append((sql, parameters[0] if many else parameters))


def steps_of(path: Path, calls: list[tuple[str, Any]]) -> int:
    """Return how many steps SQLite takes for what was recorded, in tens. Nothing is written for good."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN")
        for sql, about in calls:
            if isinstance(about, pa.Table):
                database.execute(f"DROP TABLE IF EXISTS {sql}")
                database.execute(f"CREATE TEMP TABLE {sql} ({', '.join(about.column_names)})")
                marks = ", ".join("?" * about.num_columns)
                database.executemany(f"INSERT INTO {sql} VALUES ({marks})", zip(*about.to_pydict().values(), strict=True))
                continue
            database.set_progress_handler(step, 10)
            database.execute(sql, about).fetchall()
            database.set_progress_handler(None, 0)
    return count


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A short and a long ledger."""
    found = {}
    for size in (FEW, MANY):
        found[size] = tmp_path_factory.mktemp("ledger") / "warehouse.sqlite"
        fill(f"sqlite:///{found[size]}", size)
    return found


@pytest.mark.parametrize("name", READERS)
def test_a_reader_costs_the_same_in_a_long_ledger(name: str, ledgers: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {}
    for size, path in ledgers.items():
        recording = Recording(monkeypatch)
        with Warehouse(f"sqlite:///{path}") as warehouse, warehouse.reading() as connection:
            sa.event.listen(connection, "before_cursor_execute", recording.note)
            with connection.begin_nested():
                READERS[name](connection, size)
                connection.rollback()
        steps[size] = steps_of(path, recording.calls)

    assert steps[FEW] > 0
    assert steps[MANY] <= 1.1 * steps[FEW] + 5


def removed(path: Path, size: int) -> None:
    """Publish so many users with a course each, and remove all but one of them."""
    with Warehouse(f"sqlite:///{path}") as warehouse:
        warehouse.revision()
        rows = {
            "users": [user(f"u{n}") for n in range(size)],
            "enrollments": [enrollment(f"u{n}", course_id=f"c{n}") for n in range(size)],
        }
        published(warehouse, {name: change(name, some) for name, some in rows.items()})
        gone = {
            name: warehouse.roster.current_hashes(DISTRICT, SOURCE, name).column("version_id").to_pylist()[1:] for name in rows
        }
        published(warehouse, {name: change(name, gone=some, reason="deleted") for name, some in gone.items()}, number=2)


def test_removed_records_are_read_at_the_cost_of_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, found = {}, {}
    for size in (FEW, MANY):
        path, recording = tmp_path / f"{size}.sqlite", Recording(monkeypatch)
        removed(path, size)
        with Warehouse(f"sqlite:///{path}") as warehouse, warehouse.reading() as connection:
            recording.calls.clear()
            sa.event.listen(connection, "before_cursor_execute", recording.note)
            ids = pa.array(["u5", "c5", "u7"])
            found[size] = roster_read.removed_versions_of(connection, DISTRICT, SOURCE, ["users", "enrollments", "sections"], ids)
        steps[size] = steps_of(path, [call for call in recording.calls if "wanted_ids" in call[0]])

    assert {name: rows.num_rows for name, rows in found[MANY].items()} == {"users": 2, "enrollments": 1, "sections": 0}
    assert steps[FEW] > 0
    assert steps[MANY] <= 1.1 * steps[FEW] + 5
