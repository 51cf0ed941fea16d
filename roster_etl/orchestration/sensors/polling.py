"""Poll many landing zones within a time budget: a fair queue, and one thread per poll.

A poll cannot be cancelled from outside: one without an answer when the time is over is abandoned, and ends by its own timeouts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from roster_etl.spec.errors import LandingUnavailable
from roster_etl.store.landing.entries import Entry

Listing = tuple[Entry, ...]
_SLOW_CHECK_SECONDS = 0.1  # seconds between checks for slow polls
_START_CUTOFF = 0.8  # share of the time after which no poll is begun: it would hardly be answered


@dataclass(frozen=True, kw_only=True)
class PollBudget:
    """The limits of a round of polls. Times in seconds.

    ``seconds``: for all polls together; ``answer_timeout``: time without an answer after which a poll counts as failed;
    ``threads``: concurrent polls; ``slow_after``: a poll without an answer for this long frees its slot for another, up to
    ``max_threads`` in all; ``retry_threads``: concurrent polls of feeds whose last poll failed, in addition, up to half of
    ``max_threads``; ``max_feeds``: polled in one tick.
    """

    seconds: float = 5.0
    answer_timeout: float = 3.0
    threads: int = 16
    slow_after: float = 1.0
    max_threads: int = 32
    retry_threads: int = 4
    max_feeds: int = 2000

    @classmethod
    def for_tick(cls, seconds: float, threads: int = 16) -> PollBudget:
        """Return the default budget for a tick that polls for `seconds`, with `threads` concurrent polls."""
        return cls(
            seconds=seconds,
            answer_timeout=min(cls.answer_timeout, 0.6 * seconds),
            threads=threads,
            slow_after=min(cls.slow_after, 0.2 * seconds),
            max_threads=2 * threads,
            retry_threads=max(1, threads // 4),
        )


@dataclass(frozen=True, kw_only=True)
class PollQueue:
    """The order of polls. ``first``: cut off the last time; ``rotation``: round robin; ``retries``: failed the last time."""

    first: tuple[str, ...] = ()
    rotation: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PollResult:
    """The result of one poll, true at some time between ``started_at`` and ``ended_at`` (our own clock)."""

    outcome: Listing | Exception
    started_at: float
    ended_at: float


@dataclass(frozen=True, kw_only=True)
class PollResults:
    """The results of a round, in queue order. ``cut_off``: begun too late to be answered. Keys in neither were not begun."""

    by_key: Mapping[str, PollResult]
    cut_off: tuple[str, ...]


def build_queue(healthy: Sequence[str], failed: Mapping[str, float], position: Mapping[str, Any], limit: int) -> PollQueue:
    """Return the next queue, with at most `limit` keys each from the rotation and from the failed ones.

    Args: healthy: keys whose last poll succeeded, or that were never polled. failed: the others, with the time since they are
        due; the longest wait comes first. position: from `next_position`, so that no key is skipped, whichever are slow, new or
        removed.
    """
    there = set(healthy)
    first = [key for key in position.get("first", ()) if key in there]
    ordered = sorted(there.difference(first))
    start = next((number for number, key in enumerate(ordered) if key >= position.get("next", "")), 0)
    ring = [*ordered[start:], *ordered[:start]][:limit]
    return PollQueue(
        first=tuple(first), rotation=tuple(ring), retries=tuple(sorted(failed, key=lambda key: (failed[key], key))[:limit])
    )


def next_position(queue: PollQueue, results: PollResults, healthy: Sequence[str]) -> dict[str, Any]:
    """Return where the next round starts: with those cut off, then with the first of the rotation that was not begun."""
    begun = {*results.by_key, *results.cut_off}
    first = [key for key in queue.first if key not in results.by_key] + [key for key in queue.rotation if key in results.cut_off]
    after = next((key for key in queue.rotation if key not in begun), None)
    if after is None:
        after = min((key for key in healthy if queue.rotation and key > queue.rotation[-1]), default="")
    return {"next": after, **({"first": first} if first else {})}


def poll(
    queue: PollQueue, list_entries: Callable[[str], Listing], *, budget: PollBudget, clock: Callable[[], float]
) -> PollResults:
    """Run the polls of `queue` until all have answered or the time is over.

    Args: list_entries: lists the landing zone of a key; it may block, and raise. clock: our own clock, for `PollResult`.
    Raises: what `list_entries` raises, if it is not an `Exception`.
    """
    under_way = _Poll(
        list_entries=list_entries,
        budget=budget,
        clock=clock,
        first_attempts=deque(queue.first + queue.rotation),
        retries=deque(queue.retries),
    )
    try:
        return under_way.run()
    finally:
        under_way.pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, kw_only=True)
class _PendingPoll:
    """A poll without an answer. ``elapsed_at_start``: seconds since the round began; ``started_at``: by our own clock."""

    elapsed_at_start: float
    started_at: float
    is_retry: bool


@dataclass(kw_only=True)
class _Poll:
    """The polls of one round."""

    list_entries: Callable[[str], Listing]
    budget: PollBudget
    clock: Callable[[], float]
    first_attempts: deque[str]
    retries: deque[str]
    pending: dict[str, _PendingPoll] = field(default_factory=dict)
    results: dict[str, PollResult] = field(default_factory=dict)
    answers: SimpleQueue[tuple[str, Listing | BaseException, float]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        workers = max(self.budget.threads, self.budget.max_threads) + max(
            self.budget.retry_threads, self.budget.max_threads // 2
        )  # enough for all polls that may run at once
        self.pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="look")
        self.start = time.monotonic()
        self.order = (*self.first_attempts, *self.retries)

    def run(self) -> PollResults:
        while (left := self.budget.seconds - self._elapsed()) > 0 and (self.pending or self.first_attempts or self.retries):
            if self._elapsed() < _START_CUTOFF * self.budget.seconds:
                self._start_polls()
            elif not self.pending:
                break
            self._collect_answers(min(left, self.budget.slow_after, _SLOW_CHECK_SECONDS))
        self._collect_answers(0)
        now, at = self._elapsed(), self.clock()
        late = LandingUnavailable(where="the landing zone", problem="did not answer within the time of a tick")
        unanswered = {
            key: found for key, found in self.pending.items() if now - found.elapsed_at_start >= self.budget.answer_timeout
        }
        found = {
            **self.results,
            **{key: PollResult(outcome=late, started_at=begun.started_at, ended_at=at) for key, begun in unanswered.items()},
        }
        return PollResults(
            by_key={key: found[key] for key in self.order if key in found},
            cut_off=tuple(key for key in self.pending if key not in unanswered),
        )

    def _start_polls(self) -> None:
        self._start_kind(self.first_attempts, is_retry=False, slots=self.budget.threads, limit=self.budget.max_threads)
        self._start_kind(self.retries, is_retry=True, slots=self.budget.retry_threads, limit=self.budget.max_threads // 2)

    def _start_kind(self, queue: deque[str], *, is_retry: bool, slots: int, limit: int) -> None:
        """Start polls of one kind: up to `slots` that are not slow, and never more than `limit` in all."""
        now = self._elapsed()
        mine = [found for found in self.pending.values() if found.is_retry is is_retry]
        busy, under_way = sum(now - found.elapsed_at_start < self.budget.slow_after for found in mine), len(mine)
        while queue and busy < slots and under_way < max(slots, limit):
            self._submit(queue.popleft(), is_retry=is_retry)
            busy, under_way = busy + 1, under_way + 1

    def _submit(self, key: str, *, is_retry: bool) -> None:
        self.pending[key] = _PendingPoll(elapsed_at_start=self._elapsed(), started_at=self.clock(), is_retry=is_retry)
        self.pool.submit(self._list_and_report, key)

    def _list_and_report(self, key: str) -> None:
        try:
            found: Listing | BaseException = self.list_entries(key)
        except BaseException as error:  # noqa: BLE001 - handed on to the thread that waits
            found = error
        self.answers.put((key, found, self.clock()))

    def _collect_answers(self, timeout: float) -> None:
        """Process the available answers, waiting for the first at most `timeout` seconds."""
        try:
            answer = self.answers.get(timeout=timeout) if timeout else self.answers.get_nowait()
            while True:
                key, found, ended = answer
                if isinstance(found, BaseException) and not isinstance(found, Exception):
                    raise found
                self.results[key] = PollResult(outcome=found, started_at=self.pending.pop(key).started_at, ended_at=ended)
                answer = self.answers.get_nowait()
        except Empty:
            return

    def _elapsed(self) -> float:
        return time.monotonic() - self.start
