"""Format results for paper and terminal: aligned columns, without control characters.

Belongs here: text only. The content of the tables comes from the commands.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def strip_control_chars(text: str) -> str:
    """Return `text` without terminal control characters: names of files are external input."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"} else "�" for c in text)


def display_width(text: str) -> int:
    """Return the width of `text` in terminal columns."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a table as lines, columns two spaces apart; a column of whole numbers is aligned to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [bool(rows) and all(isinstance(row[i], int) or row[i] is None for row in rows) for i in range(len(header))]
    table = [list(header), *cells]
    widths = [max(display_width(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(_pad(c, w, r) for c, w, r in zip(row, widths, right, strict=True)).rstrip() for row in table]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return strip_control_chars(text).replace("\n", "⏎").replace("\t", " ")


def _pad(text: str, target_width: int, align_right: bool) -> str:
    space = " " * (target_width - display_width(text))
    return space + text if align_right else text + space
