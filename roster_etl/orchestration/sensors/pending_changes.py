"""Decide what the landing sensor does with uploads of a delta format, which are archived and applied in order."""

from __future__ import annotations

import time
from typing import Any

from roster_etl.orchestration.sensors.polling import Look
from roster_etl.orchestration.sensors.tick import Request, _busy, _is_of_late, _newest, _Settled, _wait, _Watch, rules_of
from roster_etl.pipeline.lifecycle.retry_policy import may_be_tried_again
from roster_etl.pipeline.reporting.import_summary import is_parked
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.uploads.pending_uploads import take_in, waiting
from roster_etl.spec.errors import ArchiveError, RosterError
from roster_etl.store.landing import quiet_period
from roster_etl.store.registry.district import District, Feed


def _decide_changes(tick: _Watch, key: str, district: District, feed: Feed, look: Look) -> None:
    """Take in what has settled, and ask for the import of the upload that waits longest: of changes, every upload counts.

    Raises: what went wrong with the landing zone, once the uploads that wait have had their turn.
    """
    problem = look.found if isinstance(look.found, Exception) else None
    if not isinstance(look.found, Exception):
        rules, listing = rules_of(feed), look.found
        state, decision = quiet_period.settle(tick.states.get(key), listing, look.ended, rules, begun=look.begun)
        tick.states[key] = state
        if decision.import_now and time.monotonic() >= tick.take_in_until:
            _wait(tick, "next_tick", key)
        elif decision.import_now:
            try:
                take_in(tick.workspace, district.id, feed)
                tick.states[key] = quiet_period.imported(state, listing, tick.now, rules)
            except RosterError as error:
                problem = error
        elif key not in tick.paused:
            _wait(tick, decision.reason, key)
    _ask_for_the_first(tick, key, district, feed)
    if problem is not None:
        raise problem


def _ask_for_the_first(tick: _Watch, key: str, district: District, feed: Feed) -> None:
    if key in tick.paused:
        return
    numbers = waiting(tick.workspace, district.id, feed.format)
    newest = _newest(tick, district.id, feed.format, "") if numbers or _is_of_late(tick, tick.states.get(key)) else None
    again = _left_behind(tick, newest) if newest else None
    if newest and is_parked(newest) and (not numbers or not _is_archived(tick, newest)):
        _wait(tick, "parked", key)  # where its bytes are archived, a newer upload has its turn
    elif again is None and not numbers:
        return
    elif (district.id, feed.format, "") in _busy(tick):
        _wait(tick, "running", key)
    else:  # a run that never began is asked for again, under another name
        arrival = numbers[0] if again is None else None
        what = f"arrival/{arrival}" if again is None else f"again/{again}"
        name = f"{key}/{what}/{tick.now // tick.bounds.again_seconds:.0f}"
        request = Request(district_id=district.id, source=feed.format, key=name, arrival=arrival, archived=again)
        since = tick.states[key].imported_at if key in tick.states else None
        tick.settled.append(_Settled(key=key, since=since or 0.0, request=request, after=None))


def _left_behind(tick: _Watch, newest: dict[str, Any]) -> int | None:
    """Return the newest import if it took an upload over, failed, and is to be tried again before a later upload has its turn."""
    if not may_be_tried_again(newest) or not _is_archived(tick, newest):
        return None
    ended = newest["finished_at"].timestamp()
    return None if ended <= tick.now < ended + tick.bounds.again_seconds else int(newest["import_id"])


def _is_archived(tick: _Watch, row: dict[str, Any]) -> bool:
    """Return whether the upload of an import can be run again from the archive."""
    try:
        archived_import(tick.workspace, row["district_id"], row["source"], row["import_id"])
    except (NotArchived, ArchiveError):
        return False
    return True
