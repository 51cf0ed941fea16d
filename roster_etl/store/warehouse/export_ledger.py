"""Read a roster for an export, and keep the ledger of exports.

Belongs here: queries and statements of table ``exports``, and the roster as it was at a moment without columns that no export needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import EXPORTS, IMPORTS, ExportStatus
from roster_etl.canonical.roster import TABLES
from roster_etl.canonical.sql_types import SQLITE_TIMESTAMP_FORMAT
from roster_etl.store.warehouse import bulk_load
from roster_etl.store.warehouse.roster_read import closed_by_imports_after, select_column

_EXTRA = ("derived", "extensions")
_VERSION = pa.field("version_id", pa.int64())
_ANY = "_any"
_Place: TypeAlias = tuple[str, str, str, datetime | None]  # district, source, table, moment
_BEGINNING = 1_000  # rows by which it is seen which columns are null
_FEEDS_PER_QUERY = 100  # each is one arm of a union; SQLite takes 500


def roster_rows(
    connection: sa.Connection,
    district_id: str,
    source: str,
    name: str,
    moment: datetime | None,
    *,
    order: Sequence[str] = ("version_id",),
    collect: bulk_load.Collect,
) -> pa.Table:
    """Return the records of a table as they were known at `moment` (None: now), in the order of some columns.

    Columns: the business columns, ``derived`` and ``extensions``, which are null where they are empty. ``collect``: makes the table of
    batches, so that it need not be in memory. Columns that are null in the first rows are read as one, the first value of any: each costs
    as much as its values would. They are read after all if it has a value.
    """
    schema = pa.schema([*TABLES[name].arrow_schema, *((column, pa.string()) for column in _EXTRA)])
    place = (district_id, source, name, moment)
    beginning = _query(connection, place, schema).limit(_BEGINNING)
    first = bulk_load.fetch(connection, beginning, schema.append(_VERSION))
    nothing = {column for column in schema.names if first.column(column).null_count == len(first) and column not in order}
    del first
    try:
        return _rows(connection, place, schema, nothing, order, collect)
    except _HasValue:
        return _rows(connection, place, schema, set(), order, collect)


class _HasValue(Exception):
    """A column has a value that has none in the first rows."""


def _rows(
    connection: sa.Connection,
    place: _Place,
    schema: pa.Schema,
    nothing: Collection[str],
    order: Sequence[str],
    collect: bulk_load.Collect,
) -> pa.Table:
    """Return all records, the columns `nothing` as nulls. Raises _HasValue: one of them is not."""
    read = pa.schema([field for field in schema if field.name not in nothing])
    query = _query(connection, place, read, nothing)
    read = read.append(_VERSION)
    wanted = read.append(pa.field(_ANY, pa.string())) if nothing else read
    batches = bulk_load.fetch_batches(connection, query, wanted)
    found = collect(_without_values(batches) if nothing else batches, read, order)
    absent = {kind: pa.nulls(found.num_rows, kind) for kind in {schema.field(column).type for column in nothing}}
    columns = (absent[field.type] if field.name in nothing else found.column(field.name) for field in schema)
    return pa.table([*columns], schema=schema)


def _without_values(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches without their last column. Raises _HasValue: it has one."""
    for batch in batches:
        if batch.column(batch.num_columns - 1).null_count < batch.num_rows:
            raise _HasValue
        yield batch.select(batch.schema.names[:-1])


def _query(
    connection: sa.Connection, place: _Place, schema: pa.Schema, joined: Collection[str] = ()
) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Return the query of the columns of `schema`, the version, and the first value of the columns `joined`, if there are any."""
    district_id, source, name, moment = place
    history = history_table(name)
    chosen = [*(_column(connection, history, field) for field in schema), history.c.version_id]
    if joined:
        values = [sa.cast(_column(connection, history, pa.field(column, pa.string())), sa.Text()) for column in sorted(joined)]
        chosen.append(sa.func.coalesce(*values, sa.null()).label(_ANY))
    feed = (history.c.district_id == district_id, history.c.source == source)
    if moment is None:
        return sa.select(*chosen).where(*feed, history.c.valid_to_import.is_(None))
    # Both databases compare timestamps with ISO text, rendered here.
    then: sa.ColumnElement[datetime] = sa.literal_column(f"'{moment.astimezone(UTC).strftime(SQLITE_TIMESTAMP_FORMAT)}'")
    known = (*feed, history.c.valid_from <= then)
    # Current and past versions have separate indexes, so they are queried separately.
    return sa.union_all(
        sa.select(*chosen).where(*known, history.c.valid_to_import.is_(None)),
        sa.select(*chosen).where(
            history.c.valid_from <= then,
            closed_by_imports_after(history, district_id, source, then),
            history.c.valid_to > then,
        ),
    )


def _column(connection: sa.Connection, history: sa.Table, field: pa.Field) -> sa.ColumnElement[Any]:
    if field.name in _EXTRA:
        empty = sa.literal_column("'{}'" if field.name == "extensions" else "'[]'", sa.Text())
        return sa.func.nullif(history.c[field.name], empty).label(field.name)
    return select_column(connection, history.c[field.name], field.type)


def change_moments(connection: sa.Connection, district_id: str, source: str, after: datetime, until: datetime) -> list[datetime]:
    """Return when imports of the feed were published after one moment and until another, in order."""
    columns = IMPORTS.c
    query = sa.select(columns.finished_at).where(
        columns.district_id == district_id,
        columns.source == source,
        columns.status == "published",
        columns.finished_at > after,
        columns.finished_at <= until,
    )
    return list(connection.execute(query.order_by(columns.finished_at)).scalars())


def purges_after(connection: sa.Connection, district_id: str, source: str, after: datetime) -> list[dict[str, Any]]:
    """Return number and ``purge`` (what was removed) of the purges of a feed after a moment, in order."""
    columns = IMPORTS.c
    query = sa.select(columns.import_id, columns.summary).where(
        columns.district_id == district_id,
        columns.source == source,
        columns.status == "published",
        columns.finished_at > after,
        columns.kind == "purge",
    )
    rows = connection.execute(query.order_by(columns.finished_at))
    return [{"import_id": number, "purge": (summary or {}).get("purge", {})} for number, summary in rows]


def newest_published(connection: sa.Connection, district_id: str, source: str, until: datetime | None) -> dict[str, Any] | None:
    """Return the ledger row of the newest import of a feed that was published until a moment, None: at all; None: there is none."""
    columns = IMPORTS.c
    known = [columns.district_id == district_id, columns.source == source, columns.status == "published"]
    if until is not None:  # the function: else SQLite sorts all that were published until then
        known.append(sa.func.coalesce(columns.finished_at, columns.started_at) <= until)
    query = sa.select(IMPORTS).where(*known).order_by(columns.import_id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def newest_publishes(
    connection: sa.Connection, feeds: Sequence[tuple[str, str]], after: datetime
) -> list[tuple[str, str, int, datetime]]:
    """Return, for each of `feeds` (district, format), what was published last after a moment: feed, import and when. Feeds without are left out."""
    found: list[tuple[str, str, int, datetime]] = []
    columns = IMPORTS.c
    for start in range(0, len(feeds), _FEEDS_PER_QUERY):
        arms = [
            sa.select(columns.import_id)
            .where(
                columns.district_id == district_id,
                columns.source == source,
                columns.status == "published",
                columns.finished_at > after,
            )
            .order_by(columns.finished_at.desc(), columns.import_id.desc())
            .limit(1)
            .subquery()
            for district_id, source in feeds[start : start + _FEEDS_PER_QUERY]
        ]
        numbers = sa.union_all(*(sa.select(arm.c.import_id) for arm in arms)).subquery()
        query = sa.select(columns.district_id, columns.source, columns.import_id, columns.finished_at)
        query = query.join_from(numbers, IMPORTS, numbers.c.import_id == columns.import_id)
        found += [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]
    return found


def open_export(connection: sa.Connection, row: Mapping[str, Any]) -> int:
    """Insert an export as failed, which it is until it has ended, and return its number."""
    inserted = connection.execute(sa.insert(EXPORTS).values(status="failed", **row))
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def close_export(connection: sa.Connection, export_id: int, columns: Mapping[str, Any]) -> None:
    """Write how an export ended."""
    connection.execute(sa.update(EXPORTS).where(EXPORTS.c.export_id == export_id).values(**columns))


def one_export(connection: sa.Connection, export_id: int) -> dict[str, Any] | None:
    """Return an export by its number; None: there is none."""
    found = connection.execute(sa.select(EXPORTS).where(EXPORTS.c.export_id == export_id)).mappings().first()
    return dict(found) if found else None


def list_exports(
    connection: sa.Connection,
    district_id: str | None = None,
    *,
    destination: str | None = None,
    place: str | None = None,
    status: ExportStatus | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return exports, newest first; of a district, to one of its outgoing feeds or to one place, and of a status, where given."""
    query = sa.select(EXPORTS).order_by(EXPORTS.c.export_id.desc()).limit(limit)
    wanted = {"district_id": district_id, "destination_name": destination, "destination": place, "status": status}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(EXPORTS.c[name] == value)
    return [dict(row) for row in connection.execute(query).mappings()]
