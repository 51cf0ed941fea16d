"""Tables for the UI, written as Markdown. What comes from outside, such as a file's name, is text there and nothing else.

Belongs here: the form. What stands in the cells is the callers' (``metadata``, ``provenance``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

_SPECIAL_CHARS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere: what is read, and a path of the UI."""

    text: str
    path: str


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str | Link]], footer: str = "") -> dg.MarkdownMetadataValue:
    """Return a table. ``head``: a colon at the end sets the column's cells to the right; ``footer``: Markdown that follows it."""
    titles = [title.removesuffix(":") for title in head]
    rule = ["--:" if title.endswith(":") else "---" for title in head]
    lines = [_line(titles), _line(rule), *(_line([_cell(cell) for cell in row]) for row in rows)]
    return dg.MetadataValue.md("\n".join(lines) + footer)


def escape_markdown(text: str) -> str:
    """Return `text` so that none of its signs means anything in Markdown, on one line."""
    return _SPECIAL_CHARS.sub(r"\\\1", " ".join(text.split()))


def _cell(cell: str | Link) -> str:
    return f"[{escape_markdown(cell.text)}]({cell.path})" if isinstance(cell, Link) else escape_markdown(cell)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
