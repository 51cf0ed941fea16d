"""The asset `operations/today`: how every feed stands, for the people who run roster_etl.

The sensor `operations_today` and the runs of imports log it; it has no run of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from roster_etl.orchestration.assets.freshness_checks import RunLog
from roster_etl.orchestration.assets.launchpad_links import code_location
from roster_etl.orchestration.assets.markdown import Cell, LinkCell, markdown_table
from roster_etl.orchestration.assets.metadata import OWNERS, code_references
from roster_etl.pipeline.reporting import feed_status
from roster_etl.pipeline.reporting.feed_status import FeedStatus, StatusOverview, status_document
from roster_etl.pipeline.reporting.json_text import indented_json
from roster_etl.pipeline.reporting.report_files import report_url
from roster_etl.pipeline.reporting.status_page import commands, index_path, index_url, refresh_index_after_run, status_line
from roster_etl.pipeline.reporting.ui_links import decision_links
from roster_etl.pipeline.workspace import Workspace

TODAY = dg.AssetKey(["operations", "today"])
MAX_ROWS = 50
"""Feeds in an event, which stays in Dagster's storage: of more, those that need a person, and the number of the others."""
_COLUMNS = ("district", "format", "status", "last_upload", "people", "enrollments", "what", "late_by", "quarantine")


_RUN_FILTERS = " · ".join(
    f"[{status}](/runs?{urlencode({'q[0]': f'tag:import_status={status}'})})"
    for status in ("held", "rejected", "failed", "published", "unchanged")
)
"""Links to the list of runs, filtered."""


def today_asset() -> dg.AssetSpec:
    """Return the asset. Nothing executes it."""
    return dg.AssetSpec(
        TODAY,
        group_name="operations",
        kinds={"html"},
        owners=OWNERS,
        description="How every district's feed stands: last upload, status, people and enrollments before and after, open holds, "
        "lateness, quarantine. What needs a person comes first. The sensor `operations_today` and imports refresh it.\n\n"
        f"Runs by how their import ended: {_RUN_FILTERS}.",
        metadata=code_references({"status": Path(feed_status.__file__)}),
    )


def log_today(log: RunLog, workspace: Workspace, *, pause: float = 0.0) -> None:
    """Refresh the page at the end of an import, and log the asset in its run, unless that was done a moment ago.

    Args: pause: seconds for which the last refresh is enough.
    """
    status = refresh_index_after_run(workspace, pause)
    if status is not None:
        log.log_event(today_event(workspace, status, code_location(log.run)))


def today_event(workspace: Workspace, status: StatusOverview, location: str) -> dg.AssetMaterialization:
    """Return the materialization of the asset. Args: location: the code location whose launchpads it links to; empty: unknown."""
    page = index_url(workspace)
    waiting = status.waiting[:MAX_ROWS]
    return dg.AssetMaterialization(
        TODAY,
        metadata={
            "summary": status.summary,
            "feeds_that_need_a_person": _waiting_table(workspace, status, waiting, location),
            **({"all_feeds": _feeds_table(workspace, status)} if len(status.feeds) <= MAX_ROWS else {}),
            "rows": dg.MetadataValue.table(
                [_record(feed, status) for feed in status.feeds[:MAX_ROWS]],
                dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS]),
            ),
            "feeds": len(status.feeds),
            "feeds_waiting": len(status.waiting),
            "page": dg.MetadataValue.url(page) if page else dg.MetadataValue.path(str(index_path(workspace))),
        },
    )


def today_digest(status: StatusOverview) -> str:
    """Return a hash of the status without the moment at which it was read: what did not change is not logged again."""
    facts = {name: value for name, value in status_document(status).items() if name != "as_of"}
    return hashlib.sha256(indented_json(facts).encode()).hexdigest()[:16]


def _waiting_table(
    workspace: Workspace, status: StatusOverview, waiting: Sequence[FeedStatus], location: str
) -> dg.MarkdownMetadataValue:
    rows = []
    for feed in waiting:
        line = status_line(feed, status.now)
        rows.append(
            (_feed_cell(workspace, feed), line.status, _actions(feed, location), line.what, line.people, line.enrollments)
        )
    if not rows:
        return dg.MetadataValue.md("Nothing needs a person.")
    more = len(status.waiting) - len(rows)
    footer = f"\n\nand {more:,} more; the page has all" if more else ""
    return markdown_table(("feed", "status", "do", "what", "people:", "enrollments:"), rows, footer)


def _feeds_table(workspace: Workspace, status: StatusOverview) -> dg.MarkdownMetadataValue:
    head = ("feed", "status", "last upload (UTC)", "people:", "enrollments:", "late by:", "quarantine:")
    rows = []
    for feed in status.feeds:
        line = status_line(feed, status.now)
        rows.append(
            (_feed_cell(workspace, feed), line.status, line.last, line.people, line.enrollments, line.late, line.quarantine)
        )
    return markdown_table(head, rows)


def _feed_cell(workspace: Workspace, feed: FeedStatus) -> Cell:
    """Return the feed's name, with a link to its newest report where the settings say where reports are served."""
    name = f"{feed.district_id}/{feed.source}"
    number = feed.hold.import_id if feed.hold else feed.last and feed.last["finished_at"] and feed.last["import_id"]
    url = report_url(workspace, feed.district_id, number) if number else None
    return LinkCell(name, url) if url else name


def _actions(feed: FeedStatus, location: str) -> Cell:
    """Return what a person can do: links to the launchpads of a hold's decision, or the command to begin with."""
    if feed.hold and location:
        links = decision_links(location, feed.hold.import_id, feed.hold.plan_sha256)
        return tuple(LinkCell(name, url) for name, url in links.items())
    return next(iter(commands(feed).values()), "")


def _record(feed: FeedStatus, status: StatusOverview) -> dg.TableRecord:
    line = status_line(feed, status.now)
    cells: dict[str, Any] = {
        "district": feed.district_id,
        "format": feed.source,
        "status": line.status,
        "last_upload": line.last,
        "people": line.people,
        "enrollments": line.enrollments,
        "what": line.what,
        "late_by": line.late,
        "quarantine": line.quarantine,
    }
    return dg.TableRecord(cells)
