"""Report records that are not sound, and keep their cells as evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from roster_etl.engine.csv.record_offsets import Fault, cell_text, read_record
from roster_etl.engine.csv.record_scan import (
    FINDING_CODES,
    LONG,
    NO_RECORD,
    RAGGED,
    REPEATED,
    STRAY,
    UNDECODABLE,
    Codes,
    RecordScan,
)
from roster_etl.frames.arrow import FINDINGS, findings_table
from roster_etl.frames.mapped_bytes import Content, release_pages
from roster_etl.spec.findings import Finding

_RELEASED_AT_ONCE = 1 << 20  # bytes
FIRST_ROW = 2  # the record number of the first record below the header

FAULTS: dict[Fault, str] = {
    "stray_quote": "a quote inside an unquoted cell",
    "dangling_quote": "a quote closes a cell that no quote opened, so it is unsure where the cell began",
    "text_after_quote": "text follows a closing quote, so it is unsure where the cell ends",
    "open_quote": "a quote is opened and never closed",
}
_BLANK_BEFORE_QUOTE = re.compile(rb'(?:^|,)[ \t]++"')
BLANK_BEFORE_QUOTE = (
    "a blank stands before an opening quote, so the quote does not count as one; export without blanks after the commas"
)


def describe_fault(fault: Fault, record: bytes | memoryview) -> str:
    """Return what is wrong with a record's quotes, in words: a blank before an opening quote is named, which many exports have."""
    return BLANK_BEFORE_QUOTE if _BLANK_BEFORE_QUOTE.search(record) else FAULTS[fault]


@dataclass(frozen=True, kw_only=True)
class CsvLimits:
    """Size limits of a file. Exceeding one gives a finding, never a crash.

    - ``cell_chars``: characters in a cell
    - ``columns``: cells in the header
    - ``file_bytes``: below 2 GiB
    - ``undecodable_pct``: the percentage of records with undecodable bytes up to which only these records are rejected
    - ``stray_quotes``: whether a record with a misplaced quote is rejected alone; otherwise the file is rejected
    - ``evidence_bytes``: how many bytes of damaged records are kept
    """

    cell_chars: int = 1 << 20
    columns: int = 5_000
    file_bytes: int = 1 << 30
    undecodable_pct: float = 1.0
    stray_quotes: bool = True
    evidence_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        if not 0 < self.file_bytes < 1 << 31:
            raise ValueError("file_bytes must be positive and below 2 GiB")


DEFAULT_LIMITS = CsvLimits()
STRICT_LIMITS = CsvLimits(undecodable_pct=0.0, stray_quotes=False)
"""For formats in which one damaged record rejects its file."""


@dataclass(frozen=True, kw_only=True)
class DamagedRecord:
    """A record that could not be read with certainty.

    ``cells``: its text, split into cells as far as possible, undecodable bytes as U+FFFD. Empty if the record, or all damaged
    records together, exceed `CsvLimits.evidence_bytes`. Which cell belongs to which column is uncertain.
    """

    row: int
    code: str
    cells: tuple[str, ...]


def record_findings(
    file_findings: tuple[Finding, ...],
    content: Content,
    scan: RecordScan,
    codes: Codes,
    header: tuple[str, ...],
    limits: CsvLimits,
) -> pa.Table:
    """Return one finding a refused record, in file order, after those of the file."""
    places = np.flatnonzero(codes >= RAGGED)
    messages = {
        REPEATED: "The record repeats the header.",
        NO_RECORD: "The line is a ruler, a total or a count, and no record.",
        LONG: f"A cell has more than {limits.cell_chars:,} characters.",
        UNDECODABLE: "The record has bytes that are not valid UTF-8.",
    }
    text = [
        messages.get(codes[place])
        or (
            _stray(content, scan, int(place))
            if codes[place] == STRAY
            else _ragged(int(scan.widths[np.searchsorted(scan.ragged, place)]), len(header))
        )
        for place in places
    ]
    count = len(places)
    known: dict[str, Any] = {
        "severity": ["reject"] * count,
        "code": [FINDING_CODES[code] for code in codes[places]],
        "row": places + FIRST_ROW,
        "message": text,
        "count": np.ones(count, dtype=np.int64),
    }
    arrays = [
        pa.array(known[field.name], type=field.type) if field.name in known else pa.nulls(count, field.type) for field in FINDINGS
    ]
    return pa.concat_tables([findings_table(file_findings), pa.table(arrays, schema=FINDINGS)])


def _stray(content: Content, scan: RecordScan, place: int) -> str:
    words = describe_fault("stray_quote", memoryview(content)[scan.starts[place] : scan.stops[place]])
    return f"{words[0].upper()}{words[1:]}."


def _ragged(cells: int, width: int) -> str:
    return f"The record has {cells} cells, the header {width}."


def damaged_records(content: Content, scan: RecordScan, codes: Codes, limits: CsvLimits) -> Iterator[DamagedRecord]:
    """Yield the rejected records with their cells, up to `CsvLimits.evidence_bytes` in total."""
    room, read_to = limits.evidence_bytes, 0
    for place in np.flatnonzero(codes >= RAGGED):
        start, size = int(scan.starts[place]), int(scan.stops[place] - scan.starts[place])
        if start - read_to > _RELEASED_AT_ONCE:  # records all over the file would bring all of it into memory again
            release_pages(content, read_to, start)
            read_to = start
        cells: tuple[str, ...] = ()
        if size <= room:
            room -= size
            cells = tuple(cell_text(content[begin:end], "replace") for begin, end in read_record(content, start).cells)
        yield DamagedRecord(row=int(place) + FIRST_ROW, code=FINDING_CODES[int(codes[place])], cells=cells)
    release_pages(content, read_to, len(content))
