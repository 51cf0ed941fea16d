"""Deltas: what differs between two exports of one format, row by row.

Belongs here: comparing built files. Does not belong here: building them, or reading the roster of two moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import compound, constant, is_in, lookup, mask, nulls
from roster_etl.exports.build import BuiltFile

if TYPE_CHECKING:
    from roster_etl.exports.arrays import Array, Mask

_DELTA_COLUMNS = {"oneroster": ("status", "dateLastModified"), "canvas": ("status",)}
_GONE = {"oneroster": "tobedeleted", "canvas": "deleted"}

Snapshot = Mapping[str, BuiltFile]


def delta_files(style: str, snapshots: Sequence[tuple[datetime, Snapshot]]) -> list[BuiltFile]:
    """Return what changed from the first to the last snapshot, file by file; files without a difference are left out.

    Args: style: ``oneroster`` or ``canvas``; snapshots: all files after each import, with when it was published.
    """
    names = list(dict.fromkeys(name for _, snapshot in snapshots for name in snapshot))
    found = (_delta(style, [(at, snapshot.get(name)) for at, snapshot in snapshots]) for name in names)
    return [built for built in found if built is not None and built.rows]


def _delta(style: str, states: list[tuple[datetime, BuiltFile | None]]) -> BuiltFile | None:
    known = next(built for _, built in states if built is not None)
    columns = list(dict.fromkeys(name for _, built in states if built is not None for name in built.cells))
    tables = [(at, _aligned(built, columns)) for at, built in states]
    (_, before), (_, now) = tables[0], tables[-1]
    marks = _DELTA_COLUMNS[style]
    changed, gone = _differences(before, now, known.identity, marks)
    if not (changed.any() or gone.any()):
        return None
    rows = pa.concat_tables([now.filter(pa.array(changed)), before.filter(pa.array(gone))]).combine_chunks()
    cells = {name: _one(rows, name) for name in columns}
    active = int(changed.sum())
    if style == "oneroster":
        cells["status"] = pa.concat_arrays([constant("active", active), constant(_GONE[style], rows.num_rows - active)])
        cells["dateLastModified"] = _times(tables, known.identity, marks, _keys(rows, known.identity))
    else:
        cells["status"] = pa.concat_arrays([cells["status"].slice(0, active), constant(_GONE[style], rows.num_rows - active)])
    return BuiltFile(name=known.name, cells=cells, identity=known.identity)


def _aligned(built: BuiltFile | None, columns: list[str]) -> pa.Table:
    if built is None:
        return pa.table({name: nulls(0) for name in columns})
    return pa.table({name: built.cells.get(name, nulls(built.rows)) for name in columns})


def _differences(before: pa.Table, now: pa.Table, identity: tuple[str, ...], marks: tuple[str, ...]) -> tuple[Mask, Mask]:
    """Return which rows of `now` are new or other ones, and which of `before` are gone."""
    content = [name for name in now.column_names if name not in marks or (name == "status" and len(marks) == 1)]
    old_keys, new_keys = _keys(before, identity), _keys(now, identity)
    same = mask(pc.equal(_keys(now, content), lookup(new_keys, old_keys, _keys(before, content))))
    return ~same, ~is_in(old_keys, new_keys)


def _times(tables: list[tuple[datetime, pa.Table]], identity: tuple[str, ...], marks: tuple[str, ...], keys: Array) -> Array:
    """Return when the import was published that made the last difference of each record."""
    times = np.array([tables[-1][0].isoformat()] * len(keys), dtype=object)
    for (_, before), (at, now) in pairwise(tables):
        changed, gone = _differences(before, now, identity, marks)
        touched = pa.concat_arrays(
            [_keys(now, identity).filter(pa.array(changed)), _keys(before, identity).filter(pa.array(gone))]
        )
        times[is_in(keys, touched)] = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    return pa.array(times.tolist(), pa.string())


def _keys(table: pa.Table, names: Sequence[str]) -> Array:
    columns = [_one(table, name) for name in names]
    return compound(*columns) if len(columns) > 1 else pc.fill_null(columns[0], "")


def _one(table: pa.Table, name: str) -> Array:
    chunks = table.column(name)
    return pa.concat_arrays(chunks.chunks) if chunks.num_chunks else nulls(0)
