"""Clean every cell before validation: trim white space, find control characters and overlong cells.

Belongs here: work on the bytes under Arrow text arrays, so that clean columns cost next to nothing.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.folded_text import WHITE_SPACE

_FIRST_PRINTED, _DELETE = np.uint8(33), np.uint8(127)  # bytes from the one to the other are no part of white space
_FEW = 64  # rows for each that is replaced
_PIECE = 1 << 20  # bytes that are looked at at once: what is made of them is as large
_CONTROL = "[\\x01-\\x08\\x09\\x0b\\x0c\\x0e-\\x1f\\x7f]"


def trim(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Trim Unicode white space from both ends; cells of only white space become null.

    Returns: the trimmed array, and a mask of the changed rows (cells that became null are not included).
    """
    suspects = _edges(column)
    if not suspects.any():
        return column, suspects
    places = pa.array(np.flatnonzero(suspects))
    before = column.take(places)
    after = pc.utf8_trim(before, WHITE_SPACE)
    after = pc.if_else(pc.equal(pc.binary_length(after), 0), pa.scalar(None, pa.string()), after)
    changed = pc.fill_null(pc.not_equal(before, after), True)
    if not pc.any(changed).as_py():
        return column, np.zeros(len(column), dtype=bool)
    trimmed = _put(column, suspects, after)
    marked = np.zeros(len(column), dtype=bool)
    marked[suspects] = pc.and_(changed, pc.is_valid(after)).to_numpy(zero_copy_only=False)
    return trimmed, marked


def _put(column: pa.Array, rows: np.ndarray, cells: pa.Array) -> pa.Array:
    """Return `column` with `cells` in place of those of `rows`. A few are put between slices of it: a seventh of the time."""
    places = np.flatnonzero(rows)
    if len(places) * _FEW > len(column):
        return pc.replace_with_mask(column, pa.array(rows), cells)
    edges = zip(np.r_[0, places + 1].tolist(), np.r_[places, len(column)].tolist(), strict=True)
    between = [column.slice(start, stop - start) for start, stop in edges]
    parts = chain.from_iterable(zip(between, (cells.slice(at, 1) for at in range(len(cells))), strict=False))
    return pa.concat_arrays([*parts, between[-1]])


def control_characters(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows with a NUL, rows with another control character); a line break inside a cell does not count."""
    nul, other = np.zeros(len(column), dtype=bool), np.zeros(len(column), dtype=bool)
    rows = np.flatnonzero(_holds_control(column))
    if len(rows):
        suspects = column.take(pa.array(rows))
        nul[rows] = _mask(pc.match_substring(suspects, "\x00"))
        other[rows] = _mask(pc.match_substring_regex(suspects, _CONTROL))
    return nul, other


def _holds_control(column: pa.Array) -> np.ndarray:
    """Return the rows whose cell has a control character, a line break included."""
    marked = np.zeros(len(column), dtype=bool)
    data = column.buffers()[2]
    if data is None or not len(column):
        return marked
    ends = _ends(column)
    for start in range(ends[0], ends[-1], _PIECE):
        piece = np.frombuffer(data, dtype=np.uint8)[start : min(start + _PIECE, ends[-1])]
        places = np.flatnonzero((piece < 32) | (piece == _DELETE))
        if len(places):
            marked[np.searchsorted(ends[1:], places + start, side="right")] = True
    return marked


def longer(column: pa.Array, limit: int) -> np.ndarray:
    """Return the rows whose cell has more than `limit` characters."""
    wrong = np.zeros(len(column), dtype=bool)
    if column.buffers()[2] is None or not len(column):
        return wrong
    suspects = np.flatnonzero(np.diff(_ends(column)) > limit)  # a character has at least one byte
    if len(suspects):
        wrong[suspects] = _mask(pc.greater(pc.utf8_length(column.take(pa.array(suspects))), limit))
    return wrong


def _ends(column: pa.Array) -> np.ndarray:
    """Return where the bytes of each cell begin, and where those of the last one end."""
    return np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]


def _edges(column: pa.Array) -> np.ndarray:
    """Return the rows whose first or last byte may belong to white space: the exact trim decides."""
    data = column.buffers()[2]
    if data is None or not len(column):
        return np.zeros(len(column), dtype=bool)
    ends = _ends(column)
    raw = np.frombuffer(data, dtype=np.uint8)
    if not len(raw):
        return np.zeros(len(column), dtype=bool)
    starts, stops = ends[:-1], ends[1:]
    edges = (raw.take(starts, mode="clip"), raw.take(stops - 1, mode="clip"))
    other = _DELETE - _FIRST_PRINTED  # below the first byte the difference wraps
    return (stops > starts) & ((edges[0] - _FIRST_PRINTED > other) | (edges[1] - _FIRST_PRINTED > other))


def _mask(condition: pa.Array) -> np.ndarray:
    return pc.fill_null(condition, False).to_numpy(zero_copy_only=False)
