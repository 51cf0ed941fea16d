"""Watching the landing zones: one look at every feed, and what is to be imported because of it.

Belongs here: the plain function behind the sensor: bounded in time, fair between districts, none of which can hurt another. What has
settled is decided in ``store.landing.quiet_period``; what is known already, by the memory, the cursor and, in doubt, the ledger. No Dagster.
The memory has each feed's state. That an import was asked for goes into the cursor first, which is kept together with the request, and
into the memory with the next tick: a tick that is repeated, or lost, asks again under the same key.
Source: ARCHITECTURE.md, section 5, "Arrival".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from roster_etl.orchestration.sensors.feed_state_store import Memory
from roster_etl.orchestration.sensors.pending_changes import _decide_changes
from roster_etl.orchestration.sensors.polling import Listing, Look, Looks, Turn, look_at, place_after, turn_of
from roster_etl.orchestration.sensors.tick import (
    _TEXT,
    DAY,
    Bounds,
    Request,
    Running,
    Tick,
    _busy,
    _newest,
    _Settled,
    _wait,
    _Watch,
    rules_of,
)
from roster_etl.pipeline.lifecycle.retry_policy import may_be_tried_again
from roster_etl.pipeline.reporting.import_summary import is_parked
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import FileSet
from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.landing import quiet_period
from roster_etl.store.landing.open import open_folder, open_landing, unregistered
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings, landing_folder
from roster_etl.vendors import discover, vendor

_BASE = ""  # the key of the look at the landing base; those of feeds are never empty


def watch(
    workspace: Workspace,
    cursor: str | None,
    *,
    memory: Memory,
    clock: Callable[[], float],
    running: Running,
    bounds: Bounds | None = None,
) -> Tick:
    """Look at the landing zone of every feed whose turn it is, and return what is to be imported.

    Args: cursor: what the last tick returned; none: all that was remembered is forgotten. memory: what is remembered of each feed.
        clock: our own, in seconds; running: the (district, format, set of files) with a run that has not ended.
    """
    last = json.loads(cursor) if cursor else {}
    bounds = bounds or Bounds()
    until = time.monotonic() + 2 * bounds.pace.seconds  # looking has one half of it at most
    tick = _Watch(workspace=workspace, now=clock(), bounds=bounds, running=running, states={}, take_in_until=until)
    _remember(tick, last, memory.load() if cursor else {})
    districts, unread = _districts(tick)
    feeds = {_key(d, feed): (d, feed) for d in districts for feed in d.feeds if is_watched(workspace.settings, d, feed)}
    _pause(tick, feeds)
    healthy, failed = _due(tick, feeds)
    turn = turn_of(healthy, failed, last, tick.bounds.pace.feeds)
    looks = _looks(tick, turn, feeds, clock)
    for key, look in looks.by_key.items():
        if key in feeds:
            _take(tick, key, *feeds[key], look)
    asked = _ask(tick)
    unread |= _strangers(tick, looks.by_key.get(_BASE), districts)
    problems = _failing(tick, feeds)
    memory.save({key: _written(state, problems.get(key)) for key, state in tick.states.items() if _feed_of(key) in feeds})
    fault_point("cursor.asked")
    looked_at = sum(key in feeds for key in looks.by_key)
    return Tick(
        requests=tuple(tick.requests),
        cursor=json.dumps({**place_after(turn, looks, healthy), "asked": asked}, separators=(",", ":")),
        notes=tuple(tick.notes),
        waiting=tick.waiting,
        problems={**unread, **{key: text for key, text in problems.items() if key not in tick.paused}},
        watched=len(feeds),
        looked_at=looked_at,
        left=len(healthy) + len(failed) - looked_at,
    )


def _failing(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> dict[str, str]:
    """Return what is wrong with each feed whose last look failed."""
    return {key: text for key, text in tick.problems.items() if key in feeds and key in tick.states and tick.states[key].failures}


def _remember(tick: _Watch, last: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Take in what is known of each feed: from the memory, and from the cursor what the last tick asked for."""
    values = {key: json.loads(text) for key, text in texts.items()}
    tick.problems.update({key: value.pop("problem") for key, value in values.items() if "problem" in value})
    of_cursor = {**last.get("feeds", {}), **last.get("asked", {})}  # "feeds": a cursor of a version that kept every state there
    tick.states.update({key: quiet_period.load_state(value) for key, value in {**values, **of_cursor}.items()})


def _written(state: quiet_period.FeedState, problem: str | None) -> str:
    values = quiet_period.dump_state(state) | ({"problem": problem} if problem else {})
    return json.dumps(values, separators=(",", ":"))


def _pause(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> None:
    moment = datetime.fromtimestamp(tick.now, UTC)
    tick.paused.update(key for key, (district, feed) in feeds.items() if district.pause_of(feed.format, moment))
    for key in sorted(tick.paused):
        _wait(tick, "paused", key)


def _ask(tick: _Watch) -> dict[str, Any]:
    """Ask for the uploads that have stood longest, as many as a tick may, and return their feeds' states, for the cursor."""
    ordered = sorted(tick.settled, key=lambda found: (found.since, found.key))
    for found in ordered[tick.bounds.requests :]:
        _wait(tick, "next_tick", found.key)
    chosen = ordered[: tick.bounds.requests]
    tick.requests.extend(found.request for found in chosen)
    return {found.key: quiet_period.dump_state(found.after) for found in chosen if found.after is not None}


def is_watched(settings: Settings, district: District, feed: Feed) -> bool:
    """Return whether a feed has a folder to look at, its own or one under the landing base; else its uploads are imported by command."""
    return bool(landing_folder(settings, district.id, feed.path))


def _every_upload_counts(feed: Feed) -> bool:
    """Return whether uploads of the feed are changes: then they are taken in even while its imports are paused.

    An unknown format is nobody's: whoever looks at the feed next says so.
    """
    return feed.format in discover() and vendor(feed.format).format.mode == "changes"


def _key(district: District, feed: Feed) -> str:
    return f"{district.id}/{feed.format}"


def _feed_of(key: str) -> str:
    """Return the key of the feed of which `key` names a set of files, or itself."""
    return "/".join(key.split("/")[:2])


def _districts(tick: _Watch) -> tuple[tuple[District, ...], dict[str, str]]:
    """Return the districts that can be read, and for each file that cannot, why."""
    scan = tick.workspace.registry.scan()
    tick.notes.extend(scan.problems.values())
    return scan.districts, {f"districts/{name}": problem for name, problem in scan.problems.items()}


def _due(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> tuple[list[str], dict[str, float]]:
    """Return the feeds that may be looked at now: those of which the last look succeeded, or none was; and the others, since when."""
    due = [
        key
        for key, (_, feed) in feeds.items()
        if (key not in tick.paused or _every_upload_counts(feed)) and not _backing_off(tick, key)
    ]
    failed = {key: tick.states[key].next_try for key in due if key in tick.states and tick.states[key].failures}
    return [key for key in due if key not in failed], failed


def _backing_off(tick: _Watch, key: str) -> bool:
    return quiet_period.may_look(tick.states.get(key), tick.now) is not None


# ── looking, in threads ──


def _looks(tick: _Watch, turn: Turn, feeds: Mapping[str, tuple[District, Feed]], clock: Callable[[], float]) -> Looks:
    """List what lies there for each feed whose turn it is, and in the landing base, before all others."""

    def look(key: str) -> Listing:
        return _list_feed(*feeds[key], tick.workspace) if key else _list_base(tick.workspace)

    base = (_BASE,) if tick.workspace.settings.landing.base else ()
    return look_at(replace(turn, first=base + turn.first), look, pace=tick.bounds.pace, clock=clock)


def _strangers(tick: _Watch, base: Look | None, districts: Sequence[District]) -> dict[str, str]:
    """Note the folders of the landing base that are nobody's; return why it could not be looked at, if so."""
    if base is None:
        return {}
    if isinstance(base.found, Exception):
        tick.notes.append(f"landing base: {_text(base.found)}")
        return {"landing base": _text(base.found)}
    if strangers := unregistered(base.found, districts, tick.workspace.settings):
        tick.notes.append(f"folders of no registered district, not imported: {', '.join(strangers[:20])}")
    return {}


def _list_feed(district: District, feed: Feed, workspace: Workspace) -> Listing:
    with open_landing(district.id, feed, workspace.settings) as landing:
        return landing.listing()


def _list_base(workspace: Workspace) -> Listing:
    with open_folder(workspace.settings.landing.base, workspace.settings) as folder:
        return folder.listing()


# ── deciding, feed by feed ──


def _take(tick: _Watch, key: str, district: District, feed: Feed, look: Look) -> None:
    """Take in the look at one feed; whatever is wrong with it is noted, and stays with it."""
    try:
        if _every_upload_counts(feed):
            _decide_changes(tick, key, district, feed, look)
            return
        if not isinstance(look.found, Exception):
            for arrival in _arrivals(key, district, feed, look.found):
                _decide(tick, arrival, look)
            return
        problem = look.found
    except Exception as error:  # noqa: BLE001 - whatever it is, no other district may suffer from it
        problem = error
    tick.states[key] = quiet_period.failed(tick.states.get(key), tick.now)
    minutes = (tick.states[key].next_try - tick.now) / 60
    tick.notes.append(f"{key}: {_text(problem)}; looking again in {minutes:.0f} min")
    tick.problems[key] = _text(problem)[:_TEXT]
    _wait(tick, "failed", key)


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """What lies in a landing zone of one set of a feed's files. ``key``: of its state; that of the feed where it has no sets."""

    key: str
    district_id: str
    feed: Feed
    file_set: FileSet
    listing: Listing
    optional: bool

    @property
    def name(self) -> tuple[str, str, str]:
        return self.district_id, self.feed.format, self.file_set.name


def _arrivals(key: str, district: District, feed: Feed, listing: Listing) -> Iterator[_Arrival]:
    """Part what lies there by sets: none waits for another. Those that are urgent come first."""
    format_ = vendor(feed.format).format
    for file_set in sorted(format_.file_sets, key=lambda found: not found.urgent):
        yield _Arrival(
            key=f"{key}/{file_set.name}" if file_set.name else key,
            district_id=district.id,
            feed=feed,
            file_set=file_set,
            listing=tuple(entry for entry in listing if format_.set_of(entry.name) == file_set.name),
            optional=file_set.name != format_.file_sets[0].name,
        )


def _decide(tick: _Watch, arrival: _Arrival, look: Look) -> None:
    key, listing = arrival.key, arrival.listing
    if key != _feed_of(key):
        tick.states.pop(_feed_of(key), None)  # the look at the feed succeeded: its failures are over
    rules = rules_of(arrival.feed, arrival.file_set)
    state, decision = quiet_period.settle(tick.states.get(key), listing, look.ended, rules, begun=look.begun)
    parked = False
    if decision.reason == "nothing_new" and not state.answered:
        state, parked = _with_answer(tick, arrival, state)
        state, decision = quiet_period.settle(state, listing, look.ended, rules, begun=look.begun)
    tick.states[key] = state
    if parked:
        _wait(tick, "parked", key)
    elif not decision.import_now:
        if not (arrival.optional and decision.reason == "empty"):
            _wait(tick, decision.reason, key)
    elif arrival.name in _busy(tick):
        _wait(tick, "running", key)
    elif not _is_ready(tick, arrival):
        _wait(tick, "unpublished", key)
    else:
        name = f"{key}/{state.sequence + 1}/{state.listing}/{state.since:.0f}"
        after = quiet_period.imported(state, listing, tick.now, rules)
        request = _request(arrival, name, state, decision)
        tick.settled.append(_Settled(key=key, since=state.since, request=request, after=after))


def _request(arrival: _Arrival, name: str, state: quiet_period.FeedState, decision: quiet_period.Decision) -> Request:
    seen = datetime.fromtimestamp(state.since, UTC).isoformat() if arrival.file_set.mode == "events" else None
    return Request(
        district_id=arrival.district_id,
        source=arrival.feed.format,
        key=name,
        stale=decision.stale,
        file_set=arrival.file_set.name,
        received_at=seen,
    )


def _is_ready(tick: _Watch, arrival: _Arrival) -> bool:
    """Return whether what the files refer to, in other sets, was ever published: until then they lie where they are."""
    needed = vendor(arrival.feed.format).format.needs(arrival.file_set.name)
    feed = (arrival.district_id, arrival.feed.format)
    return all(tick.workspace.warehouse.base(*feed, name) is not None for name in needed)


def _with_answer(tick: _Watch, arrival: _Arrival, state: quiet_period.FeedState) -> tuple[quiet_period.FeedState, bool]:
    """Return the state with what the ledger says of the import that was asked for, and whether its upload is parked.

    Again, if it never began, or failed for a reason that may have passed. It began if any did since the listing came to be what it is:
    a tick that was repeated may have asked before this one did. Who has an answer is not asked about any more.
    """
    asked = state.imported_at
    if asked is None or not tick.bounds.again_seconds <= tick.now - asked < DAY or arrival.name in _busy(tick):
        return state, False
    if tick.questions >= tick.bounds.answers:
        return state, False
    tick.questions += 1
    newest = _newest(tick, *arrival.name)
    if newest is None or newest["started_at"].timestamp() < state.since:
        return replace(state, imported="", files={}), False
    if newest["status"] == "running" or is_parked(newest):  # of a run that is gone: the sweep ends it
        return state, is_parked(newest)
    if may_be_tried_again(newest):
        return replace(state, imported="", files={}), False
    return replace(state, answered=True), False


def _text(error: Exception) -> str:
    return error.message if isinstance(error, RosterError) else f"{type(error).__name__}"
