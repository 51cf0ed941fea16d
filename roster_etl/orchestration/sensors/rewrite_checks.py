"""Decide which landing zones are read once more although their listing has not changed, and take up what that found."""

from __future__ import annotations

from dataclasses import replace

from roster_etl.orchestration.sensors.tick import REREADING, RereadFeed, RereadRequest, TickState, busy_feeds
from roster_etl.store.landing import quiet_period

MAX_FEEDS = 20  # of one run; the others follow with the next ticks, one run at a time


def forget_if_rewritten(tick: TickState, key: str, state: quiet_period.FeedPollState | None) -> quiet_period.FeedPollState | None:
    """Return the state in which the listing counts as new, if its files were found rewritten since their import."""
    if state is None or tick.rewritten.get(key) != [state.sequence, state.imported] or state.listing != state.imported:
        return state
    tick.notes.append(f"{key}: a file was rewritten since its import, with the same size and time; it is imported again")
    return replace(state, listing="", imported="", files={})


def note_quiet_feed(tick: TickState, key: str, feed_id: tuple[str, str, str]) -> None:
    """Note a (district, format, file set) with nothing new, if it was not read for as long as the settings allow."""
    state, (district_id, source, file_set) = tick.states[key], feed_id
    last = max(state.imported_at or 0.0, state.checked_at or 0.0)
    if tick.now - last >= 3600 * tick.workspace.settings.landing.reread_hours:
        feed = RereadFeed(
            key=key,
            district_id=district_id,
            source=source,
            file_set=file_set,
            listing=state.imported,
            sequence=state.sequence,
        )
        tick.to_reread.append((last, feed))


def request_rereads(tick: TickState) -> RereadRequest | None:
    """Return the request to read the landing zones that wait longest, if none is being read; their turn then counts as had."""
    if not tick.to_reread or ("", "", REREADING) in busy_feeds(tick):
        return None
    chosen = [feed for _, feed in sorted(tick.to_reread, key=lambda found: (found[0], found[1].key))[:MAX_FEEDS]]
    for feed in chosen:
        tick.states[feed.key] = replace(tick.states[feed.key], checked_at=tick.now)
    return RereadRequest(key=f"reread/{tick.now:.0f}", feeds=tuple(chosen))
