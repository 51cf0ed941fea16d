"""Small rosters for tests of the warehouse: rows as they are said in one line, tables as a plan would hand them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical import TABLES
from roster_etl.canonical.ledger import ImportStatus
from roster_etl.store.warehouse import ImportResult, TableChange, Warehouse
from roster_etl.store.warehouse.publish import opening_schema
from tests.ledgers import in_transaction

DISTRICT, SOURCE = "lincoln", "clever"
NO_CLOSES = pa.table({"version_id": pa.array([], pa.int64()), "close_reason": pa.array([], pa.string())})


def day(number: int) -> datetime:
    """Return six in the morning of a day in January 2026 (UTC)."""
    return datetime(2026, 1, number, 6, tzinfo=UTC)


def opens(table: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return `rows` as versions to open; what a row leaves out is NULL, or what a plan would say."""
    usual = {"source_file": f"{table}.csv", "source_row": 2, "row_hash": "0" * 15 + "1", "derived": "[]", "extensions": "{}"}
    return pa.Table.from_pylist([usual | dict(row) for row in rows], schema=opening_schema(TABLES[table]))


def closes(version_ids: Sequence[int], reason: str = "absent") -> pa.Table:
    """Return versions to close."""
    return pa.table({"version_id": pa.array(version_ids, pa.int64()), "close_reason": pa.array([reason] * len(version_ids))})


def change(table: str, rows: Sequence[Mapping[str, Any]] = (), gone: Sequence[int] = (), reason: str = "absent") -> TableChange:
    """Return what publishing does to `table`."""
    return TableChange(opens=opens(table, rows), closes=closes(gone, reason))


def begin(warehouse: Warehouse, number: int = 1, district: str = DISTRICT, **columns: Any) -> int:
    """Open an import that starts on day `number`."""
    return in_transaction(warehouse).open_import(
        kind="upload", district_id=district, source=SOURCE, upload_id=f"u{number}", started_at=day(number), **columns
    )


def end(import_id: int, status: ImportStatus = "published", number: int = 1, **parts: Any) -> ImportResult:
    """Return a conclusion on day `number`."""
    return ImportResult(import_id=import_id, status=status, finished_at=day(number), **parts)


def published(
    warehouse: Warehouse, changes: Mapping[str, TableChange], number: int = 1, district: str = DISTRICT, **parts: Any
) -> int:
    """Publish `changes` on day `number`, on top of what is there, and return the import."""
    import_id = begin(warehouse, number, district)
    in_transaction(warehouse).publish(end(import_id, number=number, **parts), changes, warehouse.roster.base(district, SOURCE))
    return import_id


def version_of(warehouse: Warehouse, table: str, **key: Any) -> int:
    """Return the number of the current version with this key."""
    current = warehouse.roster.current(DISTRICT, SOURCE, table).to_pylist()
    (version,) = [row["version_id"] for row in current if all(row[name] == value for name, value in key.items())]
    return int(version)


def user(user_id: str, **columns: Any) -> dict[str, Any]:
    """Return a student."""
    return {"user_kind": "student", "user_id": user_id, "status": "active", **columns}


def enrollment(user_id: str, section_id: str | None = "s1", **columns: Any) -> dict[str, Any]:
    """Return a student's enrollment."""
    row = {"course_id": "c1", "section_id": section_id, "user_kind": "student", "user_id": user_id, "role": "student"}
    return {**row, "status": "active", **columns}
