"""Clean every cell before validation: trim white space, find control characters and overlong cells.

Belongs here: work on the bytes under Arrow text arrays, so that clean columns cost next to nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIRST_PRINTED, _DELETE = np.uint8(33), np.uint8(127)  # bytes from the one to the other are no part of white space
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
    after = pc.utf8_trim_whitespace(before)
    after = pc.if_else(pc.equal(pc.binary_length(after), 0), pa.scalar(None, pa.string()), after)
    changed = pc.fill_null(pc.not_equal(before, after), True)
    if not pc.any(changed).as_py():
        return column, np.zeros(len(column), dtype=bool)
    trimmed = pc.replace_with_mask(column, pa.array(suspects), after)
    marked = np.zeros(len(column), dtype=bool)
    marked[suspects] = pc.and_(changed, pc.is_valid(after)).to_numpy(zero_copy_only=False)
    return trimmed, marked


def control_characters(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows with a NUL, rows with another control character); a line break inside a cell does not count."""
    data = _bytes(column)
    none = np.zeros(len(column), dtype=bool)
    pieces = (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
    if not any(piece.min() < 32 or (piece == _DELETE).any() for piece in pieces):
        return none, none
    nul = _mask(pc.match_substring(column, "\x00"))
    other = _mask(pc.match_substring_regex(column, _CONTROL))
    return nul, other


def longer(column: pa.Array, limit: int) -> np.ndarray:
    """Return the rows whose cell has more than `limit` characters."""
    wrong = np.zeros(len(column), dtype=bool)
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return wrong
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    suspects = np.flatnonzero(np.diff(ends) > limit)  # a character has at least one byte
    if len(suspects):
        wrong[suspects] = _mask(pc.greater(pc.utf8_length(column.take(pa.array(suspects))), limit))
    return wrong


def _bytes(column: pa.Array) -> np.ndarray:
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return np.empty(0, dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]


def _edges(column: pa.Array) -> np.ndarray:
    """Return the rows whose first or last byte may belong to white space: the exact trim decides."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return np.zeros(len(column), dtype=bool)
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    raw = np.frombuffer(data, dtype=np.uint8)
    if not len(raw):
        return np.zeros(len(column), dtype=bool)
    starts, stops = ends[:-1], ends[1:]
    edges = (raw.take(starts, mode="clip"), raw.take(stops - 1, mode="clip"))
    other = _DELETE - _FIRST_PRINTED  # below the first byte the difference wraps
    return (stops > starts) & ((edges[0] - _FIRST_PRINTED > other) | (edges[1] - _FIRST_PRINTED > other))


def _mask(condition: pa.Array) -> np.ndarray:
    return pc.fill_null(condition, False).to_numpy(zero_copy_only=False)
