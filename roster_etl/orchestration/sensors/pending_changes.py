"""Decide about uploads of delta formats, which are archived at once and applied in order.

Belongs here: archiving settled uploads, and requesting the oldest pending one. Does not belong here: full snapshots
(``import_requests``).
"""

from __future__ import annotations

import time
from typing import Any

from roster_etl.orchestration.sensors.polling import PollResult
from roster_etl.orchestration.sensors.tick import (
    ImportRequest,
    _add_waiting,
    _busy_feeds,
    _newest_import,
    _SettledUpload,
    _TickState,
    _was_requested_recently,
    settle_rules,
)
from roster_etl.pipeline.lifecycle.retry_policy import is_retryable
from roster_etl.pipeline.reporting.import_summary import is_parked
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.uploads.file_selection import awaited, file_selection
from roster_etl.pipeline.uploads.pending_uploads import archive_settled_upload, pending_numbers
from roster_etl.spec.errors import ArchiveError, RosterError
from roster_etl.store.landing import quiet_period
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor


def _decide_delta(tick: _TickState, key: str, district: District, feed: Feed, result: PollResult) -> None:
    """Archive a settled delta upload, and request the import of the oldest pending one: every delta counts, in order.

    Raises: the landing zone's error, after the pending uploads have been handled.
    """
    problem = result.outcome if isinstance(result.outcome, Exception) else None
    if not isinstance(result.outcome, Exception):
        rules, listing = settle_rules(feed), awaited(file_selection(vendor(feed.format).format)("folder", result.outcome))
        state, decision = quiet_period.evaluate_listing(
            tick.states.get(key), listing, result.ended_at, rules, listing_started_at=result.started_at
        )
        tick.states[key] = state
        if decision.import_now and time.monotonic() >= tick.archive_deadline:
            _add_waiting(tick, "next_tick", key)
        elif decision.import_now:
            try:
                archive_settled_upload(tick.workspace, district.id, feed)
                tick.states[key] = quiet_period.state_after_import(state, listing, tick.now, rules)
            except RosterError as error:
                problem = error
        elif key not in tick.paused:
            _add_waiting(tick, decision.reason, key)
    _request_oldest_pending(tick, key, district, feed)
    if problem is not None:
        raise problem


def _request_oldest_pending(tick: _TickState, key: str, district: District, feed: Feed) -> None:
    if key in tick.paused:
        return
    numbers = pending_numbers(tick.workspace, district.id, feed.format)
    newest = (
        _newest_import(tick, district.id, feed.format, "")
        if numbers or _was_requested_recently(tick, tick.states.get(key))
        else None
    )
    again = _import_to_retry(tick, newest) if newest else None
    if newest and is_parked(newest) and (not numbers or not _is_archived(tick, newest)):
        _add_waiting(tick, "parked", key)  # if its bytes are archived, the next upload is imported
    elif again is None and not numbers:
        return
    elif (district.id, feed.format, "") in _busy_feeds(tick):
        _add_waiting(tick, "running", key)
    else:  # a run that never began is requested again, under another key
        arrival = numbers[0] if again is None else None
        what = f"arrival/{arrival}" if again is None else f"again/{again}"
        name = f"{key}/{what}/{tick.now // tick.bounds.retry_seconds:.0f}"
        request = ImportRequest(district_id=district.id, source=feed.format, key=name, arrival=arrival, archived=again)
        since = tick.states[key].imported_at if key in tick.states else None
        tick.settled.append(_SettledUpload(key=key, since=since or 0.0, request=request, next_state=None))


def _import_to_retry(tick: _TickState, newest: dict[str, Any]) -> int | None:
    """Return the newest import if it failed, can be retried from the archive, and its retry is due before later uploads."""
    if not is_retryable(newest) or not _is_archived(tick, newest):
        return None
    ended = newest["finished_at"].timestamp()
    return None if ended <= tick.now < ended + tick.bounds.retry_seconds else int(newest["import_id"])


def _is_archived(tick: _TickState, row: dict[str, Any]) -> bool:
    """Return whether the upload of an import can be imported again from the archive."""
    try:
        archived_import(tick.workspace, row["district_id"], row["source"], row["import_id"])
    except (NotArchived, ArchiveError):
        return False
    return True
