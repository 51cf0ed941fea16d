"""Take rows out of the quarantine of a delta format, and bring them back where the import that did so is undone.

A row waits while no import that counts has taken it out. What was taken out is kept until a purge: before one, nothing can be undone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORTS, LEFT_QUARANTINE, REJECTED_ROWS
from roster_etl.store.warehouse import bulk_load, waiting_rows
from roster_etl.store.warehouse.import_result import RELEASED_ROWS_SCHEMA
from roster_etl.store.warehouse.ledger_read import reverted_imports

_PLACE = RELEASED_ROWS_SCHEMA.names
_ROW = [column.name for column in REJECTED_ROWS.c]
_TAKEN_OUT = pa.schema([*RELEASED_ROWS_SCHEMA, ("by_import", pa.int64())])


def take_out(connection: sa.Connection, by_import: int, places: pa.Table) -> None:
    """Move rows (RELEASED_ROWS_SCHEMA) out of the quarantine, as applied or replaced by import `by_import`."""
    if not places.num_rows:
        return
    staged = _stage_places(connection, places)
    moved = sa.select(*REJECTED_ROWS.c, sa.literal(by_import, sa.BigInteger())).where(_is_at(REJECTED_ROWS, staged))
    connection.execute(sa.insert(LEFT_QUARANTINE).from_select([*_ROW, "by_import"], moved, include_defaults=False))
    _delete_waiting(connection, places, staged)
    bulk_load.unstage(connection, staged)


def follow_undo(connection: sa.Connection, import_id: int) -> None:
    """Let the quarantine be what it is with the published undo `import_id`: rows come back, or, where an undo was undone, leave again."""
    about = sa.select(IMPORTS.c.district_id, IMPORTS.c.source).where(IMPORTS.c.import_id == import_id)
    feed = connection.execute(about).one()
    touched = _touched_by(connection, import_id)
    outside, back = _sorted_places(_taken_out(connection, touched), {*reverted_imports(connection, *feed)})
    if outside.num_rows:
        staged = _stage_places(connection, outside)
        _delete_waiting(connection, outside, staged)
        bulk_load.unstage(connection, staged)
    if back.num_rows:
        _bring_back(connection, back)


def forget_taken_out(connection: sa.Connection, district_id: str) -> None:
    """Delete all rows of a district that left the quarantine: after a purge, no import before it can be undone."""
    of_district = sa.select(IMPORTS.c.import_id).where(IMPORTS.c.district_id == district_id)
    connection.execute(sa.delete(LEFT_QUARANTINE).where(LEFT_QUARANTINE.c.by_import.in_(of_district)))


def _touched_by(connection: sa.Connection, undo: int) -> set[int]:
    """Return the imports that count, or count no longer, since `undo` was published: those that it reverts, and what these reverted."""
    found, new = set[int](), [undo]
    while new:
        staged = _stage_imports(connection, new)
        these = IMPORTS.c.import_id.in_(sa.select(staged.c.import_id))
        summaries = connection.execute(sa.select(IMPORTS.c.summary).where(these)).scalars().all()
        bulk_load.unstage(connection, staged)
        new = [number for summary in summaries for number in (summary or {}).get("undoes", ()) if number not in found]
        found |= {*new}
    return found


def _taken_out(connection: sa.Connection, import_ids: Collection[int]) -> pa.Table:
    """Return the rows that any of `import_ids` took out, with each import that did so (_TAKEN_OUT)."""
    staged = _stage_imports(connection, import_ids)
    some, every = LEFT_QUARANTINE.alias("some"), LEFT_QUARANTINE
    theirs = sa.select(*(some.c[name] for name in _PLACE)).where(some.c.by_import.in_(sa.select(staged.c.import_id)))
    place = sa.tuple_(*(every.c[name] for name in _PLACE))
    query = sa.select(*(every.c[name] for name in _TAKEN_OUT.names)).distinct().where(place.in_(theirs))
    return bulk_load.fetch(connection, query, _TAKEN_OUT, staged)


def _sorted_places(rows: pa.Table, reverted: Collection[int]) -> tuple[pa.Table, pa.Table]:
    """Return the places of `rows` (_TAKEN_OUT) that an import which counts took out, and those of the others, with the first import."""
    first: dict[tuple[Any, ...], int] = {}
    outside = set()
    for *place, by_import in zip(*(rows.column(name).to_pylist() for name in _TAKEN_OUT.names), strict=True):
        at = tuple(place)
        first[at] = min(by_import, first.get(at, by_import))
        if by_import not in reverted:
            outside.add(at)
    back = sorted((*at, by_import) for at, by_import in first.items() if at not in outside)
    return _table(sorted(outside), RELEASED_ROWS_SCHEMA), _table(back, _TAKEN_OUT)


def _bring_back(connection: sa.Connection, rows: pa.Table) -> None:
    """Put rows back into the quarantine that are not there, as they were when the import that is named took them out."""
    staged = bulk_load.stage(connection, "coming_back", rows)
    known = sa.exists().where(*(REJECTED_ROWS.c[name] == LEFT_QUARANTINE.c[name] for name in _PLACE))
    kept = sa.select(*(LEFT_QUARANTINE.c[name] for name in _ROW))
    kept = kept.where(_is_at(LEFT_QUARANTINE, staged, _TAKEN_OUT.names), ~known)
    connection.execute(sa.insert(REJECTED_ROWS).from_select(_ROW, kept, include_defaults=False))
    marked = sa.update(IMPORTS).where(IMPORTS.c.import_id.in_(sa.select(staged.c.import_id)))
    connection.execute(marked.values(quarantined=True))
    bulk_load.unstage(connection, staged)


def _delete_waiting(connection: sa.Connection, places: pa.Table, staged: sa.TableClause) -> None:
    """Delete rows from the quarantine, and what they wait for. Args: places, staged: the same rows."""
    connection.execute(sa.delete(REJECTED_ROWS).where(_is_at(REJECTED_ROWS, staged)))
    waiting_rows.forget_rows(connection, places)
    unmark_quarantined(connection, places["import_id"].unique().to_pylist())


def unmark_quarantined(connection: sa.Connection, import_ids: Collection[int]) -> None:
    """Unmark those of `import_ids` whose rows in the quarantine are all gone."""
    staged = _stage_imports(connection, import_ids)
    left = sa.exists().where(REJECTED_ROWS.c.import_id == IMPORTS.c.import_id)
    these = (IMPORTS.c.import_id.in_(sa.select(staged.c.import_id)), IMPORTS.c.quarantined, ~left)
    connection.execute(sa.update(IMPORTS).where(*these).values(quarantined=False))
    bulk_load.unstage(connection, staged)


def _is_at(table: sa.Table, staged: sa.TableClause, names: Iterable[str] = _PLACE) -> sa.ColumnElement[bool]:
    place = [*names]
    return sa.tuple_(*(table.c[name] for name in place)).in_(sa.select(*(staged.c[name] for name in place)))


def _stage_places(connection: sa.Connection, places: pa.Table) -> sa.TableClause:
    return bulk_load.stage(connection, "leaving", places.select(_PLACE).cast(RELEASED_ROWS_SCHEMA))


def _stage_imports(connection: sa.Connection, import_ids: Iterable[int]) -> sa.TableClause:
    numbers = pa.array(sorted({*import_ids}), pa.int64())
    return bulk_load.stage(connection, "some_imports", pa.table({"import_id": numbers}))


def _table(rows: Collection[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
