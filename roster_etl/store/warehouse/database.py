"""Connections to the warehouse database: supported URLs, and how each is opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.util import LRUCache

from roster_etl.store.warehouse import sqlite_adbc, vacuum
from roster_etl.store.warehouse.errors import BadWarehouseUrl, MayNotRewrite, translate_database_errors
from roster_etl.store.warehouse.sqlite_pool import KeepingPool

Connection: TypeAlias = sa.Connection  # of the session that a caller hands on without using it
BUSY_TIMEOUT_S = 60
CACHE_KIB = 64 * 1024  # keeps the index of a large district in memory while it is written
_PRAGMAS = (
    "synchronous = NORMAL",
    f"cache_size = -{CACHE_KIB}",
    "temp_store = MEMORY",  # staged rows are never stored outside the warehouse
)
_NEW_FILE = (f"busy_timeout = {BUSY_TIMEOUT_S * 1000}", *_PRAGMAS, "page_size = 16384", "journal_mode = WAL")
"""Stored in a file. A first load takes a tenth less CPU time to publish than with 8192, and a later import the same; with a write-ahead log, readers continue
while one process writes."""


_COMPILED: LRUCache[Any, Any] = LRUCache(1000)
"""The compiled statements of all SQLite warehouses of this process, which opens many."""


class Database:
    """One database, with read transactions and write transactions.

    On SQLite no connection stays open between transactions, so the file can be copied, moved and opened by others, but inside
    `keep_connection`.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Prepare for the database at `url` without connecting. Raises BadWarehouseUrl."""
        self.url = _parse(url)
        self.path = Path(str(self.url.database)) if self.is_sqlite else None
        if self.is_sqlite:
            pragmas = (f"busy_timeout = {int(busy_timeout_s * 1000)}", *_PRAGMAS)
            self._reader: sa.Engine = _sqlite_engine(self.url, pragmas)
            self._writer: sa.Engine = self._reader.execution_options(isolation_level=sqlite_adbc.WRITES)
        else:
            self._writer = _postgresql_engine(self.url)
            # At the default level, a read would see commits between two statements.
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ")

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def redacted_url(self) -> str:
        """The URL for display, without a password."""
        plain = self.url.set(drivername=self.url.get_backend_name())
        return plain.render_as_string(hide_password=True)

    @property
    def place(self) -> str:
        """The database for messages: the file, or host and port of the server."""
        if self.path is not None:
            return str(self.path)
        host = str(self.url.query.get("host") or self.url.host or os.environ.get("PGHOST") or "localhost")
        port = self.url.query.get("port") or self.url.port or os.environ.get("PGPORT") or 5432
        return f"{host}:{port}"

    @property
    def is_unencrypted_remote(self) -> bool:
        """Whether the server is on another machine and TLS is not required by the URL (or ``PGSSLMODE``)."""
        host = str(self.url.query.get("host") or self.url.host or os.environ.get("PGHOST") or "")
        mode = self.url.query.get("sslmode") or os.environ.get("PGSSLMODE")
        is_local = self.is_sqlite or host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/")
        return not is_local and mode not in ("require", "verify-ca", "verify-full")

    @contextmanager
    def keep_connection(self) -> Iterator[None]:
        """Keep one connection to a SQLite file open between the transactions of the block. PostgreSQL's are kept anyway."""
        pool = self._reader.pool
        if not isinstance(pool, KeepingPool):
            yield
            return
        with pool.keeping():
            yield

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads one snapshot of the database, whatever others write meanwhile."""
        with translate_database_errors(self.place), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a write transaction, committed when the block ends. SQLite allows one at a time."""
        with translate_database_errors(self.place), self._writer.begin() as connection:
            yield connection

    def create(self) -> bool:
        """Create the SQLite file if it does not exist or is empty, readable by its owner only; returns whether it is new."""
        if self.path is None or (self.path.exists() and self.path.stat().st_size):
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        once = _sqlite_engine(self.url, _NEW_FILE)
        with translate_database_errors(self.place), once.connect():
            return True

    def copy_to(self, path: Path) -> bool:
        """Copy a consistent snapshot of the database into a new SQLite file; returns False if it is not SQLite."""
        if not self.is_sqlite:
            return False
        with translate_database_errors(self.place):
            raw = self._reader.raw_connection()
            try:
                with raw.driver_connection.cursor() as cursor:  # type: ignore[union-attr]
                    cursor.execute("VACUUM INTO ?", (str(path),))
            finally:
                raw.close()
        return True

    def put_file(self, copy: Path) -> bool:
        """Install the file that `copy_to` wrote as this database; returns False if its file exists or it is not SQLite."""
        if self.path is None or (self.path.exists() and self.path.stat().st_size):
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy.chmod(0o600)
        shutil.move(copy, self.path)
        once = _sqlite_engine(self.url, _NEW_FILE)
        try:
            with translate_database_errors(self.place), once.connect():
                return True
        except Exception:
            self.remove_file()
            raise

    def remove_file(self) -> None:
        """Remove the file that `put_file` installed, with its SQLite side files. No connection may be open."""
        self.close()
        for ending in ("", "-wal", "-shm") if self.path else ():
            Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def compact(self) -> None:
        """Rewrite the database files, so that they contain no byte of a removed row. The database must not be in use.

        Raises: NotRewritten: PostgreSQL skipped tables that this role does not own; their files are unchanged.
        """
        with translate_database_errors(self.place):
            if self.is_sqlite:
                raw = self._writer.raw_connection()
                try:
                    for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        _execute(raw.driver_connection, statement)
                finally:
                    raw.close()
                return
            with self._writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                vacuum.vacuum_full(connection)

    def ensure_compactable(self) -> None:
        """Check that `compact` may rewrite every table. Raises MayNotRewrite."""
        if self.is_sqlite:
            return
        with self.read() as connection:
            if foreign := vacuum.unowned_tables(connection):
                raise MayNotRewrite(count=len(foreign), first=foreign[0])

    def close(self) -> None:
        """Close the pooled connections."""
        self._reader.dispose()
        self._writer.dispose()


def _execute(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadWarehouseUrl(problem="its URL cannot be read") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise BadWarehouseUrl(problem=f"{backend} is not supported")
    if parsed.database in (None, "", ":memory:"):
        raise BadWarehouseUrl(problem="a warehouse in memory would be forgotten")
    return parsed.set(drivername=sqlite_adbc.NAME)


def _sqlite_engine(url: URL, pragmas: tuple[str, ...]) -> sa.Engine:
    engine = sa.create_engine(url, pragmas=pragmas, poolclass=KeepingPool, hide_parameters=True)
    return engine.execution_options(compiled_cache=_COMPILED)


def _postgresql_engine(url: URL) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_size=2,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": "-c timezone=UTC", "connect_timeout": 10},
    )


def read_rows(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    """Return the rows of a query, each by the names of its columns."""
    return [dict(row) for row in connection.execute(query).mappings()]
