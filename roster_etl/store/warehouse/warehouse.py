"""The warehouse: it opens read sessions and transactions, and copies, purges and migrates the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import audit, locks, purge, roles, schema
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.database import BUSY_TIMEOUT_S, Database
from roster_etl.store.warehouse.import_result import ImportResult
from roster_etl.store.warehouse.purge import PurgeScope
from roster_etl.store.warehouse.reader_protocols import RosterReader
from roster_etl.store.warehouse.session import (
    ComparedRoster,
    Readers,
    ReadSession,
    SqlLedger,
    SqlPeople,
    SqlReceipts,
    SqlReconciliation,
    SqlRoster,
    WriteSession,
)


class _RolledBack(Exception):
    """End a transaction without committing it."""


class Warehouse:
    """The roster's histories and the ledger, in one database of SQLite or PostgreSQL.

    Nothing is opened before the first use. A missing SQLite file is created, with its schema; any other database
    needs `migrate` first. Every method raises WarehouseError (see ``errors``), and SchemaBehind if the schema is not this version's.

    Steps read in a session (`read`), one snapshot for all their queries. ``roster`` and ``ledger`` are for a single query: it runs in
    the session that this thread has open, or else in a snapshot of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        compare_with: Warehouse | None = None,
        open_writer: Callable[[sa.Connection], WriteSession] = WriteSession,
    ) -> None:
        """Name the database.

        Args: busy_timeout_s: how long to wait for another process that writes (SQLite). compare_with: the warehouse whose roster is
            read instead of this one's (a dry run). open_writer: makes the session that `write` opens (a dry run, a replay).
        """
        self._database = Database(url, busy_timeout_s=busy_timeout_s)
        self._compare_with, self._open_writer = compare_with, open_writer
        self._checked = False
        self._open = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL without a password."""
        return self._database.redacted_url

    @property
    def is_open_to_the_network(self) -> bool:
        """Whether the connection to another machine is not forced to use TLS."""
        return self._database.is_unencrypted_remote

    def close(self) -> None:
        """Close the connections that are kept. The object can still be used."""
        self._database.close()

    def keep_connection(self) -> AbstractContextManager[None]:
        """Keep a connection open between the sessions of the block: SQLite reads the definitions of all tables for each new one."""
        return self._database.keep_connection()

    def migrate(self) -> str | None:
        """Migrate the database to this version's schema, and return its previous revision (None: none)."""
        return schema.migrate(self._database)

    def revision(self) -> str | None:
        """Return the revision of the database; None: none."""
        return schema.revision(self._database)

    def running(self) -> list[int]:
        """Return the running imports, at any revision of the database."""
        return schema.running_imports(self._database)

    def grant(self, *, reader: str | None = None, loader: str | None = None) -> tuple[str, ...]:
        """Grant a role the right to read, or to import (PostgreSQL); return the statements. Raises NoRoles, UnknownRole."""
        named = {kind: role for kind, role in (("reader", reader), ("loader", loader)) if role}
        entry = AuditEntry(action="grant", about=named)
        with self.attempt(entry), self._writing() as connection:
            statements = roles.grant(connection, reader=reader, loader=loader)
            audit.write(connection, [entry])
            return statements

    def check_roles(self, *, reader: str | None = None, loader: str | None = None) -> None:
        """Check roles for `grant`, at any revision of the database. Raises NoRoles, UnknownRole."""
        named = {kind: role for kind, role in (("reader", reader), ("loader", loader)) if role}
        self._database.create()
        with self.attempt(AuditEntry(action="grant", about=named)), self._database.read() as connection:
            roles.check(connection, *named.values())

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the lock `name` for the block, across processes and hosts; PostgreSQL releases it if the process dies."""
        with self._database.write() as connection:
            locks.lock(connection, name)
            yield

    @contextmanager
    def read(self) -> Iterator[Readers]:
        """Open a read session: one connection and one snapshot, until the block ends. The connection opens at the first query.

        A session inside another one of the same thread is the same session.
        """
        with self._session() as session:
            if self._compare_with is None:
                yield Readers(session.roster, session.ledger)
                return
            with self._compare_with._session() as compared:  # noqa: SLF001 - the same class
                yield Readers(ComparedRoster(compared.connection, session.roster), session.ledger)

    @property
    def roster(self) -> RosterReader:
        """Single queries on the published roster."""
        roster = SqlRoster(self.reading)
        return roster if self._compare_with is None else ComparedRoster(self._compare_with.reading, roster)

    @property
    def ledger(self) -> SqlLedger:
        """Single queries on imports, findings, holds and the audit."""
        return SqlLedger(self.reading)

    @contextmanager
    def read_receipts(self) -> Iterator[SqlReceipts]:
        """Open a read session, as `read` does, for the queries on receipts."""
        with self._session() as session:
            yield session.receipts

    @contextmanager
    def read_reconciliation(self) -> Iterator[SqlReconciliation]:
        """Open a read session, as `read` does, for the queries on differences between feeds."""
        with self._session() as session:
            yield session.reconciliation

    @contextmanager
    def read_people(self) -> Iterator[SqlPeople]:
        """Open a read session, as `read` does, for the queries on links between records of people."""
        with self._session() as session:
            yield session.people

    @contextmanager
    def write(self, *, directly: bool = False) -> Iterator[WriteSession]:
        """Open one transaction that writes, committed at the end of the block. No read session may be open in this thread.

        Args: directly: for maintenance, which no dry run or replay changes.
        """
        with self._writing() as connection:
            session = WriteSession(connection) if directly else self._open_writer(connection)
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

    # Copies (no session may be open: its connection would be to another file)

    def copy_to(self, path: Path) -> bool:
        """Copy one snapshot of a SQLite database into a new file, during other reads and writes; False: it is not SQLite."""
        self._refuse_in_session("copy")
        self._check()
        return self._database.copy_to(path)

    def put_file(self, copy: Path) -> bool:
        """Move a copy made by `copy_to` to this warehouse's path; False: a file is there already, or it is not SQLite."""
        self._refuse_in_session("put_file")
        return self._database.put_file(copy)

    def remove_file(self) -> None:
        """Remove the file that `put_file` moved."""
        self._refuse_in_session("remove_file")
        self._database.remove_file()
        self._checked = False

    # The audit

    @contextmanager
    def attempt(self, entry: AuditEntry) -> Iterator[None]:
        """Audit the block in one line: success is written by its own transaction, a refusal here."""
        with audit.begin_attempt():
            try:
                yield
            except Exception as error:
                self.audit_refusal(entry, error)
                raise

    @contextmanager
    def audited(self, entry: AuditEntry) -> Iterator[None]:
        """Audit what the block does outside of this database. If the database cannot be written, the block does not run."""
        with self.attempt(entry):
            self._check()
            yield
            fault_point("audit.note")
            with self.write() as tx:
                tx.append_audit(entry)

    def audit_refusal(self, entry: AuditEntry, error: Exception) -> None:
        """Audit a refusal, unless this attempt has a line already. Raises no error of the database."""
        refusal = audit.refusal_entry(entry, error)
        if refusal is not None:
            with suppress(RosterError), self.write() as tx:
                tx.append_audit(refusal)

    # Purge

    def purge(self, removal: PurgeScope, conclusions: Callable[[dict[str, int]], Sequence[ImportResult]]) -> dict[str, int]:
        """Delete irrevocably, and end the imports of kind ``purge``. `conclusions` gets the number of deleted versions by table.

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
