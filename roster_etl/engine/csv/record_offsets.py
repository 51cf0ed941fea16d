"""Find the byte offsets of the records and cells of a CSV file.

Belongs here: the grammar (RFC 4180 with LF, CRLF or CR line ends, comma only), implemented twice: for whole windows of bytes with
numpy, and for a single record. Not here: what a cell means, encodings, limits, findings.

A window is used only if its quoting is proven: every quote opens at the start of a cell, closes before a comma or
a line end, or is doubled inside a quoted cell. The first record that breaks this rule is read alone, by `read_record`.
The bytes must be in an encoding in which comma, quote, CR and LF are those ASCII bytes and nothing else (UTF-8 is).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from roster_etl.frames.mapped_bytes import Content

Offsets = npt.NDArray[np.int64]

WINDOW = 1 << 19  # bytes per window: numpy's temporaries fit into the processor's cache
RESTART = 1 << 13  # bytes of the first window after records that were read alone; doubles up to WINDOW
_SPARSE = 64  # bytes a quote from which on quotes are few
MIN_PROVEN_RECORDS = 32  # proven records before a misplaced quote; with fewer, windows cost more time than they save
MAX_RECORD_RUN = 1 << 10  # records read alone before a window is tried again

QUOTE, COMMA, LF, CR = b'",\n\r'

_QUOTED_CELL = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_PLAIN_CELL = re.compile(rb"[^,\r\n]*+")
_LINE_ENDS = re.compile(rb"[\r\n]*+")
_QUOTE_NEIGHBORS = np.zeros(256, dtype=bool)
_QUOTE_NEIGHBORS[[QUOTE, COMMA, LF, CR]] = True

Fault = Literal["stray_quote", "dangling_quote", "text_after_quote", "open_quote"]
FATAL: frozenset[Fault] = frozenset({"dangling_quote", "text_after_quote", "open_quote"})


@dataclass(frozen=True, kw_only=True)
class LocatedRecord:
    """One record, read alone. ``cells`` are the byte ranges of its cells, quotes included.

    ``fault``: ``stray_quote`` is a quote inside an unquoted cell of a record whose end is certain. All other faults are fatal:
    the records that follow are uncertain. After ``dangling_quote`` (a closing quote without its opening one), so are the
    preceding ones.
    """

    start: int
    stop: int
    cells: tuple[tuple[int, int], ...]
    fault: Fault | None


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive records of a file. Completely empty lines are not records.

    - ``starts``, ``stops``: byte ranges of the records, without line ends
    - ``commas``: offsets of the separating commas; record i has ``cells[i] - 1`` of them, from ``first[i]`` on
    - ``quotes[i]``: number of quotes in record i
    - ``faulty[i]``: whether record i has a fault
    - ``broken``: the fatal fault of the last record, after which no block follows
    - ``end``: the offset after the block
    """

    starts: Offsets
    stops: Offsets
    commas: Offsets
    first: Offsets
    cells: Offsets
    quotes: Offsets
    faulty: npt.NDArray[np.bool_]
    line_end_in_quotes: bool
    end: int
    broken: Fault | None = None


def skip_line_ends(content: Content, start: int) -> int:
    """Return the offset of the first byte from `start` on that is not a line end."""
    found = _LINE_ENDS.match(content, start)
    return found.end() if found else start


def read_record(content: Content, start: int) -> LocatedRecord:
    """Read the record that begins at `start`, cell by cell."""
    size, position, strays, dangling = len(content), start, 0, False
    cells: list[tuple[int, int]] = []
    while True:
        quoted = position < size and content[position] == QUOTE
        found = (_QUOTED_CELL if quoted else _PLAIN_CELL).match(content, position)
        if found is None:
            return LocatedRecord(start=start, stop=size, cells=tuple(cells), fault="open_quote")
        end = found.end()
        if quoted and end < size and content[end] not in b",\r\n":
            return LocatedRecord(start=start, stop=end, cells=tuple(cells), fault="text_after_quote")
        if not quoted and (count := content[position:end].count(b'"')):
            strays += count
            dangling = dangling or content[end - 1] == QUOTE
        cells.append((position, end))
        if end == size or content[end] != COMMA:
            break
        position = end + 1
    return LocatedRecord(start=start, stop=end, cells=tuple(cells), fault=_stray_fault(strays, dangling=dangling))


def _stray_fault(strays: int, *, dangling: bool) -> Fault | None:
    """Distinguish a merely misplaced quote from a closing quote whose opening quote is lost.

    ``Robert "Bob"`` and ``6" pipe`` end at their line end in any reading. A single quote at the end of a cell may close a quoted
    value that began lines earlier; in that case those lines were read wrongly.
    """
    if not strays:
        return None
    return "dangling_quote" if dangling and strays % 2 else "stray_quote"


def cell_text(raw: bytes, errors: str = "strict") -> str:
    """Return the text of a cell given with its quotes. Raises: UnicodeDecodeError."""
    text = raw.decode("utf-8", errors)
    return text[1:-1].replace('""', '"') if raw[:1] == b'"' else text


def scan_blocks(content: Content, start: int, *, window: int = WINDOW) -> Iterator[Block]:
    """Yield the records of `content` from the record or line end at `start` on, in file order."""
    data = np.frombuffer(content, dtype=np.uint8)
    position, reach, run = start, window, 1
    while position < len(content):
        block, stuck = _scan_window(data, position, min(position + reach, len(content)))
        if block is not None:
            yield block
            position, reach = block.end, min(reach * 2, window)
        if block is None or stuck:
            sparse = stuck and (block is None or len(block.starts) < MIN_PROVEN_RECORDS)
            run = min(run * 2, MAX_RECORD_RUN) if sparse else 1
            alone = _block_of_records(content, list(_records(content, position, run)))
            yield alone
            if alone.broken:
                return
            position, reach = alone.end, min(RESTART if stuck else reach * 2, window)


def _records(content: Content, start: int, count: int) -> Iterator[LocatedRecord]:
    """Yield up to `count` records, read one by one; stops after a fatal fault."""
    position = skip_line_ends(content, start)
    while position < len(content) and count:
        record = read_record(content, position)
        yield record
        if record.fault in FATAL:
            return
        position, count = skip_line_ends(content, record.stop), count - 1


def _scan_window(data: npt.NDArray[np.uint8], start: int, stop: int) -> tuple[Block | None, bool]:
    """Return the complete records of a window up to the first misplaced quote, and whether there is one."""
    part = data[start:stop]
    is_quote = part == QUOTE
    quotes = np.flatnonzero(is_quote)
    if len(quotes) > len(part) // _SPARSE:
        ends, commas, crossing = _outside_many_quotes(part, is_quote)
    else:
        ends, commas, crossing = _outside_few_quotes(part, quotes)
    reach = _first_misplaced_quote(data, quotes, start, len(part)) if len(quotes) else len(part)
    stuck = reach < len(part)
    ends = ends[: np.searchsorted(ends, reach)]
    if stop == len(data) and not stuck and len(quotes) % 2 == 0 and not (len(ends) and ends[-1] == len(part) - 1):
        ends = np.append(ends, len(part))
    if not len(ends):
        return None, stuck
    return _block(start, ends, commas[: np.searchsorted(commas, ends[-1])], quotes, crossing=crossing), stuck


def _outside_many_quotes(part: npt.NDArray[np.uint8], is_quote: npt.NDArray[np.bool_]) -> tuple[Offsets, Offsets, bool]:
    """Return the line ends and the commas outside quotes, and whether line ends are inside; by a mask of all bytes inside."""
    line_end = (part == LF) | (part == CR)
    inside = (np.cumsum(is_quote, dtype=np.uint8) & 1).view(bool)  # wraps at 256, which preserves the parity
    crossing = bool(np.any(line_end & inside))
    return np.flatnonzero(line_end & ~inside), np.flatnonzero((part == COMMA) & ~inside), crossing


def _outside_few_quotes(part: npt.NDArray[np.uint8], quotes: Offsets) -> tuple[Offsets, Offsets, bool]:
    """Return what `_outside_many_quotes` does; quotes are looked up, which takes half of the time where they are few."""
    all_ends, all_commas = np.flatnonzero((part == LF) | (part == CR)), np.flatnonzero(part == COMMA)
    ends, commas = _outside(all_ends, quotes), _outside(all_commas, quotes)
    return ends, commas, len(ends) < len(all_ends)


def _outside(places: Offsets, quotes: Offsets) -> Offsets:
    """Return those of `places` that are in no quotes; both are in order, and the last quotes may be open."""
    first, last = np.searchsorted(places, quotes[0::2]), np.searchsorted(places, quotes[1::2])
    last = np.append(last, len(places)) if len(quotes) % 2 else last
    counts = last - first
    if not counts.any():
        return places
    steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.delete(places, np.repeat(first, counts) + steps)


def _first_misplaced_quote(data: npt.NDArray[np.uint8], quotes: Offsets, start: int, size: int) -> int:
    """Return the position in the window of the first quote that breaks the grammar; `size` if none does.

    The window begins with a record, so its quotes alternately open and close; a doubled quote closes and opens at once.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    before = _QUOTE_NEIGHBORS[data[np.maximum(opening - 1, 0) + start]] | (opening == 0)
    after = closing + start + 1
    behind = _QUOTE_NEIGHBORS[data[np.minimum(after, len(data) - 1)]] | (after >= len(data))
    wrong = [places[~legal][0] for places, legal in ((opening, before), (closing, behind)) if not legal.all()]
    return int(min(wrong, default=size))


def _block(start: int, ends: Offsets, commas: Offsets, quotes: Offsets, *, crossing: bool) -> Block:
    """Return the records that end at `ends` (positions in a window that begins at `start`), without empty lines."""
    begins = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1] + 1))
    filled = begins < ends
    starts, stops = begins[filled], ends[filled]
    first = np.searchsorted(commas, starts)
    cells = np.searchsorted(commas, stops) - first + 1
    held = np.searchsorted(quotes, stops) - np.searchsorted(quotes, starts) if len(quotes) else np.zeros_like(starts)
    return Block(
        starts=starts + start,
        stops=stops + start,
        commas=commas + start,
        first=first,
        cells=cells,
        quotes=held,
        faulty=np.zeros(len(starts), dtype=bool),
        line_end_in_quotes=crossing,
        end=int(ends[-1]) + start + 1,
    )


def _block_of_records(content: Content, records: list[LocatedRecord]) -> Block:
    """Return `records`, at least one, which were read one by one, as a block."""
    cells = np.array([len(record.cells) for record in records])
    spans = [content[record.start : record.stop] for record in records]
    return Block(
        starts=np.array([record.start for record in records]),
        stops=np.array([record.stop for record in records]),
        commas=np.array([stop for record in records for _, stop in record.cells[:-1]], dtype=np.int64),
        first=np.cumsum(np.maximum(cells - 1, 0)) - np.maximum(cells - 1, 0),
        cells=cells,
        quotes=np.array([span.count(b'"') for span in spans]),
        faulty=np.array([record.fault is not None for record in records]),
        line_end_in_quotes=any(b"\n" in span or b"\r" in span for span in spans),
        end=records[-1].stop + 1,
        broken=records[-1].fault if records[-1].fault in FATAL else None,
    )
