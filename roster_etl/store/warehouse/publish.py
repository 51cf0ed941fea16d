"""Publishing: the one place that changes the roster. Versions close, versions open, the ledger says why; all or nothing.

Belongs here: the statements of that one transaction. What is to be closed and opened was decided by a plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.roster import COMMON, TABLES, RosterTable, arrow_schema
from roster_etl.frames.prefetch import prefetch
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import bulk_load, ledger_write
from roster_etl.store.warehouse.errors import ImportNotRunning, RosterMoved
from roster_etl.store.warehouse.import_result import ImportResult, TableChange

_GIVEN = ("source_file", "source_row", "row_hash", "derived", "extensions")
_CLOSES = pa.schema([("version_id", pa.int64()), ("close_reason", pa.string())])
_SLICE = 65_536  # rows that are staged at a time: bounds the memory that staging takes


def opening_schema(table: RosterTable) -> pa.Schema:
    """Return the schema of ``TableChange.opens`` for `table`."""
    return arrow_schema((*table.columns, *(column for column in COMMON if column.name in _GIVEN)))


def base_import(connection: sa.Connection, district_id: str, source: str, file_set: str | None = None) -> int | None:
    """Return the newest import that was published for this feed, or one set of its files; None: none was.

    The sets of a format fill different tables, so that none moves the ground under the plan of another.
    """
    query = sa.select(sa.func.max(IMPORTS.c.import_id)).where(
        IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published"
    )
    if file_set is not None:
        query = query.where(IMPORTS.c.file_set == file_set)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def publish(
    connection: sa.Connection,
    import_result: ImportResult,
    changes: Mapping[str, TableChange],
    planned_on: int | None,
    approved_by: str | None,
) -> None:
    """Close and open versions and conclude the import, in the transaction of `connection`.

    Raises: ImportNotRunning, RosterMoved, UnknownImport, NoHold; ConstraintBroken if two current versions have one key.
    """
    found = ledger_write.lock_import(connection, import_result.import_id, "running", "held")
    lock_district(connection, found["district_id"])
    if found["status"] == "held":
        _require_approval(connection, import_result, approved_by)
    _check_base_unchanged(connection, found, planned_on)
    import_result = replace(
        import_result, finished_at=max(import_result.finished_at, _last_published_at(connection, found, import_result))
    )
    fault_point("publish.begin")
    # All closings first, so that the keys of records that move between tables or ids are free.
    for name in TABLES:
        if name in changes:
            _close_versions(connection, found, import_result, name, changes[name].closes, planned_on)
    for part in prefetch(_opening_slices(changes)):
        _open_versions(connection, found, import_result, part)
    ledger_write.conclude(connection, import_result)


def lock_district(connection: sa.Connection, district_id: str) -> None:
    """Wait until nobody else publishes for this district; held until the transaction ends."""
    lock(connection, district_id)


def lock(connection: sa.Connection, name: str) -> None:
    """Wait until nobody else does `name`; held until the transaction ends. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _require_approval(connection: sa.Connection, import_result: ImportResult, approved_by: str | None) -> None:
    if approved_by is not None:
        ledger_write.decide_hold(connection, import_result.import_id, "approved", approved_by, import_result.finished_at)
    elif not ledger_write.is_approved(connection, import_result.import_id):
        raise ImportNotRunning(import_id=import_result.import_id, status="held", expected="approved")


def _check_base_unchanged(connection: sa.Connection, found: sa.RowMapping, planned_on: int | None) -> None:
    newest = base_import(connection, found["district_id"], found["source"], found["file_set"])
    # Numbers of imports order the history of a set of files: an older import never comes after a newer one.
    if newest != planned_on or (newest is not None and newest > found["import_id"]):
        raise _roster_changed(found, planned_on, newest)


def _last_published_at(connection: sa.Connection, found: sa.RowMapping, import_result: ImportResult) -> datetime:
    """Return when the feed was last published: a clock that was set back must not end a version before it began."""
    query = sa.select(IMPORTS.c.finished_at).where(
        IMPORTS.c.district_id == found["district_id"], IMPORTS.c.source == found["source"], IMPORTS.c.status == "published"
    )
    last: datetime | None = connection.execute(query.order_by(IMPORTS.c.import_id.desc()).limit(1)).scalar()
    return last or import_result.finished_at


def _roster_changed(found: sa.RowMapping, planned_on: int | None, newest: int | None) -> RosterMoved:
    return RosterMoved(
        district_id=found["district_id"],
        source=found["source"],
        import_id=found["import_id"],
        planned_on=planned_on,
        found=newest,
    )


def _close_versions(
    connection: sa.Connection,
    found: sa.RowMapping,
    import_result: ImportResult,
    name: str,
    closes: pa.Table,
    planned_on: int | None,
) -> None:
    if not closes.num_rows:
        return
    history = history_table(name)
    rows = closes.select(_CLOSES.names).cast(_CLOSES).sort_by("version_id")
    staged = bulk_load.stage(connection, f"closing_{name}", rows)
    # The version is looked up by its number alone: the feed is checked in the set, not searched by.
    closed = sa.update(history).where(history.c.version_id == staged.c.version_id, history.c.valid_to_import.is_(None))
    closed = closed.where(
        history.c.district_id.concat("") == found["district_id"], history.c.source.concat("") == found["source"]
    )
    result = connection.execute(
        closed.values(
            valid_to_import=import_result.import_id, valid_to=import_result.finished_at, close_reason=staged.c.close_reason
        )
    )
    if _changed_rows(connection, result) != rows.num_rows:
        raise _roster_changed(found, planned_on, planned_on)
    fault_point("publish.closed")
    bulk_load.unstage(connection, staged)


def _changed_rows(connection: sa.Connection, result: sa.CursorResult[object]) -> int:
    if connection.dialect.name == "sqlite":  # ADBC does not count
        return int(connection.execute(sa.select(sa.func.changes())).scalar_one())
    return int(result.rowcount)


@dataclass(frozen=True)
class _OpeningSlice:
    """Rows of a table that open, as they are staged: those ``columns`` that differ, and the values ``constants`` in all of them."""

    table: str
    columns: pa.Table
    constants: Mapping[str, Any]


def _opening_slices(changes: Mapping[str, TableChange]) -> Iterator[_OpeningSlice]:
    """Yield what opens, table by table in publishing order, in the order of the keys."""
    for name in TABLES:
        if name not in changes:
            continue
        opens = changes[name].rows_to_open()
        schema = opening_schema(TABLES[name])
        rows = opens.select(schema.names).cast(schema)
        order = _key_order(rows, TABLES[name])
        for start in range(0, rows.num_rows, _SLICE):
            part = rows.slice(start, _SLICE) if order is None else rows.take(order.slice(start, _SLICE))
            same = _constant_columns(part)
            yield _OpeningSlice(name, part.select([column for column in schema.names if column not in same]), same)
            del part
        del opens, rows  # before the next table is loaded


def _open_versions(connection: sa.Connection, found: sa.RowMapping, import_result: ImportResult, part: _OpeningSlice) -> None:
    history = history_table(part.table)
    given: dict[str, sa.ColumnElement[Any]] = {
        "district_id": sa.literal(found["district_id"], sa.Text()),
        "source": sa.literal(found["source"], sa.Text()),
        "valid_from_import": sa.literal(import_result.import_id, sa.BigInteger()),
        "valid_from": sa.literal(import_result.finished_at, history.c.valid_from.type),
    }
    same = {column: sa.literal(value, history.c[column].type) for column, value in part.constants.items() if value is not None}
    staged = bulk_load.stage(connection, f"opening_{part.table}", part.columns)
    fault_point("publish.staged")
    filled = given | same
    chosen = sa.select(*filled.values(), *staged.c)
    into = [*filled, *part.columns.schema.names]
    connection.execute(sa.insert(history).from_select(into, chosen, include_defaults=False))
    fault_point("publish.merged")
    bulk_load.unstage(connection, staged)


def _constant_columns(rows: pa.Table) -> dict[str, Any]:
    """Return the columns that have one value in all of `rows`, and that value: said once, not loaded row by row."""
    same: dict[str, Any] = {}
    for name in rows.schema.names[1:]:  # one column is always loaded: it says how many rows there are
        column = rows.column(name)
        if column.null_count == len(column):
            same[name] = None
        elif not column.null_count and column[0] == column[-1] and pc.all(pc.equal(column, column[0])).as_py():
            same[name] = column[0].as_py()
    return same


def _key_order(rows: pa.Table, table: RosterTable) -> pa.Array | None:
    """Return the places of `rows` in the order of the key; None: they stand in it already.

    The index of current keys is then written from left to right, in half the time of a random order.
    """
    order = pc.sort_indices(rows, sort_keys=[(column, "ascending") for column in table.key])
    return None if pc.all(pc.less(order[:-1], order[1:])).as_py() is not False else order
