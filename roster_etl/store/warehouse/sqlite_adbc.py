"""A SQLAlchemy dialect for SQLite through ADBC: rows are transferred as Arrow, in the same transaction as all statements.

Belongs here: the dialect, and the few differences between ADBC's connection and cursor and what SQLAlchemy expects.

Why not Python's own ``sqlite3``: two copies of the SQLite library in one process must not open the same file, since closing a
file in one drops the other's locks (SQLite, "How To Corrupt An SQLite Database File", 2.2.1). ADBC includes its own copy, and
transfers a million rows in a second. So all access goes through ADBC.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from adbc_driver_manager import AdbcStatement, dbapi
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager.dbapi import Cursor
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect, SQLiteExecutionContext

NAME = "sqlite+roster_adbc"
READS, WRITES = "DEFERRED", "IMMEDIATE"

# ADBC takes the type of a result's column from the first batch of rows: a column with NULL there and text later would
# fail. Hence one batch for every result that SQLAlchemy reads.
BATCH_SIZE = "adbc.sqlite.query.batch_rows"
ONE_BATCH = {BATCH_SIZE: "20000000"}


def _call_without_handler(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], cancel: object) -> Any:
    """Call a function of ADBC. Its own way replaces the process's handler of SIGINT meanwhile, as it does not on Windows.

    An interrupt of a short statement was lost then, or cancelled a statement that had ended, which crashes the process
    (adbc-driver-manager 1.13.0). Without it, Python raises KeyboardInterrupt, or Dagster's error, after the statement.
    """
    return func(*args, **kwargs)


vars(dbapi).update(_blocking_call=_call_without_handler)  # there is no setting; a test interrupts statements


class AdbcCursor(Cursor):
    """A cursor that has no description for a statement without a result, as SQLAlchemy expects."""

    @property
    def description(self) -> Any:
        """The columns of the result; None: the statement has none."""
        return super().description or None


class AdbcExecutionContext(SQLiteExecutionContext):
    """Create cursors that read a result as one batch."""

    def create_default_cursor(self) -> Any:
        """Return a cursor for one statement."""
        connection: Any = self._dbapi_connection.dbapi_connection
        return AdbcCursor(connection, ONE_BATCH)


class AdbcSqliteDialect(SQLiteDialect):
    """SQLite over ADBC. The isolation level ``IMMEDIATE`` is for transactions that write, ``DEFERRED`` for those that read."""

    driver = "roster_adbc"
    supports_statement_cache = True
    default_paramstyle = "qmark"
    execution_ctx_cls = AdbcExecutionContext
    postfetch_lastrowid = False  # ADBC has none; RETURNING returns the id of a new row
    favor_returning_over_lastrowid = True
    supports_sane_rowcount = False  # ADBC does not report how many rows an UPDATE changed

    def __init__(self, pragmas: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pragmas = pragmas

    def __eq__(self, other: object) -> bool:
        """Whether both compile statements alike, whatever their transactions and pragmas: compiled ones are kept by dialect."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return ADBC's module, with the version of its SQLite, which SQLAlchemy requires."""
        import adbc_driver_sqlite.dbapi as adbc

        module = ModuleType("roster_etl_adbc")
        vars(module).update({name: value for name, value in vars(adbc).items() if not name.startswith("__")})
        with adbc.connect(autocommit=True) as connection, connection.cursor() as cursor:
            (version,) = cursor.execute("SELECT sqlite_version()").fetchall()[0]
        vars(module).update(sqlite_version=version, sqlite_version_info=tuple(int(part) for part in version.split(".")))
        return module

    def create_connect_args(self, url: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return the connection arguments: the path of the file."""
        return [url.database], {}

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        """Open the file. This dialect begins and ends transactions, not ADBC."""
        connection = self.loaded_dbapi.connect(*cargs, **cparams, autocommit=True)
        try:
            for pragma in self._pragmas:
                execute_statement(connection, f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def get_isolation_level_values(self, dbapi_conn: Any) -> Any:
        """Return how a transaction may begin."""
        return [READS, WRITES]

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """Return how a transaction begins if nothing else is asked for."""
        return READS

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """Return how the next transaction of the connection begins."""
        return getattr(dbapi_connection, "isolation_level", READS)

    def set_isolation_level(self, dbapi_connection: Any, level: str | None) -> None:
        """Set how the next transactions of the connection begin."""
        dbapi_connection.isolation_level = level or READS

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction; a write transaction waits for the lock, up to the busy timeout."""
        execute_statement(dbapi_connection, f"BEGIN {self.get_isolation_level(dbapi_connection)}")
        dbapi_connection.in_transaction = True

    def do_commit(self, dbapi_connection: Any) -> None:
        """Commit, if a transaction is open."""
        if getattr(dbapi_connection, "in_transaction", False):
            execute_statement(dbapi_connection, "COMMIT")
            dbapi_connection.in_transaction = False

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back, if a transaction is open. SQLite may have done so itself after an error."""
        if getattr(dbapi_connection, "in_transaction", False):
            dbapi_connection.in_transaction = False
            try:
                execute_statement(dbapi_connection, "ROLLBACK")
            except AdbcError as error:
                if "no transaction is active" not in str(error):  # SQLite has rolled back: its disk is full, or cannot be read
                    raise

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement once for each of several sets of parameters."""
        cursor.executemany(statement, [tuple(values) for values in parameters])


def execute_statement(connection: Any, statement: str) -> None:
    """Execute a statement whose result, if any, is of no interest: a third of the time that a cursor takes."""
    with AdbcStatement(connection.adbc_connection) as executed:
        executed.set_sql_query(statement)
        executed.execute_update()


registry.register("sqlite.roster_adbc", __name__, "AdbcSqliteDialect")
