"""Publish a plan to the roster in one transaction: close versions, open versions, conclude the import.

No other module changes the roster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from roster_etl.canonical.history import current_key, history_table, searched_columns
from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.roster import COMMON, TABLES, RosterTable, arrow_schema
from roster_etl.frames.arrow import LONG, only_value, release_memory
from roster_etl.frames.prefetch import prefetch
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import bulk_load, ledger_write
from roster_etl.store.warehouse.errors import ImportNotRunning, RosterChanged
from roster_etl.store.warehouse.import_result import ImportResult, TableChange

_GIVEN = ("source_file", "source_row", "row_hash", "derived", "extensions")
_CLOSES = pa.schema([("version_id", pa.int64()), ("close_reason", pa.string())])
_SLICE = 32_768  # rows staged at a time; bounds the memory that staging needs


def opening_schema(table: RosterTable) -> pa.Schema:
    """Return the schema of ``TableChange.opens`` for `table`."""
    return arrow_schema((*table.columns, *(column for column in COMMON if column.name in _GIVEN)))


def base_import(connection: sa.Connection, district_id: str, source: str, file_set: str | None = None) -> int | None:
    """Return the newest published import of this feed, or of one of its file sets; None: there is none.

    The file sets of a format fill different tables, so publishing one does not invalidate the plan of another.
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

    Raises: ImportNotRunning, RosterChanged, UnknownImport, NoHold; ConstraintBroken if two current versions have the same key.
    """
    found = ledger_write.lock_import(connection, import_result.import_id, "running", "held")
    if found["status"] == "held":
        _require_approval(connection, import_result, approved_by)
    _check_base_unchanged(connection, found, planned_on)
    import_result = replace(
        import_result, finished_at=max(import_result.finished_at, _after_last_publish(connection, found, import_result))
    )
    fault_point("publish.begin")
    opening = prefetch(_opening_slices(changes))
    part = next(opening, None)
    # Table by table: what closes in one and what opens there touches the same pages of its indexes, which SQLite still has in memory then.
    for name in _publishing_order(changes):
        rows = part.rows if part is not None and part.table == name else 0
        bulk_load.fit_cache(connection, rows * len(searched_columns(name)))
        _close_versions(connection, found, import_result, name, changes[name].closes, planned_on)  # first, which frees the keys
        while part is not None and part.table == name:
            _open_versions(connection, found, import_result, part)
            part = next(opening, None)
    bulk_load.fit_cache(connection, 0)
    ledger_write.conclude(connection, import_result)


def _require_approval(connection: sa.Connection, import_result: ImportResult, approved_by: str | None) -> None:
    if approved_by is not None:
        ledger_write.decide_hold(connection, import_result.import_id, "approved", approved_by, import_result.finished_at)
    elif not ledger_write.is_approved(connection, import_result.import_id):
        raise ImportNotRunning(import_id=import_result.import_id, status="held", expected="approved")


def _check_base_unchanged(connection: sa.Connection, found: sa.RowMapping, planned_on: int | None) -> None:
    newest = base_import(connection, found["district_id"], found["source"], found["file_set"])
    # Import ids order the history of a file set: an older import is never published after a newer one.
    if newest != planned_on or (newest is not None and newest > found["import_id"]):
        raise _roster_changed(found, planned_on, newest)


def _after_last_publish(connection: sa.Connection, found: sa.RowMapping, import_result: ImportResult) -> datetime:
    """Return the first moment after the feed's last publish: with a clock set back, versions must not end before they began.

    No two imports of a feed are published at one moment, so that a moment names one roster.
    """
    query = sa.select(IMPORTS.c.finished_at).where(
        IMPORTS.c.district_id == found["district_id"], IMPORTS.c.source == found["source"], IMPORTS.c.status == "published"
    )
    last: datetime | None = connection.execute(query.order_by(IMPORTS.c.import_id.desc()).limit(1)).scalar()
    return last + timedelta(microseconds=1) if last is not None else import_result.finished_at


def _roster_changed(found: sa.RowMapping, planned_on: int | None, newest: int | None) -> RosterChanged:
    return RosterChanged(
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
    # Find the version by its id: concat("") keeps the planner from searching by district and source instead.
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
    if connection.dialect.name == "sqlite":  # ADBC does not report row counts
        return int(connection.execute(sa.select(sa.func.changes())).scalar_one())
    return int(result.rowcount)


@dataclass(frozen=True)
class _OpeningSlice:
    """A slice of the ``rows`` to open in a table, as staged: the ``columns`` that vary, and ``constants`` that all its rows share."""

    table: str
    rows: int
    columns: pa.Table
    constants: Mapping[str, Any]


def _publishing_order(changes: Mapping[str, TableChange]) -> list[str]:
    """Return the tables that change, at last those with indexes that their rows come to in any order.

    When SQLite has written a page twice before the commit, it reads all that follows in its log once more at the commit, for the checksums.
    """
    return sorted((name for name in TABLES if name in changes), key=lambda name: len(searched_columns(name)))


def _opening_slices(changes: Mapping[str, TableChange]) -> Iterator[_OpeningSlice]:
    """Yield the slices to open, by table in publishing order, and by key."""
    for name in _publishing_order(changes):
        rows, order, everywhere = _rows_and_order(changes[name], TABLES[name])
        count = rows.num_rows if order is None else len(order)
        for start in range(0, count, _SLICE):
            part = rows.slice(start, _SLICE) if order is None else rows.take(order.slice(start, _SLICE))
            same = _constant_columns(part)
            yield _OpeningSlice(name, count, part.drop_columns([*same]), everywhere | same)
            del part
        is_long = rows.num_rows >= LONG
        del rows, order  # free memory before the next table is loaded
        if is_long:
            release_memory()


def _rows_and_order(change: TableChange, table: RosterTable) -> tuple[pa.Table, pa.Array | None, dict[str, Any]]:
    """Return the rows to open: the columns that vary, the positions to take in turn (None: all as they are), and the columns that do not vary.

    Rows that are taken are copied into one piece first: each take would do it again. Those of a long table are loaded anew for each column,
    so that the pages of the file from which they are mapped are in memory for one column at a time.
    """
    rows, places = _rows(change, opening_schema(table))
    order = _key_order(rows, places, table)
    same = _constant_columns(rows)
    varying = [name for name in rows.column_names if name not in same]
    if order is None or rows.num_rows < LONG:
        rows = rows.select(varying)
        return rows if order is None else rows.combine_chunks(), order, same
    del rows
    schema = opening_schema(table)
    columns = [_rows(change, pa.schema([schema.field(name)]))[0].column(0).combine_chunks() for name in varying]
    return pa.table(columns, names=varying), order, same


def _rows(change: TableChange, schema: pa.Schema) -> tuple[pa.Table, pa.Array | None]:
    rows, places = change.rows_to_open()
    return rows.select(schema.names).cast(schema), places


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
    """Return the columns with one value in all of `rows`, and that value, so that it is not loaded row by row."""
    same: dict[str, Any] = {}
    for name in rows.schema.names[1:]:  # load at least one column, for the number of rows
        value = only_value(rows.column(name))
        if value is not None:
            same[name] = value.as_py()
    return same


def _key_order(rows: pa.Table, places: pa.Array | None, table: RosterTable) -> pa.Array | None:
    """Return the positions of the rows to open, in the order of the index of current keys; None: all rows, which have that order already.

    Sorted rows fill the index sequentially, in half the time of a random order. ``places``: the rows to open; None: all.
    """
    key = current_key(table)
    chosen = places if places is not None and len(places) < rows.num_rows else None
    keys = rows.select(list(key)) if chosen is None else rows.select(list(key)).take(chosen)
    order = pc.sort_indices(keys, sort_keys=[(column, "ascending", "at_start") for column in key])  # NULL as '' in the index
    if pc.all(pc.less(order[:-1], order[1:])).as_py() is not False:
        return chosen
    return order if chosen is None else chosen.take(order)
