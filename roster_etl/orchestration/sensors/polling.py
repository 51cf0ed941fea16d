"""Looking at many landing zones within a budget of time: whose turn it is, and what each look found.

Belongs here: turns that are fair, and looks in threads of which none can hold up the others. What lies there is listed by the caller's
function; what follows from it is decided in ``watch``. No Dagster, no landing zone.
A look cannot be broken off from outside: one that has no answer when the time is over is left behind, and ends by its own deadlines.
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
_SLOW_CHECK_SECONDS = 0.1  # seconds after which a look that has become slow is noticed
_START_CUTOFF = 0.8  # of the time: what is begun after that would mostly be begun for nothing


@dataclass(frozen=True, kw_only=True)
class PollBudget:
    """How much is looked at, and how fast. Times in seconds.

    ``seconds``: for all looks together; ``answer_timeout``: what a look must have had before it counts as failed; ``threads``: looks at one time;
    a look that has not answered for ``slow_after`` frees its place for another, up to ``most`` in all; ``again``: looks at one time at what could
    not be looked at the last time, beside the others, up to half of ``most``; ``max_feeds``: looked at in one tick.
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
        """Return the usual pace for a tick that looks for so long, at so many landing zones at one time."""
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
    """Whose turn it is. ``first``: who was cut off the last time; ``rotation``: round and round; ``again``: those whose last look failed."""

    first: tuple[str, ...] = ()
    rotation: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PollResult:
    """What one look found. ``started_at``, ``ended_at``: by our own clock; what was found was so at some time between them."""

    outcome: Listing | Exception
    started_at: float
    ended_at: float


@dataclass(frozen=True, kw_only=True)
class PollResults:
    """What came of a turn, in its order. ``cut_off``: begun too late to be answered. Who is in neither was not begun."""

    by_key: Mapping[str, PollResult]
    cut_off: tuple[str, ...]


def build_queue(healthy: Sequence[str], failed: Mapping[str, float], position: Mapping[str, Any], limit: int) -> PollQueue:
    """Return whose turn it is, of the ring and of those that failed `most` each.

    Args: healthy: who was looked at without trouble the last time, or never. failed: the others, and since when they are due: who has
        waited longest comes first. place: where the last turn ended, by `next_position`: nobody is passed over, whoever is slow, comes or goes.
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
    """Return where the next turn begins: with those that were cut off, and then with the first of the ring that was not begun."""
    begun = {*results.by_key, *results.cut_off}
    first = [key for key in queue.first if key not in results.by_key] + [key for key in queue.rotation if key in results.cut_off]
    after = next((key for key in queue.rotation if key not in begun), None)
    if after is None:
        after = min((key for key in healthy if queue.rotation and key > queue.rotation[-1]), default="")
    return {"next": after, **({"first": first} if first else {})}


def poll(
    queue: PollQueue, list_entries: Callable[[str], Listing], *, budget: PollBudget, clock: Callable[[], float]
) -> PollResults:
    """Look at everyone whose turn it is, as far as the time goes; it returns when that is over, or all have answered.

    Args: look: lists what lies at a key; it may take as long as it likes, and raise. clock: our own clock, for `PollResult`.
    Raises: what is no `Exception`.
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
    """A look without an answer. ``elapsed_at_start``: seconds since the turn began; ``started_at``: the same by our own clock."""

    elapsed_at_start: float
    started_at: float
    is_retry: bool


@dataclass(kw_only=True)
class _Poll:
    """The looks of one turn."""

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
        )  # each look has one at once
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
        """Begin looks of one kind: so many at a time, those that have become slow not counted, and never more than `most`."""
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
        """Take in the answers that are there, and wait for one at most so long."""
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
