"""Freshness: by when each feed's upload should be in the roster, and whether it is.

Belongs here: the rule, in the district's own time, and the message about a late feed. When it is evaluated is decided in ``orchestration``.

A feed expected by 02:30 is on time if an import of it ended published or unchanged at most ``expected_hours`` before 02:30, and fresh again
as soon as one does after it. A feed of which nothing was ever imported is awaited, not late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from roster_etl.pipeline.reporting.import_summary import district_name
from roster_etl.pipeline.reporting.next_steps import NextStep
from roster_etl.pipeline.reporting.notifications import queue_alert, queue_mail, recipients
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import DAYS, District, Feed

State = Literal["fresh", "late", "awaited", "paused"]
GOOD = ("published", "unchanged")
_WEEK = 7


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How one feed stands. ``deadline``: the last that has passed; ``next``: the one to come; ``good``: when the roster was last made sure of.

    ``last``: number and status of the newest import; None: there is none. All moments are in UTC.
    """

    district_id: str
    source: str
    time_zone: str
    state: State
    deadline: datetime
    next: datetime
    good: datetime | None
    last: tuple[int, str] | None

    @property
    def key(self) -> str:
        """The feed, as people and cursors name it."""
        return f"{self.district_id}/{self.source}"

    @property
    def text(self) -> str:
        """The message about the feed, one or two sentences."""
        zone = ZoneInfo(self.time_zone)
        at = f"{self.deadline.astimezone(zone):%Y-%m-%d %H:%M} ({self.time_zone})"
        good = (
            f"the roster was last made sure of {self.good.astimezone(zone):%Y-%m-%d %H:%M}"
            if self.good
            else "nothing of it is in the roster yet"
        )
        if self.state == "late":
            stopped = f" The newest import, {self.last[0]}, is {self.last[1]}." if self.last and self.last[1] not in GOOD else ""
            return f"expected by {at}; {good}.{stopped}"
        return {"fresh": f"on time for {at}", "awaited": "nothing was imported yet", "paused": "paused"}[self.state]


def freshness(workspace: Workspace, now: datetime, districts: Sequence[District] | None = None) -> list[Freshness]:
    """Return how each feed stands at `now` that is expected by a time of day, by district and format.

    Args: districts: only these; None: all that can be read.
    """
    chosen = workspace.registry.scan().districts if districts is None else districts
    expected = [(district, feed) for district in chosen for feed in district.feeds if feed.expected_by]
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in workspace.warehouse.ledger.newest_of_feeds([(district.id, feed.format, "") for district, feed in expected]):
        if row["kind"] == "upload":
            known.setdefault((row["district_id"], row["source"]), []).append(row)
    return [feed_freshness(district, feed, known.get((district.id, feed.format), ()), now) for district, feed in expected]


def late_feeds(workspace: Workspace, now: datetime) -> list[Freshness]:
    """Return the feeds that are late."""
    return [found for found in freshness(workspace, now) if found.state == "late"]


def notify_late_feed(workspace: Workspace, late_feed: Freshness) -> list[str]:
    """Queue mail and alert about a feed that is late: once for each time that it is expected. Returns the ids of new messages."""
    about = f"late-{late_feed.district_id}-{late_feed.source}-{late_feed.deadline.isoformat()}"
    to = recipients(workspace, late_feed.district_id, late_feed.source, problem=True)
    why = f"{late_feed.text[:1].upper()}{late_feed.text[1:]}"
    title = f"{district_name(workspace, late_feed.district_id) or late_feed.district_id}: {late_feed.source} is late"
    steps, text = _late_feed_steps(late_feed), f"{late_feed.key} is late: {late_feed.text}"
    return [
        *queue_mail(workspace, "late", to, about=about, title=title, reason=why, steps=steps),
        *queue_alert(workspace, "late", about=about, text=text, title=f"LATE: {title.removesuffix(' is late')}", steps=steps),
    ]


def _late_feed_steps(late_feed: Freshness) -> list[NextStep]:
    """Return what to do about a feed that is late: see to the import that was stopped, if that is why, else to the files."""
    look = NextStep(
        text="See what is in the landing zone, and what prevents its import.",
        command=f"roster-etl doctor --district {late_feed.district_id}",
    )
    if late_feed.last and late_feed.last[1] not in GOOD:
        number, status = late_feed.last
        return [NextStep(text=f"See why the newest import is {status}.", command=f"roster-etl show {number}"), look]
    return [NextStep(text="See that the files are uploaded; the import follows by itself."), look]


def deadlines(feed: Feed, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Return the last deadline at or before `now`, and the next one, in UTC."""
    return _deadlines(feed.expected_by, feed.expected_days or DAYS, zone, now)


@lru_cache(maxsize=256)  # many feeds are expected by the same time
def _deadlines(clock: str, days: tuple[str, ...], zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    today = now.astimezone(zone).date()
    around = (today + timedelta(days=n) for n in range(-_WEEK - 1, _WEEK + 2))
    found = [moment_of(day, clock, zone) for day in around if DAYS[day.weekday()] in days]
    return max(moment for moment in found if moment <= now), min(moment for moment in found if moment > now)


def moment_of(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, at which clocks in `zone` show `clock` on `day`.

    Where they show it twice (the end of summer time), the later one; where they skip it, as much later as they skip: nobody is late
    because of a clock.
    """
    hour, minute = (int(part) for part in clock.split(":"))
    shown = datetime.combine(day, time(hour, minute), zone)
    return max(shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def feed_freshness(district: District, feed: Feed, uploads: Sequence[Mapping[str, Any]], now: datetime) -> Freshness:
    """Return how one feed stands that is expected by a time of day.

    Args: uploads: ledger rows of its newest uploads, of each status, and of those that ended last as published and unchanged.
    """
    zone_name = feed.options.get("time_zone", district.time_zone)
    last, following = deadlines(feed, ZoneInfo(zone_name), now)
    good = max((row["finished_at"] for row in uploads if row["status"] in GOOD), default=None)
    state: State = "fresh"
    if district.pause_reason(feed.format, now) or district.pause_reason(feed.format, last):
        state = "paused"
    elif not uploads:
        state = "awaited"
    elif good is None or good < last - timedelta(hours=feed.expected_hours):
        state = "late"
    return Freshness(
        district_id=district.id,
        source=feed.format,
        time_zone=zone_name,
        state=state,
        deadline=last,
        next=following,
        good=good,
        last=max(((row["import_id"], row["status"]) for row in uploads), default=None),
    )
