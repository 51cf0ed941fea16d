"""The warehouse's errors, and the translation of database errors into them.

Drivers quote the offending row: only the SQLSTATE and the constraint's name leave this module, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from adbc_driver_manager import Error as AdbcError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from roster_etl.spec.errors import PermanentError, RetryableError, RosterError


class WarehouseError(RosterError):
    """Base class of warehouse errors."""

    code = "warehouse_failed"
    template = "warehouse: the database refused a statement (SQLSTATE {sqlstate})"


class WarehouseUnavailable(WarehouseError, RetryableError):
    """The database is busy or does not respond."""

    code = "warehouse_unavailable"
    template = "warehouse: {problem} (SQLSTATE {sqlstate}); nothing was written, try again"


class WarehouseUnreachable(WarehouseUnavailable):
    """No connection to the database can be opened. ``where``: its host and port, or its file."""

    template = "warehouse: {problem}: {where}; nothing was written"


class NotADatabase(WarehouseError, PermanentError):
    """The file at the place of the warehouse is something else."""

    code = "not_a_database"
    template = (
        "warehouse: not a SQLite database: {where}; name another with [warehouse] url, or restore a backup (`roster-etl restore`)"
    )


class NotAllowed(WarehouseError, PermanentError):
    """The database role lacks a privilege."""

    template = "warehouse: this role may not do that (SQLSTATE 42501); docs/operations.md lists what a loader and a reader may do"


class ConstraintBroken(WarehouseError, PermanentError):
    """A row would violate a constraint of the schema."""

    code = "constraint_broken"
    template = "warehouse: constraint {constraint} would be broken (SQLSTATE {sqlstate}); nothing was written"


class SchemaBehind(WarehouseError, PermanentError):
    """The database schema is older than this version needs."""

    code = "schema_behind"
    template = "warehouse: its schema is {found}, this version needs {expected}; run `roster-etl migrate`"


class SchemaAhead(WarehouseError, PermanentError):
    """A newer version of the program has migrated the database."""

    code = "schema_ahead"
    template = "warehouse: its schema is {found}, this version supports {expected}; use the newer version that migrated it, or restore an earlier backup"


class BadWarehouseUrl(WarehouseError, PermanentError):
    """The URL is not one of a supported database."""

    code = "bad_warehouse_url"
    template = "warehouse: {problem}; use sqlite:///FILE or postgresql://…"


class NoRoles(WarehouseError, PermanentError):
    """Roles exist on PostgreSQL only."""

    code = "no_roles"
    template = "warehouse: a SQLite file has no roles; its file mode decides who can read it"


class MayNotRewrite(WarehouseError, PermanentError):
    """The role does not own the tables, so removed rows would stay in their files."""

    code = "may_not_rewrite"
    template = (
        "warehouse: this role may not rewrite {count} of its tables ({first} and so on), and what is removed would stay in their files; "
        "nothing was changed: purge as the owner of the database (its role in ROSTER_ETL_WAREHOUSE)"
    )


class NotRewritten(WarehouseError, PermanentError):
    """The rows are removed, but PostgreSQL skipped tables when rewriting the files."""

    code = "not_rewritten"
    template = (
        "warehouse: the rows are removed, but {count} tables were not rewritten ({first} and so on), and the rows' bytes are still in their "
        "files; purge again as the owner of the database, which finishes it"
    )


class UnknownRole(WarehouseError, PermanentError):
    """The database has no such role."""

    code = "unknown_role_name"
    template = "warehouse: there is no role {role}; an administrator of the database creates it (CREATE ROLE … LOGIN), then run this again"


class RosterChanged(WarehouseError, PermanentError):
    """Another import was published after the plan was made."""

    code = "roster_moved"
    template = (
        "district {district_id}, {source}: the plan of import {import_id} was made on top of import {planned_on}, "
        "but import {found} has been published since; nothing was written, import again"
    )


class ImportNotRunning(WarehouseError, PermanentError):
    """The import has ended, or another process has taken it over."""

    code = "import_not_running"
    template = "import {import_id} is {status}, not {expected}; nothing was written"


class UnknownImport(WarehouseError, PermanentError):
    """No such import."""

    code = "unknown_import"
    template = "import {import_id} is not in the ledger; `roster-etl imports` lists those that are"


class NoHold(WarehouseError, PermanentError):
    """The import is not held, or its hold has been decided."""

    code = "no_open_hold"
    template = "import {import_id} has no open hold; `roster-etl holds list` shows those that are open"


class HoldAlreadyDecided(NoHold):
    """Another person, or a newer import, has decided the hold first."""

    template = (
        "import {import_id} has no open hold any more: it was {decision} by {by}; `roster-etl show {import_id}` shows the result"
    )


def no_hold_error(import_id: int, hold: Mapping[str, Any] | None) -> NoHold:
    """Return the error for deciding about an import with the ledger row `hold`; None: it was never held."""
    if hold is None:
        return NoHold(import_id=import_id)
    return HoldAlreadyDecided(import_id=import_id, decision=hold["decision"], by=hold["decided_by"])


_CONSTRAINT = re.compile(r"(?:UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(?:: (?:index ')?([A-Za-z0-9_., ]+))?")
_BUSY = re.compile(r"database (?:table )?is locked|database schema is locked", re.IGNORECASE)
_FULL = re.compile(r"database or disk is full|disk I/O error|no space left on device", re.IGNORECASE)
_KNOWN = {
    "40P01": "a deadlock with another writer; this transaction was rolled back",
    "53100": "its disk is full, so free some space",
    "53300": "all its connections are in use",
    "57P01": "an administrator ended the connection, or the server is being restarted",
    "57P03": "the server is starting, or shutting down",
}
_NOT_A_DATABASE = re.compile(r"file is not a database|file is encrypted", re.IGNORECASE)
# What a driver says when it cannot connect, and what we say: its own text may quote a name or a password.
_UNREACHABLE = (
    (re.compile(r"connection refused", re.IGNORECASE), "connection refused"),
    (re.compile(r"could not translate host|name or service not known|resolve host|getaddrinfo", re.IGNORECASE), "host not found"),
    (re.compile(r"timeout expired|timed out", re.IGNORECASE), "no answer in time"),
    (re.compile(r"no route to host|network is unreachable", re.IGNORECASE), "no route to the host"),
    (re.compile(r"password authentication failed|no password supplied", re.IGNORECASE), "the password is refused or missing"),
    (re.compile(r"role .* does not exist", re.IGNORECASE), "the server has no such role"),
    (re.compile(r"database .* does not exist", re.IGNORECASE), "the server has no such database"),
    (re.compile(r"pg_hba.conf", re.IGNORECASE), "the server's pg_hba.conf does not let this role in from here"),
    (re.compile(r"certificate|\bSSL\b", re.IGNORECASE), "no TLS connection as the URL requires it"),
    (re.compile(r"unable to open database file", re.IGNORECASE), "the file cannot be opened"),
)
_RETRY = ("08", "40", "53", "55", "57")  # connection, rollback, resources, lock not available, operator intervention


@contextmanager
def translate_database_errors(where: str = "") -> Iterator[None]:
    """Translate database errors into ours, without the statement, its parameters, or the rows that a driver quotes.

    Args:   where: the database for people: its file, or its host and port.
    Raises: WarehouseUnavailable, ConstraintBroken, WarehouseError; without a cause attached, since a cause would be printed.
    """
    try:
        yield
    except (SQLAlchemyError, AdbcError) as error:
        plain = _translate(error, where)
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        plain = _translate(error, where)
    else:
        return
    raise plain from None


def _translate(error: Exception, where: str) -> WarehouseError:
    """Return our error for `error`, and erase the text of `error`: it may still be printed as the context of ours."""
    driver: Any = error.orig if isinstance(error, DBAPIError) else error
    plain = _classify(error, driver, where)
    error.args = driver.args = (plain.message,)
    if isinstance(error, StatementError):
        error.statement = error.params = None
    return plain


def _classify(error: Exception, driver: Any, where: str) -> WarehouseError:
    sqlstate = str(getattr(driver, "sqlstate", None) or "unknown")
    text = str(driver)
    broken = _CONSTRAINT.search(text)
    name = getattr(getattr(driver, "diag", None), "constraint_name", None) or (broken and broken.group(1))
    if broken or name or sqlstate.startswith("23"):
        return ConstraintBroken(
            constraint=name or "of an unnamed column", sqlstate=sqlstate if sqlstate != "unknown" else "23000"
        )
    if _NOT_A_DATABASE.search(text):
        return NotADatabase(where=where or "its file")
    if _BUSY.search(text):
        return WarehouseUnavailable(problem="another process is writing", sqlstate="55P03")
    if sqlstate.startswith(_RETRY) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return WarehouseUnavailable(problem=_KNOWN.get(sqlstate, "the database broke off or is busy"), sqlstate=sqlstate)
    if sqlstate == "42501":
        return NotAllowed()
    if _FULL.search(text):  # SQLite, and a server that has no room for a new connection: neither gives a SQLSTATE
        return WarehouseUnavailable(problem=_KNOWN["53100"], sqlstate="53100")
    return _unreachable(driver, sqlstate, text, where) or WarehouseError(sqlstate=sqlstate)


def _unreachable(driver: Any, sqlstate: str, text: str, where: str) -> WarehouseError | None:
    """Return the error of a connection that cannot be opened, which has no SQLSTATE; None: it is another one."""
    if sqlstate != "unknown":
        return None
    reason = next((plain for said, plain in _UNREACHABLE if said.search(text)), None)
    if reason or type(driver).__name__ == "OperationalError":
        return WarehouseUnreachable(problem=reason or "the database does not respond", where=where or "its server")
    return None
