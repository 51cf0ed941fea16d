"""Insert finished imports copied from elsewhere, with their ids and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import CHECKS, FINDINGS, HOLDS, IMPORT_FILES, IMPORTS, OVERRIDES
from roster_etl.canonical.sql_types import Timestamp
from roster_etl.store.warehouse import ledger_write, waiting_rows
from roster_etl.store.warehouse.import_result import REJECTED_ROWS_SCHEMA

Row = Mapping[str, Any]


def insert_running_import(connection: sa.Connection, row: Row) -> None:
    """Insert the import of `row` as ``running``; columns that this schema lacks are omitted."""
    columns = {
        name: value
        for name, value in _typed_values(IMPORTS, row).items()
        if name not in ("status", "summary", "finished_at", "quarantined")
    }
    ledger_write.open_import(connection, **columns)


def write_import_end(
    connection: sa.Connection,
    row: Row,
    *,
    files: Sequence[Row],
    checks: Sequence[Row],
    hold: Row | None,
    findings: Sequence[Row] | None = None,
    rejected: Sequence[Row] | None = None,
) -> None:
    """Write the original result of the import of `row`. ``findings``, ``rejected``: None keeps what the ledger has."""
    number = row["import_id"]
    if rejected is not None:
        waiting_rows.forget_feeds(connection, row["district_id"], row["source"])
        ledger_write.replace_rejected(
            connection, number, pa.Table.from_pylist([dict(one) for one in rejected], REJECTED_ROWS_SCHEMA)
        )
    given = {IMPORT_FILES: files, CHECKS: checks, HOLDS: [hold] if hold else [], FINDINGS: findings}
    for table, rows in given.items():
        if rows is not None:
            connection.execute(sa.delete(table).where(table.c.import_id == number))
            if rows:
                connection.execute(sa.insert(table), [{"import_id": number, **_typed_values(table, one)} for one in rows])
    ended = _typed_values(IMPORTS, row)
    ledger_write.update_import(connection, number, **{name: ended[name] for name in ("status", "summary", "finished_at")})


def insert_edits(connection: sa.Connection, edits: Sequence[Row]) -> None:
    """Insert overrides copied from elsewhere; they get new ids."""
    if edits:
        rows = [{name: value for name, value in _typed_values(OVERRIDES, one).items() if name != "override_id"} for one in edits]
        connection.execute(sa.insert(OVERRIDES), rows)


def _typed_values(table: sa.Table, row: Row) -> dict[str, Any]:
    return {name: _value(table.c[name], value) for name, value in row.items() if name in table.c}


def _value(column: sa.Column[Any], value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(column.type, Timestamp) and isinstance(value, str) else value
