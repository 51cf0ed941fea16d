"""Conversions between pandas and Arrow. A DataFrame here is backed by Arrow; all cells are text until a rule gives them a type.

Belongs here: dtypes, conversions without copies, internal column names, the columns of a findings DataFrame. No rule, no I/O.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.spec.findings import Finding

TEXT = pd.ArrowDtype(pa.string())
_MOST_CODES = 1 << 62
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4  # of the GNU C library's malloc.h
_LARGE_ARRAY = 4 << 20  # bytes from which an array of numpy has pages of its own, which are returned when it is freed
_LARGEST_KEPT = 32 << 20  # bytes from which an array has pages of its own in any case; the C library accepts no more
_MAPPED_ARRAYS = 1 << 16  # arrays that may have pages of their own at once, the C library's own limit
_NEVER = (1 << 31) - 1  # bytes: the C library takes an int
_SMALL_FILE = 64 << 20  # bytes of the largest file of an upload whose import keeps freed memory for what comes next
_MOST_CODED = 1 << 21  # rows of a column whose codes are kept
_CODED_AT_ONCE, _GROUPS = 1 << 16, 17  # cells, and groups of those of a longer column
LONG = 1 << 20  # rows of a table whose columns are worth treating one by one
_MANY, _SOME = 100_000, 1_000  # rows of a long column, and of its beginning
_SAMPLE, _RUN = (
    1 << 13,
    1 << 9,
)  # cells by which the number of different ones in a column is estimated, and how many of them together
FILE = "_file"  # path of the file as uploaded, where one DataFrame holds several files of a kind (text)
ROW = "_row"  # record number in the file, header = 1 (int64)
REFUSED = "_refused"  # the row was readable, but a rule refused it (bool); in a mapped table: it opens nothing
DELETED = "_deleted"  # the row applies, and says that its record is gone (bool)
ID_CONFLICT = (
    "_stranger"  # the row was refused and describes another record than the one that its id stands for (bool); absent: none
)
CASCADED = "_follows"  # the row goes on from an earlier upload, and went with a record that it refers to
CLOSE_REASON = "_close"  # of a mapped row with ``_deleted``: why its record is gone (text); without the column: deleted

FINDINGS = pa.schema(
    [
        ("severity", pa.string()),
        ("code", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("field", pa.string()),
        ("key", pa.string()),
        ("message", pa.string()),
        ("cause_file", pa.string()),
        ("cause_row", pa.int64()),
        ("count", pa.int64()),
    ]
)


def unsure_name(column: str) -> str:
    """Return the name of the column that flags the unsure cells of `column`: they are missing because a row was rejected."""
    return f"_unsure {column}"


def use_jemalloc() -> None:
    """Make Arrow allocate with jemalloc, which returns freed memory to the system soonest, if this build has it; and the C library do so for large arrays.

    At once, not after their usual time: reading a file of 54 MB then takes 1.7 times its size at most, else 3.5 times. CPU time is the same.
    How soon jemalloc does it in the main thread is decided when pyarrow is loaded, by ``roster_etl/__init__.py``.
    """
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(0)
    _return_large_arrays()


def use_memory_for(largest: int) -> None:
    """Make Arrow allocate for reading the files of an import, of which the largest has so many bytes.

    Memory that small files have freed is kept. Of a larger file all freed memory is returned at once, so that its peak
    follows the size of the file.
    """
    if largest <= _SMALL_FILE:
        keep_freed_memory(largest)
    else:
        use_jemalloc()


def keep_freed_memory(largest: int) -> None:
    """Make Arrow and the C library keep freed memory until the end of a step, of an import whose largest file has so many bytes.

    A fault for each page that is used again is a fifth of an import's CPU time. Arrays of more than 32 MB are kept too
    where files are large.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if largest <= _SMALL_FILE:
        _set_up_malloc({_M_MMAP_MAX: _MAPPED_ARRAYS, _M_MMAP_THRESHOLD: _LARGEST_KEPT, _M_TRIM_THRESHOLD: _LARGEST_KEPT})
    else:
        _set_up_malloc({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER})


def _return_large_arrays() -> None:
    """Make the C library return freed arrays of `_LARGE_ARRAY` bytes and more to the system at once, and keep smaller ones."""
    _set_up_malloc({_M_MMAP_MAX: _MAPPED_ARRAYS, _M_MMAP_THRESHOLD: _LARGE_ARRAY, _M_TRIM_THRESHOLD: _LARGE_ARRAY})


def _set_up_malloc(options: Mapping[int, int]) -> None:
    limit = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if limit is not None:
        for option, value in options.items():
            limit(option, value)


def release_memory() -> None:
    """Return unused memory of Arrow and the C library to the system. Call it after steps that freed much memory."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return `table` as a DataFrame of Arrow-backed columns, without copying."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def to_chunked_array(values: pd.Series) -> pa.ChunkedArray:
    """Return the Arrow array under `values`, without copying."""
    return pa.chunked_array(values.array.__arrow_array__())


def combine_chunks(column: pa.ChunkedArray) -> pa.Array:
    """Return `column` as one array; copies only if it has several chunks."""
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.array([], column.type)
    )


def to_arrow_array(values: pd.Series) -> pa.Array:
    """Return the Arrow array under `values` as one chunk."""
    return combine_chunks(to_chunked_array(values))


def repeated(value: pa.Scalar[Any], rows: int) -> pa.Array | pa.ChunkedArray:
    """Return a column with one value in all rows; of a long one, all pieces are the same memory."""
    piece = pa.repeat(value, min(rows, LONG))
    whole, rest = divmod(rows, LONG)
    return pa.chunked_array([*[piece] * whole, piece.slice(0, rest)]) if rows > LONG else piece


def only_value(column: pa.ChunkedArray) -> pa.Scalar[Any] | None:
    """Return the value that all cells of a column have, also null; None: they differ, or there are none.

    What `repeated` made is looked at once.
    """
    if not len(column) or column.null_count == len(column):
        return pa.scalar(None, column.type) if len(column) else None
    first = column[0]
    if column.null_count or first != column[-1]:
        return None
    pieces = {
        (*(part.address if part else 0 for part in chunk.buffers()), chunk.offset, len(chunk)): chunk for chunk in column.chunks
    }
    return first if all(pc.all(pc.equal(piece, first)).as_py() is not False for piece in pieces.values()) else None


@dataclass(frozen=True)
class CodedColumn:
    """A column as numbers of its different cells: a code for each row, -1 where it is null, and the cells themselves."""

    column: pa.Array
    codes: np.ndarray
    cells: pa.Array

    def is_in(self, values: pa.Array) -> np.ndarray:
        """Return which cells are among `values` (bool), as ``pyarrow.compute.is_in`` does; each different cell is looked up once."""
        among = pc.is_in(self.cells, value_set=values).to_numpy(zero_copy_only=False)
        return np.append(among, values.null_count > 0).take(self.codes, mode="wrap")


def coded_column(column: pa.Array) -> CodedColumn | None:
    """Return a column of text as codes if that takes less time than looking its cells up twice; None: it is short, too long, or its cells differ."""
    if not _CODED_AT_ONCE < len(column) <= _MOST_CODED or column.type != pa.string() or not _repeats_often(column):
        return None
    encoded = column.dictionary_encode()
    return CodedColumn(column, pc.fill_null(encoded.indices, -1).to_numpy(), encoded.dictionary)


def row_codes(columns: Iterable[pa.Array | CodedColumn]) -> np.ndarray:
    """Return one integer per row (int64), equal for rows whose cells are all equal; null equals null.

    One column is looked at at a time. Rows of a list of columns that ascend, as those of a sorted file do, are numbered without a look at others.
    """
    if isinstance(columns, list) and all(isinstance(column, pa.Array) for column in columns) and rows_ascend(columns):
        return np.arange(len(columns[0]))
    rest = iter(columns)
    column, following = next(rest), next(rest, None)
    if following is None and isinstance(column, pa.Array) and (hashes := _hashes_of_ids(column)) is not None:
        return hashes
    combined, size = np.zeros(len(column.codes if isinstance(column, CodedColumn) else column), dtype=np.int64), 1
    while column is not None:
        codes, kinds = (column.codes + 1, len(column.cells) + 1) if isinstance(column, CodedColumn) else _codes(column)
        if kinds > 1:
            if size * kinds >= _MOST_CODES:
                combined, distinct = pd.factorize(combined)
                size = len(distinct)
            combined *= kinds
            combined += codes
            size *= kinds
        column, following = following, next(rest, None)
    return combined


def rows_ascend(columns: Sequence[pa.Array]) -> bool:
    """Return whether many rows ascend by their columns, in whichever order of these: then no two rows are equal. False also where it is not known."""
    if len(columns[0]) < _CODED_AT_ONCE:
        return False
    return _ascend([column.slice(0, _SOME) for column in columns]) and _ascend(columns)


def _ascend(columns: Sequence[pa.Array]) -> bool:
    left = [column for column in columns if not column.null_count]
    tied = np.ones(max(0, len(columns[0]) - 1), dtype=bool)
    while left:
        place = next((place for place, column in enumerate(left) if not (tied & _pairs(pc.less, column)).any()), None)
        if place is None:
            return False
        tied &= _pairs(pc.equal, left.pop(place))
        if not tied.any():
            return True
    return False


def rows_in_order(columns: Sequence[pa.Array]) -> bool:
    """Return whether rows ascend, or are equal, by their columns in this order of them. False also where some cells of a column are null."""
    columns = [column for column in columns if column.null_count < len(column)]
    return (
        not any(column.null_count for column in columns)
        and _in_order([column.slice(0, _SOME) for column in columns])
        and _in_order(columns)
    )


def _in_order(columns: Sequence[pa.Array]) -> bool:
    tied = np.ones(max(0, len(columns[0]) - 1) if columns else 0, dtype=bool)
    for column in columns:
        if not tied.any():
            break
        if (tied & _pairs(pc.less, column)).any():
            return False
        tied &= _pairs(pc.equal, column)
    return True


def _pairs(compare: Callable[[pa.Array, pa.Array], pa.Array], column: pa.Array) -> np.ndarray:
    """Return what `compare` says of each cell but the first and the one before it."""
    return compare(column.slice(1), column.slice(0, max(0, len(column) - 1))).to_numpy(zero_copy_only=False)


def _hashes_of_ids(column: pa.Array) -> np.ndarray | None:
    """Return a hash of each cell of a long column whose cells all differ, as do their hashes; None: it is not so.

    A dictionary of them would need several times their size.
    """
    if len(column) < _MANY or column.null_count or not pa.types.is_string(column.type):
        return None
    if len(pc.unique(column.slice(0, _SOME))) < _SOME:
        return None
    texts = (column.slice(start, _MANY).cast(pa.binary()) for start in range(0, len(column), _MANY))
    parts = [pd.util.hash_array(part.to_numpy(zero_copy_only=False), categorize=False) for part in texts]
    hashes = np.concatenate(parts).view(np.int64)
    return None if shares_code(hashes).any() else hashes


def common_codes(pairs: Iterable[tuple[pa.Array, pa.Array]], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one integer per row of two tables, equal for rows of either whose cells are all equal; null equals null.

    Args: pairs: the same columns of both, one at a time; rows: how many the first table has.
    """
    codes = row_codes(pa.concat_arrays([mine, theirs.cast(mine.type)]) for mine, theirs in pairs)
    return codes[:rows], codes[rows:]


def shares_code(codes: np.ndarray) -> np.ndarray:
    """Return which of `codes` are there several times (bool). It takes less memory than grouping them all, unless many of few codes are."""
    ordered = np.sort(codes)
    repeats = ordered[1:][ordered[1:] == ordered[:-1]]
    del ordered
    if not len(repeats):
        return np.zeros(len(codes), dtype=bool)
    if len(codes) < _MOST_CODED and len(repeats) > len(codes) // _GROUPS:
        return pd.Series(codes).duplicated(keep=False).to_numpy()
    several = repeats[np.r_[True, repeats[1:] != repeats[:-1]]]
    nearest = np.minimum(np.searchsorted(several, codes), len(several) - 1)
    return several[nearest] == codes


def _codes(column: pa.Array) -> tuple[np.ndarray, int]:
    """Return one integer per cell, equal for equal cells, below the returned number.

    The cells of a long column that differ from each other are encoded in groups, by their last byte: a table of all of them at once takes
    several times the memory of the column.
    """
    if len(column) <= _CODED_AT_ONCE or column.type != pa.string() or _repeats_often(column):
        encoded = column.dictionary_encode(null_encoding="encode")
        return encoded.indices.to_numpy(), len(encoded.dictionary)
    codes, kinds = np.empty(len(column), dtype=np.int32), 0
    groups = _groups(column)
    for group in range(_GROUPS):
        rows = np.flatnonzero(groups == group)
        if not len(rows):
            continue
        encoded = column.take(pa.array(rows)).dictionary_encode(null_encoding="encode")
        codes[rows] = encoded.indices.to_numpy()
        codes[rows] += kinds
        kinds += len(encoded.dictionary)
    return codes, kinds


def _repeats_often(column: pa.Array) -> bool:
    """Estimate whether a long column has its cells several times: in a few runs of it, or in a sample from all over it."""
    runs = pa.concat_arrays([column.slice(start, _RUN) for start in range(0, len(column), max(1, _RUN * len(column) // _SAMPLE))])
    if 8 * len(pc.unique(runs)) <= len(runs):
        return True
    sample = column.take(pa.array(np.arange(0, len(column), max(1, len(column) // _SAMPLE))))
    repeats = len(sample) - len(pc.unique(sample))
    return repeats * len(column) > 2 * len(sample) ** 2  # as many as of cells that are there four times


def _groups(column: pa.Array) -> np.ndarray:
    """Return a number below 17 per cell (uint8), equal for equal cells."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    if data is None or not data.size:
        return np.zeros(len(column), dtype=np.uint8)
    groups = np.frombuffer(data, dtype=np.uint8)[ends[1:] - 1] & 15
    groups[ends[1:] == ends[:-1]] = 16  # empty and null cells
    return groups


def text_series(values: Iterable[str | None]) -> pd.Series:
    """Return `values` as an Arrow text series."""
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(list(values), pa.string())))


def findings_table(findings: Iterable[Finding]) -> pa.Table:
    """Return one row a finding (FINDINGS)."""
    rows = [
        {
            "severity": f.severity,
            "code": f.code,
            "file": f.file,
            "row": f.row,
            "field": f.field,
            "key": f.key,
            "message": f.message,
            "cause_file": f.cause[0] if f.cause else None,
            "cause_row": f.cause[1] if f.cause else None,
            "count": f.count,
        }
        for f in findings
    ]
    return pa.Table.from_pylist(rows, schema=FINDINGS)
