"""When an upload has settled: computed from listings and a clock of ours, without I/O.

Sizes and times of files alone prove nothing, so a listing must stay unchanged for the quiet period by a clock that never leaps. Only
the last imported listing counts as known (A → B → A is three uploads).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from roster_etl.store.landing.entries import Entry

BACKOFF_FIRST = 60.0  # seconds after the first error; doubled for each further one
BACKOFF_MAX = 6 * 3600.0

Reason = Literal["settled", "empty", "nothing_new", "quiet", "missing_files", "stragglers", "min_interval", "backoff"]


@dataclass(frozen=True, kw_only=True)
class QuietPeriodRules:
    """The waiting times of a feed, in seconds; ``required``: names of required files, case-insensitive."""

    quiet_period: float = 300.0
    straggler_wait: float = 1800.0
    min_interval: float = 3600.0
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class FeedPollState:
    """A feed's state between polls. Times are seconds of a clock that never leaps; fingerprints are short hashes of listings.

    ``listing``, ``since``: the last listing, and when it was first seen. ``imported``, ``files``, ``imported_at``: listing,
    required files and time of the last import. ``sequence``: number of imports requested. ``answered``: the ledger has the result
    of the last of them, so it need not be queried again. ``newest_before``: the newest import in the ledger when it was requested.
    ``archiving``, ``attempts``: in a delta format, the request to archive the upload that is not fulfilled yet, and how often it
    was made. ``checked_at``: when its content was last compared although the listing had not changed.
    """

    listing: str = ""
    since: float = 0.0
    imported: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    imported_at: float | None = None
    sequence: int = 0
    answered: bool = False
    newest_before: int | None = None
    archiving: str = ""
    attempts: int = 0
    checked_at: float | None = None
    failures: int = 0
    next_try: float = 0.0


@dataclass(frozen=True, kw_only=True)
class QuietPeriodDecision:
    """Whether to import now, or to wait and why.

    ``until``: earliest time of the next poll, where known. ``missing``: required files that are absent. ``stale``: required files
    that are older than the rest, by their names in the upload.
    """

    reason: Reason
    until: float | None = None
    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def import_now(self) -> bool:
        """Return whether to import the upload now."""
        return self.reason == "settled"


def evaluate_listing(
    state: FeedPollState | None,
    listing: Iterable[Entry],
    now: float,
    rules: QuietPeriodRules,
    *,
    listing_started_at: float | None = None,
) -> tuple[FeedPollState, QuietPeriodDecision]:
    """Update the state with a new listing, and decide whether to import.

    The caller calls `backoff_decision` first, and `state_after_import` or `state_after_failure` afterwards.

    Args: now: when the listing was complete; listing_started_at: when it was begun, if earlier. The listing was true at some time
        between the two. So a changed listing counts from `now`, and an unchanged one is known to have lasted only until
        `listing_started_at`.
    """
    entries = [entry for entry in listing if entry.regular]
    seen = _state_after_listing(state or FeedPollState(), fingerprint(entries), now)
    return seen, _decide(seen, entries, max(seen.since, now if listing_started_at is None else listing_started_at), rules)


def backoff_decision(state: FeedPollState | None, now: float) -> QuietPeriodDecision | None:
    """Return None if the landing zone may be polled, else the decision to wait (backing off after errors)."""
    if state is not None and state.failures and now < state.next_try <= now + BACKOFF_MAX:
        return QuietPeriodDecision(reason="backoff", until=state.next_try)
    return None


def state_after_import(state: FeedPollState, listing: Iterable[Entry], now: float, rules: QuietPeriodRules) -> FeedPollState:
    """Return the state after an import of `listing` was requested."""
    entries = [entry for entry in listing if entry.regular]
    files = {name: fingerprint([entry]) for name, entry in _required(entries, rules).items()}
    return replace(
        state, imported=fingerprint(entries), files=files, imported_at=now, sequence=state.sequence + 1, answered=False
    )


def state_after_failure(state: FeedPollState | None, now: float) -> FeedPollState:
    """Return the state after a landing-zone error: the wait doubles with each, up to BACKOFF_MAX."""
    state = state or FeedPollState()
    wait = min(BACKOFF_FIRST * 2 ** min(state.failures, 16), BACKOFF_MAX)
    return replace(state, failures=state.failures + 1, next_try=now + wait)


def fingerprint(entries: Iterable[Entry]) -> str:
    """Return a short hash of the names, sizes and times of `entries`, independent of their order."""
    lines = sorted(f"{entry.address}\x00{entry.size}\x00{entry.mtime!r}" for entry in entries)
    return hashlib.sha256("\x01".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def dump_state(state: FeedPollState) -> dict[str, Any]:
    """Return `state` as compact JSON-compatible values; fields with their default are omitted."""
    empty = FeedPollState()
    values = {f.name: getattr(state, f.name) for f in fields(state) if getattr(state, f.name) != getattr(empty, f.name)}
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in values.items()}


def load_state(values: Mapping[str, Any]) -> FeedPollState:
    """Return the state that `dump_state` wrote. Raises TypeError for unknown keys."""
    return FeedPollState(**values)


def _state_after_listing(state: FeedPollState, listing: str, now: float) -> FeedPollState:
    same = state.listing == listing and state.since <= now  # a clock that was set back restarts the quiet period
    return replace(state, listing=listing, since=state.since if same else now, failures=0, next_try=0.0)


def _decide(state: FeedPollState, entries: list[Entry], now: float, rules: QuietPeriodRules) -> QuietPeriodDecision:
    if not entries:
        return QuietPeriodDecision(reason="empty")
    if state.listing == state.imported:
        return QuietPeriodDecision(reason="nothing_new")
    if now < state.since + rules.quiet_period:
        return QuietPeriodDecision(reason="quiet", until=state.since + rules.quiet_period)
    there = _required(entries, rules)
    if missing := tuple(sorted(name for name in rules.required if name.casefold() not in there)):
        return QuietPeriodDecision(reason="missing_files", missing=missing)
    stale = tuple(sorted(entry.name for name, entry in there.items() if state.files.get(name) == fingerprint([entry])))
    if stale and now < state.since + rules.straggler_wait:
        return QuietPeriodDecision(reason="stragglers", until=state.since + rules.straggler_wait, stale=stale)
    if state.imported_at is not None and state.imported_at <= now < state.imported_at + rules.min_interval:
        return QuietPeriodDecision(reason="min_interval", until=state.imported_at + rules.min_interval, stale=stale)
    return QuietPeriodDecision(reason="settled", stale=stale)


def _required(entries: list[Entry], rules: QuietPeriodRules) -> dict[str, Entry]:
    wanted = {name.casefold() for name in rules.required}
    return {entry.name.casefold(): entry for entry in entries if entry.name.casefold() in wanted}
