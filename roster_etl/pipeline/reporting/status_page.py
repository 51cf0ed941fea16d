"""The index of the reports: how every feed stands, as a page that needs nothing else, and as JSON beside it.

Belongs here: writing both into ``<home>/reports``, and how often a run may. Not here: the facts (``pipeline.reporting.feed_status``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from roster_etl.pipeline.reporting.feed_status import (
    Change,
    FeedStatus,
    Quarantine,
    StatusOverview,
    known_quarantine,
    read_status,
    status_document,
)
from roster_etl.pipeline.reporting.json_text import indented_json
from roster_etl.pipeline.reporting.report_page import page_style, plain_text
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import join

if TYPE_CHECKING:
    from jinja2 import Template

PAUSE_SECONDS_PER_BYTE = 15e-6
"""After the page was written, runs leave it alone for so long, by the size of its JSON: some twenty times what writing it took."""
LARGE_BYTES, LARGE_PAUSE_SECONDS = 64 << 10, 90.0
"""A larger one (some 90 feeds) runs leave to the sensor, which writes it each minute; where no daemon runs, they write it this often."""
NEED_TEXTS: Mapping[str, str] = {
    "held": "held for approval",
    "parked": "failed, not retried",
    "failed": "failed",
    "rejected": "rejected",
    "late": "late",
}
"""What each need is called for people."""


@dataclass(frozen=True, kw_only=True)
class StatusLine:
    """One feed as people read it: the cells of the table. ``what``: what happened, and what a person can do."""

    feed: str
    name: str
    last: str
    status: str
    people: str
    enrollments: str
    what: str
    late: str
    quarantine: str


def index_path(workspace: Workspace) -> Path:
    """Return where the page lies."""
    return workspace.home / "reports" / "index.html"


def index_url(workspace: Workspace) -> str | None:
    """Return where people open the page; None: the settings name no such place."""
    base = workspace.settings.reports.url
    return join(base, "index.html") if base else None


def refresh_index(workspace: Workspace) -> StatusOverview:
    """Read how all feeds stand, and write the page and its JSON. Returns the status."""
    status = read_status(workspace, datetime.now(UTC), _known(workspace))
    folder = Folder(str(index_path(workspace).parent))
    folder.write("index.json", indented_json(status_document(status)).encode())
    folder.write("index.html", index_page(status).encode())
    return status


def _known(workspace: Workspace) -> dict[tuple[str, str], Quarantine]:
    """Return the quarantine of each feed as the page was written last; empty: there is none, or it is of another version."""
    try:
        return known_quarantine(json.loads(index_path(workspace).with_suffix(".json").read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def refresh_index_after_run(workspace: Workspace, pause: float = 0.0) -> StatusOverview | None:
    """Refresh the page at the end of an import, unless that was done a moment ago; an error never affects the import.

    The cost of all feeds is not that of each import: what one run leaves, the next one or the sensor brings.
    Args:    pause: seconds for which the page is left alone, if not longer by its size.
    Returns: the status; None: the page was left as it is.
    """
    with suppress(RosterError, OSError):
        if not _is_recent(index_path(workspace).with_suffix(".json"), pause):
            return refresh_index(workspace)
    return None


def _is_recent(document: Path, pause: float) -> bool:
    try:
        found = document.stat()
    except FileNotFoundError:
        return False
    by_size = LARGE_PAUSE_SECONDS if found.st_size > LARGE_BYTES else found.st_size * PAUSE_SECONDS_PER_BYTE
    return 0 <= time.time() - found.st_mtime < max(pause, by_size)


def index_page(status: StatusOverview) -> str:
    """Return the page: what needs a person, a summary of the rest, and the table of all feeds."""
    lines = [(feed, status_line(feed, status.now)) for feed in status.feeds]
    return load_template().render(
        status=status,
        waiting=[pair for pair in lines if pair[0].needs],
        lines=lines,
        needs={NEED_TEXTS[name]: count for name, count in status.needs.items()},
        rest=status.other_counts,
        as_of=_moment(status.now),
    )


def status_line(feed: FeedStatus, now: datetime) -> StatusLine:
    """Return a feed as people read it."""
    late = feed.lateness if feed.lateness and feed.lateness.state == "late" else None
    return StatusLine(
        feed=f"{feed.district_id}/{feed.source}",
        name=feed.district_name,
        last=_moment(feed.last["received_at"] or feed.last["finished_at"]) if feed.last else "",
        status=status_text(feed),
        people=change_text(feed.people),
        enrollments=change_text(feed.enrollments),
        what=attention_text(feed),
        late=age_text(now - late.deadline) if late else "",
        quarantine=_quarantine_text(feed, now),
    )


def status_text(feed: FeedStatus) -> str:
    """Return the state of a feed in a word or two, with an older hold or lateness beside it."""
    state = "paused" if feed.paused and not feed.needs else feed.state
    words = [NEED_TEXTS["parked"] if "parked" in feed.needs else state]
    words += [need for need in ("held", "late") if need in feed.needs and need != state]
    return ", ".join(words)


def change_text(change: Change | None) -> str:
    """Return ``324 → 166``; only the number where it does not change."""
    if change is None:
        return ""
    if change.before is None or change.before == change.after:
        return f"{change.after:,}"
    return f"{change.before:,} → {change.after:,}"


def attention_text(feed: FeedStatus) -> str:
    """Return what a person should know of a feed that needs one; empty: nothing."""
    parts = []
    if feed.hold:
        others = f" (holds of imports {', '.join(map(str, feed.hold.others))} wait, too)" if feed.hold.others else ""
        parts.append(f"import {feed.hold.import_id}: {feed.hold.headline}{others}")
    elif {"parked", "failed", "rejected"} & set(feed.needs) and feed.last:
        parts.append(f"import {feed.last['import_id']} is {feed.state}; the roster is as it was")
    if feed.needs == ("late",) and feed.lateness:  # of the others, the status and the column say it
        parts.append(feed.lateness.text.removesuffix("."))
    return "; ".join(parts)


def commands(feed: FeedStatus) -> Mapping[str, str]:
    """Return what a person can do about a feed that needs one, as commands."""
    if feed.hold:
        return feed.hold.commands
    if feed.last and {"parked", "failed", "rejected"} & set(feed.needs):
        return {"review": f"roster-etl show {feed.last['import_id']}"}
    return {"check": f"roster-etl doctor --district {feed.district_id}"} if feed.needs else {}


def age_text(age: timedelta) -> str:
    """Return how long ago something was: ``40 min``, ``5 h``, ``12 d``."""
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} d"


def _quarantine_text(feed: FeedStatus, now: datetime) -> str:
    rows, oldest = feed.quarantine.rows, feed.quarantine.oldest
    since = f", {age_text(now - oldest)}" if oldest else ""
    return f"{rows:,} row{'' if rows == 1 else 's'}{since}" if rows else ""


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@cache
def load_template() -> Template:
    """Return the page's template, compiled once: also for the processes that are forked from this one."""
    from jinja2 import Environment

    from roster_etl.pipeline.reporting import templates

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = plain_text
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.globals["commands"] = commands
    environment.globals["css"] = page_style()
    return templates.load(environment, "index.html.j2", built_in=__file__)
