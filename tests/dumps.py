"""A warehouse as text, for comparing one with another: every table, every column but the numbers that a database gives its versions."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORT_COUNTS
from roster_etl.canonical.sql_types import METADATA
from roster_etl.store.warehouse import Warehouse

_DERIVED = ("waiting_for", "waiting_feeds")  # the first import after a rebuild tries all waiting rows, and records this
_OF_PEOPLE = ("audit",)


def dump(warehouse: Warehouse, district_id: str | None = None) -> dict[str, list[str]]:
    """Return the rows of every table as sorted lines; of one district where named. The audit tells of people, not of imports."""
    tables = [table for table in METADATA.sorted_tables if table.name not in (*_OF_PEOPLE, *_DERIVED)]
    with warehouse.reading() as connection:
        return {table.name: _lines(connection, table, district_id) for table in tables}


def _lines(connection: sa.Connection, table: sa.Table, district_id: str | None) -> list[str]:
    columns = [column for column in table.columns if column.name not in ("version_id", "override_id", "entry_id")]
    query = sa.select(*columns)
    if table is IMPORT_COUNTS:
        query = query.where(table.c.imports > 0)  # 0: imports had this status for a while
    if district_id is not None and "district_id" in table.c:
        query = query.where(table.c.district_id == district_id)
    elif district_id is not None:
        imports = METADATA.tables["imports"]
        query = query.where(table.c.import_id.in_(sa.select(imports.c.import_id).where(imports.c.district_id == district_id)))
    return sorted(_line(row) for row in connection.execute(query).mappings())


def _line(row: Any) -> str:
    return json.dumps(dict(row), default=str, sort_keys=True, ensure_ascii=False)
