"""Format results for paper and terminal: aligned columns, without control characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace


def strip_control_chars(text: str) -> str:
    """Return `text` without terminal control characters: names of files are external input."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"} else "�" for c in text)


def display_width(text: str) -> int:
    """Return the width of `text` in terminal columns."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True)
class TextTable:
    """A table within the output of a command: as wide as it needs in a pipe, as wide as the screen on a terminal.

    ``indent``: columns before each line. ``shortened``: columns of which a terminal shows only what fits.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    indent: int = 0
    shortened: frozenset[str] = frozenset()

    def cells(self) -> list[list[str]]:
        """Return the header and the rows as text."""
        return [list(self.header), *([_cell(value) for value in row] for row in self.rows)]

    def right_aligned(self) -> list[bool]:
        """Return for each column whether it holds only whole numbers."""
        rows, columns = self.rows, range(len(self.header))
        return [bool(rows) and all(isinstance(row[i], int) or row[i] is None for row in rows) for i in columns]

    def lines(self) -> list[str]:
        """Return the table as plain lines, columns two spaces apart; numbers are aligned to the right."""
        table, right = self.cells(), self.right_aligned()
        widths = [max(display_width(row[i]) for row in table) for i in range(len(self.header))]
        padded = ["  ".join(_pad(c, w, r) for c, w, r in zip(row, widths, right, strict=True)) for row in table]
        return [f"{' ' * self.indent}{line}".rstrip() for line in padded]


def indented(lines: Iterable[str | TextTable], columns: int) -> Iterator[str | TextTable]:
    """Yield lines and tables moved to the right by `columns`."""
    for line in lines:
        yield replace(line, indent=line.indent + columns) if isinstance(line, TextTable) else f"{' ' * columns}{line}".rstrip()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return strip_control_chars(text).replace("\n", "⏎").replace("\t", " ")


def _pad(text: str, target_width: int, align_right: bool) -> str:
    space = " " * (target_width - display_width(text))
    return space + text if align_right else text + space
