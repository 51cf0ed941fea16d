"""Charts for the report: bars over the last imports of a feed, as SVG that stands in the page.

Belongs here: shapes, axes, and their words for those who cannot see them. Colours are the page's, by class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 360, 190
_TOP, _FOOT = 18, 34  # room above the bars for the last number, and below them for how each import ended, and its number
_DIGIT, _GAP = 6.2, 8  # width of a digit, and of the room between the numbers of the axis and the bars
_TICKS = 4  # at most, above zero
_LABELS = 10  # numbers of imports below the bars, at most


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One import: its parts, in the order of the chart's names, and how it ended."""

    import_id: int
    status: str
    parts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts)


def rows_bars(history: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return rows accepted and refused, an import a bar."""
    return [_bar(row, (row["rows_accepted"] or 0, row["rows_rejected"] or 0)) for row in history]


def people_bars(history: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Return how many people the roster had after each import that published; the others are left out: they changed nothing."""
    return [_bar(row, (row["users"],)) for row in history if row["status"] == "published" and row.get("users") is not None]


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
    """Return a chart of stacked bars with axes; empty if there is nothing to compare."""
    most = max((bar.total for bar in bars), default=0)
    if len(bars) < 2 or not most:
        return ""
    ticks = axis_ticks(most)
    left = len(f"{ticks[-1]:,}") * _DIGIT + _GAP
    step = (WIDTH - left) / len(bars)
    places = [left + place * step for place in range(len(bars))]
    shapes = "".join(_stacked_bar(bar, names, at, step, ticks[-1]) for bar, at in zip(bars, places, strict=True))
    first, last = bars[0].import_id, bars[-1].import_id
    about = f"{title}, imports {first} to {last}: at most {most:,}, in the last {bars[-1].total:,}"
    return (
        f'<svg class="chart" role="img" aria-label="{escape(about)}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"{_value_axis(ticks, left)}{shapes}{_import_axis(bars, places, step)}{_last_number(bars[-1], places[-1], step, ticks[-1])}</svg>"
    )


def axis_ticks(most: int) -> list[int]:
    """Return whole round numbers from 0 to `most` or just above, evenly spaced: 0, 50, 100, 150."""
    step = 1
    for step in (digit * 10**power for power in range(20) for digit in (1, 2, 5)):
        if step * _TICKS >= most:
            break
    return [*range(0, most, step), -(-most // step) * step]


def _bar(row: Mapping[str, Any], parts: tuple[int, ...]) -> Bar:
    return Bar(import_id=row["import_id"], status=row["status"], parts=parts)


def _height(value: float, top: int) -> float:
    """Return the place of `value` on the axis, whose highest number is `top`."""
    return HEIGHT - _FOOT - (HEIGHT - _FOOT - _TOP) * value / top


def _value_axis(ticks: Sequence[int], left: float) -> str:
    """Return the numbers at the left, and a line across for each."""
    return "".join(
        f'<line class="{"axis" if not tick else "grid"}" x1="{left:.1f}" x2="{WIDTH}" y1="{_height(tick, ticks[-1]):.1f}" y2="{_height(tick, ticks[-1]):.1f}"/>'
        f'<text class="tick" text-anchor="end" x="{left - _GAP / 2:.1f}" y="{_height(tick, ticks[-1]) + 3.5:.1f}">{tick:,}</text>'
        for tick in ticks
    )


def _import_axis(bars: Sequence[Bar], places: Sequence[float], step: float) -> str:
    """Return the numbers of imports below the bars; of many, every second, third, …, counted from the last."""
    every = -(-len(bars) // _LABELS)
    chosen = [place for place in range(len(bars)) if (len(bars) - 1 - place) % every == 0]
    return "".join(
        f'<text class="tick" text-anchor="middle" x="{places[place] + step / 2:.1f}" y="{HEIGHT - 8}">{bars[place].import_id}</text>'
        for place in chosen
    )


def _last_number(bar: Bar, left: float, step: float, top: int) -> str:
    """Return the number of the last bar, above it."""
    number = f"{bar.total:,}"
    middle = min(left + step / 2, WIDTH - len(number) * _DIGIT / 2)
    return f'<text class="last" text-anchor="middle" x="{middle:.1f}" y="{_height(bar.total, top) - 5:.1f}">{number}</text>'


def _stacked_bar(bar: Bar, names: Sequence[str], left: float, step: float, top: int) -> str:
    """Return one import: its parts on top of each other, how it ended below, and all of it in words."""
    width = min(max(step * 0.72, 1), 36)
    left += (step - width) / 2
    words = ", ".join(f"{part:,} {name}" for part, name in zip(bar.parts, names, strict=True))
    shapes = [f"<g><title>import {bar.import_id}, {escape(bar.status)}: {escape(words)}</title>"]
    below = 0
    for place, part in enumerate(bar.parts):
        if part:
            bottom, upper = _height(below, top), _height(below + part, top)
            shapes.append(
                f'<rect class="part{place}" x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{bottom - upper:.1f}"/>'
            )
        below += part
    foot = HEIGHT - _FOOT + 4
    shapes.append(f'<rect class="end {escape(bar.status)}" x="{left:.1f}" y="{foot}" width="{width:.1f}" height="4" rx="2"/></g>')
    return "".join(shapes)
