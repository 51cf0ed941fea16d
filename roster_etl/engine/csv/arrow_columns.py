"""The cells of the records that a survey found sound, as Arrow columns of text.

Belongs here: how pyarrow is told to read what is proven, and nothing but that; the slow road beside it.
Not here: which records are sound (`survey`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from roster_etl.engine.csv.record_offsets import cell_text, read_record
from roster_etl.engine.csv.record_scan import SOUND, RecordScan

_BATCH_BYTES = 1 << 22  # bytes that pyarrow parses at a time


def parse_columns(content: bytes, scan: RecordScan, width: int) -> list[pa.Array[Any]]:
    """Return the cells of the sound records, by column."""
    sound = np.flatnonzero(scan.codes == SOUND)
    if not len(sound):
        return [pa.array([], type=pa.string())] * width
    parts: list[pa.Table] = []
    for records in _parts(scan, sound):
        try:
            table = _parse_with_pyarrow(_cut(content, scan, records), scan, width)
        except pa.ArrowInvalid:
            table = None
        if table is None or table.num_rows != len(records):
            return parse_columns_exactly(content, scan.starts[sound], width)
        parts.append(table)
    chunked = list(reversed(pa.concat_tables(parts).columns))
    parts.clear()
    return [chunked.pop().combine_chunks() for _ in range(width)]  # so that only one column at a time is held twice


def _parts(scan: RecordScan, sound: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return the sound records in runs of about _PART bytes.

    Each run is one block for pyarrow: where its blocks part the CR and LF of a line end inside a cell, it loses the LF.
    """
    sizes = scan.stops[sound].astype(np.int64) - scan.starts[sound] + 1
    part = np.cumsum(sizes) // _BATCH_BYTES
    return np.split(sound, np.flatnonzero(np.diff(part)) + 1)


def parse_columns_exactly(content: bytes, starts: Iterable[int], width: int) -> list[pa.Array[Any]]:
    """Return the cells of the records at `starts`, by column, read one by one: slow, and right by itself.

    The judge of last resort, should pyarrow not see the records that were surveyed.
    """
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for start in starts:
        for column, (begin, end) in zip(columns, read_record(content, int(start)).cells, strict=True):
            column.append(cell_text(content[begin:end]) or None)
    return [pa.array(column, type=pa.string()) for column in columns]


def _parse_with_pyarrow(body: pa.Buffer, scan: RecordScan, width: int) -> pa.Table:
    """Return `body`, proven records only, as pyarrow reads it: text as sent, an empty cell is null."""
    source: Any = pa.BufferReader(body)
    return pa.csv.read_csv(
        source,
        read_options=pa.csv.ReadOptions(column_names=column_names(width), block_size=body.size + 1),
        parse_options=pa.csv.ParseOptions(
            delimiter=",",
            quote_char='"' if scan.quotes else False,
            double_quote=scan.quotes,
            escape_char=False,
            newlines_in_values=scan.line_end_in_quotes,
            ignore_empty_lines=True,
        ),
        convert_options=pa.csv.ConvertOptions(
            check_utf8=False,  # the survey did
            column_types=dict.fromkeys(column_names(width), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _cut(content: bytes, scan: RecordScan, records: npt.NDArray[np.int64]) -> pa.Buffer:
    """Return the bytes of `records`, without a copy where they follow each other.

    They begin with the line end before them: at the very start, pyarrow would take a BOM in a cell for its own.
    """
    edges = np.flatnonzero(np.diff(records) > 1)
    firsts, lasts = records[np.append(0, edges + 1)], records[np.append(edges, len(records) - 1)]
    view = memoryview(content)
    runs = [view[scan.starts[first] - 1 : scan.stops[last] + 1] for first, last in zip(firsts, lasts, strict=True)]
    return pa.py_buffer(runs[0] if len(runs) == 1 else b"".join(runs))


def column_names(width: int) -> list[str]:
    """Return the names of the columns of a table of text: c0, c1 and so on."""
    return [f"c{i}" for i in range(width)]
