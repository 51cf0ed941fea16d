"""Rewrite the files of a PostgreSQL database, so that they contain no byte of a removed row; and check who may.

PostgreSQL only warns of a table that the role may not rewrite.
"""

from __future__ import annotations

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA
from roster_etl.store.warehouse.errors import NotRewritten

STATISTICS = "pg_statistic"
"""PostgreSQL's column statistics, which include values of single cells."""

# Who may VACUUM: a table's owner, the database's owner (except shared tables), and since version 17 a role with MAINTAIN.
_MAINTAINS = " OR has_table_privilege(c.oid, 'MAINTAIN')"
_UNOWNED_TABLES_SQL = """
SELECT c.relname FROM pg_class c, pg_database d
WHERE d.datname = current_database() AND c.relkind = 'r' AND c.relname IN :names AND pg_table_is_visible(c.oid)
AND NOT (pg_has_role(c.relowner, 'USAGE') OR pg_has_role(d.datdba, 'USAGE'){maintains})
ORDER BY c.relname
"""
_FILES = """
SELECT c.relname, pg_relation_filenode(c.oid) FROM pg_class c
WHERE c.relkind = 'r' AND c.relname IN :names AND pg_table_is_visible(c.oid) ORDER BY c.relname
"""


def unowned_tables(connection: sa.Connection) -> tuple[str, ...]:
    """Return the tables with personal data that the role of `connection` may not rewrite."""
    version = connection.dialect.server_version_info or (0,)
    statement = _UNOWNED_TABLES_SQL.format(maintains=_MAINTAINS if version >= (17,) else "")
    return tuple(str(row[0]) for row in connection.execute(_bind_table_names(statement)))


def vacuum_full(connection: sa.Connection) -> None:
    """Rewrite every table; `connection` autocommits each statement. Raises NotRewritten: some tables were skipped."""
    before = _files(connection)
    connection.exec_driver_sql("VACUUM (FULL, ANALYZE)")
    after = _files(connection)
    if left := sorted(name for name, file in before.items() if after.get(name) == file):
        raise NotRewritten(count=len(left), first=left[0])


def _files(connection: sa.Connection) -> dict[str, int]:
    """Return the file node of each table: rewriting a table changes it."""
    return {str(name): int(file) for name, file in connection.execute(_bind_table_names(_FILES))}


def _bind_table_names(statement: str) -> sa.TextClause:
    names = [*(table.name for table in METADATA.sorted_tables), STATISTICS]
    return sa.text(statement).bindparams(sa.bindparam("names", names, expanding=True))
