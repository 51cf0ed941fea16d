"""Privileges in a PostgreSQL warehouse: the owner migrates and purges, a loader imports, a reader queries.

The grants are statements that can be printed and run. Creating roles and setting passwords is up to the database administrator.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from roster_etl.canonical.audit import AUDIT
from roster_etl.canonical.history import HISTORIES
from roster_etl.canonical.ledger import CHECKS, EXPORTS, FINDINGS, HOLDS, IMPORT_COUNTS, IMPORT_FILES, IMPORTS
from roster_etl.canonical.receipts import RECEIPTS
from roster_etl.canonical.roster import TABLES
from roster_etl.canonical.sql_types import METADATA
from roster_etl.store.warehouse.errors import NoRoles, UnknownRole

_READABLE_LEDGER_TABLES = (
    IMPORTS,
    IMPORT_COUNTS,
    IMPORT_FILES,
    FINDINGS,
    HOLDS,
    CHECKS,
    EXPORTS,
    RECEIPTS,
)  # not the quarantine, which holds rows as uploaded, nor the overrides


def reader_statements(role: str) -> Iterator[str]:
    """Yield the grants for `role` (quoted already) to read the roster, its history and the ledger, and nothing else."""
    readable = (
        *TABLES,
        "changes",
        *(table.name for table in HISTORIES.values()),
        *(table.name for table in _READABLE_LEDGER_TABLES),
    )
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"GRANT SELECT ON {', '.join(readable)}, alembic_version TO {role}"


def loader_statements(role: str) -> Iterator[str]:
    """Yield the grants for `role` (quoted already) to import, without changing any table's definition.

    It may read and write every table except the audit, to which it may only append, and stage rows.
    """
    tables = ", ".join(table.name for table in METADATA.sorted_tables if table is not AUDIT)
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}"
    yield f"GRANT SELECT, INSERT ON {AUDIT.name} TO {role}"  # append-only
    yield f"GRANT SELECT ON {', '.join((*TABLES, 'changes'))}, alembic_version TO {role}"
    yield f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {role}"


def grant(connection: sa.Connection, *, reader: str | None = None, loader: str | None = None) -> tuple[str, ...]:
    """Grant the roles what they need, and return the statements. Raises NoRoles (on SQLite), UnknownRole."""
    check(connection, reader, loader)
    statements: list[str] = []
    for role, say in ((reader, reader_statements), (loader, loader_statements)):
        if role is not None:
            statements += say(_quote_role(connection, role))
    if loader is not None:
        database = connection.dialect.identifier_preparer.quote(str(connection.engine.url.database))
        statements.append(f"GRANT TEMPORARY ON DATABASE {database} TO {_quote_role(connection, loader)}")
    for statement in statements:
        connection.exec_driver_sql(statement)
    return tuple(statements)


def check(connection: sa.Connection, *names: str | None) -> None:
    """Check that the roles exist; needs no schema. Raises NoRoles (on SQLite), UnknownRole."""
    if connection.dialect.name != "postgresql":
        raise NoRoles
    for name in filter(None, names):
        _quote_role(connection, name)


def granted_roles(connection: sa.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the readers and the loaders: a migration recreates views, so their grants have to be repeated."""
    if connection.dialect.name != "postgresql" or not sa.inspect(connection).has_table(IMPORTS.name):
        return (), ()
    query = sa.text(
        "SELECT grantee, bool_or(privilege_type = 'INSERT') FROM information_schema.role_table_grants "
        "WHERE table_schema = 'public' AND table_name = 'imports' AND grantee NOT IN (SELECT tableowner FROM pg_tables "
        "WHERE schemaname = 'public' AND tablename = 'imports') AND grantee <> 'PUBLIC' GROUP BY grantee ORDER BY grantee"
    )
    found = [(str(role), bool(writes)) for role, writes in connection.execute(query)]
    return tuple(role for role, writes in found if not writes), tuple(role for role, writes in found if writes)


def _quote_role(connection: sa.Connection, role: str) -> str:
    if connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
        raise UnknownRole(role=role)
    return connection.dialect.identifier_preparer.quote(role)
