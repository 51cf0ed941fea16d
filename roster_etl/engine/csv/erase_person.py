"""Taking one person out of the bytes of a file, so that the rest stays as it was sent, record by record.

Belongs here: finding the records and cells that name a person, and emptying them. Not here: which columns hold ids of people, and
keeping the bytes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_CELL = re.compile(r'("(?:[^"]|"")*"[^,\r\n]*|[^,\r\n]*)(,|\r\n|\n|\r|\Z)')
_SHORTEST_TOKEN = 4  # a shorter id is a number like any other, and says nothing in a line that cannot be read


@dataclass(frozen=True, kw_only=True)
class PersonIdentifiers:
    """By what a person is told. ``ids``: in columns of ids; ``values``: in any cell, whole, without regard to case."""

    ids: frozenset[str]
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ErasedFile:
    """A file without a person. ``rows``: the numbers of the records (header = 1) in which something was emptied."""

    content: bytes
    rows: tuple[int, ...]


@dataclass(frozen=True)
class _Cell:
    start: int
    end: int
    text: str


def erase_person(
    content: bytes,
    person: PersonIdentifiers,
    *,
    own_columns: Collection[int],
    mention_columns: Collection[int],
    encoding: str = "utf-8",
) -> ErasedFile:
    """Empty the records that are about `person`, and the cells of others that name them.

    An emptied record keeps its commas: it is no record any more, and those below keep their numbers.

    Args: own: positions of columns by which a record is the person's; mention_columns: of columns by which it only names them.
    """
    wide = not codecs.lookup(encoding).name.startswith(("utf-8", "cp", "iso8859", "ascii", "latin", "mac"))
    text = content.decode(encoding) if wide else content.decode("latin-1")  # one sign a byte: what stays is what was sent
    parts: list[str] = []
    rows, done = [], 0
    for number, cells in enumerate(_records(text), start=1):
        emptied = [] if number == 1 else _cells_to_erase(cells, person, own_columns, mention_columns)
        for cell in emptied:
            parts += [text[done : cell.start], '""' if len(cells) == 1 else ""]
            done = cell.end
        if emptied:
            rows.append(number)
    result = "".join([*parts, text[done:]])
    return ErasedFile(content=result.encode(encoding if wide else "latin-1"), rows=tuple(rows))


def erase_person_lines(content: bytes, person: PersonIdentifiers) -> bytes:
    """Empty every line of a damaged file in which the person may be named: where its records begin is not certain."""
    tokens = [token for token in (*person.ids, *person.values) if len(token) >= _SHORTEST_TOKEN]
    if not tokens:
        return content
    named = re.compile(rb"(?i)(?<![0-9a-z])(?:" + b"|".join(re.escape(token.encode()) for token in tokens) + rb")(?![0-9a-z])")
    lines = content.splitlines(keepends=True)
    return b"".join(
        re.sub(rb"[^,\r\n]", b"", line) if number and named.search(line) else line for number, line in enumerate(lines)
    )


def _cells_to_erase(
    cells: Sequence[_Cell], person: PersonIdentifiers, own_columns: Collection[int], mention_columns: Collection[int]
) -> list[_Cell]:
    if any(place < len(cells) and cells[place].text in person.ids for place in own_columns):
        return [cell for cell in cells if cell.end > cell.start]
    return [
        cell
        for place, cell in enumerate(cells)
        if cell.text and ((place in mention_columns and cell.text in person.ids) or cell.text.casefold() in person.values)
    ]


def _records(text: str) -> Iterator[list[_Cell]]:
    """Yield the cells of each record, with their places; wholly empty lines are no records."""
    cells: list[_Cell] = []
    for match in _CELL.finditer(text):
        cells.append(_Cell(match.start(1), match.end(1), _cell_text(match[1])))
        if match[2] != ",":
            if len(cells) > 1 or cells[0].end > cells[0].start:
                yield cells
            cells = []
        if match.end() == len(text):
            break


def _cell_text(cell: str) -> str:
    """Return the text that a cell stands for."""
    if cell.startswith('"') and cell.rstrip().endswith('"') and len(cell.rstrip()) > 1:
        cell = cell.rstrip()[1:-1].replace('""', '"')
    try:
        return cell.encode("latin-1").decode("utf-8").strip("\ufeff \t\u00a0")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return cell.strip()
