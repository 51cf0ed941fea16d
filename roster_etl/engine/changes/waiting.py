"""Collect what the rejected rows of an upload wait for, at the end of it, with what the upload itself has changed since."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.awaited import (
    AWAITED,
    NEXT,
    awaited_table,
    own_texts,
    strangers,
    texts_of_cells,
    texts_of_rows,
    touched_texts,
    waiting_places,
)
from roster_etl.engine.changes.change_rows import SHARED_ID, ChangeFile
from roster_etl.engine.changes.record_identity import record_keys
from roster_etl.engine.changes.state import State
from roster_etl.frames.arrow import ROW, combine_chunks
from roster_etl.mapping.change_plan import RowKind


def cache_keys(state: State, kind: RowKind) -> Callable[[pa.Table], pa.Array]:
    """Return a function that computes the record keys of a table of rows, once for each."""
    known: dict[int, pa.Array] = {}

    def keys(rows: pa.Table) -> pa.Array:
        if id(rows) not in known:
            known[id(rows)] = record_keys(state, kind, rows)
        return known[id(rows)]

    return keys


def record_kind(state: State, kind: RowKind, given: Sequence[ChangeFile], sources: Sequence[ChangeFile]) -> None:
    """Record the `sources` of a kind before they apply: those `given` without superseded rows; and how much has changed by then."""
    waits = state.log.waits
    waits.sources[kind.name] = list(sources)
    for table in state.tables.values() if sources else ():
        table.flush()
    state.touched_before[kind.name] = {name: len(versions) for name, versions in state.touched().items()}
    gone = set(state.log.superseded)
    for source in given:
        if source.is_retried and SHARED_ID in source.rows.column_names:
            left = [(source.import_id, source.file, number) in gone for number in source.rows.column(ROW).to_pylist()]
            mine = pc.and_(pa.array(left, pa.bool_()), pc.is_valid(combine_chunks(source.rows.column(SHARED_ID))))
            waits.left.append(pc.drop_null(own_texts(kind, source.rows).filter(mine)))


def awaited_by_rejected(state: State) -> pa.Table:
    """Return what the rejected rows wait for (AWAITED). Rows of which this upload touched something since they were tried wait for the next one."""
    found = [_of_kind(state, kind) for kind in state.plan.kinds]
    return pa.concat_tables([AWAITED.empty_table(), *found])


def _of_kind(state: State, kind: RowKind) -> pa.Table:
    cells, places, more = waiting_places(state.log.waits, kind)
    if not places.num_rows:
        return AWAITED.empty_table()
    texts = [*texts_of_cells(state.plan, kind, cells), texts_of_rows(kind, record_keys(state, kind, cells))]
    awaited = awaited_table(places, texts, more)
    touched = touched_texts(state.touched(), state.touched_before[kind.name])
    hit = awaited.filter(pc.is_in(awaited.column("awaits"), value_set=touched)).select(places.column_names)
    again = hit.group_by(hit.column_names).aggregate([])
    due = again.append_column("awaits", pa.repeat(pa.scalar(NEXT), again.num_rows))
    return pa.concat_tables([awaited, due.select(AWAITED.names).cast(AWAITED), _strangers(kind, cells, places)])


def _strangers(kind: RowKind, cells: pa.Table, places: pa.Table) -> pa.Table:
    """Return the texts of rows that give an id to another record, by which they are found when others name it."""
    if SHARED_ID not in cells.column_names:
        return AWAITED.empty_table()
    mine = pc.is_valid(combine_chunks(cells.column(SHARED_ID)))
    return awaited_table(places, [pc.if_else(mine, strangers(own_texts(kind, cells)), None)], [])
