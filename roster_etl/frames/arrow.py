"""Conversions between pandas and Arrow. A DataFrame here is backed by Arrow; all cells are text until a rule gives them a type.

Belongs here: dtypes, conversions without copies, internal column names, the columns of a findings DataFrame. No rule, no I/O.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.spec.findings import Finding

TEXT = pd.ArrowDtype(pa.string())
_MOST_CODES = 1 << 62
_MANY, _SOME = 100_000, 1_000  # rows of a long column, and of its beginning
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


def use_jemalloc() -> None:
    """Make Arrow allocate with jemalloc, which returns freed memory to the system soonest, if this build has it.

    At once, not after its usual second: reading a file of 54 MB then takes 1.7 times its size at most, else 3.5 times. CPU time is the same.
    """
    with suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(0)


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


def row_codes(columns: Iterable[pa.Array]) -> np.ndarray:
    """Return one integer per row (int64), equal for rows whose cells are all equal; null equals null. One column is looked at at a time."""
    rest = iter(columns)
    column, following = next(rest), next(rest, None)
    if following is None and (hashes := _hashes_of_ids(column)) is not None:
        return hashes
    combined, size = np.zeros(len(column), dtype=np.int64), 1
    while column is not None:
        encoded = column.dictionary_encode(null_encoding="encode")
        kinds = len(encoded.dictionary)
        if kinds > 1:
            if size * kinds >= _MOST_CODES:
                combined, distinct = pd.factorize(combined)
                size = len(distinct)
            combined = combined * kinds + encoded.indices.to_numpy()
            size *= kinds
        column, following = following, next(rest, None)
    return combined


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
    return None if pd.Series(hashes).duplicated().any() else hashes


def common_codes(pairs: Iterable[tuple[pa.Array, pa.Array]], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one integer per row of two tables, equal for rows of either whose cells are all equal; null equals null.

    Args: pairs: the same columns of both, one at a time; rows: how many the first table has.
    """
    codes = row_codes(pa.concat_arrays([mine, theirs.cast(mine.type)]) for mine, theirs in pairs)
    return codes[:rows], codes[rows:]


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
