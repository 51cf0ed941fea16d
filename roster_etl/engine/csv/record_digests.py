"""Hashes of the records of a CSV file, by which a district can find its rows again in a receipt's outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roster_etl.engine.csv.damaged_records import DEFAULT_LIMITS
from roster_etl.engine.csv.encoding import to_utf8
from roster_etl.engine.csv.record_offsets import read_record, skip_line_ends
from roster_etl.engine.csv.record_scan import BLANK, scan_records
from roster_etl.frames.mapped_bytes import Content
from roster_etl.spec.findings import Finding

_AT_ONCE = 1 << 14
"""Records whose offsets are Python's own numbers at one time: these take five times the memory."""


@dataclass(frozen=True, kw_only=True)
class RecordDigests:
    """The records of a file below its header, in its order. ``blank``: which of them have only empty cells."""

    content: Content
    starts: npt.NDArray[np.int32]
    stops: npt.NDArray[np.int32]
    blank: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, place: int) -> str:
        """Return the SHA-256 (hex) of one record."""
        return hashlib.sha256(memoryview(self.content)[self.starts[place] : self.stops[place]]).hexdigest()

    def __iter__(self) -> Iterator[str]:
        """Yield the SHA-256 (hex) of each record."""
        view = memoryview(self.content)
        for first in range(0, len(self), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            for begin, end in zip(self.starts[some].tolist(), self.stops[some].tolist(), strict=True):
                yield hashlib.sha256(view[begin:end]).hexdigest()


def record_digests(content: Content, encoding: str = "utf-8") -> RecordDigests:
    """Return the hashes of the records below the header, which are computed as they are asked for.

    A record is its text as UTF-8, from its first byte to the last before its line end; the first is record number 2. A file that
    cannot be decoded, or whose quoting is broken, has the records up to there.
    Raises: LookupError: `encoding` is no known text encoding.
    """
    text = to_utf8(content, encoding)
    if isinstance(text, Finding):
        nothing = np.zeros(0, np.int32)
        return RecordDigests(content=b"", starts=nothing, stops=nothing, blank=nothing.astype(bool))
    start = skip_line_ends(text.content, text.start)
    header = read_record(text.content, start)
    scan = scan_records(text.content, header.stop, width=len(header.cells), max_cell_chars=DEFAULT_LIMITS.cell_chars)
    return RecordDigests(content=text.content, starts=scan.starts, stops=scan.stops, blank=scan.codes == BLANK)
