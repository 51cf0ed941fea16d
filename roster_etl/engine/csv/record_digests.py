"""Hashes of the records of a CSV file, by which a district can find its rows again in a receipt's outcomes.

Belongs here: hashing records as they are in the file. Not here: what became of them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from roster_etl.engine.csv.damaged_records import DEFAULT_LIMITS
from roster_etl.engine.csv.encoding import to_utf8
from roster_etl.engine.csv.record_offsets import read_record, skip_line_ends
from roster_etl.engine.csv.record_scan import BLANK, scan_records
from roster_etl.spec.findings import Finding


def record_digests(content: bytes, encoding: str = "utf-8") -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Return the SHA-256 (hex) of each record below the header, and which records have only empty cells.

    A record is its text as UTF-8, from its first byte to the last before its line end; the first is record number 2. A file that
    cannot be decoded, or whose quoting is broken, has the records up to there.
    Raises: LookupError: `encoding` is no known text encoding.
    """
    text = to_utf8(content, encoding)
    if isinstance(text, Finding):
        return [], np.zeros(0, dtype=bool)
    start = skip_line_ends(text.content, text.start)
    header = read_record(text.content, start)
    scan = scan_records(text.content, header.stop, width=len(header.cells), max_cell_chars=DEFAULT_LIMITS.cell_chars)
    view = memoryview(text.content)
    bounds = zip(scan.starts.tolist(), scan.stops.tolist(), strict=True)
    return [hashlib.sha256(view[begin:end]).hexdigest() for begin, end in bounds], scan.codes == BLANK
