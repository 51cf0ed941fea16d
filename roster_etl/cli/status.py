"""The command `status`: how every feed stands, what needs a person first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from roster_etl.cli import exit_codes
from roster_etl.cli.context import Call
from roster_etl.cli.options import DistrictFilter
from roster_etl.cli.text_tables import TextTable
from roster_etl.pipeline.reporting.feed_status import FeedStatus, StatusOverview, read_status, status_document
from roster_etl.pipeline.reporting.status_page import commands, status_line

_MAX_LINES = 40
_HEADER = ("district/format", "status", "last upload (UTC)", "people", "enrollments", "late by", "quarantine")


def status(
    call: Call,
    district: DistrictFilter = None,
    every: Annotated[bool, typer.Option("--all", help="Every feed, also where many need nobody.")] = False,
) -> int:
    """Show how every feed stands, what needs a person first. Exit code: 0 nothing does; 1 failed or late; 4 held; 3 rejected."""
    found = read_status(call.workspace, datetime.now(UTC))
    if district is not None:
        call.registry.get(district)
        found = found.of_district(district)
    call.show_result(status_document(found), *_lines(found, every=every))
    return exit_codes.of_feeds(feed.needs for feed in found.feeds)


def _lines(found: StatusOverview, *, every: bool) -> list[str | TextTable]:
    lines: list[str | TextTable] = [
        found.summary,
        *(f"{file} cannot be read: {problem}" for file, problem in found.problems.items()),
    ]
    for feed in found.waiting:
        line = status_line(feed, found.now)
        lines += ["", f"{line.feed}: {line.status}. {line.what}."]
        lines += [f"  {name}: {command}" for name, command in commands(feed).items()]
    shown = found.feeds if every or len(found.feeds) <= _MAX_LINES else found.feeds[: max(_MAX_LINES, len(found.waiting))]
    if shown:
        lines += ["", TextTable(_HEADER, [_cells(feed, found) for feed in shown])]
    if len(shown) < len(found.feeds):
        lines += [f"and {len(found.feeds) - len(shown):,} more, none of which needs a person; --all shows them"]
    return lines


def _cells(feed: FeedStatus, found: StatusOverview) -> Sequence[str]:
    line = status_line(feed, found.now)
    return line.feed, line.status, line.last, line.people, line.enrollments, line.late, line.quarantine
