"""Remove the values of secret columns (passwords) from a file's bytes, so that the rest can be stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from roster_etl.engine.csv.decoded_pieces import WINDOW, Join, coalesce, encoded_pieces, join_in_memory, windows
from roster_etl.engine.csv.encoding import to_utf8
from roster_etl.engine.csv.record_offsets import Block, Offsets, cell_text, read_record, scan_blocks, skip_line_ends
from roster_etl.frames.mapped_bytes import Content, release_pages
from roster_etl.spec.findings import Finding

Fillers = Mapping[int, bytes]  # offset of an emptied cell → the bytes written in its place, if any

_CUTS = 1 << 12  # cells that are cut out between two looks at the memory
_EMPTY = b'""'  # written for an emptied one-cell record: without it, the line would be empty, and not a record
BLANKED = "blanked"  # prefix of the first emptied cell of a damaged record, so that it remains a record

_SECRET_SUBSTRINGS = ("password", "passwort", "kennwort", "contrasena", "passcode", "passphrase", "passwd", "pwd")
_SECRET_WORDS = frozenset({"pass", "pw", "pin", "secret", "secrets"})
_NEAR = 0.8  # difflib's ratio from which a name counts as a misspelling: "Pasword" has 0.93, "Passport" 0.75
_MIN_FUZZY_LETTERS = 6  # shortest name that is checked for misspellings: too many words differ from a shorter one by one letter
_CONFUSABLE = str.maketrans("авеѕікмнорстухԁԝαεικνορτυχ", "abesikmhopctyxdwaeikvoptux")


def is_secret_name(name: str, declared: Collection[str] = ()) -> bool:
    """Return whether a column name is that of a password, or a misspelling of one of the `declared` secret columns.

    Look-alike letters, accents, invisible characters and separators are ignored.
    """
    words = _words(name)
    runs = {"".join(words), *words, *map("".join, pairwise(words))}
    names = {"".join(_words(one)) for one in declared}
    if runs & names or not _SECRET_WORDS.isdisjoint(runs) or any(word in run for run in runs for word in _SECRET_SUBSTRINGS):
        return True
    long = [one for one in {*names, "password"} if len(one) >= _MIN_FUZZY_LETTERS]
    return any(get_close_matches(run, long, n=1, cutoff=_NEAR) for run in runs)


def _words(name: str) -> list[str]:
    """Return the words of a column name in plain lower-case letters; camelCase separates words too."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc"))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", visible)
    plain = "".join(c for c in unicodedata.normalize("NFKD", parted.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]+", plain.translate(_CONFUSABLE))


def blank_columns(
    content: bytes,
    is_secret: Callable[[str], bool],
    *,
    encoding: str = "utf-8",
    is_header: Callable[[Sequence[str]], bool] = bool,
    join: Join = join_in_memory,
) -> bytes | None:
    """Return `content` with the cells of secret columns emptied; all other bytes and the record count are unchanged.

    The header stays, and so do rows that repeat it. In a record whose cells cannot be assigned to columns (too many, too
    few, a stray quote) all cells from the first possibly secret one on are emptied. ``BLANKED`` is written there instead, so that
    the record is afterwards neither blank nor sound.

    Args:    is_secret: called with each column name, without outer white space; is_header: called with the first line, returns
             whether it has column names: not a title, not a row of data; join: puts together what is converted to UTF-8.
    Returns: `content` itself if there is nothing to empty; None if the columns cannot be located with certainty.
    Raises:  LookupError: `encoding` is no known text encoding.
    """
    text = to_utf8(content, encoding, join)
    if isinstance(text, Finding):
        return None
    start = skip_line_ends(text.content, text.start)
    if start == len(text.content):
        return content
    header = read_record(text.content, start)
    try:
        names = tuple(cell_text(text.content[begin:end]).strip() for begin, end in header.cells)
    except UnicodeDecodeError:
        return None
    if header.fault or not is_header(names):
        return None
    secret = [place for place, name in enumerate(names) if is_secret(name)]
    if not secret:
        return content
    pieces = _redacted_body(text.content, header.stop, names, secret)
    if pieces is None:
        return None
    first = next(pieces, None)
    if first is None:
        return content
    remaining = coalesce(chain((first,), pieces))
    return join_in_memory(remaining) if text.content is content else _encode_back(content, text.content, remaining, encoding)


def blank_cells(cells: tuple[str, ...], header: tuple[str, ...], is_secret: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the cells of a damaged record with possibly secret ones emptied, as `blank_columns` does with bytes.

    All cells from the first possibly secret one on are emptied, since the columns of a damaged record's cells are uncertain.
    """
    secret = [place for place, name in enumerate(header) if is_secret(name)]
    if not secret:
        return cells
    kept = _count_leading_safe(len(cells), len(header), secret[0])
    first = next((place for place in range(kept, len(cells)) if cells[place]), None)
    return cells[:kept] + tuple(BLANKED if place == first else "" for place in range(kept, len(cells)))


def hides_key(cells: Sequence[str], header: Sequence[str], key: Collection[str]) -> bool:
    """Return whether a damaged record may have lost its `key` because its cells were emptied from an early position on.

    Such a record may be about anybody.
    """
    last = max((place for place, name in enumerate(header) if name in key), default=len(header))
    return any(cell.startswith(BLANKED) for cell in cells[: last + 1])


def _count_leading_safe(cells: int, width: int, secret: int) -> int:
    """Return how many leading cells of a damaged record cannot be secret; `secret`: the position of the first secret column.

    Only missing separators move a cell to the left, and by at most as many positions as there are missing separators.
    """
    return max(0, secret - max(0, width - cells))


def _encode_back(content: bytes, utf8: Content, remaining: Iterable[bytes], encoding: str) -> bytes | None:
    """Return the `remaining` pieces in the file's own encoding; None if encoding would change any other byte."""
    same = 0
    try:
        for piece in encoded_pieces(windows(utf8), encoding):
            if content[same : same + len(piece)] != piece:
                return None
            same += len(piece)
        return join_in_memory(encoded_pieces(remaining, encoding)) if same == len(content) else None
    except UnicodeEncodeError:
        return None


def _redacted_body(content: Content, start: int, names: tuple[str, ...], secret: list[int]) -> Iterator[memoryview] | None:
    """Return what remains of `content` with the secret cells emptied below the header, which ends at `start`, piece by piece.

    Returns: no piece if there is nothing to empty; None if the columns cannot be located with certainty.
    """
    begins, ends, fills = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], dict[int, bytes]()
    position = start
    for block in scan_blocks(content, start):
        if block.broken:
            return None
        for begin, end, filled in (
            _secret_cells(content, block, names, secret),
            _uncertain_cells(content, block, len(names), secret[0]),
        ):
            begins.append(begin.astype(np.int32))
            ends.append(end.astype(np.int32))
            fills.update(filled)
        release_pages(content, position, block.end)
        position = block.end
    begin, end = np.concatenate(begins), np.concatenate(ends)
    order = np.argsort(begin, kind="stable")
    order = order[begin[order] < end[order]]
    return _pieces(content, begin[order], end[order], fills) if len(order) else iter(())


def _pieces(
    content: Content, begin: npt.NDArray[np.signedinteger[Any]], end: npt.NDArray[np.signedinteger[Any]], fills: Fillers
) -> Iterator[memoryview]:
    """Yield the remaining parts of `content`, in order, and what is written in place of the rest."""
    view, position, released = memoryview(content), 0, 0
    for first in range(0, len(begin), _CUTS):
        for cut, resume in zip(begin[first : first + _CUTS].tolist(), end[first : first + _CUTS].tolist(), strict=True):
            yield view[position:cut]
            if cut in fills:
                yield memoryview(fills[cut])
            position = resume
        if position - released > WINDOW:
            release_pages(content, released, position)
            released = position
    yield view[position:]


def _secret_cells(content: Content, block: Block, names: tuple[str, ...], secret: list[int]) -> tuple[Offsets, Offsets, Fillers]:
    """Return the secret cells (starts, ends, fillers) of the records whose columns are certain."""
    width = len(names)
    whole = np.flatnonzero((block.cells == width) & ~block.faulty)
    cells = [_cells(block, whole, place, width) for place in secret]
    lengths = {len(form) for form in _header_spellings(names[secret[0]])}
    first_begin, first_end = cells[0]
    headers = _header_spellings(names[secret[0]].lower())
    alike = np.flatnonzero(np.isin(first_end - first_begin, list(lengths)))  # may be all, if passwords are as long
    initials = np.unique(np.frombuffer(b"".join(spelling[:1] + spelling[:1].upper() for spelling in headers), dtype=np.uint8))
    alike = alike[np.isin(np.frombuffer(content, dtype=np.uint8)[first_begin[alike]], initials)]
    repeats = [
        i
        for i in alike
        if content[first_begin[i] : first_end[i]].lower() in headers and _is_header(content, int(block.starts[whole[i]]), names)
    ]
    begin = np.concatenate([np.delete(begins, repeats) for begins, _ in cells])
    end = np.concatenate([np.delete(ends, repeats) for _, ends in cells])
    return begin, end, dict.fromkeys(begin.tolist(), _EMPTY) if width == 1 else {}


def _cells(block: Block, records: Offsets, position: int, width: int) -> tuple[Offsets, Offsets]:
    """Return the starts and ends of cell number `position` of `records` (all of `width` cells)."""
    first = block.first[records]
    begin = block.starts[records] if position == 0 else block.commas[first + position - 1] + 1
    end = block.stops[records] if position == width - 1 else block.commas[first + position]
    return begin, end


def _uncertain_cells(content: Content, block: Block, width: int, secret: int) -> tuple[Offsets, Offsets, Fillers]:
    """Return all cells from the first possibly secret one on, for the records whose columns are uncertain."""
    ranges: list[tuple[int, int]] = []
    fills: dict[int, bytes] = {}
    for i in np.flatnonzero((block.cells != width) | block.faulty):
        cells = read_record(content, int(block.starts[i])).cells
        kept = _count_leading_safe(len(cells), width, secret)
        filled = [(begin, end) for begin, end in cells[kept:] if begin < end]
        if filled:
            fills[filled[0][0]] = _marker(content, cells[:kept], faulty=bool(block.faulty[i]))
            ranges += filled
    columns = np.array(ranges, dtype=np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1], fills


def _marker(content: Content, kept: Sequence[tuple[int, int]], *, faulty: bool) -> bytes:
    """Return what replaces the emptied cells of a damaged record; it has stray quotes if the record had.

    Together with the quotes in the `kept` cells their number is even, so that none appears to close an earlier quote.
    """
    if not faulty:
        return BLANKED.encode()
    strays = sum(content[begin:end].count(b'"') for begin, end in kept if content[begin : begin + 1] != b'"')
    return BLANKED.encode() + b" " + b'"' * (2 - strays % 2) + b"."


def _header_spellings(name: str) -> tuple[bytes, bytes]:
    """Return the spellings of a column name in a header line: unquoted and quoted."""
    plain = name.encode()
    return plain, b'"' + plain.replace(b'"', b'""') + b'"'


def _is_header(content: Content, start: int, names: tuple[str, ...]) -> bool:
    """Tell whether the record at `start` repeats the header; case does not count."""
    cells = read_record(content, start).cells
    texts = (cell_text(content[begin:end], "replace").strip().strip("\ufeff") for begin, end in cells)
    return [text.lower() for text in texts] == [name.lower() for name in names]
