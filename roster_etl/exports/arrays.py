"""Look-ups, filters and groups over Arrow arrays, by which records of several tables are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks, row_codes

Array: TypeAlias = pa.Array
Mask: TypeAlias = npt.NDArray[np.bool_]
Places: TypeAlias = npt.NDArray[np.intp]
Offsets: TypeAlias = npt.NDArray[np.int32]
UNIT = "\x1f"
_PIECE = 1 << 18  # bytes that stay in the processor's cache


def column(table: pa.Table, name: str) -> Array:
    """Return a column as one array."""
    return combine_chunks(table.column(name))


def texts(values: Iterable[str | None]) -> Array:
    """Return `values` as an array of text."""
    return pa.array(list(values), pa.string())


def nulls(size: int, kind: pa.DataType | None = None) -> Array:
    """Return `size` nulls, of text unless said otherwise."""
    return pa.nulls(size, kind or pa.string())


def constant(value: str | None, size: int) -> Array:
    """Return `value` `size` times."""
    return nulls(size) if value is None else pa.repeat(pa.scalar(value), size)


def mask(values: Array) -> Mask:
    """Return booleans as numpy, null as false."""
    known = pc.fill_null(values, False) if values.null_count else values
    found: Mask = np.asarray(known.to_numpy(zero_copy_only=False), dtype=bool)
    return found


def present(values: Array) -> Mask:
    """Return where `values` are not null."""
    if values.null_count in (0, len(values)):
        return np.full(len(values), values.null_count == 0)
    return mask(pc.is_valid(values))


def equals(values: Array, *wanted: str) -> Mask:
    """Return where `values` are one of `wanted`."""
    return mask(pc.is_in(values, value_set=pa.array(list(wanted), values.type)))


def is_in(values: Array, among: Array) -> Mask:
    """Return where `values` occur in `among`; a null never does."""
    return mask(pc.is_in(values, value_set=pc.drop_null(among) if among.null_count else among))


def same(one: Array, other: Array) -> Mask:
    """Return where two arrays agree, null with null."""
    if one.type == other.type and one.equals(other):
        return np.ones(len(one), dtype=bool)
    equal = mask(pc.equal(one, other))
    if one.null_count and other.null_count:
        equal |= ~present(one) & ~present(other)
    return equal


def compound(*columns: Array) -> Array:
    """Return one text a row for several columns, null as an empty cell; one column is returned as it is."""
    if len(columns) == 1:
        return columns[0]
    texts = (c.cast(pa.string()) for c in columns)
    return pc.binary_join_element_wise(*(pc.fill_null(c, "") if c.null_count else c for c in texts), UNIT)


def keys_of(table: pa.Table, names: Sequence[str]) -> Array:
    """Return one text a row for the columns `names`."""
    return compound(*(column(table, name) for name in names))


def positions(values: Array, keys: Array) -> Array:
    """Return for each value the position of the first equal key, null if there is none."""
    found = pc.index_in(values, value_set=keys)
    if not values.null_count:
        return found
    return pc.if_else(pc.is_valid(values), found, pa.scalar(None, found.type))


def lookup(values: Array, keys: Array, results: Array) -> Array:
    """Return for each value the result beside the first equal key, null if there is none."""
    if results.null_count == len(results):
        return nulls(len(values), results.type)
    return results.take(positions(values, keys))


def same_memory(some: Sequence[Array], others: Sequence[Array]) -> bool:
    """Return whether arrays are the same ones, pairwise, by where they are in memory."""
    return len(some) == len(others) and all(
        memory_place(one) == memory_place(other) for one, other in zip(some, others, strict=True)
    )


def memory_place(values: Array) -> tuple[object, ...]:
    """Return where an array is in memory: that of another array that lives differs."""
    buffers = (None if buffer is None else buffer.address for buffer in values.buffers())
    return (values.type, values.offset, len(values), *buffers)


def choose(where: Mask, then: Array, otherwise: Array) -> Array:
    """Return `then` where the mask holds, else `otherwise`."""
    return pc.if_else(pa.array(where), then, otherwise)


def each_distinct(values: Array, function: Callable[[Any], Any], kind: pa.DataType | None = None) -> Array:
    """Apply `function` once to each distinct value; null stays null."""
    encoded = values.dictionary_encode()
    answers = [None if value is None else function(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(answers, kind or pa.string()).take(encoded.indices)


def recoded(values: Array, table: Mapping[str, Any]) -> Array:
    """Return the code of each value; null where the table has none."""
    return each_distinct(values, table.get)


def order(table: pa.Table, *names: str) -> pa.Table:
    """Return `table` in the order of `names`: text by its bytes, null last."""
    if table.num_rows < 2 or not names:
        return table
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]))


def first_rows(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the first row of each key, in the order of the table."""
    return table.filter(pa.array(first_of(table, keys)))


def first_of(table: pa.Table, keys: Sequence[str]) -> Mask:
    """Return which rows are the first with their key."""
    return _first([column(table, name) for name in keys])


def first_marks(codes: Array) -> Mask:
    """Return which rows are the first with their code."""
    return _first([codes])


def _first(columns: list[Array]) -> Mask:
    marks: Mask = ~pd.Series(row_codes(columns)).duplicated().to_numpy()
    return marks


def rank_in_group(codes: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the place of each row among the rows with its code, from 1, in the order of the rows."""
    if not len(codes):
        return np.zeros(0, dtype=np.int64)
    group = codes.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
    by_group = np.argsort(group, kind="stable")
    ordered = group[by_group]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(group), dtype=np.int64)
    ranks[by_group] = np.arange(len(group)) - np.repeat(starts, sizes) + 1
    return ranks


def with_columns(table: pa.Table, **columns: Array) -> pa.Table:
    """Return `table` with columns added or replaced."""
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.append_column(name, values) if at < 0 else table.set_column(at, name, values)
    return table


def byte_pieces(values: Array) -> Iterator[bytes]:
    """Yield the bytes under an array of text, some at a time; a null may have bytes of its own."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return
    ends = memoryview(offsets).cast("B").cast("i")
    text = memoryview(data)[ends[values.offset] : ends[values.offset + len(values)]]
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE].tobytes()


def text_bytes(values: Array) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Offsets, Offsets]:
    """Return the bytes under an array of text, and where each value begins and ends in them; a null may have bytes of its own."""
    nothing = np.zeros(0, dtype=np.int32)
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return np.zeros(0, dtype=np.uint8), nothing, nothing
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    first = int(ends[0])
    places = ends - first if first else ends
    return np.frombuffer(data, dtype=np.uint8)[first : int(ends[-1])], places[:-1], places[1:]
