"""The warehouse as the rest of the program sees it: one object, whose every method is one transaction.

Belongs here: opening the transaction and handing it on. What is said to the database stands in the modules beside this one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import Decision, ImportKind, ImportStatus
from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import audit, publish, purge, roles, schema
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.database import BUSY_TIMEOUT_S, Database
from roster_etl.store.warehouse.import_result import ImportFile, ImportResult, TableChange
from roster_etl.store.warehouse.purge import PurgeScope
from roster_etl.store.warehouse.readers import ImportWriter, Readers, RosterReader
from roster_etl.store.warehouse.roster_read import QueryColumn
from roster_etl.store.warehouse.session import ReadSession, SqlReceipts, WriteSession


class _RolledBack(Exception):
    """End a transaction without committing it."""


class Warehouse:
    """The roster's histories and the ledger, in one database of SQLite or PostgreSQL.

    Nothing is opened before the first use. A SQLite file that is not there is created, with its schema; any other database
    needs `migrate` first. Every method raises WarehouseError (see ``errors``), and SchemaBehind if the schema is not this version's.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        compare: Callable[[RosterReader], AbstractContextManager[RosterReader]] | None = None,
        replace_writer: Callable[[ImportWriter], ImportWriter] = lambda writer: writer,
    ) -> None:
        """Name the database.

        Args: busy_timeout_s: how long to wait for another process that writes (SQLite). compare: opens the roster that read sessions
            offer instead of this database's (a dry run). replace_writer: what write sessions offer instead (a dry run, a replay).
        """
        self._database = Database(url, busy_timeout_s=busy_timeout_s)
        self._compare, self._replace_writer = compare, replace_writer
        self._checked = False
        self._open = threading.local()

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
            audit.write(connection, [entry])
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
    def read(self) -> Iterator[Readers]:
        """Open a read session: one connection and one snapshot, until the block ends. The connection opens at the first query.

        A session inside another one of the same thread is the same session.
        """
        with self._session() as session:
            if self._compare is None:
                yield Readers(session.roster, session.ledger)
                return
            with self._compare(session.roster) as roster:
                yield Readers(roster, session.ledger)

    @contextmanager
    def read_receipts(self) -> Iterator[SqlReceipts]:
        """Open a read session, as `read` does, for the queries on receipts."""
        with self._session() as session:
            yield session.receipts

    @contextmanager
    def write(self) -> Iterator[ImportWriter]:
        """Open one transaction that writes, committed at the end of the block. No read session may be open in this thread."""
        with self.write_directly() as session:
            yield self._replace_writer(session)

    @contextmanager
    def write_directly(self) -> Iterator[WriteSession]:
        """Open one transaction for maintenance, which no dry run or replay changes."""
        with self._writing() as connection:
            session = WriteSession(connection)
            yield session
        for point in session.committed_points:
            fault_point(point)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Use the connection of a read session."""
        with self._session() as session, session.connection() as connection:
            yield connection

    @contextmanager
    def _session(self) -> Iterator[ReadSession]:
        found: ReadSession | None = getattr(self._open, "session", None)
        if found is not None:
            yield found
            return
        session = self._open.session = ReadSession(self._begin_read)
        try:
            yield session
        except BaseException as error:
            self._open.session = None
            session.close(error)
            raise
        self._open.session = None
        session.close()

    @contextmanager
    def _begin_read(self) -> Iterator[sa.Connection]:
        with self._begin(self._database.read) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        self._refuse_in_session("write")
        committed = False
        try:
            with self._begin(self._database.write) as connection:
                yield connection
            committed = True
        finally:
            audit.record_transaction_end(committed=committed)

    @contextmanager
    def _begin(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> Iterator[sa.Connection]:
        """Open a transaction, in which the schema is checked if it was not yet. Raises SchemaBehind, SchemaAhead."""
        if self._checked:
            with transaction() as connection:
                yield connection
            return
        self._database.create()
        with transaction() as connection:
            self._checked = schema.is_current(connection)
            if self._checked:
                yield connection
                return
        schema.ensure_current(self._database)
        self._checked = True
        with transaction() as connection:
            yield connection

    def _check(self) -> None:
        if not self._checked:
            with self._begin(self._database.read):
                pass

    def _refuse_in_session(self, what: str) -> None:
        """Raise RuntimeError if this thread has a read session open: it would keep an old snapshot, and a second connection."""
        if getattr(self._open, "session", None) is not None:
            raise RuntimeError(f"{what}: a read session is open in this thread; end it first")

    # Imports, from begin to end

    def open_import(self, **columns: Any) -> int:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            return tx.open_import(**columns)

    def set_upload(self, import_id: int, upload_id: str, **columns: Any) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.set_upload(import_id, upload_id, **columns)

    def record_files(self, import_id: int, files: Sequence[ImportFile]) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.record_files(import_id, files)

    def resume(self, import_id: int, run_id: str | None = None) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.resume(import_id, run_id)

    def conclude(self, import_result: ImportResult) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.conclude(import_result)

    def publish(
        self, import_result: ImportResult, changes: Mapping[str, TableChange], base: int | None, *, approved_by: str | None = None
    ) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.publish(import_result, changes, base, approved_by=approved_by)

    def decide_hold(self, import_id: int, decision: Decision, by: str, at: datetime) -> None:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            tx.decide_hold(import_id, decision, by, at)

    def supersede_holds(self, district_id: str, source: str, by_import: int, at: datetime, **chosen: Any) -> list[int]:
        """See ``readers.ImportWriter``."""
        with self.write() as tx:
            return tx.supersede_holds(district_id, source, by_import, at, **chosen)

    # Copies (no session may be open: what it reads or holds would be of another file)

    def copy_to(self, path: Path) -> bool:
        """Copy all of it into a new SQLite file, as it is at one moment, beside whoever reads and writes; False: it is no file."""
        self._refuse_in_session("copy")
        self._check()
        return self._database.copy_to(path)

    def put_file(self, copy: Path) -> bool:
        """Make what `copy_to` wrote this warehouse, which has no file yet; False: it has, or is none."""
        self._refuse_in_session("put_file")
        return self._database.put_file(copy)

    def remove_file(self) -> None:
        """Take back what `put_file` did."""
        self._refuse_in_session("remove_file")
        self._database.remove_file()
        self._checked = False

    # The audit

    def append_audit(self, *entries: AuditEntry) -> None:
        """Add lines to the audit: of what this database does not carry out itself, or of what was refused."""
        with self.write() as tx:
            tx.write_down(*entries)

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
        with self.read() as session:
            return session.ledger.audit(district_id, since)

    # Removing for good

    def person_values(self, district_id: str, kind: str, user_id: str) -> frozenset[str]:
        """Return what tells a user in any cell, in small letters."""
        with self.read() as session:
            return frozenset(session.ledger.person_values(district_id, kind, user_id))

    def names_person(self, district_id: str, kind: str, user_id: str) -> bool:
        """Return whether any version, or a steward's edit, is about a user."""
        with self.read() as session:
            return session.ledger.names_person(district_id, kind, user_id)

    def purge(self, removal: PurgeScope, conclusions: Callable[[dict[str, int]], Sequence[ImportResult]]) -> dict[str, int]:
        """Remove for good, and end the imports of kind ``purge``, whose `conclusions` are told how many versions were removed.

        Raises: NotRewritten: the rows are gone, their bytes in PostgreSQL's files are not.
        """
        with self._writing() as connection:
            counts = purge.remove(connection, removal)
            ended = conclusions(counts)
            purge.conclude_purges(connection, ended)
            audit.write(connection, [entry for conclusion in ended for entry in conclusion.entries])
            fault_point("purge.remove")
        fault_point("purge.removed")
        self._database.compact()
        return counts

    def count_purge(self, removal: PurgeScope) -> dict[str, int]:
        """Return how many versions `purge` would remove, by table; nothing is changed."""
        counts: dict[str, int] = {}
        with suppress(_RolledBack), self._writing() as connection:
            counts.update(purge.remove(connection, removal))
            raise _RolledBack
        return counts

    def ensure_purgeable(self) -> None:
        """Find out whether `purge` can remove every byte. Raises MayNotRewrite: not as this role of PostgreSQL."""
        self._check()
        self._database.ensure_compactable()

    def all_versions(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return every version of a table for a feed, without its number."""
        with self.read() as session:
            return session.ledger.all_versions(district_id, source, table)

    # The roster

    def base(self, district_id: str, source: str, file_set: str | None = None) -> int | None:
        """Return the newest import that was published for this feed (or one set of its files), which a plan is made on top of."""
        with self.read() as session:
            return session.roster.base(district_id, source, file_set)

    def current(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return one row a current version: ``version_id``, key columns, school (if any), ``source_file``, ``row_hash``."""
        with self.read() as session:
            return session.roster.current(district_id, source, table)

    def current_hashes(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version of a table for a feed."""
        with self.read() as session:
            return session.roster.current_hashes(district_id, source, table)

    def current_by_school(self, district_id: str, source: str, table: str) -> dict[str, int]:
        """Return how many versions of a table are current for a feed, by school; empty where records belong to none."""
        with self.read() as session:
            return session.roster.current_by_school(district_id, source, table)

    def count_current(self, district_id: str, source: str, table: str) -> int:
        """Return how many versions of a table are current for a feed."""
        with self.read() as session:
            return session.roster.count_current(district_id, source, table)

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Return the versions with these numbers, whole (``full_schema``), in the order of their numbers."""
        with self.read() as session:
            return session.roster.versions(table, version_ids)

    def versions_by_key(self, district_id: str, source: str, table: str, keys: pa.Table) -> pa.Table:
        """Return the current versions (``full_schema``) of the records that `keys` names by the table's key columns."""
        with self.read() as session:
            return session.roster.matching(district_id, source, table, keys)

    def distinct_values(self, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
        """Return the different combinations of values that current records of a feed have in `columns`, as text."""
        with self.read() as session:
            return session.roster.known(district_id, source, columns)

    def last_removed_versions(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the last version (``full_schema``) of each record that has no current one."""
        with self.read() as session:
            return session.roster.last_of_the_gone(district_id, source, table)

    def versions_before_rename(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the versions (``full_schema``) of records that were gone when their id changed."""
        with self.read() as session:
            return session.roster.left_behind(district_id, source, table)

    def since(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        """Return versions (``full_schema``) of a feed: those current just before `import_id` and no more, and those current only since."""
        with self.read() as session:
            return session.roster.since(district_id, source, table, import_id)

    def versions_touched_by(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) of a feed that import `import_id` closed, and those that it opened."""
        with self.read() as session:
            return session.roster.turned(district_id, source, table, import_id)

    def as_of(self, moment: datetime, table: str, district_id: str, source: str | None = None) -> pa.Table:
        """Return the versions (``full_schema``) that were known at `moment`."""
        with self.read() as session:
            return session.roster.as_of(moment, table, district_id, source)

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None) -> pa.Table:
        """Return every version (``full_schema``) of the records with these key values, oldest first; None is NULL."""
        with self.read() as session:
            return session.roster.trace(table, key, district_id, source)

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
        with self.read() as session:
            if status == "published" and limit is None and district_id is not None and source is not None:
                return session.roster.published_imports(district_id, source, file_set)
            return session.ledger.imports(district_id, source, status, limit, file_set)

    def import_(self, import_id: int) -> dict[str, Any]:
        """Return the ledger row of an import. Raises UnknownImport."""
        with self.read() as session:
            return session.ledger.import_(import_id)

    def tally(self, district_id: str | None = None) -> list[dict[str, Any]]:
        """Return by district, format, kind and status how many imports there are, the highest number, and the last end."""
        with self.read() as session:
            return session.ledger.tally(district_id)

    def rows_tally(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return the sums of the rows of the files of imports; those without files are left out."""
        with self.read() as session:
            return session.ledger.rows_tally(import_ids)

    def moments(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return when imports began and ended."""
        with self.read() as session:
            return session.ledger.moments(import_ids)

    def imports_after(self, import_id: int, limit: int) -> list[dict[str, Any]]:
        """Return the ledger rows of imports with a higher number, the lowest first."""
        with self.read() as session:
            return session.ledger.imports_after(import_id, limit)

    def history(self, import_id: int, limit: int) -> list[dict[str, Any]]:
        """Return the last uploads of an import's feed up to and with it, oldest first, with the sums of their files' rows."""
        with self.read() as session:
            return session.ledger.history(import_id, limit)

    def last_published(
        self, district_id: str, source: str, kind: ImportKind | None = None, file_set: str | None = None
    ) -> dict[str, Any] | None:
        """Return the ledger row of the newest import that was published for this feed, of `kind` and `file_set` if given."""
        with self.read() as session:
            return session.roster.last_published(district_id, source, kind, file_set)

    def published(self, district_id: str, source: str) -> list[dict[str, Any]]:
        """Return the ledger rows of a feed's published imports, oldest first."""
        return self.imports(district_id, source, status="published")[::-1]

    def changes_of(self, import_id: int) -> dict[str, dict[str, int]]:
        """Return what an import created, updated and deleted, by table, as its summary says."""
        return dict(self.import_(import_id)["summary"].get("changes", {}))

    def files(self, import_id: int) -> list[dict[str, Any]]:
        """Return the files of an import, by name."""
        with self.read() as session:
            return session.ledger.files(import_id)

    def checks(self, import_id: int) -> list[dict[str, Any]]:
        """Return the verdicts of an import's gates, by name."""
        with self.read() as session:
            return session.ledger.checks(import_id)

    def findings(self, import_id: int, fold: int | None = 1000) -> list[dict[str, Any]]:
        """Return the findings of an import; more than `fold` of one kind and cause are folded into one (None: never)."""
        with self.read() as session:
            return session.ledger.findings(import_id, fold)

    def previous_finding_counts(
        self, district_id: str, source: str, import_id: int, severities: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the findings of the import that was published for this feed before `import_id`, counted by code, file and field."""
        with self.read() as session:
            return session.ledger.previous_finding_counts(district_id, source, import_id, severities)

    def holds(self, district_id: str | None = None, source: str | None = None, *, undecided: bool = True) -> list[dict[str, Any]]:
        """Return holds with their imports' district, source and summary, newest first; those that are open unless said otherwise."""
        with self.read() as session:
            return session.ledger.holds(district_id, source, undecided=undecided)

    def hold(self, import_id: int) -> dict[str, Any] | None:
        """Return the hold of an import; None: it was never held."""
        with self.read() as session:
            return session.ledger.hold(import_id)

    def published_after(self, district_id: str, source: str, import_id: int) -> list[dict[str, Any]]:
        """Return the ledger rows of what was published for a feed after import `import_id` ended (0: from the first), in that order.

        Raises: UnknownImport.
        """
        with self.read() as session:
            return session.ledger.published_after(district_id, source, import_id)

    def changes_in(self, import_id: int, table: str, *, after: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
        """Return what an import did to the records of one table, by key and change; `after`: only what comes after these two."""
        with self.read() as session:
            return session.ledger.changes_in(import_id, table, after, limit)

    def quarantined(self, *, import_id: int | None = None, district_id: str | None = None, source: str | None = None) -> pa.Table:
        """Return rejected rows: ``import_id``, ``file``, ``row``, ``code``, ``record`` (JSON of the raw cells)."""
        with self.read() as session:
            return session.ledger.quarantined(import_id, district_id, source)

    def open_quarantine(self, district_id: str, source: str) -> pa.Table:
        """Return the refused rows of a feed that may be tried again: ``import_id``, ``file``, ``kind``, ``row``, ``record``."""
        with self.read() as session:
            return session.roster.open_quarantine(district_id, source)

    def waiting_imports(self, district_id: str, source: str) -> list[int]:
        """Return the published imports of a feed of which refused rows are in the quarantine."""
        with self.read() as session:
            return session.ledger.waiting_imports(district_id, source)

    def refused_since(self, import_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return since when rows that imports of one feed refused have been: ``file``, ``code``, ``since``, ``rows``; oldest first."""
        with self.read() as session:
            return session.ledger.refused_since(import_ids) if import_ids else []

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the stewards' edits in force, oldest first; with `ended`, those that were, too."""
        with self.read() as session:
            return session.roster.overrides(district_id, source, ended=ended)

    def sources(self, district_id: str | None = None) -> list[str]:
        """Return the formats that were ever imported, for a district if given."""
        with self.read() as session:
            return session.ledger.sources(district_id)
