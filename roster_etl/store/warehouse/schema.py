"""The database schema: its revision, and its migration to this version's (``store.migrations``); views and comments."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.schema import SetColumnComment, SetTableComment

from roster_etl.canonical import audit as _audit  # noqa: F401 (declares its table)
from roster_etl.canonical import ledger as _ledger  # noqa: F401 (declares its tables)
from roster_etl.canonical import people as _people  # noqa: F401 (declares its table)
from roster_etl.canonical import receipts as _receipts  # noqa: F401 (declares its table)
from roster_etl.canonical import reconciliation as _reconciliation  # noqa: F401 (declares its tables)
from roster_etl.canonical.history import changes_view, current_view
from roster_etl.canonical.roster import TABLES
from roster_etl.canonical.sql_types import METADATA
from roster_etl.store import migrations
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import roles
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import SchemaAhead, SchemaBehind

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text()))
_LOCK = 0x726F73746572  # "roster": one migration at a time on PostgreSQL


def ensure_current(database: Database) -> None:
    """Require this version's schema; a new SQLite file gets it at once. Raises SchemaBehind."""
    database.create()
    with database.read() as connection:
        found = schema_revision(connection)
        empty = found is None and not sa.inspect(connection).get_table_names()
    if found == migrations.HEAD:
        return
    _reject_newer_schema(found)
    if not (database.is_sqlite and empty):
        raise SchemaBehind(found=found or "empty", expected=migrations.HEAD)
    migrate(database)


def is_current(connection: sa.Connection) -> bool:
    """Return whether the database has this version's schema."""
    return schema_revision(connection) == migrations.HEAD


def schema_revision(connection: sa.Connection) -> str | None:
    """Return the revision of the database schema; None: it has no schema."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar()


def revision(database: Database) -> str | None:
    """Return the revision of a database; a missing SQLite file is created."""
    database.create()
    with database.read() as connection:
        return schema_revision(connection)


def running_imports(database: Database) -> list[int]:
    """Return the running imports, with only columns that every revision has."""
    imports = sa.table("imports", sa.column("import_id", sa.BigInteger()), sa.column("status", sa.Text()))
    with database.read() as connection:
        if not sa.inspect(connection).has_table(imports.name):
            return []
        query = sa.select(imports.c.import_id).where(imports.c.status == "running").order_by(imports.c.import_id)
        return list(connection.execute(query).scalars())


def _reject_newer_schema(found: str | None) -> None:
    if found is not None and found > migrations.HEAD:  # revisions are numbered with four digits
        raise SchemaAhead(found=found, expected=migrations.HEAD)


def migrate(database: Database) -> str | None:
    """Migrate the database to this version's schema, in one transaction, and return its previous revision."""
    database.create()
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = schema_revision(connection)
        _reject_newer_schema(before)
        if before != migrations.HEAD:
            readers, loaders = roles.granted_roles(connection)
            _drop_views(connection)
            _upgrade(connection)
            _create_views(connection)
            _comment(connection)
            for reader in readers:
                roles.grant(connection, reader=reader)
            for loader in loaders:
                roles.grant(connection, loader=loader)
            fault_point("migrate.upgraded")
    fault_point("migrate.done")
    return before


def _upgrade(connection: sa.Connection) -> None:
    # Alembic takes a third of a second to import: only when there is something to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _drop_views(connection: sa.Connection) -> None:
    for name in ("changes", *TABLES):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _create_views(connection: sa.Connection) -> None:
    for table in TABLES.values():
        connection.exec_driver_sql(current_view(table))
    connection.exec_driver_sql(changes_view(connection.dialect.name))


def _comment(connection: sa.Connection) -> None:
    if not connection.dialect.supports_comments:
        return
    for table in METADATA.sorted_tables:
        connection.execute(SetTableComment(table))
        for column in table.columns:
            connection.execute(SetColumnComment(column))
