"""No reader or writer of the ledger or the roster reads a whole table that grows: the plans of their statements, on both databases.

Every statement is explained just before it runs, on its own connection, since some read temporary tables. On SQLite a plan does not
depend on the data (no statistics are gathered); PostgreSQL plans over a warehouse that 1,000 other districts have filled.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import HISTORIES
from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.roster import TABLES
from roster_etl.canonical.sql_types import METADATA, JsonText, Timestamp
from roster_etl.frames.arrow import findings_table
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import (
    REJECTED_ROWS_SCHEMA,
    RELEASED_ROWS_SCHEMA,
    Check,
    Edit,
    Hold,
    ImportFile,
    PurgeScope,
    WaitingRows,
    Warehouse,
    audit,
    bulk_load,
    change_feed,
    export_ledger,
    feed_status_read,
    ledger_read,
    ledger_write,
    people,
    publish,
    purge,
    quarantine,
    receipts,
    reconciliation,
    replayed_imports,
    roster_read,
    waiting_rows,
)
from roster_etl.store.warehouse.database import Database
from tests.ledgers import in_transaction
from tests.rosters import begin, change, day, end, enrollment, published, user, version_of

GROWING = frozenset(METADATA.tables)
STAGED = ("new_", "opening_", "closing_", "wanted_", "keys_", "leaving", "restored_")
"""How temporary tables begin, which hold the rows of one import."""
OPEN_ONLY = (
    "ix_holds_open",
    "ix_receipts_unsigned",
    "ix_reconciliation_open",
    "ix_reconciliation_open_key_a",
    "ix_reconciliation_open_key_b",
)
"""Indexes that hold what waits: reading all of one is reading what was asked for."""
RECORDS_FOUND_BY = (
    *(("users", column) for column in ("user_id", "state_id", "number", "email")),
    ("user_roles", "user_id"),
    *(("courses", column) for column in ("course_id", "number")),
    *(("sections", column) for column in ("section_id", "course_id", "course_number+organization_id+number+period")),
)
"""Table and columns by which a comparison of feeds reads records."""
SEATS = (
    roster_read.WantedEnrollments(users=[("user", "a")], seats=[(("s", None), ("user", "a"))]),
    roster_read.WantedEnrollments(
        users=[("student", "a")], sections=["s"], courses=["c"], seats=[(("s", None), ("student", "a"))]
    ),
)
"""Enrollments that are found by user, and others."""
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)

EXCEPTIONS: Mapping[str, str] = {
    r"^UPDATE imports SET quarantined = true WHERE EXISTS": "migration 0011, once",
    r"^INSERT INTO import_counts \(.*GROUP BY": "migration 0013, once",
    r"FROM import_counts WHERE import_counts\.imports > ": "metrics are of all feeds: the table has a few rows of each, whatever the history",
    r"^SELECT DISTINCT imports\.source FROM imports ORDER BY": "which formats the whole warehouse ever had: asked by nothing that runs each night",
    r"FROM receipts WHERE receipts\.number = ": "the chains of all feeds, where a person replaces the key",
    r"ON holds\.import_id = imports\.import_id ORDER BY holds\.import_id DESC$": "the list of all holds that ever were, where all are asked for",
}
"""Statements that may read more than what is new, and why."""


class Plans:
    """Explains statements as they run, and keeps what is wrong with their plans."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = {}

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Statements whose plan reads a whole table that grows, with the lines of the plan; exceptions left out."""
        allowed = [re.compile(pattern) for pattern in EXCEPTIONS]
        return {sql: lines for sql, lines in self.seen.items() if lines and not any(one.search(sql) for one in allowed)}

    def note(self, connection: sa.Connection, sql: str, parameters: Any) -> None:
        """Explain a statement, unless it was explained before or has no plan."""
        text = " ".join(sql.split())
        if (
            text in self.seen
            or not re.match(r"(WITH|SELECT|INSERT|UPDATE|DELETE)\b", text)
            or "pg_catalog" in text
            or "sqlite_master" in text
        ):
            return
        explain = self._sqlite if connection.dialect.name == "sqlite" else self._postgresql
        self.seen[text] = explain(bulk_load.driver(connection), sql, parameters)

    def _sqlite(self, driver: Any, sql: str, parameters: Any) -> list[str]:
        with driver.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            rows = cursor.fetchall()
        lines = [str(row[-1]) for row in rows]
        named = dict.fromkeys(GROWING, "") | {
            alias: "" for table, alias in re.findall(r"(\w+) AS (\w+)", sql) if table in GROWING
        }
        one_row = "LIMIT" in sql and "WHERE" not in sql
        return [*(line for line in lines if not one_row and _reads_all_sqlite(line, named)), *_nested_scans_sqlite(rows)]

    def _postgresql(self, driver: Any, sql: str, parameters: Any) -> list[str]:
        with driver.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
            plan = cursor.fetchone()[0][0]["Plan"]
        return [*_reads_all_postgresql(plan, limited=False), *_nested_scans_postgresql(plan)]


def _reads_all_sqlite(line: str, named: Mapping[str, str]) -> bool:
    """Return whether a line of a plan reads a whole table, makes an index for one statement, or begins with a range of all districts."""
    found = re.match(r"(SCAN|SEARCH) (\w+)", line)
    if (
        not found or found[2] not in named or any(name in line for name in OPEN_ONLY)
    ):  # what a subquery returns is no table, and its own lines are looked at
        return False
    return found[1] == "SCAN" or "AUTOMATIC" in line or bool(re.search(r"\((?!rowid)\w+[<>]\?", line))


def _nested_scans_sqlite(rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """Yield the scans that are made once for each row of another one: loops of one level stand one below the other."""
    outer: set[int] = set()
    for _, parent, _, line in rows:
        if re.match(r"(SCAN|SEARCH) ", str(line)):
            if parent in outer and str(line).startswith(tuple(f"SCAN {name}" for name in STAGED)):
                yield f"nested: {line}"
            outer.add(parent)


def _nested_scans_postgresql(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the scans of staged rows that are made once for each row of another one."""
    children = node.get("Plans", ())
    if node["Node Type"] == "Nested Loop":
        inner = children[1]["Plans"][0] if children[1]["Node Type"] == "Materialize" else children[1]
        if inner["Node Type"] == "Seq Scan" and str(inner.get("Relation Name")).startswith(STAGED):
            yield f"nested: Seq Scan {inner['Relation Name']}"
    for child in children:
        yield from _nested_scans_postgresql(child)


def _reads_all_postgresql(node: Mapping[str, Any], *, limited: bool) -> Iterator[str]:
    """Yield the scans of tables that grow which no condition of an index narrows; the first rows of an index in order are enough."""
    kind, table = node["Node Type"], node.get("Relation Name")
    index = node.get("Index Name", "")
    scans = kind in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan")
    of_growing = table in GROWING or (kind == "Bitmap Index Scan" and index.startswith(("ix_", "uq_", "pk_")))
    if scans and of_growing and "Index Cond" not in node and index not in OPEN_ONLY and not (limited and "Filter" not in node):
        yield f"{kind} {table or ''} {index}"
    passes_on = kind in ("Limit", "LockRows", "Result", "Subquery Scan")
    for child in node.get("Plans", ()):
        yield from _reads_all_postgresql(child, limited=kind == "Limit" or (limited and passes_on))


@contextmanager
def explained(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plans]:
    """Explain what SQLAlchemy executes, and what the bulk loader hands to the driver."""
    plans, literal = Plans(), bulk_load.literal

    def rendered(connection: sa.Connection, query: Any) -> str:
        sql = literal(connection, query)
        plans.note(connection, sql, ())
        return sql

    def before(connection: sa.Connection, _: Any, sql: str, parameters: Any, context: Any, executemany: bool) -> None:
        plans.note(connection, sql, parameters[0] if executemany else parameters)

    monkeypatch.setattr(bulk_load, "literal", rendered)
    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield plans
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def collected(batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Sequence[str]) -> pa.Table:
    """Read all batches of a query."""
    return pa.Table.from_batches(list(batches), schema=schema).sort_by([(name, "ascending") for name in order])


def _value(column: sa.Column[Any]) -> str | None:
    """Return SQL for a cell of row ``g`` that another district might have; None: the column stays NULL."""
    fixed = {
        "district_id": "'d' || mod(g, 1000)",
        "source": "'clever'",
        "status": "'published'",
        "kind": "'upload'",
        "import_id": "g",
    }
    if column.name in (
        "version_id",
        "override_id",
        "entry_id",
        "difference_id",
        "decision_id",
        "link_id",
        "valid_to",
        "cleared_at",
    ):
        return None
    if column.name in fixed:
        return fixed[column.name]
    if column.name == "valid_to_import":
        return "CASE WHEN mod(g, 2) = 0 THEN g END"
    kinds = (
        (sa.Boolean, "true"),
        (sa.Integer, "g"),
        (sa.Double, "g"),
        (sa.Date, "date '2026-01-01' + g"),
        (Timestamp, "now()"),
        (JsonText, "'{}'"),
    )
    return next((sql for kind, sql in kinds if isinstance(column.type, kind)), "'x' || g")


def fill(url: str, rows: int = 3000) -> None:
    """Enter what other districts have, and let PostgreSQL gather its statistics."""
    database = Database(url)
    with database.write() as connection:
        for table in METADATA.sorted_tables:
            cells = {f'"{column.name}"': value for column in table.c if (value := _value(column)) is not None}
            given = "OVERRIDING SYSTEM VALUE" if table is IMPORTS else ""
            into = f"INSERT INTO {table.name} ({', '.join(cells)}) {given}"
            connection.exec_driver_sql(
                f"{into} SELECT {', '.join(cells.values())} FROM generate_series(1, {rows}) AS g ON CONFLICT DO NOTHING"
            )
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('imports', 'import_id'), {rows})")
        connection.exec_driver_sql("ANALYZE")
        # As if each page held 10,000 times as many rows: 30 million in each table.
        of_schema = "relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        connection.exec_driver_sql(f"UPDATE pg_class SET reltuples = reltuples * 10000 WHERE {of_schema}")
    database.close()


@pytest.fixture
def filled_url(warehouse_url: str) -> str:
    if warehouse_url.startswith("postgresql"):
        fill(warehouse_url)
    return warehouse_url


def _readers(number: int, other: int) -> dict[str, Callable[[sa.Connection], Any]]:
    """Return a call of every function that reads the ledger or the roster."""
    feed, keys = ("lincoln", "clever"), pa.table({"user_kind": ["student"], "user_id": ["a"]})
    student = roster_read.QueryColumn(table="enrollments", column="user_id", name="Student", where={"role": "student"})
    period = roster_read.QueryColumn(table="sections", column="period", name="Period")
    every, pair = [*TABLES], ("lincoln", "canvas", "clever")
    return {
        "imports": lambda c: [
            ledger_read.imports(c, *given)
            for given in (
                (None, None, None, 5, None), ("lincoln", None, None, 5, None), (*feed, None, 1, ""), (*feed, "published", None, None),
                (None, None, "running", None, None), (*feed, "published", 1, ""), ("lincoln", None, "running", None, None),
            )
        ],
        "import_": lambda c: ledger_read.import_(c, number),
        "import_counts": lambda c: (ledger_read.import_counts(c), ledger_read.import_counts(c, "lincoln")),
        "row_counts": lambda c: ledger_read.row_counts(c, [number, other]),
        "import_times": lambda c: ledger_read.import_times(c, [number, other]),
        "imports_after": lambda c: ledger_read.imports_after(c, number, 10),
        "history": lambda c: ledger_read.history(c, number, 20),
        "previous_finding_counts": lambda c: ledger_read.previous_finding_counts(c, *feed, other, ("reject",)),
        "last_published": lambda c: (
            ledger_read.last_published(c, *feed, "upload", ""), ledger_read.last_published(c, *feed, None, None),
            ledger_read.last_published(c, *feed, "purge", "", before=other), ledger_read.last_published(c, *feed, None, "", before=other),
        ),
        "files": lambda c: ledger_read.files(c, number),
        "checks": lambda c: ledger_read.checks(c, number),
        "findings": lambda c: (ledger_read.findings(c, number, 1000), ledger_read.findings(c, number, None)),
        "holds": lambda c: [
            ledger_read.holds(c, *given, undecided=open_) for given in ((None, None), feed) for open_ in (True, False)
        ],
        "hold": lambda c: ledger_read.hold(c, number),
        "quarantined_rows": lambda c: (ledger_read.quarantined_rows(c, number), ledger_read.quarantined_rows(c, None, *feed)),
        "open_quarantine": lambda c: ledger_read.open_quarantine(c, *feed),
        "record_waits": lambda c: waiting_rows.record_waits(c, number, _waits(number)),
        "rows_waiting_for": lambda c: waiting_rows.rows_waiting_for(c, *feed, pa.array([1, 2])),
        "waits_recorded": lambda c: waiting_rows.waits_recorded(c, *feed),
        "has_quarantine": lambda c: waiting_rows.has_quarantine(c, *feed),
        "forget_row": lambda c: waiting_rows.forget_row(c, other, "students.csv", 2),
        "forget_rows": lambda c: waiting_rows.forget_rows(c, _waits(other).tried),
        "forget_imports": lambda c: waiting_rows.forget_imports(c, [other]),
        "forget_feeds": lambda c: (waiting_rows.forget_feeds(c, *feed), waiting_rows.forget_feeds(c, "lincoln")),
        "quarantined_since": lambda c: ledger_read.quarantined_since(c, [number, other]),
        "overrides": lambda c: (ledger_read.overrides(c, *feed), ledger_read.overrides(c, *feed, ended=True)),
        "sources": lambda c: (ledger_read.sources(c, None), ledger_read.sources(c, "lincoln")),
        "published_sources": lambda c: ledger_read.published_sources(c, "lincoln"),
        "current_versions": lambda c: [roster_read.current_versions(c, *feed, name) for name in every],
        "current_hashes": lambda c: [roster_read.current_hashes(c, *feed, name) for name in every],
        "current_by_school": lambda c: [roster_read.current_by_school(c, *feed, name) for name in every],
        "count_current": lambda c: [roster_read.count_current(c, *feed, name) for name in every],
        "versions": lambda c: [roster_read.versions(c, name, pa.array([1, 2])) for name in every],
        "versions_by_key": lambda c: [roster_read.versions_by_key(c, *feed, "users", keys, past=past) for past in (False, True)],
        "distinct_values": lambda c: (roster_read.distinct_values(c, *feed, [student]), roster_read.distinct_values(c, *feed, [student, period])),
        "current_keys": lambda c: [roster_read.current_keys(c, *feed, name, {}) for name in every]
        + [roster_read.current_keys(c, *feed, "users", {"user_kind": "student"})],
        "removed_versions_of": lambda c: [
            roster_read.removed_versions_of(c, *feed, every, pa.array(["a", "b"]), reverted) for reverted in ((), (number, other))
        ],
        "reverted_imports": lambda c: ledger_read.reverted_imports(c, *feed),
        "id_changes_of": lambda c: [
            roster_read.id_changes_of(c, *feed, pa.array([str(n) for n in range(count)], pa.string())) for count in (0, 1, 500)
        ],
        "last_removed_versions": lambda c: [
            roster_read.last_removed_versions(c, *feed, name, reverted) for name in every for reverted in ((), (number, other))
        ],
        "versions_before_rename": lambda c: [
            roster_read.versions_before_rename(c, *feed, name, pa.table({"old_id": ["a"], "changed": [other]}), reverted)
            for name in every for reverted in ((), (number, other))
        ],
        "versions_ended_since": lambda c: [roster_read.versions_ended_since(c, *feed, name, number) for name in every],
        "versions_begun_since": lambda c: [roster_read.versions_begun_since(c, *feed, name, number) for name in every],
        "since": lambda c: roster_read.since(c, *feed, "users", number),
        "versions_touched_by": lambda c: [roster_read.versions_touched_by(c, *feed, name, number) for name in every],
        "published_imports": lambda c: [
            ledger_read.published_imports(c, *feed, **given)
            for given in ({}, {"file_set": "", "since": 1}, {"before": other, "limit": 1}, {"since": 1, "before": other})
        ],
        "newest_of_feeds": lambda c: feed_status_read.newest_of_feeds(c, [(*feed, ""), ("other", "clever", "roster")]),
        "quarantined_imports": lambda c: feed_status_read.quarantined_imports(c, [(*feed, "")], [("other", "canvas", "")]),
        "quarantine_totals": lambda c: feed_status_read.quarantine_totals(c, [number, other]),
        "as_of": lambda c: [roster_read.as_of(c, NOW, name, *feed) for name in every],
        "school_names": lambda c: roster_read.school_names(c, *feed, ["S1", "S2"], number),
        "trace": lambda c: (
            roster_read.trace(c, "users", {"user_kind": "student", "user_id": "a"}, *feed), roster_read.trace(c, "id_changes", {}, *feed)
        ),
        "hashes_after_import": lambda c: [roster_read.hashes_after_import(c, *feed, name, number) for name in every],
        "listing": lambda c: (receipts.listing(c, "lincoln"), receipts.listing(c, *feed)),
        "unsigned": lambda c: receipts.unsigned(c, *feed),
        "unsigned_count": receipts.unsigned_count,
        "of_import": lambda c: receipts.of_import(c, number),
        "receipt_by_number": lambda c: receipts.receipt_by_number(c, *feed, 1),
        "last": lambda c: receipts.last(c, *feed),
        "chains": receipts.chains,
        "key_of_chain": lambda c: receipts.key_of_chain(c, *feed),
        "reserve": lambda c: receipts.reserve(c, *feed, number),
        "append_export": lambda c: receipts.append_export(c, "lincoln", "nothing", 1, None),
        "one_export": lambda c: export_ledger.one_export(c, 1),
        "append": lambda c: receipts.append(c, {**receipts.last(c, *feed), "number": 9}),
        "complete": lambda c: receipts.complete(c, receipts.last(c, *feed)),
        "current_records": lambda c: [roster_read.current_records(c, *feed, name, TABLES[name].key) for name in every],
        "open_differences": lambda c: (reconciliation.open_differences(c, pair), reconciliation.open_differences(c, pair, "users")),
        "open_identities": lambda c: reconciliation.open_identities(c, pair),
        "open_counts": lambda c: reconciliation.open_counts(c, "lincoln"),
        "counts_at": lambda c: reconciliation.counts_at(c, "lincoln", NOW),
        "undecided_counts": reconciliation.undecided_counts,
        "add_differences": lambda c: reconciliation.add_differences(c, pair, [_a_difference()], NOW),
        "differences": lambda c: reconciliation.differences(c, [1]),
        "close_differences": lambda c: reconciliation.close_differences(c, [1], "agrees", NOW),
        "decide_differences": lambda c: reconciliation.decide_differences(c, [1], "accepted", "A", NOW, None),
        "remove_differences": lambda c: [
            reconciliation.remove_differences(c, "lincoln", **given) for given in ({"before": NOW}, {})
        ],
        "open_identities_of": lambda c: reconciliation.open_identities_of(c, pair, {"users": (["{}"], ["{}"])}),
        "current_records_by": lambda c: [
            roster_read.current_records_by(c, *feed, name, {column: pa.array([["a", "b"]] if "+" in column else ["a"]) for column in columns}, TABLES[name].key)
            for name, *columns in RECORDS_FOUND_BY
        ],
        "current_enrollments": lambda c: [
            roster_read.current_enrollments(c, *feed, wanted, TABLES["enrollments"].key) for wanted in SEATS
        ],
        "ids_in_feeds": lambda c: [
            roster_read.ids_in_feeds(c, "lincoln", pair[1:], name, pa.array(["a"])) for name in ("sections", "courses")
        ],
        "all_differences": lambda c: reconciliation.all_differences(c, "lincoln"),
        "restore_differences": lambda c: reconciliation.restore_differences(c, []),
        "open_differences_of": lambda c: reconciliation.open_differences_of(c, pair, {"table_name": "users", "field": None}),
        "last_closed_difference_of": lambda c: reconciliation.last_closed_difference_of(c, pair, {"table_name": "users"}, NOW),
        "comparison_state": lambda c: reconciliation.comparison_state(c, pair),
        "compared_feeds": lambda c: reconciliation.compared_feeds(c, "lincoln"),
        "set_compared": lambda c: reconciliation.set_compared(c, pair, {"import_a": 1, "import_b": 2, "settings": "", "counts": {}}),
        "forget_compared": lambda c: (reconciliation.forget_compared(c, *pair), reconciliation.forget_compared(c, "lincoln")),
        "published_at": lambda c: reconciliation.published_at(c, [number, other]),
        "add_decision": lambda c: reconciliation.add_decision(c, _a_decision()),
        "decisions": lambda c: (reconciliation.decisions(c, "lincoln"), reconciliation.decisions(c, "lincoln", 5, 9)),
        "remove_decisions": lambda c: reconciliation.remove_decisions(c, "lincoln"),
        "links": lambda c: [people.links(c, "lincoln", past=past) for past in (False, True)],
        "link": lambda c: people.link(c, 1),
        "links_of": lambda c: [people.links_of(c, "lincoln", [RECORD], past=past) for past in (False, True)],
        "open_links_of": lambda c: people.open_links_of(c, "lincoln", [RECORD]),
        "ruled_pairs": lambda c: [people.ruled_pairs(c, "lincoln", pair[1:], side, [RECORD[1:]]) for side in (0, 1)],
        "links_of_person": lambda c: people.links_of_person(c, "lincoln", "one"),
        "decided_links": lambda c: people.decided_links(c, *pair),
        "person_ids": lambda c: [people.person_ids(c, *feed, moment) for moment in (None, NOW)],
        "link_counts": lambda c: people.link_counts(c, number),
        "id_changes": lambda c: people.id_changes(c, *feed),
        "first_imports": lambda c: people.first_imports(c, "lincoln", [RECORD]),
        "current_users": lambda c: people.current_users(c, "lincoln", [RECORD]),
        "add_links": lambda c: people.add_links(c, "lincoln", [_a_link()]),
        "close_links": lambda c: people.close_links(c, [1], "not_named", NOW, number),
        "remove_links": lambda c: [
            people.remove_links(c, "lincoln", **given) for given in ({"before": NOW}, {})
        ],
        "roster_rows": lambda c: [
            export_ledger.roster_rows(c, *feed, name, moment, collect=collected) for name in every for moment in (None, NOW)
        ],
        "change_moments": lambda c: export_ledger.change_moments(c, *feed, day(1), NOW),
        "purges_after": lambda c: export_ledger.purges_after(c, *feed, day(1)),
        "newest_published": lambda c: export_ledger.newest_published(c, *feed, NOW),
        "newest_publishes": lambda c: export_ledger.newest_publishes(c, [feed, ("other", "clever")], day(1)),
        "open_export": lambda c: export_ledger.open_export(c, _an_export(feed)),
        "close_export": lambda c: export_ledger.close_export(c, 1, {"finished_at": NOW}),
        "list_exports": lambda c: [
            export_ledger.list_exports(c, "lincoln", **given) for given in ({"limit": 1}, {"destination": "app", "limit": 1}, {"place": "out", "limit": 20})
        ],
        "imports_published_after": lambda c: change_feed.imports_published_after(c, *feed, number, 50),
        "changes_in": lambda c: change_feed.changes_in(c, number, "users", None, 10),
    }  # fmt: skip


RECORD = ("clever", "student", "a")


def _waits(number: int) -> WaitingRows:
    """Return that the row that import `number` refused waits for something."""
    tried = pa.table([[number], ["students.csv"], [2]], schema=RELEASED_ROWS_SCHEMA)
    return WaitingRows(awaited=tried.append_column("awaits", pa.array([1])), tried=tried, otherwise=2, basis="b")


def _a_difference() -> dict[str, Any]:
    return dict.fromkeys(reconciliation.DIFFERENCE) | {"table_name": "users", "kind": "ambiguous"}


def _a_decision() -> dict[str, Any]:
    """Return a row of the journal of decisions."""
    decided = {"decided_by": "A. Steward", "decided_at": NOW}
    return {"decision_id": 10**12, "district_id": "lincoln", "verb": "link", "about": [{"user_id": "a"}, {}], **decided}


def _a_link() -> dict[str, Any]:
    """Return a row of the table of links."""
    sides = {
        f"{name}_{side}": value for side in "ab" for name, value in zip(("source", "user_kind", "user_id"), RECORD, strict=True)
    }
    return {**sides, "link_id": 10**12, "verdict": "apart", "rule": "decision", "valid_from": NOW, "valid_from_import": 1}


def _an_export(feed: tuple[str, str]) -> dict[str, Any]:
    """Return a row of the ledger of exports."""
    place = {"district_id": feed[0], "source": feed[1], "format": "dyknow", "destination": "out", "requested_by": "A. Steward"}
    return {**place, "export_id": 10**12, "options": {}, "started_at": NOW, "files": [], "losses": []}


def test_every_reader_finds_its_rows_in_an_index(filled_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Warehouse(filled_url) as warehouse:
        rows = [{"file": "students.csv", "row": 2, "code": "bad_date", "record": "{}"}]
        number = published(
            warehouse, {"users": change("users", [user("a")])}, rejected_rows=pa.Table.from_pylist(rows, REJECTED_ROWS_SCHEMA)
        )
        other = begin(warehouse, 2)
        in_transaction(warehouse).conclude(end(other, "rejected", number=2))
        calls = _readers(number, other)
        assert set(calls) == _public(ledger_read) | _public(roster_read) | _public(change_feed) | _public(receipts) | _public(
            reconciliation
        ) | _public(export_ledger) | _public(people) | _public(feed_status_read) | _public(waiting_rows)
        with explained(monkeypatch) as plans, warehouse.reading() as connection:
            for call in calls.values():
                call(connection)

    assert len(plans.seen) > 100
    assert [f"{lines}: {sql}" for sql, lines in plans.wrong.items()] == []


def _public(module: Any) -> set[str]:
    """Return the functions of `module` that read in the transaction of a connection."""
    found = inspect.getmembers(module, inspect.isfunction)
    return {
        name
        for name, function in found
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and next(iter(inspect.signature(function).parameters), "") == "connection"
        and name != "select_column"  # returns a column
    }


def test_the_status_of_all_feeds_is_read_through_these_indexes(tmp_path: Path) -> None:
    """Each query looks for the newest import of a feed and status, for the open holds, and for the rows that one import refused."""
    lines: list[str] = []

    def explain(connection: sa.Connection, _: Any, sql: str, parameters: Any, *__: Any) -> None:
        with bulk_load.driver(connection).cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            lines.extend(str(row[-1]) for row in cursor.fetchall())

    feeds = [("lincoln", "clever", "")]
    with Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite") as warehouse:
        published(warehouse, {})
        with warehouse.reading() as connection:
            sa.event.listen(connection, "before_cursor_execute", explain)
            ledger_read.holds(connection)
            feed_status_read.newest_of_feeds(connection, feeds)
            feed_status_read.quarantined_imports(connection, feeds, feeds)
            feed_status_read.quarantine_totals(connection, [1])

    used = {found for line in lines for found in re.findall(r"USING (?:COVERING )?INDEX (\w+)", line)}
    assert used == {
        "ix_imports_feed",
        "ix_imports_finished",
        "ix_imports_ended_of_set",
        "ix_imports_undos",
        "ix_imports_quarantined",
        "ix_holds_open",
        "ix_rejected_rows_place",
        "ix_rejected_rows_record",
    }


def _removals(number: int) -> list[PurgeScope]:
    return [
        PurgeScope(
            district_id="lincoln", person=("student", "a"), values=frozenset({"a@lincoln.example.org"}), masked="•a",
            persons={"one": "other"},
            locations=frozenset({(number, "students.csv", 2)}),
        ),
        PurgeScope(district_id="lincoln", before=NOW, imports=frozenset({number})),
        PurgeScope(district_id="lincoln", imports=frozenset({number})),
    ]  # fmt: skip


WRITERS = (audit, ledger_write, publish, purge, quarantine, replayed_imports)
"""The modules whose functions write in the transaction of a connection; what else writes is among the readers."""
MANY = 500  # rows of one import: enough that reading a whole table would pay if it were as small as an import


def test_every_writer_finds_its_rows_in_an_index(filled_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing, holding, deciding, restoring and purging, in every table, few rows and many."""
    with Warehouse(filled_url) as warehouse, explained(monkeypatch) as plans, calls() as called:
        number = _publish_and_release(warehouse)
        _undo(warehouse, number)
        held = _hold_and_supersede(warehouse)
        _decide(warehouse, held)
        _restore(warehouse, held)
        with warehouse.write() as session:
            session.add_finding(number, Finding(severity="upload", code="bad_date", message="no date"))
            assert session.ledger.mentions_person("lincoln", "student", "a")
            session.ledger.person_values("lincoln", "student", "a")
            session.ledger.all_versions("lincoln", "clever", "users")
            session.ledger.audit("lincoln")
        for scope in (scopes := _removals(number)):
            warehouse.count_purge(scope)
        purged = begin(warehouse, 9)
        warehouse.purge(scopes[-1], lambda _: [end(purged, number=9)])  # once: PostgreSQL then knows how small its tables are

    assert {re.split(r" |\(", sql)[0] for sql in plans.seen} >= {"SELECT", "INSERT", "UPDATE", "DELETE"}
    missing = {f"{module.__name__}.{name}" for module in WRITERS for name in _public(module)} - called
    assert missing == set(), "a function that writes is not tried here"
    assert [f"{lines}: {sql}" for sql, lines in plans.wrong.items()] == []


def _publish_and_release(warehouse: Warehouse) -> int:
    """Publish an import with edits and refused rows, then one that closes and releases all of both. Returns the number of the first."""
    refused = [{"file": "students.csv", "row": row, "code": "bad_date", "record": f'{{"n": {row}}}'} for row in range(2, MANY)]
    released = pa.Table.from_pylist([{"import_id": 1, "file": "students.csv", "row": 2}], RELEASED_ROWS_SCHEMA)
    key = '{"user_kind": "student", "user_id": "a"}'
    edits = [Edit(begins=begins, table="users", key=key, field="first_name", value="Ann", by="sam") for begins in (True, False)]
    people_, seats = [user(name) for name in ("a", *map(str, range(MANY)))], [enrollment("a")]
    schools = [
        {"organization_id": "s", "organization_type": "school", "name": "Lake", "principal_email": "a@lincoln.example.org"}
    ]
    number = published(
        warehouse,
        {"users": change("users", people_), "enrollments": change("enrollments", seats), "organizations": change("organizations", schools)},
        rejected_rows=pa.Table.from_pylist(refused, REJECTED_ROWS_SCHEMA), edits=edits[:1],
        findings=findings_table([Finding(severity="warning", code="bad_date", message="no date", file="students.csv", row=2)]),
        files=[ImportFile(file="students.csv")], checks=[Check(name="suite", passed=True, severity="error")],
    )  # fmt: skip
    published(warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="a")])}, number=2,
              released_rows=released, edits=edits[1:])  # fmt: skip
    gone = warehouse.roster.current("lincoln", "clever", "users").column("version_id").to_pylist()
    released = pa.table({"import_id": [number] * len(refused), "file": ["students.csv"] * len(refused), "row": [*range(2, MANY)]})
    published(warehouse, {"users": change("users", gone=gone)}, number=3, released_rows=released)
    return number


def _undo(warehouse: Warehouse, rejecting: int) -> None:
    """Undo the last import, which released the rows that import `rejecting` had rejected, and undo that."""
    undone = warehouse.roster.base("lincoln", "clever")
    for number in (4, 5):
        base = warehouse.roster.base("lincoln", "clever")
        undo = in_transaction(warehouse).open_import(kind="undo", district_id="lincoln", source="clever", started_at=NOW)
        with warehouse.write() as session:
            session.publish(end(undo, number=number, summary={"undoes": [undone]}), {}, base)
            session.follow_undo(undo)
        assert warehouse.ledger.import_(rejecting)["quarantined"] == (number == 4)
        undone = undo


def _hold_and_supersede(warehouse: Warehouse) -> int:
    """Hold an import, whose hold the next one closes, and another one. Returns the number of the latter."""
    hold = Hold(reason="delete_threshold", plan_sha256="0", created_at=NOW)
    first = begin(warehouse, 4)
    in_transaction(warehouse).conclude(end(first, "held", number=4, hold=hold))
    later = begin(warehouse, 5)
    with warehouse.write() as session:
        closed = session.supersede_holds("lincoln", "clever", later, NOW, before=later, kind="upload")
        session.record_closed_holds(later, closed)
    assert closed == [first]
    in_transaction(warehouse).conclude(end(later, "failed", number=5))
    with warehouse.write() as session:
        session.resume(later)
        session.set_upload(later, "u5")
    in_transaction(warehouse).conclude(end(later, "held", number=5, hold=hold))
    return later


def _decide(warehouse: Warehouse, held: int) -> None:
    """Approve a hold, and publish it."""
    with warehouse.write() as session:
        session.decide_hold(held, "approved", "sam", NOW)
    base = warehouse.roster.base("lincoln", "clever")
    in_transaction(warehouse).publish(end(held, number=6), {"users": change("users", [user("a")])}, base)


def _restore(warehouse: Warehouse, like: int) -> None:
    """Enter an import, versions and an edit as a rebuild does."""
    row = {**warehouse.ledger.import_(like), "import_id": 10**9}
    hold = {**(warehouse.ledger.hold(like) or {}), "import_id": 10**9}
    edit = {"district_id": "lincoln", "source": "clever", "table_name": "users", "key": "{}", "field": "email", "set_by": "sam"}
    rows = warehouse.ledger.all_versions("lincoln", "clever", "users")
    with warehouse.write() as session:
        session.restore_import(row)
        refused = [{"file": "students.csv", "row": 2, "code": "bad_date", "record": "{}"}]
        session.restore_end(row, files=[], checks=[], hold=hold, findings=[], rejected=refused)
        session.restore_versions({"users": rows.filter(pc.is_valid(rows["valid_to_import"]))}, [{**edit, "set_at": NOW}])


@contextmanager
def calls() -> Iterator[set[str]]:
    """Note which functions of `WRITERS` are called in this thread."""
    names = {
        function.__code__: f"{module.__name__}.{name}"
        for module in WRITERS
        for name, function in inspect.getmembers(module, inspect.isfunction)
    }
    found: set[str] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in names:
            found.add(names[frame.f_code])

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def test_a_nested_scan_is_found(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above would see one: rows that are staged, each compared with all others."""
    rows = pa.table({"a": list(range(1000))})
    with Warehouse(warehouse_url) as warehouse, warehouse.reading() as connection, explained(monkeypatch) as plans:
        one, other = (bulk_load.stage(connection, name, rows) for name in ("new_one", "new_other"))
        connection.execute(sa.select(one.c.a).join_from(one, other, one.c.a < other.c.a + 1).limit(1)).all()

    assert [line for lines in plans.seen.values() for line in lines if line.startswith("nested")] != []


def test_a_scan_is_found(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would see one: a search for a column without an index."""
    users = HISTORIES["users"]
    with Warehouse(warehouse_url) as warehouse, warehouse.reading() as connection, explained(monkeypatch) as plans:
        connection.execute(sa.select(users.c.version_id).where(users.c.first_name == "Ann")).all()
        connection.execute(sa.select(users.c.version_id).where(users.c.valid_from == day(1))).all()

    assert len(plans.wrong) == 2


def test_every_exception_says_why() -> None:
    assert all(reason and re.compile(pattern) for pattern, reason in EXCEPTIONS.items())
