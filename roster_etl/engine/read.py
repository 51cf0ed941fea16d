"""Reading a CSV file strictly: every record as it was sent, or a finding that says why not.

Belongs here: bytes to a table of text, and the findings of records and files that cannot be read with certainty.
Not here: what columns mean, trimming, control characters, duplicate or missing headers, empty files (the caller's).

The records are surveyed first (`survey`); those with a doubt are cut out, and only the proven rest goes to pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from roster_etl.engine.encoding import Text, ends_inside_character, refusal, to_utf8
from roster_etl.engine.structure import WINDOW, Fault, cell_text, read_record, skip_line_ends
from roster_etl.engine.survey import CODE_OF, LONG, RAGGED, REPEATED, SOUND, STRAY, UNDECODABLE, Survey, survey
from roster_etl.mapping.frames import FINDINGS, findings_frame, to_frame
from roster_etl.spec.findings import Finding

_PART = 1 << 22  # bytes that pyarrow parses at a time
_NAMED_ROWS = 10  # how many records a refusal of the file names
_FIRST_ROW = 2  # the header is record 1
_WHITE = " \t\ufeff\u00a0"

_FAULTS: dict[Fault, str] = {
    "stray_quote": "a quote stands inside an unquoted cell",
    "dangling_quote": "a quote closes a cell that no quote opened, so it is unsure where the cell began",
    "text_after_quote": "text follows a closing quote, so it is unsure where the cell ends",
    "open_quote": "a quote is opened and never closed",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a file may hold. What is larger gives a finding, never a crash.

    ``cell_chars``: characters in a cell. ``columns``: cells in the header. ``file_bytes``: below 2 GiB.
    ``undecodable_pct``: the share of records with undecodable bytes up to which they are refused alone.
    ``evidence_bytes``: how much of the damaged records is kept.
    """

    cell_chars: int = 1 << 20
    columns: int = 5_000
    file_bytes: int = 1 << 30
    undecodable_pct: float = 1.0
    evidence_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        if not 0 < self.file_bytes < 1 << 31:
            raise ValueError("file_bytes must be positive and below 2 GiB")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A record that could not be read with certainty.

    ``cells``: its text as far as cells can be told apart, undecodable bytes as U+FFFD; empty where the record, or all of
    them together, is more than `Limits.evidence_bytes` allows. Which cell belongs to which column is unsure.
    """

    row: int
    code: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """A file as it was sent.

    ``header``: the names as uploaded, BOM and outer white space off. ``table``: one row a complete record, columns
    "c0", "c1", … of text, an empty cell is null. ``rows``: the record number of each row of the table (header = 1).
    ``rows_read``: records under the header, those of commas only counted, empty lines not. ``findings``: as
    `mapping.frames.FINDINGS`, ``file`` null. ``refused``: the code that the whole file is refused for; then ``table`` is
    empty.
    """

    header: tuple[str, ...]
    table: pa.Table
    rows: pa.Array[Any]
    rows_read: int
    findings: pd.DataFrame
    damaged: tuple[Damaged, ...]
    refused: str | None


def read_csv(content: bytes, *, encoding: str = "utf-8", limits: Limits = DEFAULT_LIMITS, window: int = WINDOW) -> RawFile:
    """Read a comma-separated file of text, quoted as in RFC 4180; lines end in LF, CRLF or CR.

    No value is interpreted: ``NULL``, ``007`` and ``1E5`` arrive as they were sent, white space included. An empty file
    has no header and no findings.

    Args:    encoding: what the bytes are where they are not UTF-8. window: bytes surveyed together.
    Returns: grain: one table row a record that is certain.
    Raises:  LookupError: `encoding` is no known text encoding. Bad data never raises.
    Source:  HEADLESS.md, "row is the record number" and "Bytes that are not UTF-8".
    """
    if len(content) > limits.file_bytes:
        return _refused(refusal("too_long", f"The file has {len(content):,} bytes; {limits.file_bytes:,} are allowed."))
    text = to_utf8(content, encoding)
    if isinstance(text, Finding):
        return _refused(text)
    start = skip_line_ends(text.content, text.start)
    if start == len(text.content):
        return _nothing(text)
    header, body = _header(text.content, start, limits)
    if isinstance(header, Finding):
        return _refused(header)
    return _body(text, header, body, limits, window)


def _header(content: bytes, start: int, limits: Limits) -> tuple[tuple[str, ...] | Finding, int]:
    """Return the column names and where the record ends, or the finding that refuses the file."""
    record = read_record(content, start)
    if record.fault:
        return refusal("malformed_csv", f"Record 1, the header: {_FAULTS[record.fault]}.", row=1), record.stop
    if len(record.cells) > limits.columns:
        message = f"The header has {len(record.cells):,} columns; {limits.columns:,} are allowed."
        return refusal("unrecognised_headers", message, row=1), record.stop
    try:
        cells = tuple(cell_text(content[begin:end]) for begin, end in record.cells)
    except UnicodeDecodeError:
        return refusal("invalid_encoding", "Record 1, the header, has bytes that are not valid UTF-8.", row=1), record.stop
    if max(map(len, cells)) > limits.cell_chars:
        return refusal(
            "too_long", f"Record 1, the header, has a name of more than {limits.cell_chars:,} characters.", row=1
        ), record.stop
    return tuple(cell.strip().strip(_WHITE) for cell in cells), record.stop


def _body(text: Text, header: tuple[str, ...], start: int, limits: Limits, window: int) -> RawFile:
    """Read what follows the header. `start`: the header's line end."""
    content = text.content
    found = survey(content, start, width=len(header), longest_cell=limits.cell_chars, window=window)
    finding = _broken(found) or _badly_encoded(content, found, limits)
    if finding:
        return _refused(finding, *text.findings, header=header, rows_read=len(found.codes))
    columns = _columns(content, found, len(header))
    codes = found.codes
    repeats = _repeats(columns, header)
    if repeats is not None:
        codes = codes.copy()
        codes[np.flatnonzero(codes == SOUND)[repeats]] = REPEATED
        columns = [column.filter(pa.array(~repeats)) for column in columns]
    rows = pa.array(np.flatnonzero(codes == SOUND) + _FIRST_ROW, type=pa.int64())
    return RawFile(
        header=header,
        table=pa.table(columns, names=_names(len(header))),
        rows=rows,
        rows_read=len(codes),
        findings=_findings(text.findings, found, codes, header, limits),
        damaged=tuple(_damaged(content, found, codes, limits)),
        refused=None,
    )


def _broken(found: Survey) -> Finding | None:
    """Return the finding that refuses a file whose quoting breaks."""
    if found.broken is None:
        return None
    row = len(found.codes) + _FIRST_ROW - 1
    return refusal("malformed_csv", f"Record {row}: {_FAULTS[found.broken]}. Nothing of the file was used.", row=row)


def _badly_encoded(content: bytes, found: Survey, limits: Limits) -> Finding | None:
    """Return the finding that refuses a file of which too much, or the very end, is no UTF-8."""
    rows = np.flatnonzero(found.codes == UNDECODABLE) + _FIRST_ROW
    if not len(rows):
        return None
    cut = ends_inside_character(content)
    if not cut and len(rows) * 100 <= limits.undecodable_pct * len(found.codes):
        return None
    named = ", ".join(str(row) for row in rows[:_NAMED_ROWS])
    more = f" and {len(rows) - _NAMED_ROWS:,} more" if len(rows) > _NAMED_ROWS else ""
    end = " The file ends inside a character." if cut else ""
    message = f"Bytes are not valid UTF-8 in record {named}{more}.{end} Export as UTF-8, or declare the encoding."
    return refusal("invalid_encoding", message, row=int(rows[0]), count=len(rows))


def _columns(content: bytes, found: Survey, width: int) -> list[pa.Array[Any]]:
    """Return the cells of the sound records, by column."""
    sound = np.flatnonzero(found.codes == SOUND)
    if not len(sound):
        return [pa.array([], type=pa.string())] * width
    parts: list[pa.Table] = []
    for records in _parts(found, sound):
        try:
            table = _parsed(_cut(content, found, records), found, width)
        except pa.ArrowInvalid:
            table = None
        if table is None or table.num_rows != len(records):
            return exact_columns(content, found.starts[sound], width)
        parts.append(table)
    chunked = list(reversed(pa.concat_tables(parts).columns))
    parts.clear()
    return [chunked.pop().combine_chunks() for _ in range(width)]  # so that only one column at a time is held twice


def _parts(found: Survey, sound: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return the sound records in runs of about _PART bytes.

    Each run is one block for pyarrow: where its blocks part the CR and LF of a line end inside a cell, it loses the LF.
    """
    sizes = found.stops[sound].astype(np.int64) - found.starts[sound] + 1
    part = np.cumsum(sizes) // _PART
    return np.split(sound, np.flatnonzero(np.diff(part)) + 1)


def exact_columns(content: bytes, starts: Iterable[int], width: int) -> list[pa.Array[Any]]:
    """Return the cells of the records at `starts`, by column, read one by one: slow, and right by itself.

    The judge of last resort, should pyarrow not see the records that were surveyed.
    """
    columns: list[list[str | None]] = [[] for _ in range(width)]
    for start in starts:
        for column, (begin, end) in zip(columns, read_record(content, int(start)).cells, strict=True):
            column.append(cell_text(content[begin:end]) or None)
    return [pa.array(column, type=pa.string()) for column in columns]


def _parsed(body: pa.Buffer, found: Survey, width: int) -> pa.Table:
    """Return `body`, proven records only, as pyarrow reads it: text as sent, an empty cell is null."""
    source: Any = pa.BufferReader(body)
    return pa.csv.read_csv(
        source,
        read_options=pa.csv.ReadOptions(column_names=_names(width), block_size=body.size + 1),
        parse_options=pa.csv.ParseOptions(
            delimiter=",",
            quote_char='"' if found.quotes else False,
            double_quote=found.quotes,
            escape_char=False,
            newlines_in_values=found.line_end_in_quotes,
            ignore_empty_lines=True,
        ),
        convert_options=pa.csv.ConvertOptions(
            check_utf8=False,  # the survey did
            column_types=dict.fromkeys(_names(width), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _cut(content: bytes, found: Survey, records: npt.NDArray[np.int64]) -> pa.Buffer:
    """Return the bytes of `records`, without a copy where they follow each other.

    They begin with the line end before them: at the very start, pyarrow would take a BOM in a cell for its own.
    """
    edges = np.flatnonzero(np.diff(records) > 1)
    firsts, lasts = records[np.append(0, edges + 1)], records[np.append(edges, len(records) - 1)]
    view = memoryview(content)
    runs = [view[found.starts[first] - 1 : found.stops[last] + 1] for first, last in zip(firsts, lasts, strict=True)]
    return pa.py_buffer(runs[0] if len(runs) == 1 else b"".join(runs))


def _repeats(columns: list[pa.Array[Any]], header: tuple[str, ...]) -> npt.NDArray[np.bool_] | None:
    """Return which rows repeat the header, as files that were joined do; None if no row does."""
    same: npt.NDArray[np.bool_] | None = None
    for column, name in zip(columns, header, strict=True):
        trimmed: Any = pc.fill_null(pc.utf8_trim(column, _WHITE), pa.scalar(""))
        here = np.asarray(pc.equal(trimmed, pa.scalar(name)))
        same = here if same is None else same & here
        if not same.any():
            return None
    return same


def _findings(
    first: tuple[Finding, ...], found: Survey, codes: npt.NDArray[np.uint8], header: tuple[str, ...], limits: Limits
) -> pd.DataFrame:
    """Return one finding a refused record, in file order, after those of the file."""
    places = np.flatnonzero(codes >= RAGGED)
    messages = {
        REPEATED: "The record repeats the header.",
        LONG: f"A cell has more than {limits.cell_chars:,} characters.",
        STRAY: f"{_FAULTS['stray_quote'].capitalize()}.",
        UNDECODABLE: "The record has bytes that are not valid UTF-8.",
    }
    text = [
        messages.get(code) or _ragged(cells, len(header)) for code, cells in zip(codes[places], found.cells[places], strict=True)
    ]
    count = len(places)
    known: dict[str, Any] = {
        "severity": ["reject"] * count,
        "code": [CODE_OF[code] for code in codes[places]],
        "row": places + _FIRST_ROW,
        "message": text,
        "count": np.ones(count, dtype=np.int64),
    }
    arrays = [
        pa.array(known[field.name], type=field.type) if field.name in known else pa.nulls(count, field.type) for field in FINDINGS
    ]
    rejects = to_frame(pa.table(arrays, schema=FINDINGS))
    return pd.concat([findings_frame(first), rejects], ignore_index=True) if first else rejects


def _ragged(cells: int, width: int) -> str:
    return f"The record has {cells} cells, the header {width}."


def _damaged(content: bytes, found: Survey, codes: npt.NDArray[np.uint8], limits: Limits) -> Iterator[Damaged]:
    """Yield the refused records with their cells, as long as there is room for them."""
    room = limits.evidence_bytes
    for place in np.flatnonzero(codes >= RAGGED):
        start, size = int(found.starts[place]), int(found.stops[place] - found.starts[place])
        cells: tuple[str, ...] = ()
        if size <= room:
            room -= size
            cells = tuple(cell_text(content[begin:end], "replace") for begin, end in read_record(content, start).cells)
        yield Damaged(row=int(place) + _FIRST_ROW, code=CODE_OF[int(codes[place])], cells=cells)


def _names(width: int) -> list[str]:
    return [f"c{i}" for i in range(width)]


def _refused(finding: Finding, *others: Finding, header: tuple[str, ...] = (), rows_read: int = 0) -> RawFile:
    """Return a file of which nothing is used."""
    return _without_rows(header, findings_frame((finding, *others)), rows_read, finding.code)


def _nothing(text: Text) -> RawFile:
    return _without_rows((), findings_frame(text.findings), 0, None)


def _without_rows(header: tuple[str, ...], findings: pd.DataFrame, rows_read: int, refused: str | None) -> RawFile:
    columns = [pa.array([], type=pa.string())] * len(header)
    return RawFile(
        header=header,
        table=pa.table(columns, names=_names(len(header))),
        rows=pa.array([], type=pa.int64()),
        rows_read=rows_read,
        findings=findings,
        damaged=(),
        refused=refused,
    )
