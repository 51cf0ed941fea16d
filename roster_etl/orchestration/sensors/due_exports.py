"""Decide which destinations are due: after a publish, at a time of their own, or once more because a server kept the last run from sending.

Belongs here: the decision, from what was published and the time. Does not belong here: sending (``jobs.send_rosters``).
A tick costs one look into an index for each feed with a destination, whatever the history; a district without one is not asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from dagster._utils.schedules import is_valid_cron_string, reverse_cron_string_iterator

from roster_etl.orchestration.sensors.export_retries import Retry
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import Destination, District

AFTER_IMPORT = "after_import"
MAX_RUNS = 100  # runs that one tick requests; the others follow in the next ones
FailedSends = Callable[[datetime, datetime], tuple[list[Retry], datetime]]
"""Returns the retries of runs that failed since a moment, and up to when it looked; its arguments: since when, and now."""
LATE_COMMIT = timedelta(minutes=15)
"""How long after it was dated a publish may become visible: it is looked for so long, and remembered so long."""


@dataclass(frozen=True, kw_only=True, order=True)
class DueExport:
    """Some destinations of a district that are due. ``moment``: since when; ``key``: what made them due, the same in each tick.

    ``attempt``: 1, or more for a retry.
    """

    moment: datetime
    district_id: str
    key: str
    names: tuple[str, ...]
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class DueExports:
    """What a tick found. ``bad_cron``: destinations whose time cannot be read; ``destinations``: how many there are.

    ``waiting``: due, but left to the next tick; ``retries``: that a later tick will request.
    """

    due: tuple[DueExport, ...]
    cursor: str
    bad_cron: tuple[str, ...]
    destinations: int
    waiting: int
    retries: int


def find_due_exports(
    workspace: Workspace, cursor: str | None, now: datetime, districts: Sequence[District], failed: FailedSends | None = None
) -> DueExports:
    """Return the destinations of `districts` that became due since the tick that left `cursor`. The first tick only begins to count.

    Args: failed: returns the retries of runs that failed since a moment, and the moment up to which it looked.
    """
    memory: dict[str, Any] = {"until": now.isoformat(), "done": {}, **(json.loads(cursor) if cursor else {})}
    until, done = datetime.fromisoformat(memory["until"]), memory["done"]
    bad: list[str] = []
    found = sorted([*_after_publish(workspace, districts, until), *_by_the_clock(districts, until, now, bad)])
    new = [one for one in found if one.key not in done]
    taken, waiting = new[:MAX_RUNS], len(new) - MAX_RUNS
    retries, failures_until = _pending_retries(memory, now, failed, districts, taken)
    again = sorted((one for one in retries.values() if one.moment <= now), key=lambda one: one.moment)[: MAX_RUNS - len(taken)]
    for one in again:
        del retries[one.key]
    after = taken[-1].moment if waiting > 0 else now
    moments = {**done, **{one.key: one.moment.isoformat() for one in taken}}
    kept = {key: at for key, at in moments.items() if datetime.fromisoformat(at) >= after - LATE_COMMIT}
    return DueExports(
        due=(*taken, *(DueExport(**vars(one)) for one in again)),
        cursor=_cursor(after, kept, failures_until, retries),
        bad_cron=tuple(bad),
        destinations=sum(len(district.destinations) for district in districts),
        waiting=max(0, waiting),
        retries=len(retries),
    )


def _cursor(until: datetime, done: Mapping[str, str], failures: datetime, retries: Mapping[str, Retry]) -> str:
    memory: dict[str, Any] = {"until": until.isoformat(), "done": done}
    if retries or failures != until:
        memory |= {"failures": failures.isoformat(), "retries": {key: one.document() for key, one in retries.items()}}
    return json.dumps(memory, separators=(",", ":"))


def _pending_retries(
    memory: Mapping[str, Any],
    now: datetime,
    failed: FailedSends | None,
    districts: Iterable[District],
    taken: Iterable[DueExport],
) -> tuple[dict[str, Retry], datetime]:
    """Return the retries that the cursor holds and those of runs that failed since, and up to when failed runs were read.

    Left out are destinations that are gone, and those to which this tick sends anyway.
    """
    since = datetime.fromisoformat(memory.get("failures", memory["until"]))
    found, until = failed(since, now) if failed is not None else ([], now)
    held = [Retry.of_document(key, document) for key, document in memory.get("retries", {}).items()]
    wanted = {(district.id, destination.name) for district in districts for destination in district.destinations}
    wanted -= {(one.district_id, name) for one in taken for name in one.names}
    kept = {}
    for one in (*held, *found):
        if names := tuple(name for name in one.names if (one.district_id, name) in wanted):
            kept[one.key] = replace(one, names=names)
    return kept, until


def _after_publish(workspace: Workspace, districts: Iterable[District], until: datetime) -> Iterator[DueExport]:
    """Yield what a publish made due: all destinations of a feed at once."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for district in districts:
        for destination in district.destinations:
            if destination.when == AFTER_IMPORT:
                for source in _sources(district, destination):
                    wanted.setdefault((district.id, source), []).append(destination.name)
    if not wanted:
        return
    with workspace.warehouse.read() as session:
        published = session.ledger.newest_publishes(list(wanted), until - LATE_COMMIT)
    for district_id, source, import_id, moment in published:
        key = f"{district_id}/{source}/{import_id}/{moment:%Y%m%dT%H%M%S%f}"
        yield DueExport(moment=moment, district_id=district_id, key=key, names=tuple(wanted[district_id, source]))


def _sources(district: District, destination: Destination) -> tuple[str, ...]:
    """Return the feeds whose publish makes a destination due: the one that it names, else any."""
    return (destination.source,) if destination.source else tuple(feed.format for feed in district.feeds)


def _by_the_clock(districts: Iterable[District], until: datetime, now: datetime, bad: list[str]) -> Iterator[DueExport]:
    """Yield the destinations with a cron line whose newest time, in the district's zone, has come since `until`, together by time."""
    due: list[tuple[datetime, str]] = []
    for district in districts:
        due.clear()
        for destination in district.destinations:
            if destination.when == AFTER_IMPORT:
                continue
            if not is_valid_cron_string(destination.when):
                bad.append(f"{district.id}/{destination.name}")
                continue
            newest = next(iter(reverse_cron_string_iterator(now.timestamp(), destination.when, district.time_zone)))
            if newest >= until:  # what one tick left over has the same time as the last that it took
                due.append((newest.astimezone(UTC), destination.name))
        for moment, names in groupby(sorted(due), key=lambda pair: pair[0]):
            key = f"{district.id}/at/{moment:%Y%m%dT%H%M}"
            yield DueExport(moment=moment, district_id=district.id, key=key, names=tuple(name for _, name in names))


def names_of(districts: Iterable[District]) -> Mapping[str, int]:
    """Return the names of all destinations, with the number of districts that have each."""
    counts: dict[str, int] = {}
    for district in districts:
        for destination in district.destinations:
            counts[destination.name] = counts.get(destination.name, 0) + 1
    return counts
