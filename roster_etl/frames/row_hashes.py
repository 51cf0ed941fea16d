"""The hash of a record, the text that it is made of, and its form of 16 hex digits, without a Python loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.prefetch import prefetch

HASH = "row_hash"
_DIGITS = 16
_SLICE = 1 << 14  # rows: what is made of them fits into the processor's cache
_BETWEEN, _NULL = "\x1f", "\x00"  # between the cells of a joined text, and in place of a null


def row_hash(table: pa.Table, target: RosterTable) -> pa.Array:
    """Return a 64-bit hash of the business columns, ``derived`` and ``extensions``, row by row, as 16 hex digits.

    The hashed text joins the cells with U+001F, null as U+0000; the hash is SipHash with pandas' fixed key. Columns that joined
    their table later (``RosterColumn.added``) follow with their names, where they have a value. Stored hashes depend on it: a
    test pins known values.
    """
    parts = (table.slice(start, _SLICE) for start in range(0, table.num_rows, _SLICE))
    joined = (_hashed_text(part, target) for part in parts)
    # as bytes: pandas computes the same hashes as for text, without encoding each one
    texts = (part.cast(pa.binary()).to_numpy(zero_copy_only=False) for part in prefetch(joined))
    hashes = [pd.util.hash_array(part, categorize=False) for part in texts]
    return hash_texts(np.concatenate([np.empty(0, dtype=np.uint64), *hashes]))


def _hashed_text(part: pa.Table, target: RosterTable) -> pa.Array:
    first = [column.name for column in target.columns if not column.added]
    text = key_text(part, (*first, "derived", "extensions"))
    for column in target.columns:
        cells = as_text(combine_chunks(part.column(column.name))) if column.added else None
        if cells is not None and cells.null_count < len(cells):
            named = pc.binary_join_element_wise(f"\x1f{column.name}=", cells, "", null_handling="emit_null")
            text = pc.binary_join_element_wise(text, pc.fill_null(named, ""), "")
    return text


def key_text(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """Return the cells of `key` joined to one text a row; null and empty are told apart."""
    parts: list[pa.Array | str] = []
    for column in (combine_chunks(table.column(name)) for name in key):
        part = same_text(column)
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += f"{_BETWEEN}{part}"
        else:
            parts.append(as_text(column) if part is None else part)
    if not any(isinstance(part, pa.Array) for part in parts):
        return pa.repeat(pa.scalar(parts[0], pa.string()), table.num_rows)
    return pc.binary_join_element_wise(*parts, _BETWEEN, null_handling="replace", null_replacement=_NULL)


def same_text(column: pa.Array) -> str | None:
    """Return the text, as `as_text` gives it, that all cells of a column have, null as U+0000; None: it is not known to be one."""
    if column.null_count == len(column) and len(column):
        return _NULL
    if column.null_count or not len(column) or not column[0].equals(column[-1]):
        return None
    if pa.types.is_floating(column.type):  # -0.0 equals 0.0, and is another text
        return None
    same = _is_one_text(column) if pa.types.is_string(column.type) else len(pc.unique(column)) == 1
    return str(as_text(column.slice(0, 1))[0]) if same else None


def _is_one_text(column: pa.Array) -> bool:
    """Return whether all cells of a text column without nulls are the first one: of its length, and its bytes repeated."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    size = int(ends[1] - ends[0])
    if (np.diff(ends) != size).any():
        return False
    text = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]] if size else np.zeros(0, dtype=np.uint8)
    return bool((text[size:] == text[: len(text) - size]).all())


def as_text(column: pa.Array) -> pa.Array:
    """Return canonical cells as the text that keys and hashes are made of."""
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    return column.cast(pa.string())


def hash_texts(numbers: np.ndarray) -> pa.Array:
    """Return `numbers` (uint64) as texts of 16 hex digits."""
    digits = numbers.astype(">u8").tobytes().hex().encode("ascii")
    offsets = np.arange(0, len(digits) + 1, _DIGITS, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def hash_numbers(texts: pa.ChunkedArray) -> np.ndarray:
    """Return texts of 16 hex digits as integers (uint64). Raises ValueError for any other text."""
    digits = b"".join(_digits(chunk) for chunk in texts.chunks)
    if len(digits) != len(texts) * _DIGITS:
        raise ValueError("a row hash has 16 hex digits")
    return np.frombuffer(bytes.fromhex(digits.decode("ascii")), dtype=">u8").astype(np.uint64)


def _digits(texts: pa.Array) -> bytes:
    if not len(texts):
        return b""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return data[int(ends[0]) : int(ends[-1])].to_pybytes()
