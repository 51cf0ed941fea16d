"""Poll the landing zones of all feeds, and decide which imports to request.

Belongs here: the function behind the sensor: bounded in time, fair between districts, and isolated, so that one district's errors
do not affect another. No Dagster. Does not belong here: when an upload has settled (``store.landing.quiet_period``), or reading
in threads (``polling``).
The state store has each feed's state. A request is first recorded in the cursor, which Dagster stores together with the request,
and in the state store by the next tick. So a tick that is repeated or lost requests again under the same run key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from roster_etl.orchestration.sensors.delta_upload_decisions import decide_delta_upload
from roster_etl.orchestration.sensors.feed_state_store import FeedStateStore
from roster_etl.orchestration.sensors.polling import Listing, PollQueue, PollResult, PollResults, build_queue, next_position, poll
from roster_etl.orchestration.sensors.rewrite_checks import forget_if_rewritten, note_quiet_feed, request_rereads
from roster_etl.orchestration.sensors.tick import (
    DAY_SECONDS,
    MAX_PROBLEM_CHARS,
    ArchiveRequest,
    ImportRequest,
    LandingTickResult,
    ReadBusyFeeds,
    RunResults,
    SettledUpload,
    TickLimits,
    TickState,
    add_waiting,
    busy_feeds,
    newest_import,
    settle_rules,
    shorten_list,
)
from roster_etl.pipeline.lifecycle.retry_policy import is_retryable
from roster_etl.pipeline.reporting.import_summary import is_parked
from roster_etl.pipeline.uploads.file_selection import entries_to_watch, file_selection
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import FileSet
from roster_etl.spec.errors import RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.landing import quiet_period
from roster_etl.store.landing.open import open_folder, open_landing, unregistered_folders
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.registry.registry import Scan
from roster_etl.store.settings import Settings, landing_folder
from roster_etl.vendors import discover_vendors, vendor

_BASE_KEY = ""  # the key of the landing base's own poll; keys of feeds are never empty


def poll_landing_zones(
    workspace: Workspace,
    cursor: str | None,
    *,
    state_store: FeedStateStore,
    clock: Callable[[], float],
    read_busy_feeds: ReadBusyFeeds,
    results: RunResults | None = None,
    wall_clock: Callable[[], float] | None = None,
    bounds: TickLimits | None = None,
) -> LandingTickResult:
    """Poll the landing zone of every feed in the queue, and return the imports to request.

    Args: cursor: that of the last tick; none: all state is reset. state_store: each feed's state. clock: seconds of a clock that
        never leaps, for all waiting; wall_clock: seconds since 1970; none: `clock` is that, too. read_busy_feeds: the (district,
        format, file set) of unfinished runs; results: what ended runs found out.
    """
    last = json.loads(cursor) if cursor else {}
    bounds, results = bounds or TickLimits(), results or RunResults()
    decide_until = time.monotonic() + bounds.poll_budget.seconds + bounds.decide_seconds
    tick = _begin_tick(workspace, clock(), (wall_clock or clock)(), bounds, read_busy_feeds, results)
    _restore_states(tick, last, state_store.load() if cursor else {})
    scan = workspace.registry.scan()
    districts, unreadable = _note_unreadable(tick, scan)
    feeds = {f"{d.id}/{feed.format}": (d, feed) for d in districts for feed in d.feeds if is_watched(workspace.settings, d, feed)}
    _mark_paused(tick, feeds)
    healthy, failed = _due_feeds(tick, feeds)
    turn = build_queue(healthy, failed, last, tick.bounds.poll_budget.max_feeds)
    polled = _process_results(tick, feeds, _poll_feeds(tick, turn, feeds, clock), decide_until)
    asked, reread = _select_requests(tick), request_rereads(tick)
    unreadable |= _unknown_folders(tick, polled.by_key.get(_BASE_KEY), districts)
    _save_states(tick, feeds, problems := _failing_feeds(tick, feeds), state_store)
    fault_point("cursor.asked")
    return LandingTickResult(
        requests=tuple(request for request in tick.requests if isinstance(request, ImportRequest)),
        archive_requests=tuple(request for request in tick.requests if isinstance(request, ArchiveRequest)),
        cursor=json.dumps({**next_position(turn, polled, healthy), "asked": asked}, separators=(",", ":")),
        notes=tuple(tick.notes),
        waiting=tick.waiting,
        problems={**unreadable, **{key: text for key, text in problems.items() if key not in tick.paused}},
        watched=len(feeds),
        polled=(looked_at := sum(key in feeds for key in polled.by_key)),
        remaining=len(healthy) + len(failed) - looked_at,
        reread_request=reread,
        registry=scan,
    )


def _begin_tick(
    workspace: Workspace, now: float, wall_now: float, bounds: TickLimits, read_busy_feeds: ReadBusyFeeds, results: RunResults
) -> TickState:
    return TickState(
        workspace=workspace,
        now=now,
        wall_now=wall_now,
        bounds=bounds,
        read_busy_feeds=read_busy_feeds,
        results=results,
        rewritten=results.read_rewritten(),
        states={},
    )


def _save_states(tick: TickState, feeds: Collection[str], problems: Mapping[str, str], state_store: FeedStateStore) -> None:
    states = {key: state for key, state in tick.states.items() if _strip_file_set(key) in feeds}
    state_store.save({key: _dump_state(state, problems.get(key)) for key, state in states.items()})


def _failing_feeds(tick: TickState, feeds: Mapping[str, tuple[District, Feed]]) -> dict[str, str]:
    """Return the problem of each feed whose last poll, or last attempt to archive its upload, failed."""
    failing = {key for key, state in tick.states.items() if state.failures or state.archiving}
    return {key: text for key, text in tick.problems.items() if key in feeds and key in failing}


def _restore_states(tick: TickState, last: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Restore the state of each feed: from the state store, and for the last tick's requests from the cursor."""
    values = {key: json.loads(text) for key, text in texts.items()}
    tick.problems.update({key: value.pop("problem") for key, value in values.items() if "problem" in value})
    of_cursor = {**last.get("feeds", {}), **last.get("asked", {})}  # "feeds": cursors of an older version that held all state
    tick.states.update({key: quiet_period.load_state(value) for key, value in {**values, **of_cursor}.items()})


def _dump_state(state: quiet_period.FeedPollState, problem: str | None) -> str:
    values = quiet_period.dump_state(state) | ({"problem": problem} if problem else {})
    return json.dumps(values, separators=(",", ":"))


def _mark_paused(tick: TickState, feeds: Mapping[str, tuple[District, Feed]]) -> None:
    moment = datetime.fromtimestamp(tick.wall_now, UTC)
    tick.paused.update(key for key, (district, feed) in feeds.items() if district.pause_reason(feed.format, moment))
    for key in sorted(tick.paused):
        add_waiting(tick, "paused", key)


def _select_requests(tick: TickState) -> dict[str, Any]:
    """Request the uploads that settled first, up to the tick's limit, and return their feeds' states, for the cursor."""
    ordered = sorted(tick.settled, key=lambda found: (found.since, found.key))
    for found in ordered[tick.bounds.requests :]:
        add_waiting(tick, "next_tick", found.key)
    chosen = ordered[: tick.bounds.requests]
    tick.requests.extend(found.request for found in chosen)
    after = ((found.key, _with_newest_import(tick, found)) for found in chosen)
    return {key: quiet_period.dump_state(state) for key, state in after if state is not None}


def _with_newest_import(tick: TickState, found: SettledUpload) -> quiet_period.FeedPollState | None:
    """Return the feed's state once the import is requested, with the newest import until then: the requested one is newer.

    An import that began since the upload is there is not counted: a lost tick may have requested it.
    """
    if found.next_state is None or isinstance(found.request, ArchiveRequest):
        return found.next_state
    newest = newest_import(tick, found.request.district_id, found.request.source, found.request.file_set)
    if newest is None:
        return replace(found.next_state, newest_before=0)
    arrived = tick.wall_now - (tick.now - found.since)
    is_of_lost_tick = arrived <= newest["started_at"].timestamp() <= tick.wall_now
    return replace(found.next_state, newest_before=int(newest["import_id"]) - is_of_lost_tick)


def is_watched(settings: Settings, district: District, feed: Feed) -> bool:
    """Return whether the feed has a landing folder, its own or under the base; if not, uploads are imported by command."""
    return bool(landing_folder(settings, district.id, feed.path))


def _has_delta_uploads(feed: Feed) -> bool:
    """Return whether the feed has a delta format: its uploads are archived even while its imports are paused.

    False for an unknown format, which the poll of the feed reports.
    """
    return feed.format in discover_vendors() and vendor(feed.format).format.requires_ordered_imports


def _strip_file_set(key: str) -> str:
    """Return the key of the feed, for a `key` of a feed or of one of its file sets."""
    return "/".join(key.split("/")[:2])


def _note_unreadable(tick: TickState, scan: Scan) -> tuple[tuple[District, ...], dict[str, str]]:
    """Return the readable districts, and the problem of each unreadable file."""
    tick.notes.extend(scan.problems.values())
    return scan.districts, {f"districts/{name}": problem for name, problem in scan.problems.items()}


def _due_feeds(tick: TickState, feeds: Mapping[str, tuple[District, Feed]]) -> tuple[list[str], dict[str, float]]:
    """Return the feeds due for a poll: those without a failed last poll, and the failed ones with the time since they are due."""
    due = [
        key
        for key, (_, feed) in feeds.items()
        if (key not in tick.paused or _has_delta_uploads(feed)) and not _is_backing_off(tick, key)
    ]
    failed = {key: tick.states[key].next_try for key in due if key in tick.states and tick.states[key].failures}
    return [key for key in due if key not in failed], failed


def _is_backing_off(tick: TickState, key: str) -> bool:
    return quiet_period.backoff_decision(tick.states.get(key), tick.now) is not None


def _poll_feeds(
    tick: TickState, queue: PollQueue, feeds: Mapping[str, tuple[District, Feed]], clock: Callable[[], float]
) -> PollResults:
    """List the landing zone of each feed in the queue, and before them the landing base."""

    def list_entries(key: str) -> Listing:
        return _list_feed(*feeds[key], tick.workspace) if key else _list_base(tick.workspace)

    base = (_BASE_KEY,) if tick.workspace.settings.landing.base else ()
    return poll(replace(queue, first=base + queue.first), list_entries, budget=tick.bounds.poll_budget, clock=clock)


def _unknown_folders(tick: TickState, base: PollResult | None, districts: Sequence[District]) -> dict[str, str]:
    """Add notes about unregistered folders in the landing base; return its problem, if it could not be polled."""
    if base is None:
        return {}
    if isinstance(base.outcome, Exception):
        tick.notes.append(f"landing base: {_error_text(base.outcome)}")
        return {"landing base": _error_text(base.outcome)}
    if strangers := unregistered_folders(base.outcome, districts, tick.workspace.settings):
        tick.notes.append(f"folders of no registered district, not imported: {', '.join(strangers[:20])}")
    return {}


def _list_feed(district: District, feed: Feed, workspace: Workspace) -> Listing:
    with open_landing(district.id, feed, workspace.settings) as landing:
        return landing.listing()


def _list_base(workspace: Workspace) -> Listing:
    with open_folder(workspace.settings.landing.base, workspace.settings) as folder:
        return folder.listing()


def _process_results(
    tick: TickState, feeds: Mapping[str, tuple[District, Feed]], looks: PollResults, until: float
) -> PollResults:
    """Process the results of polls until the time is over, and return them; those not reached count as not answered."""
    reached: dict[str, PollResult] = {}
    for key, look in looks.by_key.items():
        if key in feeds:
            if time.monotonic() >= until:
                break
            _process_result(tick, key, *feeds[key], look)
        reached[key] = look
    late = tuple(key for key in looks.by_key if key not in reached)
    return replace(looks, by_key=reached, cut_off=(*late, *looks.cut_off))


def _process_result(tick: TickState, key: str, district: District, feed: Feed, result: PollResult) -> None:
    """Process the poll result of one feed; any error is recorded for this feed only."""
    try:
        if _has_delta_uploads(feed):
            decide_delta_upload(tick, key, district, feed, result)
            return
        if not isinstance(result.outcome, Exception):
            for arrival in _split_by_file_set(key, district, feed, result.outcome):
                _decide_snapshot(tick, arrival, result)
            return
        problem = result.outcome
    except Exception as error:  # noqa: BLE001 - whatever it is, no other district may suffer from it
        problem = error
    tick.states[key] = quiet_period.state_after_failure(tick.states.get(key), tick.now)
    minutes = (tick.states[key].next_try - tick.now) / 60
    tick.notes.append(f"{key}: {_error_text(problem)}; looking again in {minutes:.0f} min")
    tick.problems[key] = _error_text(problem)[:MAX_PROBLEM_CHARS]
    add_waiting(tick, "failed", key)


@dataclass(frozen=True, kw_only=True)
class _LandedFileSet:
    """The files of one file set in a landing zone. ``key``: of its state; the feed's key if the format has no file sets."""

    key: str
    district_id: str
    feed: Feed
    file_set: FileSet
    listing: Listing
    optional: bool

    @property
    def feed_id(self) -> tuple[str, str, str]:
        return self.district_id, self.feed.format, self.file_set.name


def _split_by_file_set(key: str, district: District, feed: Feed, listing: Listing) -> Iterator[_LandedFileSet]:
    """Split what is waited for in a listing by file set, so that no set waits for another. Urgent sets come first."""
    format_ = vendor(feed.format).format
    for file_set in sorted(format_.file_sets, key=lambda found: not found.urgent):
        yield _LandedFileSet(
            key=f"{key}/{file_set.name}" if file_set.name else key,
            district_id=district.id,
            feed=feed,
            file_set=file_set,
            listing=entries_to_watch(file_selection(format_, file_set.name)("folder", listing)),
            optional=file_set.name != format_.file_sets[0].name,
        )


def _decide_snapshot(tick: TickState, landed: _LandedFileSet, result: PollResult) -> None:
    key, listing = landed.key, landed.listing
    if key != _strip_file_set(key):
        tick.states.pop(_strip_file_set(key), None)  # the poll of the feed succeeded: reset its failures
    rules = settle_rules(landed.feed, landed.file_set)
    known = forget_if_rewritten(tick, key, tick.states.get(key))
    state, decision = quiet_period.evaluate_listing(known, listing, result.ended_at, rules, listing_started_at=result.started_at)
    parked = False
    if decision.reason == "nothing_new" and not state.answered:
        state, parked = _reconcile_with_ledger(tick, landed, state)
        state, decision = quiet_period.evaluate_listing(
            state, listing, result.ended_at, rules, listing_started_at=result.started_at
        )
    tick.states[key] = state
    if parked:
        add_waiting(tick, "parked", key)
    elif not decision.import_now:
        if not (landed.optional and decision.reason == "empty"):
            add_waiting(tick, decision.reason, f"{key}{_waiting_detail(tick, decision)}")
        if decision.reason == "nothing_new":
            note_quiet_feed(tick, key, landed.feed_id)
    elif landed.feed_id in busy_feeds(tick):
        add_waiting(tick, "running", key)
    elif not _is_ready(tick, landed):
        add_waiting(tick, "unpublished", key)
    else:
        name = f"{key}/{state.sequence + 1}/{state.listing}/{state.since:.0f}"
        after = quiet_period.state_after_import(state, listing, tick.now, rules)
        request = _build_request(tick, landed, name, state, decision)
        tick.settled.append(SettledUpload(key=key, since=state.since, request=request, next_state=after))


def _wall_time(tick: TickState, seconds: float) -> datetime:
    """Return the time of day of a time by the clock that never leaps, if the wall clock does not leap from now on."""
    return datetime.fromtimestamp(tick.wall_now + seconds - tick.now, UTC)


def _waiting_detail(tick: TickState, decision: quiet_period.QuietPeriodDecision) -> str:
    """Return which files a feed waits for, and until when it waits, in parentheses; empty for other reasons."""
    files = {"stragglers": decision.stale, "missing_files": decision.missing}.get(decision.reason, ())
    until = f", until {_wall_time(tick, decision.until):%H:%M} UTC" if files and decision.until else ""
    return f" ({shorten_list(files)}{until})" if files else ""


def _build_request(
    tick: TickState,
    landed: _LandedFileSet,
    name: str,
    state: quiet_period.FeedPollState,
    decision: quiet_period.QuietPeriodDecision,
) -> ImportRequest:
    seen = _wall_time(tick, state.since).isoformat() if landed.file_set.mode == "events" else None
    return ImportRequest(
        district_id=landed.district_id,
        source=landed.feed.format,
        key=name,
        stale=decision.stale,
        file_set=landed.file_set.name,
        received_at=seen,
    )


def _is_ready(tick: TickState, landed: _LandedFileSet) -> bool:
    """Return whether every file set that this one refers to has been published; until then the files are not imported."""
    needed = vendor(landed.feed.format).format.required_sets(landed.file_set.name)
    feed = (landed.district_id, landed.feed.format)
    return all(tick.workspace.warehouse.roster.base(*feed, name) is not None for name in needed)


def _reconcile_with_ledger(
    tick: TickState, landed: _LandedFileSet, state: quiet_period.FeedPollState
) -> tuple[quiet_period.FeedPollState, bool]:
    """Update the state with the ledger's result of the requested import; also return whether its upload is dead-lettered.

    The import is requested again if it never began, or failed with a retryable error. It began if the ledger has a newer import
    than when it was requested: numbers tell, as times do not if the wall clock leapt. Once there is a result, the ledger is not
    queried again.
    """
    asked = state.imported_at
    if asked is None or not tick.bounds.retry_seconds <= tick.now - asked < DAY_SECONDS or landed.feed_id in busy_feeds(tick):
        return state, False
    if tick.ledger_queries >= tick.bounds.max_ledger_queries:
        return state, False
    tick.ledger_queries += 1
    newest = newest_import(tick, *landed.feed_id)
    if newest is None or not _began_since(newest, state):
        return replace(state, imported="", files={}), False
    if newest["status"] == "running" or is_parked(newest):  # if its run is dead, `fail_orphaned_runs` ends it
        return state, is_parked(newest)
    if is_retryable(newest):
        return replace(state, imported="", files={}), False
    return replace(state, answered=True), False


def _began_since(newest: Mapping[str, Any], state: quiet_period.FeedPollState) -> bool:
    """Return whether the newest import is the requested one. States of an older version have no number, but a time."""
    if state.newest_before is None:
        return bool(newest["started_at"].timestamp() >= state.since)
    return int(newest["import_id"]) > state.newest_before


def _error_text(error: Exception) -> str:
    return error.message if isinstance(error, RosterError) else f"{type(error).__name__}"
