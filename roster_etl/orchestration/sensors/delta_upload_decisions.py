"""Decide about uploads of delta formats, which are archived first and applied in order.

One upload of a feed is archived at a time, in the order in which they settled; so they are numbered in that order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from roster_etl.orchestration.sensors.polling import Listing, PollResult
from roster_etl.orchestration.sensors.rewrite_checks import forget_if_rewritten, note_quiet_feed
from roster_etl.orchestration.sensors.tick import (
    ARCHIVING,
    MAX_PROBLEM_CHARS,
    ArchiveRequest,
    ImportRequest,
    SettledUpload,
    TickState,
    add_waiting,
    busy_feeds,
    newest_import,
    settle_rules,
    was_requested_recently,
)
from roster_etl.pipeline.lifecycle.retry_policy import is_retryable
from roster_etl.pipeline.reporting.import_summary import is_parked
from roster_etl.pipeline.reporting.notifications import queue_alert
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.uploads.file_selection import entries_to_watch, file_selection
from roster_etl.pipeline.uploads.pending_uploads import pending_numbers
from roster_etl.spec.errors import ArchiveError
from roster_etl.store.landing import quiet_period
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor


def decide_delta_upload(tick: TickState, key: str, district: District, feed: Feed, result: PollResult) -> None:
    """Request that a settled delta upload is archived, and the import of the oldest pending one: every delta counts, in order.

    Raises: the landing zone's error, after the pending uploads have been handled.
    """
    problem = result.outcome if isinstance(result.outcome, Exception) else None
    if not isinstance(result.outcome, Exception):
        listing = entries_to_watch(file_selection(vendor(feed.format).format)("folder", result.outcome))
        _decide_archiving(tick, key, district, feed, listing, result)
    _request_oldest_pending(tick, key, district, feed)
    if problem is not None:
        raise problem


def _decide_archiving(tick: TickState, key: str, district: District, feed: Feed, listing: Listing, result: PollResult) -> None:
    rules, known = settle_rules(feed), forget_if_rewritten(tick, key, tick.states.get(key))
    state, decision = quiet_period.evaluate_listing(known, listing, result.ended_at, rules, listing_started_at=result.started_at)
    tick.states[key] = state = _reconcile_with_archive(tick, key, district, feed, state)
    if state.archiving and not _is_attempt_due(tick, key, district, feed, state):
        add_waiting(tick, "archiving", key)
    elif state.archiving:
        _request_archiving(tick, key, district, feed, replace(state, imported_at=tick.now, attempts=state.attempts + 1))
    elif decision.import_now:
        after = quiet_period.state_after_import(state, listing, tick.now, rules)
        request = f"{key}/{after.sequence}/{state.listing}/{state.since:.0f}"
        _request_archiving(tick, key, district, feed, replace(after, archiving=request, attempts=1))
    elif key not in tick.paused:
        add_waiting(tick, decision.reason, key)
        if decision.reason == "nothing_new":
            note_quiet_feed(tick, key, (district.id, feed.format, ""))


def _request_archiving(tick: TickState, key: str, district: District, feed: Feed, after: quiet_period.FeedPollState) -> None:
    request = ArchiveRequest(
        district_id=district.id,
        source=feed.format,
        key=f"{after.archiving}/{after.attempts}",
        request=after.archiving,
        listing=after.imported,
    )
    tick.settled.append(SettledUpload(key=key, since=after.since, request=request, next_state=after))


def _reconcile_with_archive(
    tick: TickState, key: str, district: District, feed: Feed, state: quiet_period.FeedPollState
) -> quiet_period.FeedPollState:
    """Return the state with the request to archive an upload closed if it is archived, or no longer in the landing zone."""
    if not state.archiving:
        return state
    closed = replace(state, archiving="", attempts=0)
    if tick.workspace.archive.is_archived(district.id, feed.format, state.archiving):
        tick.problems.pop(key, None)
        return closed
    if _is_being_archived(tick, district, feed) or _seconds_since_request(tick, state) < tick.bounds.retry_seconds:
        return state
    if state.listing != state.imported:
        text = f"{key}: an upload was replaced before it was archived, and is lost unless the district uploads it again"
        tick.notes.append(text)
        queue_alert(tick.workspace, "failed", about=f"lost {state.archiving}", text=text)
        tick.problems.pop(key, None)
        return replace(closed, imported="")
    problem = tick.results.read_archive_problem(state.archiving) or "its run did not come to its end"
    tick.problems[key] = f"its upload could not be archived: {problem}"[:MAX_PROBLEM_CHARS]
    return state


def _is_attempt_due(tick: TickState, key: str, district: District, feed: Feed, state: quiet_period.FeedPollState) -> bool:
    """Return whether the last attempt to archive failed, and its delay is over: it doubles with each."""
    delay = min(tick.bounds.retry_seconds * 2 ** min(state.attempts - 1, 16), quiet_period.BACKOFF_MAX)
    return not _is_being_archived(tick, district, feed) and _seconds_since_request(tick, state) >= delay


def _is_being_archived(tick: TickState, district: District, feed: Feed) -> bool:
    return (district.id, feed.format, ARCHIVING) in busy_feeds(tick)


def _seconds_since_request(tick: TickState, state: quiet_period.FeedPollState) -> float:
    return tick.now - (state.imported_at or 0.0)


def _request_oldest_pending(tick: TickState, key: str, district: District, feed: Feed) -> None:
    if key in tick.paused:
        return
    numbers = pending_numbers(tick.workspace, district.id, feed.format)
    newest = (
        newest_import(tick, district.id, feed.format, "")
        if numbers or was_requested_recently(tick, tick.states.get(key))
        else None
    )
    again = _import_to_retry(tick, newest) if newest else None
    if newest and is_parked(newest) and (not numbers or not _is_archived(tick, newest)):
        add_waiting(tick, "parked", key)  # if its bytes are archived, the next upload is imported
    elif again is None and not numbers:
        return
    elif (district.id, feed.format, "") in busy_feeds(tick):
        add_waiting(tick, "running", key)
    else:  # a run that never began is requested again, under another key
        arrival = numbers[0] if again is None else None
        what = f"arrival/{arrival}" if again is None else f"again/{again}"
        name = f"{key}/{what}/{tick.now // tick.bounds.retry_seconds:.0f}"
        request = ImportRequest(district_id=district.id, source=feed.format, key=name, arrival=arrival, archived=again)
        since = tick.states[key].imported_at if key in tick.states else None
        tick.settled.append(SettledUpload(key=key, since=since or 0.0, request=request, next_state=None))


def _import_to_retry(tick: TickState, newest: dict[str, Any]) -> int | None:
    """Return the newest import if it failed, can be retried from the archive, and its retry is due before later uploads."""
    if not is_retryable(newest) or not _is_archived(tick, newest):
        return None
    ended = newest["finished_at"].timestamp()
    return None if ended <= tick.wall_now < ended + tick.bounds.retry_seconds else int(newest["import_id"])


def _is_archived(tick: TickState, row: dict[str, Any]) -> bool:
    """Return whether the upload of an import can be imported again from the archive."""
    try:
        archived_import(tick.workspace, row["district_id"], row["source"], row["import_id"])
    except (NotArchived, ArchiveError):
        return False
    return True
