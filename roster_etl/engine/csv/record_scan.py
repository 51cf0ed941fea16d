"""Classify the records of a CSV body: which can be read with certainty, and why the others cannot."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roster_etl.engine.csv.record_offsets import WINDOW, Block, Fault, cell_text, read_record, scan_blocks
from roster_etl.frames.mapped_bytes import Content, release_pages

Codes = npt.NDArray[np.uint8]

# A record's verdict. Where several fit, the highest stands.
SOUND, BLANK, RAGGED, REPEATED, NO_RECORD, LONG, STRAY, UNDECODABLE = range(8)
FINDING_CODES = {
    RAGGED: "ragged_row",
    REPEATED: "repeated_header",
    NO_RECORD: "not_a_record",
    LONG: "too_long",
    STRAY: "malformed_csv",
    UNDECODABLE: "invalid_encoding",
}


@dataclass(frozen=True, kw_only=True)
class RecordScan:
    """All records of a body, in file order: byte range and code.

    ``ragged``, ``widths``: the positions of records with another number of cells than the header, and that number.
    ``broken``: the fatal fault of the last record, after which nothing was read. ``quotes``, ``line_end_in_quotes``: whether any
    record contains them.
    """

    starts: npt.NDArray[np.int32]
    stops: npt.NDArray[np.int32]
    ragged: npt.NDArray[np.int32]
    widths: npt.NDArray[np.int32]
    codes: Codes
    quotes: bool
    line_end_in_quotes: bool
    broken: Fault | None


def scan_records(content: Content, start: int, *, width: int, max_cell_chars: int, window: int = WINDOW) -> RecordScan:
    """Classify all records of `content` from `start` on, for a header of `width` cells.

    Args: max_cell_chars: the largest allowed number of characters in a cell. `content` is smaller than 2 GiB.
    """
    found: dict[str, list[npt.NDArray[np.int32]]] = {name: [] for name in ("starts", "stops", "ragged", "widths")}
    codes = [np.zeros(0, np.uint8)]
    quotes = crossing = False
    broken: Fault | None = None
    begin, count = start, 0
    for block in scan_blocks(content, start, window=window):
        codes.append(_classify_records(content, begin, block, width, max_cell_chars))
        odd = np.flatnonzero(block.cells != width)
        for name, some in (
            ("starts", block.starts),
            ("stops", block.stops),
            ("ragged", odd + count),
            ("widths", block.cells[odd]),
        ):
            found[name].append(some.astype(np.int32))
        count += len(block.starts)
        quotes = quotes or bool(block.quotes.any())
        crossing = crossing or block.line_end_in_quotes
        broken = block.broken
        release_pages(content, begin, block.end)
        begin = block.end
    return RecordScan(
        **{name: _joined(found, name) for name in tuple(found)},
        codes=np.concatenate(codes),
        quotes=quotes,
        line_end_in_quotes=crossing,
        broken=broken,
    )


def _joined(found: dict[str, list[npt.NDArray[np.int32]]], name: str) -> npt.NDArray[np.int32]:
    """Return the pieces of one array as one, and free them: only one array is in memory twice."""
    return np.concatenate([np.zeros(0, np.int32), *found.pop(name)])


def _classify_records(content: Content, begin: int, block: Block, width: int, max_cell_chars: int) -> Codes:
    """Return the code of each record of `block`, which begins at `begin`."""
    length = block.stops - block.starts
    codes = np.where(block.cells == width, SOUND, RAGGED).astype(np.uint8)
    codes[length == block.cells - 1] = BLANK
    unsaid = (codes == SOUND) & (block.quotes > 0) & (length == block.cells - 1 + block.quotes)
    codes[_has_only_empty_cells(content, block, unsaid)] = BLANK
    for i in np.flatnonzero(length > max_cell_chars):
        if _longest_cell_chars(content, int(block.starts[i])) > max_cell_chars:
            codes[i] = LONG
    codes[block.faulty] = STRAY
    codes[_find_undecodable(content, begin, block)] = UNDECODABLE
    return codes


def _has_only_empty_cells(content: Content, block: Block, candidates: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which of the `candidates` (nothing but commas and quotes) have only empty cells."""
    empty = np.zeros(len(candidates), dtype=bool)
    for i in np.flatnonzero(candidates):
        cells = read_record(content, int(block.starts[i])).cells
        empty[i] = all(content[begin:end] in (b"", b'""') for begin, end in cells)
    return empty


def _longest_cell_chars(content: Content, start: int) -> int:
    """Return the length in characters of the longest cell of the record at `start`."""
    cells = read_record(content, start).cells
    return max((len(cell_text(content[begin:end], "replace")) for begin, end in cells), default=0)


def _find_undecodable(content: Content, begin: int, block: Block) -> list[int]:
    """Return the positions in `block` of the records with bytes that are not UTF-8."""
    found: list[int] = []
    view = memoryview(content)[begin : block.end]
    position = 0
    while True:
        try:
            codecs.utf_8_decode(view[position:], "strict", True)
            return found
        except UnicodeDecodeError as error:
            i = int(np.searchsorted(block.starts, begin + position + error.start, side="right")) - 1
            found.append(i)
            position = max(position + error.end, int(block.stops[i]) - begin)
