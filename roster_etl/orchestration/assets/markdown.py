"""Tables for the UI, as Markdown. External text, such as a file's name, is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

_SPECIAL_CHARS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")


@dataclass(frozen=True)
class LinkCell:
    """A cell with a link: its text, and a path of the UI."""

    text: str
    path: str


Cell = str | LinkCell | tuple[LinkCell, ...]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Cell]], footer: str = "") -> dg.MarkdownMetadataValue:
    """Return a table. ``head``: a colon at the end aligns the column to the right; ``footer``: Markdown after the table."""
    titles = [title.removesuffix(":") for title in head]
    rule = ["--:" if title.endswith(":") else "---" for title in head]
    lines = [_line(titles), _line(rule), *(_line([_cell(cell) for cell in row]) for row in rows)]
    return dg.MetadataValue.md("\n".join(lines) + footer)


def escape_markdown(text: str) -> str:
    """Return `text` on one line, with all Markdown characters escaped."""
    return _SPECIAL_CHARS.sub(r"\\\1", " ".join(text.split()))


def _cell(cell: Cell) -> str:
    if isinstance(cell, tuple):
        return " · ".join(map(_cell, cell))
    return f"[{escape_markdown(cell.text)}]({cell.path})" if isinstance(cell, LinkCell) else escape_markdown(cell)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
