"""Erase one person from the bytes of a file; all other bytes and the record numbers stay unchanged."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from roster_etl.frames.folded_text import WHITE_SPACE

_CELL = re.compile(r'("(?:[^"]|"")*"[^,\r\n]*|[^,\r\n]*)(,|\r\n|\n|\r|\Z)')
_SHORTEST_TOKEN = 4  # a shorter ID could be any number, so it identifies nobody in a line without columns


@dataclass(frozen=True, kw_only=True)
class PersonIdentifiers:
    """The identifiers of a person. ``ids``: matched in ID columns; ``values``: matched with any whole cell, ignoring case."""

    ids: frozenset[str]
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ErasedFile:
    """A file without the person. ``rows``: the numbers of the records (header = 1) in which cells were emptied."""

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
    list_columns: Collection[int] = (),
    encoding: str = "utf-8",
) -> ErasedFile:
    """Empty the records about `person`, and the cells of other records that name the person.

    An emptied record keeps its commas: it no longer counts as a record, and the records below keep their numbers.

    Args: own_columns: positions of ID columns that make a record the person's own; mention_columns: positions of ID columns that
          only mention the person; list_columns: those of them whose cells are lists, from which the person's items are taken.
    """
    wide = not codecs.lookup(encoding).name.startswith(("utf-8", "cp", "iso8859", "ascii", "latin", "mac"))
    text = content.decode(encoding) if wide else content.decode("latin-1")  # one character per byte keeps all other bytes
    parts: list[str] = []
    rows, done = [], 0
    for number, cells in enumerate(_records(text), start=1):
        emptied = [] if number == 1 else _cells_to_erase(cells, person, own_columns, mention_columns)
        listed = [] if number == 1 or emptied else _lists_with(cells, person, list_columns)
        for cell in listed:
            parts += [text[done : cell.start], _without_items(text[cell.start : cell.end], person)]
            done = cell.end
        for cell in emptied:
            parts += [text[done : cell.start], '""' if len(cells) == 1 else ""]
            done = cell.end
        if emptied or listed:
            rows.append(number)
    result = "".join([*parts, text[done:]])
    return ErasedFile(content=result.encode(encoding if wide else "latin-1"), rows=tuple(rows))


def erase_person_lines(content: bytes, person: PersonIdentifiers) -> bytes:
    """Empty every line of a damaged file that may name the person, since its record boundaries are uncertain."""
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


def _lists_with(cells: Sequence[_Cell], person: PersonIdentifiers, list_columns: Collection[int]) -> list[_Cell]:
    """Return the lists that have an item of the person's among others."""
    places = [place for place in sorted(list_columns) if place < len(cells)]
    return [cells[place] for place in places if person.ids & {item.strip(WHITE_SPACE) for item in cells[place].text.split(",")}]


def _without_items(raw: str, person: PersonIdentifiers) -> str:
    """Return a cell as it stands in the file, without the items that are the person's."""
    quote = '"' if raw.startswith('"') else ""
    items = raw.strip().strip('"').split(",")
    return quote + ",".join(item for item in items if _cell_text(item) not in person.ids) + quote


def _records(text: str) -> Iterator[list[_Cell]]:
    """Yield the cells of each record, with their positions; completely empty lines are not records."""
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
    """Return the unquoted text of a cell."""
    if cell.startswith('"') and cell.rstrip().endswith('"') and len(cell.rstrip()) > 1:
        cell = cell.rstrip()[1:-1].replace('""', '"')
    try:
        return cell.encode("latin-1").decode("utf-8").strip(f"\ufeff{WHITE_SPACE}")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return cell.strip(WHITE_SPACE)
