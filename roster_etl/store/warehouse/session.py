"""Sessions over SQL: queries on one snapshot, and statements of one transaction.

Belongs here: which query or statement a session offers, and on which connection it runs. The SQL is in the modules beside this one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.audit import Action
from roster_etl.canonical.ledger import Decision, ImportKind
from roster_etl.spec.findings import Finding
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import (
    audit,
    change_feed,
    export_ledger,
    feed_status_read,
    ledger_read,
    ledger_write,
    locks,
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
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.errors import translate_database_errors
from roster_etl.store.warehouse.import_result import ImportResult, TableChange
from roster_etl.store.warehouse.reader_protocols import RosterReader
from roster_etl.store.warehouse.roster_read import QueryColumn

Connect = Callable[[], AbstractContextManager[sa.Connection]]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _Queries:
    """Queries that run on the connection of a session."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect


def _query(
    function: Callable[Concatenate[sa.Connection, Arguments], Result],
) -> Callable[Concatenate[_Queries, Arguments], Result]:
    """Return `function` as a method that runs on the session's connection."""

    @wraps(function)
    def method(queries: _Queries, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with queries._connect() as connection:  # noqa: SLF001 - the class of this module
            return function(connection, *args, **kwargs)

    return method


class SqlRoster(_Queries):
    """The queries of ``readers.RosterReader``."""

    base = _query(publish.base_import)
    last_published = _query(ledger_read.last_published)
    published_imports = _query(ledger_read.published_imports)
    reverted_imports = _query(ledger_read.reverted_imports)
    current = _query(roster_read.current_versions)
    current_hashes = _query(roster_read.current_hashes)
    current_by_school = _query(roster_read.current_by_school)
    count_current = _query(roster_read.count_current)
    versions = _query(roster_read.versions)
    versions_by_key = _query(roster_read.versions_by_key)
    distinct_values = _query(roster_read.distinct_values)
    last_removed_versions = _query(roster_read.last_removed_versions)
    current_keys = _query(roster_read.current_keys)
    current_records = _query(roster_read.current_records)
    removed_versions_of = _query(roster_read.removed_versions_of)
    id_changes_of = _query(roster_read.id_changes_of)
    versions_before_rename = _query(roster_read.versions_before_rename)
    since = _query(roster_read.since)
    versions_touched_by = _query(roster_read.versions_touched_by)
    as_of = _query(roster_read.as_of)
    school_names = _query(roster_read.school_names)
    trace = _query(roster_read.trace)
    overrides = _query(ledger_read.overrides)
    open_quarantine = _query(ledger_read.open_quarantine)
    rows_waiting_for = _query(waiting_rows.rows_waiting_for)
    waits_recorded = _query(waiting_rows.waits_recorded)
    has_quarantine = _query(waiting_rows.has_quarantine)
    imports_published_after = _query(change_feed.imports_published_after)


class ComparedRoster(SqlRoster):
    """The roster that a dry run compares with: that of another warehouse, on a connection to it.

    Distinct values include those of the scratch database: another file set of the same upload may have added them.
    """

    def __init__(self, connect: Connect, scratch: RosterReader) -> None:
        super().__init__(connect)
        self._scratch = scratch

    def distinct_values(self, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
        """Return the distinct combinations of values that current records have in `columns`, as text."""
        tables = (
            self._scratch.distinct_values(district_id, source, columns),
            super().distinct_values(district_id, source, columns),
        )
        return pa.concat_tables(tables)


class SqlLedger(_Queries):
    """Queries on imports and what belongs to them: files, checks, findings, rejected rows, holds, the audit."""

    imports = _query(ledger_read.imports)
    import_ = _query(ledger_read.import_)
    imports_after = _query(ledger_read.imports_after)
    history = _query(ledger_read.history)
    newest_of_feeds = _query(feed_status_read.newest_of_feeds)
    quarantined_imports = _query(feed_status_read.quarantined_imports)
    quarantine_totals = _query(feed_status_read.quarantine_totals)
    import_counts = _query(ledger_read.import_counts)
    row_counts = _query(ledger_read.row_counts)
    import_times = _query(ledger_read.import_times)
    sources = _query(ledger_read.sources)
    files = _query(ledger_read.files)
    checks = _query(ledger_read.checks)
    findings = _query(ledger_read.findings)
    previous_finding_counts = _query(ledger_read.previous_finding_counts)
    quarantined_rows = _query(ledger_read.quarantined_rows)
    quarantined_since = _query(ledger_read.quarantined_since)
    holds = _query(ledger_read.holds)
    hold = _query(ledger_read.hold)
    imports_published_after = _query(change_feed.imports_published_after)
    changes_in = _query(change_feed.changes_in)
    audit = _query(audit.read)
    person_values = _query(purge.person_values)
    mentions_person = _query(purge.mentions_person)
    all_versions = _query(purge.versions)
    exports = _query(export_ledger.list_exports)
    export = _query(export_ledger.one_export)
    export_rows = _query(export_ledger.roster_rows)
    newest_published = _query(export_ledger.newest_published)
    published_sources = _query(ledger_read.published_sources)
    newest_publishes = _query(export_ledger.newest_publishes)
    change_moments = _query(export_ledger.change_moments)
    purges_after = _query(export_ledger.purges_after)


class SqlReconciliation(_Queries):
    """Queries on the differences between feeds."""

    current_records = _query(roster_read.current_records)
    count_current = _query(roster_read.count_current)
    current_records_by = _query(roster_read.current_records_by)
    current_enrollments = _query(roster_read.current_enrollments)
    ids_in_feeds = _query(roster_read.ids_in_feeds)
    versions_ended_since = _query(roster_read.versions_ended_since)
    versions_begun_since = _query(roster_read.versions_begun_since)
    open_identities_of = _query(reconciliation.open_identities_of)
    base_import = _query(publish.base_import)
    sources = _query(ledger_read.sources)
    open_differences = _query(reconciliation.open_differences)
    all_differences = _query(reconciliation.all_differences)
    open_differences_of = _query(reconciliation.open_differences_of)
    last_closed_difference_of = _query(reconciliation.last_closed_difference_of)
    open_identities = _query(reconciliation.open_identities)
    open_counts = _query(reconciliation.open_counts)
    counts_at = _query(reconciliation.counts_at)
    undecided_counts = _query(reconciliation.undecided_counts)
    differences = _query(reconciliation.differences)
    comparison_state = _query(reconciliation.comparison_state)
    compared_feeds = _query(reconciliation.compared_feeds)
    decisions = _query(reconciliation.decisions)
    published_at = _query(reconciliation.published_at)


class SqlPeople(_Queries):
    """Queries on the links between records of people."""

    links = _query(people.links)
    link = _query(people.link)
    links_of = _query(people.links_of)
    open_links_of = _query(people.open_links_of)
    ruled_pairs = _query(people.ruled_pairs)
    links_of_person = _query(people.links_of_person)
    decided_links = _query(people.decided_links)
    person_ids = _query(people.person_ids)
    link_counts = _query(people.link_counts)
    id_changes = _query(people.id_changes)
    first_imports = _query(people.first_imports)
    current_users = _query(people.current_users)
    sources = _query(ledger_read.sources)


class SqlPeopleWriter(SqlPeople):
    """Queries on the links between records of people, and the statements that open and close them."""

    add_links = _query(people.add_links)
    close_links = _query(people.close_links)


class SqlReconciliationWriter(SqlReconciliation):
    """Queries on the differences between feeds, and the statements that open, close and decide them."""

    restore_differences = _query(reconciliation.restore_differences)
    add_decision = _query(reconciliation.add_decision)
    set_compared = _query(reconciliation.set_compared)
    forget_compared = _query(reconciliation.forget_compared)

    add_differences = _query(reconciliation.add_differences)
    close_differences = _query(reconciliation.close_differences)
    decide_differences = _query(reconciliation.decide_differences)
    lock = _query(locks.lock_comparison)


@dataclass(frozen=True)
class Readers:
    """The queries of one read session. ``roster``: of the published roster; ``ledger``: of imports, findings, holds and the audit."""

    roster: RosterReader
    ledger: SqlLedger


class SqlReceipts(_Queries):
    """Queries on receipts."""

    listing = _query(receipts.listing)
    unsigned = _query(receipts.unsigned)
    unsigned_count = _query(receipts.unsigned_count)
    receipt_by_number = _query(receipts.receipt_by_number)
    of_import = _query(receipts.of_import)
    last = _query(receipts.last)
    key_of_chain = _query(receipts.key_of_chain)
    chains = _query(receipts.chains)
    roster_hashes = _query(roster_read.hashes_after_import)


class SqlReceiptWriter(SqlReceipts):
    """Queries on receipts, and the statements that number and complete them."""

    reserve = _query(receipts.reserve)
    append = _query(receipts.append)
    append_export = _query(receipts.append_export)
    complete = _query(receipts.complete)


class ReadSession:
    """Queries on one snapshot. The connection opens at the first query; threads that share the session wait for each other."""

    def __init__(self, begin: Connect) -> None:
        """Prepare. `begin` opens a transaction that reads."""
        self._begin = begin
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._connection: sa.Connection | None = None
        self._closed = False
        self.roster = SqlRoster(self.connection)
        self.ledger = SqlLedger(self.connection)
        self.receipts = SqlReceipts(self.connection)
        self.reconciliation = SqlReconciliation(self.connection)
        self.people = SqlPeople(self.connection)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """Use the connection of the session for one query. Raises WarehouseError."""
        with self._lock, translate_database_errors():
            if self._closed:
                raise RuntimeError("the read session has ended")
            if self._connection is None:
                self._connection = self._stack.enter_context(self._begin())
            yield self._connection

    def close(self, error: BaseException | None = None) -> None:
        """End the snapshot and close the connection. Raises WarehouseError.

        Args: error: what ended the session early; it is not hidden by what closing a broken connection raises.
        """
        with self._lock:
            self._closed = True
            self._stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


class WriteSession:
    """The statements of one transaction, and queries that see what it has written.

    A dry run and a replay override single statements (``pipeline.review.dry_run``, ``pipeline.maintenance.rebuild``).
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.roster = SqlRoster(lambda: nullcontext(connection))
        self.ledger = SqlLedger(lambda: nullcontext(connection))
        self.receipts = SqlReceiptWriter(lambda: nullcontext(connection))
        self.reconciliation = SqlReconciliationWriter(lambda: nullcontext(connection))
        self.people = SqlPeopleWriter(lambda: nullcontext(connection))
        self.committed_points: list[str] = []
        """Fault points to pass once the transaction is committed."""

    def open_import(  # noqa: PLR0913 - one argument for each column that is known by then
        self,
        *,
        kind: ImportKind,
        district_id: str,
        source: str,
        started_at: datetime,
        upload_id: str | None = None,
        run_id: str | None = None,
        received_at: datetime | None = None,
        options: Mapping[str, Any] | None = None,
        import_id: int | None = None,
        file_set: str = "",
        claim: Callable[[int], None] = lambda _: None,
        entry: AuditEntry | None = None,
    ) -> int:
        """Insert an import as ``running``, and return its number.

        Args: import_id: keep a number that it had; claim: called with the number before others can read the import; entry: the
            audit entry of who requested it, which gets that number.
        """
        columns = {"kind": kind, "district_id": district_id, "source": source, "upload_id": upload_id, "run_id": run_id}
        columns["file_set"] = file_set
        given = {} if import_id is None else {"import_id": import_id}
        number = ledger_write.open_import(
            self._connection, **columns, received_at=received_at, started_at=started_at, options=dict(options or {}), **given
        )
        claim(number)
        self.append_audit(*([replace(entry, import_id=number)] if entry else []))
        self._passed("ledger.open", "ledger.opened")
        return number

    def set_upload(
        self, import_id: int, upload_id: str, *, received_at: datetime | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Write which upload a running import reads. Raises ImportNotRunning."""
        columns = {"upload_id": upload_id, "received_at": received_at, "options": None if options is None else dict(options)}
        ledger_write.lock_import(self._connection, import_id, "running")
        ledger_write.update_import(
            self._connection, import_id, **{name: value for name, value in columns.items() if value is not None}
        )
        fault_point("ledger.upload")

    def resume(self, import_id: int, run_id: str | None = None) -> None:
        """Set an import that failed, or that a dead process left running, to ``running``, without its error. Raises ImportNotRunning."""
        row = ledger_write.lock_import(self._connection, import_id, "running", "failed")
        changed: dict[str, Any] = {"run_id": run_id} if run_id else {}
        changed["summary"] = {name: value for name, value in (row["summary"] or {}).items() if name != "error"}
        ledger_write.update_import(self._connection, import_id, status="running", finished_at=None, **changed)
        fault_point("ledger.resume")

    def conclude(self, conclusion: ImportResult) -> None:
        """End a running import that publishes nothing. Raises ImportNotRunning."""
        if conclusion.status in ("published", "discarded"):
            raise ValueError(f"{conclusion.status}: use publish or decide_hold")
        ledger_write.lock_import(self._connection, conclusion.import_id, "running")
        ledger_write.conclude(self._connection, conclusion)
        self.append_audit(*conclusion.entries)
        self._passed("ledger.conclude", "ledger.concluded")

    def publish(
        self,
        conclusion: ImportResult,
        changes: Mapping[str, TableChange],
        base: int | None,
        *,
        approved_by: str | None = None,
    ) -> None:
        """Close and open versions, and end the import as ``published``.

        Args:    conclusion: status ``published``. changes: by roster table. base: what `RosterReader.base` returned when the plan was
                 made. approved_by: who approved, for an import that is held (unless `decide_hold` has said so).
        Raises:  RosterChanged: another import was published for the feed since. ImportNotRunning: it ended, or is held.
                 ConstraintBroken: two current versions would have one key.
        """
        if conclusion.status != "published":
            raise ValueError(f"{conclusion.status}: use conclude")
        publish.publish(self._connection, conclusion, changes, base, approved_by)
        self.append_audit(*conclusion.entries)
        self._passed("publish.commit", "publish.committed")

    def follow_undo(self, import_id: int) -> None:
        """Bring back into the quarantine what the imports took out that the published undo reverts, or take it out again."""
        quarantine.follow_undo(self._connection, import_id)

    def add_finding(self, import_id: int, finding: Finding) -> None:
        """Add a finding about the whole upload to an import that has ended."""
        ledger_write.add_finding(self._connection, import_id, finding)

    def decide_hold(self, import_id: int, decision: Decision, by: str, at: datetime) -> None:
        """Write what a person decided about a held import; ``discarded`` ends it. Raises NoHold, ImportNotRunning."""
        row = ledger_write.lock_import(self._connection, import_id, "held")
        ledger_write.decide_hold(self._connection, import_id, decision, by, at)
        self.append_audit(*_decision_entries(row, decision, by))
        if decision == "discarded":
            ledger_write.update_import(self._connection, import_id, status="discarded")
        self._passed("decide.record", "decide.recorded")

    def supersede_holds(
        self,
        district_id: str,
        source: str,
        by_import: int,
        at: datetime,
        *,
        before: int | None = None,
        kind: ImportKind | None = None,
    ) -> list[int]:
        """Close the other open holds of the feed and file set (of a `kind`, numbered below `before`); return their imports."""
        closed = ledger_write.supersede_holds(self._connection, district_id, source, by_import, at, before=before, kind=kind)
        self._passed("ledger.supersede", "ledger.superseded")
        return closed

    def record_closed_holds(self, by_import: int, closed: Sequence[int]) -> None:
        """Write to the summary of an import which holds it closed."""
        ledger_write.record_closed_holds(self._connection, by_import, closed)

    def append_audit(self, *entries: AuditEntry) -> None:
        """Add lines to the audit."""
        audit.write(self._connection, entries)

    # Exports

    def open_export(self, row: Mapping[str, Any]) -> int:
        """Insert an export as failed, which it is until it has ended, and return its number."""
        number = export_ledger.open_export(self._connection, row)
        self._passed("export.open", "export.opened")
        return number

    def close_export(self, export_id: int, columns: Mapping[str, Any]) -> None:
        """Write how an export ended."""
        export_ledger.close_export(self._connection, export_id, columns)
        self._passed("export.close", "export.closed")

    # Maintenance

    def restore_import(self, row: Mapping[str, Any]) -> None:
        """Insert an import under the number and the times that it had elsewhere, as ``running``."""
        replayed_imports.insert_running_import(self._connection, row)

    def restore_end(self, row: Mapping[str, Any], **parts: Any) -> None:
        """Write how an import ended elsewhere, as ``replayed_imports.end`` takes it."""
        replayed_imports.write_import_end(self._connection, row, **parts)

    def restore_versions(self, tables: Mapping[str, pa.Table], edits: Sequence[Mapping[str, Any]] = ()) -> None:
        """Insert versions as they were elsewhere, by table, and stewards' edits."""
        replayed_imports.insert_edits(self._connection, edits)
        for name, rows in tables.items():
            purge.restore_versions(self._connection, name, rows)

    def _passed(self, inside: str, committed: str) -> None:
        """Pass one fault point in the transaction now, and another one once it is committed."""
        fault_point(inside)
        self.committed_points.append(committed)


def _decision_entries(row: sa.RowMapping, decision: Decision, by: str) -> list[AuditEntry]:
    """Return the audit's line of what a person decided; a hold that a newer import closes has none: the import has its line."""
    if decision == "superseded":
        return []
    action: Action = "discard" if decision == "discarded" else "approve"
    about = {} if row["kind"] == "upload" else {"kind": row["kind"]}
    place = {name: row[name] for name in ("district_id", "source", "import_id")}
    return [AuditEntry(action=action, who=by, about=about, **place)]
