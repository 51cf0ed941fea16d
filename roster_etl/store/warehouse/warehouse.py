"""The warehouse as the rest of the program sees it: one object, whose every method is one transaction.

Belongs here: opening the transaction and handing it on. What is said to the database stands in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.audit import Action
from roster_etl.canonical.ledger import Decision, ImportKind, ImportStatus
from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import (
    audit,
    ledger_read,
    ledger_write,
    publish,
    purge,
    replayed_imports,
    roles,
    roster_read,
    schema,
)
from roster_etl.store.warehouse import change_feed as changes
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.database import BUSY_TIMEOUT_S, Database
from roster_etl.store.warehouse.import_result import ImportFile, ImportResult, TableChange
from roster_etl.store.warehouse.purge import PurgeScope
from roster_etl.store.warehouse.roster_read import QueryColumn


class Warehouse:
    """The roster's histories and the ledger, in one database of SQLite or PostgreSQL.

    Nothing is opened before the first use. A SQLite file that is not there is created, with its schema; any other database
    needs `migrate` first. Every method raises WarehouseError (see ``errors``), and SchemaBehind if the schema is not this version's.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Name the database. ``busy_timeout_s``: how long to wait for another process that writes (SQLite)."""
        self._database = Database(url, busy_timeout_s=busy_timeout_s)
        self._checked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL as people may see it, without a password."""
        return self._database.redacted_url

    @property
    def is_open_to_the_network(self) -> bool:
        """Whether what is said to the database could be read on the way: another machine, and TLS is not demanded."""
        return self._database.is_unencrypted_remote

    def close(self) -> None:
        """Close the connections that are kept. The object can still be used."""
        self._database.close()

    def migrate(self) -> str | None:
        """Bring the database to this version's schema, and return the revision that it had before (None: none)."""
        return schema.migrate(self._database)

    def revision(self) -> str | None:
        """Return the revision that the database has, whichever it is; None: none."""
        return schema.revision(self._database)

    def running(self) -> list[int]:
        """Return the imports that are running, whatever revision the database has."""
        return schema.running_imports(self._database)

    def grant(self, *, reader: str | None = None, loader: str | None = None) -> tuple[str, ...]:
        """Let a role read (PostgreSQL), or one import, and return the statements. Raises NoRoles, UnknownRole."""
        named = {kind: role for kind, role in (("reader", reader), ("loader", loader)) if role}
        entry = AuditEntry(action="grant", about=named)
        with self.attempt(entry), self._writing() as connection:
            statements = roles.grant(connection, reader=reader, loader=loader)
            self._append_audit(connection, [entry])
            return statements

    def check_roles(self, *, reader: str | None = None, loader: str | None = None) -> None:
        """Refuse roles that `grant` would refuse, whatever revision the database has. Raises NoRoles, UnknownRole."""
        named = {kind: role for kind, role in (("reader", reader), ("loader", loader)) if role}
        self._database.create()
        with self.attempt(AuditEntry(action="grant", about=named)), self._database.read() as connection:
            roles.check(connection, *named.values())

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Let one process at a time, on whatever host, do `name`: PostgreSQL keeps the lock until the block ends, or its process does."""
        with self._database.write() as connection:
            publish.lock(connection, name)
            yield

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads one state of the database."""
        self._check()
        with self._database.read() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        self._check()
        committed = False
        try:
            with self._database.write() as connection:
                yield connection
            committed = True
        finally:
            audit.record_transaction_end(committed=committed)

    def _check(self) -> None:
        if not self._checked:
            schema.ensure_current(self._database)
            self._checked = True

    # Imports, from begin to end

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
        """Enter an import that begins, as ``running_imports``, and return its number.

        Args: import_id: keep a number that it had; claim: told the number before anybody else can see the import; entry: the audit's
            line of who asked for it, which learns that number.
        """
        columns = {"kind": kind, "district_id": district_id, "source": source, "upload_id": upload_id, "run_id": run_id}
        columns["file_set"] = file_set
        given = {} if import_id is None else {"import_id": import_id}
        with self._writing() as connection:
            number = ledger_write.open_import(
                connection, **columns, received_at=received_at, started_at=started_at, options=dict(options or {}), **given
            )
            claim(number)
            self._append_audit(connection, [replace(entry, import_id=number)] if entry else [])
            fault_point("ledger.open")
        fault_point("ledger.opened")
        return number

    def set_upload(
        self, import_id: int, upload_id: str, *, received_at: datetime | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Say which upload a running import reads, once that is known."""
        columns = {"upload_id": upload_id, "received_at": received_at, "options": None if options is None else dict(options)}
        with self._writing() as connection:
            ledger_write.lock_import(connection, import_id, "running")
            ledger_write.update_import(
                connection, import_id, **{name: value for name, value in columns.items() if value is not None}
            )
            fault_point("ledger.upload")

    def record_files(self, import_id: int, files: Sequence[ImportFile]) -> None:
        """Write the files of a running import, instead of those that the ledger has."""
        with self._writing() as connection:
            ledger_write.lock_import(connection, import_id, "running")
            ledger_write.replace_files(connection, import_id, files)

    def resume(self, import_id: int, run_id: str | None = None) -> None:
        """Take up an import that failed, or that a dead process left running."""
        with self._writing() as connection:
            ledger_write.lock_import(connection, import_id, "running", "failed")
            ledger_write.update_import(
                connection, import_id, status="running", finished_at=None, **({"run_id": run_id} if run_id else {})
            )
            fault_point("ledger.resume")

    def conclude(self, import_result: ImportResult) -> None:
        """End a running import that publishes nothing. Raises ImportNotRunning."""
        if import_result.status in ("published", "discarded"):
            raise ValueError(f"{import_result.status}: use publish or decide_hold")
        with self._writing() as connection:
            ledger_write.lock_import(connection, import_result.import_id, "running")
            ledger_write.conclude(connection, import_result)
            self._append_audit(connection, import_result.entries)
            fault_point("ledger.conclude")
        fault_point("ledger.concluded")

    def publish(
        self,
        import_result: ImportResult,
        changes: Mapping[str, TableChange],
        base: int | None,
        *,
        approved_by: str | None = None,
    ) -> None:
        """Close and open versions, and end the import as ``published``: all of it, or nothing.

        Args:    conclusion: status ``published``. changes: by roster table. base: what `base_import` said when the plan was made.
                 approved_by: who approved, for an import that is held (unless `decide_hold` has said so).
        Raises:  RosterMoved: another import was published for the feed since. ImportNotRunning: it ended, or is held.
                 ConstraintBroken: two current versions would have one key.
        """
        if import_result.status != "published":
            raise ValueError(f"{import_result.status}: use conclude")
        with self._writing() as connection:
            publish.publish(connection, import_result, changes, base, approved_by)
            self._append_audit(connection, import_result.entries)
            fault_point("publish.commit")
        fault_point("publish.committed")

    def decide_hold(self, import_id: int, decision: Decision, by: str, at: datetime) -> None:
        """Write what a person decided about a held import; ``discarded`` ends it. Raises NoHold, ImportNotRunning."""
        with self._writing() as connection:
            row = ledger_write.lock_import(connection, import_id, "held")
            ledger_write.decide_hold(connection, import_id, decision, by, at)
            self._append_audit(connection, _decision_entries(row, decision, by))
            if decision == "discarded":
                ledger_write.update_import(connection, import_id, status="discarded")
            fault_point("decide.record")
        fault_point("decide.recorded")

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
        """Decide the open holds (of a `kind`, before `before`) that a newer import of the same set of files replaces; return their imports."""
        with self._writing() as connection:
            closed = ledger_write.supersede_holds(connection, district_id, source, by_import, at, before=before, kind=kind)
            fault_point("ledger.supersede")
        fault_point("ledger.superseded")
        return closed

    # Copies

    def copy_to(self, path: Path) -> bool:
        """Copy all of it into a new SQLite file, as it is at one moment, beside whoever reads and writes; False: it is no file."""
        self._check()
        return self._database.copy_to(path)

    def put_file(self, copy: Path) -> bool:
        """Make what `copy_to` wrote this warehouse, which has no file yet; False: it has, or is none."""
        return self._database.put_file(copy)

    def remove_file(self) -> None:
        """Take back what `put_file` did."""
        self._database.remove_file()
        self._checked = False

    # The audit

    def append_audit(self, *entries: AuditEntry) -> None:
        """Add lines to the audit: of what this database does not carry out itself, or of what was refused."""
        with self._writing() as connection:
            self._append_audit(connection, entries)

    @contextmanager
    def attempt(self, entry: AuditEntry) -> Iterator[None]:
        """Have the audit know of an attempt in one line: that of the transaction which carries it out, or why it was refused."""
        with audit.begin_attempt():
            try:
                yield
            except Exception as error:
                self.refused(entry, error)
                raise

    @contextmanager
    def noting(self, entry: AuditEntry) -> Iterator[None]:
        """Have the audit know of what the block does outside of this database; where no line can be written nothing is done."""
        with self.attempt(entry):
            self._check()
            yield
            fault_point("audit.note")
            self.append_audit(entry)

    def refused(self, entry: AuditEntry, error: Exception) -> None:
        """Write down that something was tried and not done, unless the audit knows already. Never raises for what the database says."""
        refusal = audit.refusal_entry(entry, error)
        if refusal is not None:
            with suppress(RosterError):
                self.append_audit(refusal)

    def audit(self, district_id: str | None = None, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return the lines of the audit, oldest first."""
        with self.reading() as connection:
            return audit.read(connection, district_id, since)

    def _append_audit(self, connection: sa.Connection, entries: Sequence[AuditEntry]) -> None:
        audit.write(connection, entries)

    # Imports that are over, from elsewhere

    def restore_import(self, row: Mapping[str, Any]) -> None:
        """Enter an import under the number and the times that it had elsewhere, as ``running_imports``."""
        with self._writing() as connection:
            replayed_imports.insert_running_import(connection, row)

    def restore_end(self, row: Mapping[str, Any], **parts: Any) -> None:
        """Write how an import ended elsewhere, as `restore.end` takes it."""
        with self._writing() as connection:
            replayed_imports.write_import_end(connection, row, **parts)

    # Removing for good

    def person_values(self, district_id: str, kind: str, user_id: str) -> frozenset[str]:
        """Return what tells a user in any cell, in small letters."""
        with self.reading() as connection:
            return frozenset(purge.person_values(connection, district_id, kind, user_id))

    def names_person(self, district_id: str, kind: str, user_id: str) -> bool:
        """Return whether any version, or a steward's edit, is about a user."""
        with self.reading() as connection:
            return purge.mentions_person(connection, district_id, kind, user_id)

    def purge(self, removal: PurgeScope, conclusions: Callable[[dict[str, int]], Sequence[ImportResult]]) -> dict[str, int]:
        """Remove for good, and end the imports of kind ``purge``, whose `conclusions` are told how many versions were removed.

        Raises: NotRewritten: the rows are gone, their bytes in PostgreSQL's files are not.
        """
        with self._writing() as connection:
            counts = purge.remove(connection, removal)
            ended = conclusions(counts)
            purge.conclude_purges(connection, ended)
            self._append_audit(connection, [entry for conclusion in ended for entry in conclusion.entries])
            fault_point("purge.remove")
        fault_point("purge.removed")
        self._database.compact()
        return counts

    def ensure_purgeable(self) -> None:
        """Find out whether `purge` can remove every byte. Raises MayNotRewrite: not as this role of PostgreSQL."""
        self._check()
        self._database.ensure_compactable()

    def all_versions(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return every version of a table for a feed, without its number."""
        with self.reading() as connection:
            return purge.versions(connection, district_id, source, table)

    def restore_versions(self, tables: Mapping[str, pa.Table], edits: Sequence[Mapping[str, Any]] = ()) -> None:
        """Enter versions as they were elsewhere, by table, and stewards' edits."""
        with self._writing() as connection:
            replayed_imports.insert_edits(connection, edits)
            for name, rows in tables.items():
                purge.restore_versions(connection, name, rows)

    # The roster

    def base(self, district_id: str, source: str, file_set: str | None = None) -> int | None:
        """Return the newest import that was published for this feed (or one set of its files), which a plan is made on top of."""
        with self.reading() as connection:
            return publish.base_import(connection, district_id, source, file_set)

    def current(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return one row a current version: ``version_id``, key columns, school (if any), ``source_file``, ``row_hash``."""
        with self.reading() as connection:
            return roster_read.current_versions(connection, district_id, source, table)

    def current_hashes(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version of a table for a feed."""
        with self.reading() as connection:
            return roster_read.current_hashes(connection, district_id, source, table)

    def current_by_school(self, district_id: str, source: str, table: str) -> dict[str, int]:
        """Return how many versions of a table are current for a feed, by school; empty where records belong to none."""
        with self.reading() as connection:
            return roster_read.current_by_school(connection, district_id, source, table)

    def count_current(self, district_id: str, source: str, table: str) -> int:
        """Return how many versions of a table are current for a feed."""
        with self.reading() as connection:
            return roster_read.count_current(connection, district_id, source, table)

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Return the versions with these numbers, whole (``full_schema``), in the order of their numbers."""
        with self.reading() as connection:
            return roster_read.versions(connection, table, version_ids)

    def versions_by_key(self, district_id: str, source: str, table: str, keys: pa.Table) -> pa.Table:
        """Return the current versions (``full_schema``) of the records that `keys` names by the table's key columns."""
        with self.reading() as connection:
            return roster_read.versions_by_key(connection, district_id, source, table, keys)

    def distinct_values(self, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
        """Return the different combinations of values that current records of a feed have in `columns`, as text."""
        with self.reading() as connection:
            return roster_read.distinct_values(connection, district_id, source, columns)

    def last_removed_versions(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the last version (``full_schema``) of each record that has no current one."""
        with self.reading() as connection:
            return roster_read.last_removed_versions(connection, district_id, source, table)

    def versions_before_rename(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the versions (``full_schema``) of records that were gone when their id changed."""
        with self.reading() as connection:
            return roster_read.versions_before_rename(connection, district_id, source, table)

    def since(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        """Return versions (``full_schema``) of a feed: those current just before `import_id` and no more, and those current only since."""
        with self.reading() as connection:
            place = (district_id, source, table, import_id)
            return roster_read.versions_ended_since(connection, *place), roster_read.versions_begun_since(connection, *place)

    def versions_touched_by(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) of a feed that import `import_id` closed, and those that it opened."""
        with self.reading() as connection:
            place = (district_id, source, table, import_id)
            return roster_read.versions_closed_by(connection, *place), roster_read.versions_opened_by(connection, *place)

    def as_of(self, moment: datetime, table: str, district_id: str, source: str | None = None) -> pa.Table:
        """Return the versions (``full_schema``) that were known at `moment`."""
        with self.reading() as connection:
            return roster_read.as_of(connection, moment, table, district_id, source)

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None) -> pa.Table:
        """Return every version (``full_schema``) of the records with these key values, oldest first; None is NULL."""
        with self.reading() as connection:
            return roster_read.trace(connection, table, key, district_id, source)

    # The ledger

    def imports(
        self,
        district_id: str | None = None,
        source: str | None = None,
        *,
        status: ImportStatus | None = None,
        limit: int | None = None,
        file_set: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return ledger rows, newest first."""
        with self.reading() as connection:
            return ledger_read.imports(connection, district_id, source, status, limit, file_set)

    def import_(self, import_id: int) -> dict[str, Any]:
        """Return the ledger row of an import. Raises UnknownImport."""
        with self.reading() as connection:
            return ledger_read.import_(connection, import_id)

    def tally(self, district_id: str | None = None) -> list[dict[str, Any]]:
        """Return by district, format, kind and status how many imports there are, the highest number, and the last end."""
        with self.reading() as connection:
            return ledger_read.import_counts(connection, district_id)

    def rows_tally(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return the sums of the rows of the files of imports; those without files are left out."""
        with self.reading() as connection:
            return ledger_read.row_counts(connection, import_ids)

    def moments(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return when imports began and ended."""
        with self.reading() as connection:
            return ledger_read.import_times(connection, import_ids)

    def imports_after(self, import_id: int, limit: int) -> list[dict[str, Any]]:
        """Return the ledger rows of imports with a higher number, the lowest first."""
        with self.reading() as connection:
            return ledger_read.imports_after(connection, import_id, limit)

    def history(self, import_id: int, limit: int) -> list[dict[str, Any]]:
        """Return the last uploads of an import's feed up to and with it, oldest first, with the sums of their files' rows."""
        with self.reading() as connection:
            return ledger_read.history(connection, import_id, limit)

    def last_published(
        self, district_id: str, source: str, kind: ImportKind | None = None, file_set: str | None = None
    ) -> dict[str, Any] | None:
        """Return the ledger row of the newest import that was published for this feed, of `kind` and `file_set` if given."""
        with self.reading() as connection:
            return ledger_read.last_published(connection, district_id, source, kind, file_set)

    def published(self, district_id: str, source: str) -> list[dict[str, Any]]:
        """Return the ledger rows of a feed's published imports, oldest first."""
        return self.imports(district_id, source, status="published")[::-1]

    def changes_of(self, import_id: int) -> dict[str, dict[str, int]]:
        """Return what an import created, updated and deleted, by table, as its summary says."""
        return dict(self.import_(import_id)["summary"].get("changes", {}))

    def files(self, import_id: int) -> list[dict[str, Any]]:
        """Return the files of an import, by name."""
        with self.reading() as connection:
            return ledger_read.files(connection, import_id)

    def checks(self, import_id: int) -> list[dict[str, Any]]:
        """Return the verdicts of an import's gates, by name."""
        with self.reading() as connection:
            return ledger_read.checks(connection, import_id)

    def findings(self, import_id: int, fold: int | None = 1000) -> list[dict[str, Any]]:
        """Return the findings of an import; more than `fold` of one kind and cause are folded into one (None: never)."""
        with self.reading() as connection:
            return ledger_read.findings(connection, import_id, fold)

    def holds(self, district_id: str | None = None, source: str | None = None, *, undecided: bool = True) -> list[dict[str, Any]]:
        """Return holds with their imports' district, source and summary, newest first; those that are open unless said otherwise."""
        with self.reading() as connection:
            return ledger_read.holds(connection, district_id, source, undecided=undecided)

    def hold(self, import_id: int) -> dict[str, Any] | None:
        """Return the hold of an import; None: it was never held."""
        with self.reading() as connection:
            return ledger_read.hold(connection, import_id)

    def published_after(self, district_id: str, source: str, import_id: int) -> list[dict[str, Any]]:
        """Return the ledger rows of what was published for a feed after import `import_id` ended (0: from the first), in that order.

        Raises: UnknownImport.
        """
        with self.reading() as connection:
            return changes.imports_published_after(connection, district_id, source, import_id)

    def changes_in(self, import_id: int, table: str, *, after: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
        """Return what an import did to the records of one table, by key and change; `after`: only what comes after these two."""
        with self.reading() as connection:
            return changes.changes_in(connection, import_id, table, after, limit)

    def quarantined(self, *, import_id: int | None = None, district_id: str | None = None, source: str | None = None) -> pa.Table:
        """Return rejected rows: ``import_id``, ``file``, ``row``, ``code``, ``record`` (JSON of the raw cells)."""
        with self.reading() as connection:
            return ledger_read.quarantined_rows(connection, import_id, district_id, source)

    def open_quarantine(self, district_id: str, source: str) -> pa.Table:
        """Return the refused rows of a feed that may be tried again: ``import_id``, ``file``, ``kind``, ``row``, ``record``."""
        with self.reading() as connection:
            return ledger_read.open_quarantine(connection, district_id, source)

    def refused_since(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return since when rows that imports of one feed refused have been: ``file``, ``code``, ``since``, ``rows``; oldest first."""
        with self.reading() as connection:
            return ledger_read.quarantined_since(connection, import_ids) if import_ids else []

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the stewards' edits in force, oldest first; with `record_transaction_end`, those that were, too."""
        with self.reading() as connection:
            return ledger_read.overrides(connection, district_id, source, ended=ended)

    def sources(self, district_id: str | None = None) -> list[str]:
        """Return the formats that were ever imported, for a district if given."""
        with self.reading() as connection:
            return ledger_read.sources(connection, district_id)


def _decision_entries(row: sa.RowMapping, decision: Decision, by: str) -> list[AuditEntry]:
    """Return the audit's line of what a person decided; a hold that a newer import closes was decided by nobody: the import has its line."""
    if decision == "superseded":
        return []
    action: Action = "discard" if decision == "discarded" else "approve"
    about = {} if row["kind"] == "upload" else {"kind": row["kind"]}
    place = {name: row[name] for name in ("district_id", "source", "import_id")}
    return [AuditEntry(action=action, who=by, about=about, **place)]
