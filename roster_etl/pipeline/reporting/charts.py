"""Small charts for the report: bars over the last imports of a feed, as SVG that stands in the page.

Belongs here: shapes, and their words for those who cannot see them. Colours are the page's, by class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 320, 90
_TOP, _STRIP = 14, 8  # room above the bars for the largest number, and below them for how each import ended


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One import: its parts, in the order of the chart's names, and how it ended."""

    import_id: int
    status: str
    parts: tuple[int, ...]


def rows_bars(history: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return rows accepted and refused, an import a bar."""
    return [_bar(row, (row["rows_accepted"] or 0, row["rows_rejected"] or 0)) for row in history]


def change_bars(history: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return records created, updated and removed, an import a bar; what was not published has changed nothing.

    A first load is left out: beside it, nothing else could be seen.
    """
    bars = []
    for row in (row for row in history if not row.get("first")):
        changes = row["changes"].values() if row["status"] == "published" else ()
        bars.append(_bar(row, tuple(sum(table[what] for table in changes) for what in ("created", "updated", "deleted"))))
    return bars


def chart(title: str, names: Sequence[str], bars: Sequence[Bar]) -> str:
    """Return a chart of stacked bars; empty if there is nothing to compare."""
    most = max((sum(bar.parts) for bar in bars), default=0)
    if len(bars) < 2 or not most:
        return ""
    step = WIDTH / len(bars)
    shapes = "".join(_stacked_bar(bar, names, place * step, step, most) for place, bar in enumerate(bars))
    first, last = bars[0].import_id, bars[-1].import_id
    about = f"{title}, imports {first} to {last}: at most {most:,}, in the last {sum(bars[-1].parts):,}"
    return (
        f'<svg class="chart" role="img" aria-label="{escape(about)}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<text x="0" y="10">{most:,}</text>{shapes}</svg>'
    )


def _bar(row: Mapping[str, Any], parts: tuple[int, ...]) -> Bar:
    return Bar(import_id=row["import_id"], status=row["status"], parts=parts)


def _stacked_bar(bar: Bar, names: Sequence[str], left: float, step: float, maximum: int) -> str:
    """Return one import: its parts on top of each other, how it ended below, and all of it in words."""
    foot = HEIGHT - _STRIP
    room, width = foot - _TOP, max(step - 2, 1)
    words = ", ".join(f"{part:,} {name}" for part, name in zip(bar.parts, names, strict=True))
    shapes = [f"<g><title>import {bar.import_id}, {escape(bar.status)}: {escape(words)}</title>"]
    bottom = float(foot)
    for place, part in enumerate(bar.parts):
        tall = room * part / maximum
        if part:
            bottom -= tall
            shapes.append(f'<rect class="part{place}" x="{left:.1f}" y="{bottom:.1f}" width="{width:.1f}" height="{tall:.1f}"/>')
    shapes.append(f'<rect class="end {escape(bar.status)}" x="{left:.1f}" y="{foot + 3}" width="{width:.1f}" height="4"/></g>')
    return "".join(shapes)
