"""Parse the records of a CSV file that a scan (``record_scan``) found sound into Arrow columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from roster_etl.engine.csv.record_offsets import cell_text, read_record
from roster_etl.engine.csv.record_scan import SOUND, RecordScan
from roster_etl.frames.mapped_bytes import Content, release_pages

_BATCH_BYTES = 1 << 22  # bytes that pyarrow parses at a time


class Keep(Protocol):
    """Takes the parsed records, so that they need not be in memory."""

    def part(self, records: pa.Table) -> None:
        """Take some records; they follow those of before."""

    def whole(self) -> pa.Table:
        """Return all records that were taken, each column in one piece."""


def parse_columns(content: Content, scan: RecordScan, width: int, keep: Keep | None = None) -> list[pa.Array[Any]]:
    """Return the cells of the sound records, by column. ``keep`` is not asked where a record has to be parsed by itself."""
    parts: list[pa.Table] = []
    taken = False
    for records in _parts(scan):
        try:
            table = _parse_with_pyarrow(_cut(content, scan, records), scan, width)
        except pa.ArrowInvalid:
            table = None
        if table is None or table.num_rows != len(records):
            return parse_columns_exactly(content, scan.starts[scan.codes == SOUND], width)
        taken = keep is not None
        if keep is None:
            parts.append(table)
        else:
            keep.part(table)
        release_pages(content, int(scan.starts[records[0]]), int(scan.stops[records[-1]]))
    if keep is not None and taken:
        return [column.chunk(0) for column in keep.whole().columns]
    if not parts:
        return [pa.array([], type=pa.string())] * width
    chunked = list(reversed(pa.concat_tables(parts).columns))
    parts.clear()
    return [chunked.pop().combine_chunks() for _ in range(width)]  # frees columns one by one: only one is in memory twice


def _parts(scan: RecordScan) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the positions of the sound records, in runs of about _BATCH_BYTES.

    Each run is parsed as one block: between two blocks pyarrow loses the LF of a CRLF inside a cell.
    """
    if not len(scan.starts):
        return
    offsets = np.arange(scan.starts[0], scan.starts[-1], _BATCH_BYTES, dtype=np.int64)
    firsts = np.unique(np.searchsorted(scan.starts, offsets.astype(scan.starts.dtype)))
    for first, end in pairwise([*firsts.tolist(), len(scan.starts)] if len(firsts) else [0, len(scan.starts)]):
        sound = np.flatnonzero(scan.codes[first:end] == SOUND)
        if len(sound):
            yield sound + first


def parse_columns_exactly(content: Content, starts: Iterable[int], width: int) -> list[pa.Array[Any]]:
    """Return the cells of the records at `starts`, by column, parsed one by one: slow, and independent of pyarrow.

    Used if pyarrow finds other records than the scan did.
    """
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for start in starts:
        for column, (begin, end) in zip(columns, read_record(content, int(start)).cells, strict=True):
            column.append(cell_text(content[begin:end]) or None)
    return [pa.array(column, type=pa.string()) for column in columns]


def _parse_with_pyarrow(body: pa.Buffer, scan: RecordScan, width: int) -> pa.Table:
    """Parse `body`, sound records only, with pyarrow: text is unchanged, an empty cell is null."""
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
            check_utf8=False,  # the scan checked it
            column_types=dict.fromkeys(column_names(width), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _cut(content: Content, scan: RecordScan, records: npt.NDArray[np.int64]) -> pa.Buffer:
    """Return the bytes of `records`, without a copy if they are contiguous.

    The bytes start with the line end before the first record: pyarrow would remove a BOM at the very start of a cell.
    """
    edges = np.flatnonzero(np.diff(records) > 1)
    firsts, lasts = records[np.append(0, edges + 1)], records[np.append(edges, len(records) - 1)]
    view = memoryview(content)
    runs = [view[scan.starts[first] - 1 : scan.stops[last] + 1] for first, last in zip(firsts, lasts, strict=True)]
    return pa.py_buffer(runs[0] if len(runs) == 1 else b"".join(runs))


def column_names(width: int) -> list[str]:
    """Return the column names of a table of text: c0, c1 and so on."""
    return [f"c{i}" for i in range(width)]
