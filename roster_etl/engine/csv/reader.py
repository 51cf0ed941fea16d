"""Read a CSV file strictly: each record unchanged, or a finding that says why it cannot be read.

The records are scanned first (`scan_records`); uncertain ones are cut out, and only the sound ones are parsed with pyarrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from roster_etl.engine.csv.arrow_columns import Keep, column_names, parse_columns
from roster_etl.engine.csv.damaged_records import (
    DEFAULT_LIMITS,
    FIRST_ROW,
    STRICT_LIMITS,
    CsvLimits,
    DamagedRecord,
    damaged_records,
    describe_fault,
    record_findings,
)
from roster_etl.engine.csv.decoded_pieces import HEAD, Join, join_head, join_in_memory
from roster_etl.engine.csv.encoding import DecodedText, ends_inside_character, refusal, to_utf8
from roster_etl.engine.csv.non_record_lines import WHITE, non_record_codes
from roster_etl.engine.csv.other_formats import first_line, separator_text
from roster_etl.engine.csv.record_offsets import WINDOW, cell_text, read_record, skip_line_ends
from roster_etl.engine.csv.record_scan import SOUND, STRAY, UNDECODABLE, RecordScan, scan_records
from roster_etl.frames.arrow import findings_table, release_memory
from roster_etl.frames.mapped_bytes import Content
from roster_etl.spec.findings import Finding

__all__ = ["DEFAULT_LIMITS", "STRICT_LIMITS", "CsvLimits", "DamagedRecord", "RawFile", "raw_file_of", "read_csv", "read_header"]

_LARGE = 1 << 24  # bytes of a file after whose parsing unused memory is returned to the system
_NAMED_ROWS = 10  # how many records a refusal of the file names


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """A file as it was uploaded.

    - ``header``: the names as uploaded, without BOM and outer white space
    - ``table``: one row per complete record, text columns "c0", "c1", …; an empty cell is null; no rows if ``refused``
    - ``rows``: the record number of each row of the table (header = 1)
    - ``rows_read``: records below the header, including those of commas only, without empty lines
    - ``findings``: as `frames.arrow.FINDINGS`, ``file`` null
    - ``refused``: the code that rejects the whole file, or None
    """

    header: tuple[str, ...]
    table: pa.Table
    rows: pa.Array[Any]
    rows_read: int
    findings: pa.Table
    damaged: tuple[DamagedRecord, ...]
    refused: str | None


def read_csv(
    content: Content,
    *,
    encoding: str = "utf-8",
    limits: CsvLimits = DEFAULT_LIMITS,
    window: int = WINDOW,
    join: Join = join_in_memory,
    keep: Keep | None = None,
) -> RawFile:
    """Read a comma-separated text file, quoted as in RFC 4180; lines end in LF, CRLF or CR.

    No value is interpreted: ``NULL``, ``007`` and ``1E5`` stay as they are, and so does white space. An empty file has no header
    and no findings.

    Args:    encoding: the encoding of bytes that are not UTF-8; join: puts together what is converted to UTF-8 piece by piece.
             window: how many bytes are scanned at once; keep: takes what is parsed, so that it need not be in memory.
    Returns: grain: one table row per record that is certain.
    Raises:  LookupError: `encoding` is no known text encoding. Bad data never raises.
    """
    if len(content) > limits.file_bytes:
        return _too_large_file(len(content), limits)
    text = to_utf8(content, encoding, join)
    del content
    if isinstance(text, Finding):
        return _refused_file(text)
    if len(text.content) > limits.file_bytes:
        return _too_large_file(len(text.content), limits)
    start = skip_line_ends(text.content, text.start)
    if start == len(text.content):
        return _file_without_rows((), findings_table(text.findings), 0, None)
    header, body = _header(text.content, start, limits)
    if isinstance(header, Finding):
        return _refused_file(header)
    return _body(text, header, body, limits, window, keep)


def read_header(content: Content, *, encoding: str = "utf-8", limits: CsvLimits = DEFAULT_LIMITS) -> tuple[str, ...] | Finding:
    """Return only the column names, as `read_csv` does; empty for an empty file; or the finding that rejects the file.

    Raises: LookupError: `encoding` is no known text encoding.
    """
    if len(content) > limits.file_bytes:
        return _too_large_finding(len(content), limits)
    text = to_utf8(content, encoding, join_head)  # reads all, and keeps the beginning
    if isinstance(text, Finding):
        return text
    header, stop = _first_record(text, limits)
    if stop < min(len(text.content), HEAD) or text.content is content:
        return header
    text = to_utf8(content, encoding)
    assert isinstance(text, DecodedText)
    return _first_record(text, limits)[0]


def _first_record(text: DecodedText, limits: CsvLimits) -> tuple[tuple[str, ...] | Finding, int]:
    start = skip_line_ends(text.content, text.start)
    return ((), start) if start == len(text.content) else _header(text.content, start, limits)


def raw_file_of(header: Sequence[str], rows: Sequence[int], records: Sequence[Sequence[str]]) -> RawFile:
    """Return records with known cells as if they had been read from a file, with the given record numbers."""
    columns = [pa.array([record[at] or None for record in records], pa.string()) for at in range(len(header))]
    return RawFile(
        header=tuple(header),
        table=pa.table(columns, names=column_names(len(header))),
        rows=pa.array(rows, pa.int64()),
        rows_read=len(rows),
        findings=findings_table([]),
        damaged=(),
        refused=None,
    )


def _too_large_file(size: int, limits: CsvLimits) -> RawFile:
    return _refused_file(_too_large_finding(size, limits))


def _too_large_finding(size: int, limits: CsvLimits) -> Finding:
    return refusal("too_long", f"The file has {size:,} bytes as UTF-8; {limits.file_bytes:,} are allowed.")


def _header(content: Content, start: int, limits: CsvLimits) -> tuple[tuple[str, ...] | Finding, int]:
    """Return the column names and the end of the header record, or the finding that rejects the file."""
    record = read_record(content, start)
    if record.fault:
        fault = describe_fault(record.fault, content[start : record.stop])
        message = f"Record 1, the header: {fault}.{separator_text(first_line(content, start))}"
        return refusal("malformed_csv", message, row=1), record.stop
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
    return tuple(cell.strip().strip(WHITE) for cell in cells), record.stop


def _body(
    text: DecodedText, header: tuple[str, ...], start: int, limits: CsvLimits, window: int, keep: Keep | None = None
) -> RawFile:
    """Read the records below the header. `start`: the offset of the header's line end."""
    content = text.content
    found = scan_records(content, start, width=len(header), max_cell_chars=limits.cell_chars, window=window)
    finding = (
        _structure_refusal(content, found)
        or _encoding_refusal(content, found, limits)
        or _quoting_refusal(content, found, limits)
    )
    if finding:
        return _refused_file(finding, *text.findings, header=header, rows_read=len(found.codes))
    columns = parse_columns(content, found, len(header), keep)
    if len(content) >= _LARGE:
        release_memory()
    codes = found.codes
    verdicts = non_record_codes(columns, header)
    if verdicts is not None:
        codes = codes.copy()
        codes[codes == SOUND] = verdicts
        columns = [column.filter(pa.array(verdicts == SOUND)) for column in columns]
    rows = pa.array(np.flatnonzero(codes == SOUND) + FIRST_ROW, type=pa.int64())
    return RawFile(
        header=header,
        table=pa.table(columns, names=column_names(len(header))),
        rows=rows,
        rows_read=len(codes),
        findings=record_findings(text.findings, content, found, codes, header, limits),
        damaged=tuple(damaged_records(content, found, codes, limits)),
        refused=None,
    )


def _structure_refusal(content: Content, scan: RecordScan) -> Finding | None:
    """Return the finding that rejects a file because its quoting is broken."""
    if scan.broken is None:
        return None
    row = len(scan.codes) + FIRST_ROW - 1
    fault = describe_fault(scan.broken, memoryview(content)[scan.starts[-1] : scan.stops[-1]])
    strays = np.flatnonzero(scan.codes[:-1] == STRAY)
    if len(strays):  # the quote that went wrong may have been opened there
        before = int(strays[-1])
        fault += f"; record {before + FIRST_ROW}: {describe_fault('stray_quote', memoryview(content)[scan.starts[before] : scan.stops[before]])}"
    return refusal("malformed_csv", f"Record {row}: {fault}. Nothing of the file was used.", row=row)


def _encoding_refusal(content: Content, scan: RecordScan, limits: CsvLimits) -> Finding | None:
    """Return the finding that rejects a file with too many records that are not UTF-8, or a cut-off last character."""
    rows = np.flatnonzero(scan.codes == UNDECODABLE) + FIRST_ROW
    if not len(rows):
        return None
    cut = ends_inside_character(content)
    if not cut and len(rows) * 100 <= limits.undecodable_pct * len(scan.codes):
        return None
    named = ", ".join(str(row) for row in rows[:_NAMED_ROWS])
    more = f" and {len(rows) - _NAMED_ROWS:,} more" if len(rows) > _NAMED_ROWS else ""
    end = " The file ends inside a character." if cut else ""
    message = f"Bytes are not valid UTF-8 in record {named}{more}.{end} Export as UTF-8, or declare the encoding."
    return refusal("invalid_encoding", message, row=int(rows[0]), count=len(rows))


def _quoting_refusal(content: Content, scan: RecordScan, limits: CsvLimits) -> Finding | None:
    """Return the finding that rejects a file because of a misplaced quote, if the limits allow none."""
    rows = np.flatnonzero(scan.codes == STRAY) + FIRST_ROW
    if limits.stray_quotes or not len(rows):
        return None
    place = int(rows[0]) - FIRST_ROW
    fault = describe_fault("stray_quote", memoryview(content)[scan.starts[place] : scan.stops[place]])
    message = f"Record {int(rows[0])}: {fault}. Cells cannot be told apart, and nothing of the file was used."
    return refusal("malformed_csv", message, row=int(rows[0]), count=len(rows))


def _refused_file(finding: Finding, *others: Finding, header: tuple[str, ...] = (), rows_read: int = 0) -> RawFile:
    """Return a file of which nothing is used."""
    return _file_without_rows(header, findings_table((finding, *others)), rows_read, finding.code)


def _file_without_rows(header: tuple[str, ...], findings: pa.Table, rows_read: int, refused: str | None) -> RawFile:
    columns = [pa.array([], type=pa.string())] * len(header)
    return RawFile(
        header=header,
        table=pa.table(columns, names=column_names(len(header))),
        rows=pa.array([], type=pa.int64()),
        rows_read=rows_read,
        findings=findings,
        damaged=(),
        refused=refused,
    )
