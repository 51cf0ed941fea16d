"""Deltas: what differs between two exports of one format, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import Array, Mask, choose, compound, constant, is_in, nulls, positions, present, same
from roster_etl.exports.build import BuiltFile

_DELTA_COLUMNS = {"oneroster": ("status", "dateLastModified"), "canvas": ("status",)}
_GONE = {"oneroster": "tobedeleted", "canvas": "deleted"}

Snapshot = Mapping[str, BuiltFile]


@dataclass
class _Changes:
    """What changed in one file: its rows, the new and other ones first, the identity of each, and which of them are not dated yet."""

    built: BuiltFile
    keys: Array
    undated: Mask


def delta_files(
    style: str, before: Snapshot, now: Snapshot, published: Sequence[datetime], snapshot: Callable[[datetime], Snapshot]
) -> list[BuiltFile]:
    """Return what changed from one snapshot to another, file by file; files without a difference are left out.

    Args: style: ``oneroster`` or ``canvas``; published: when the imports after `before` were published, in order; snapshot: the
          files as of such a moment, which is asked for while it is not known which import made a difference.
    """
    names = list(dict.fromkeys((*before, *now)))
    found = [changes for name in names if (changes := _changes(style, before.get(name), now.get(name))) is not None]
    if style == "oneroster" and found:
        _date(found, before, now, published, snapshot)
    return [changes.built for changes in found]


def _changes(style: str, before: BuiltFile | None, now: BuiltFile | None) -> _Changes | None:
    known = now or before
    assert known is not None
    columns = list(dict.fromkeys(name for built in (before, now) if built is not None for name in built.cells))
    changed, gone = _differences(before, now, known.identity, columns, _marks(style))
    active, removed = int(changed.sum()), int(gone.sum())
    if not (active or removed):
        return None
    cells = {}
    for name in columns:
        parts = (_cells(now, name).filter(pa.array(changed)), _cells(before, name).filter(pa.array(gone)))
        cells[name] = pa.concat_arrays(list(parts))
    said = cells["status"].slice(0, active) if style == "canvas" else constant("active", active)
    cells["status"] = pa.concat_arrays([said, constant(_GONE[style], removed)])
    built = BuiltFile(name=known.name, cells=cells, identity=known.identity)
    return _Changes(built, _keys(built, known.identity), np.ones(active + removed, dtype=bool))


def _marks(style: str) -> tuple[str, ...]:
    """Return the columns that say no content."""
    return _DELTA_COLUMNS[style] if style == "oneroster" else ()


def _differences(
    before: BuiltFile | None, now: BuiltFile | None, identity: tuple[str, ...], columns: Sequence[str], marks: tuple[str, ...]
) -> tuple[Mask, Mask]:
    """Return which rows of `now` are new or other ones, and which of `before` are gone."""
    old_keys, new_keys = _keys(before, identity), _keys(now, identity)
    place = positions(new_keys, old_keys)
    changed = ~present(place)
    for name in columns:
        if name not in marks:
            changed |= ~same(_cells(now, name), _cells(before, name).take(place))
    return changed, ~is_in(old_keys, new_keys)


def _date(
    found: Sequence[_Changes],
    before: Snapshot,
    now: Snapshot,
    published: Sequence[datetime],
    snapshot: Callable[[datetime], Snapshot],
) -> None:
    """Write when the import was published that made the last difference of each row, from the newest import back."""
    later = now
    for number in range(len(published) - 1, 0, -1):
        if not any(changes.undated.any() for changes in found):
            break
        earlier = snapshot(published[number - 1])
        for changes in found:
            if changes.undated.any():
                _date_rows(changes, earlier, later, published[number])
        later = earlier
    for changes in found:  # what is left was made by the first of them
        _write_time(changes, changes.undated, published[0])


def _date_rows(changes: _Changes, earlier: Snapshot, later: Snapshot, at: datetime) -> None:
    name, identity = changes.built.name, changes.built.identity
    pair = (earlier.get(name), later.get(name))
    changed, gone = _differences(*pair, identity, [*changes.built.cells], _marks("oneroster"))
    touched = pa.concat_arrays(
        [_keys(pair[1], identity).filter(pa.array(changed)), _keys(pair[0], identity).filter(pa.array(gone))]
    )
    _write_time(changes, changes.undated & is_in(changes.keys, touched), at)


def _write_time(changes: _Changes, rows: Mask, at: datetime) -> None:
    text = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
    cells = dict(changes.built.cells)
    cells["dateLastModified"] = choose(rows, constant(text, len(rows)), cells["dateLastModified"])
    changes.built = replace(changes.built, cells=cells)
    changes.undated = changes.undated & ~rows


def _cells(built: BuiltFile | None, name: str) -> Array:
    if built is None:
        return nulls(0)
    return built.cells.get(name, nulls(built.rows))


def _keys(built: BuiltFile | None, names: Sequence[str]) -> Array:
    columns = [_cells(built, name) for name in names]
    return compound(*columns) if len(columns) > 1 else pc.fill_null(columns[0], "")
