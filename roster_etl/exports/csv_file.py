"""CSV bytes: UTF-8 without BOM, quoted as RFC 4180 asks and only where it does, the same bytes for the same rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import Array, byte_pieces

_QUOTED_SIGNS = (b'"', b",", b"\r", b"\n")
BATCH = 65_536
"""Rows that are in memory as lines at one time."""


def csv_bytes(cells: Mapping[str, Array], newline: str, release: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """Yield the bytes of a file: the header, then its rows in batches. ``release``: gives back what was read for a batch."""
    yield _header(list(cells), newline)
    rows = len(next(iter(cells.values()))) if cells else 0
    for start in range(0, rows, BATCH):
        yield _lines([values.slice(start, BATCH) for values in cells.values()], newline)
        release()


def _header(names: list[str], newline: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator=newline).writerow(names)
    return out.getvalue().encode()


def _lines(columns: list[Array], newline: str) -> bytes:
    cells = [None if values.null_count == len(values) else _quoted(_filled(values)) for values in columns]
    if len(columns) > 1 and any(values is not None for values in cells):
        rows = pc.binary_join_element_wise(*_joined_blanks(cells), ",")
    elif len(columns) > 1:
        rows = pa.repeat(pa.scalar("," * (len(columns) - 1)), len(columns[0]))
    else:
        rows = pc.if_else(pc.equal(_filled(columns[0]), ""), '""', _quoted(_filled(columns[0])))
    ended = pc.binary_join_element_wise(rows, newline, "").cast(pa.large_string())
    return b"".join(_data(part) for part in (ended.chunks if isinstance(ended, pa.ChunkedArray) else [ended]))


def _filled(values: Array) -> Array:
    return pc.fill_null(values, "") if values.null_count else values


def _joined_blanks(cells: list[Array | None]) -> list[Array | str]:
    """Return columns for a join by commas, those without a value (None) as text: several in a row as the commas between them."""
    return [
        part
        for blank, run in groupby(cells, lambda values: values is None)
        for part in (["," * (len([*run]) - 1)] if blank else run)
    ]


def _data(lines: Array) -> bytes:
    """Return the bytes of all lines, which lie one after the other in memory."""
    _, offsets, data = lines.buffers()
    if data is None:
        return b""
    ends = memoryview(offsets).cast("q")
    return bytes(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]])


def _quoted(values: Array) -> Array:
    if not any(sign in piece for piece in byte_pieces(values) for sign in _QUOTED_SIGNS):
        return values
    needs = pc.match_substring_regex(values, pattern='[",\r\n]')
    doubled = pc.replace_substring(values, pattern='"', replacement='""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), values)
