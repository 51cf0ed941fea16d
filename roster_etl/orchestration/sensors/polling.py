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
_GLANCE = 0.1  # seconds after which a look that has become slow is noticed
_LAST = 0.8  # of the time: what is begun after that would mostly be begun for nothing


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much is looked at, and how fast. Times in seconds.

    ``seconds``: for all looks together; ``answer``: what a look must have had before it counts as failed; ``threads``: looks at one time;
    a look that has not answered for ``slow`` frees its place for another, up to ``most`` in all; ``again``: looks at one time at what could
    not be looked at the last time, beside the others, up to half of ``most``; ``feeds``: looked at in one tick.
    """

    seconds: float = 5.0
    answer: float = 3.0
    threads: int = 16
    slow: float = 1.0
    most: int = 32
    again: int = 4
    feeds: int = 2000

    @classmethod
    def within(cls, seconds: float, looks: int = 16) -> Pace:
        """Return the usual pace for a tick that looks for so long, at so many landing zones at one time."""
        return cls(
            seconds=seconds,
            answer=min(cls.answer, 0.6 * seconds),
            threads=looks,
            slow=min(cls.slow, 0.2 * seconds),
            most=2 * looks,
            again=max(1, looks // 4),
        )


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Whose turn it is. ``first``: who was cut off the last time; ``ring``: round and round; ``again``: those whose last look failed."""

    first: tuple[str, ...] = ()
    ring: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look found. ``begun``, ``ended``: by our own clock; what was found was so at some time between them."""

    found: Listing | Exception
    begun: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What came of a turn, in its order. ``cut_off``: begun too late to be answered. Who is in neither was not begun."""

    by_key: Mapping[str, Look]
    cut_off: tuple[str, ...]


def turn_of(healthy: Sequence[str], failed: Mapping[str, float], place: Mapping[str, Any], most: int) -> Turn:
    """Return whose turn it is, of the ring and of those that failed `most` each.

    Args: healthy: who was looked at without trouble the last time, or never. failed: the others, and since when they are due: who has
        waited longest comes first. place: where the last turn ended, by `place_after`: nobody is passed over, whoever is slow, comes or goes.
    """
    there = set(healthy)
    first = [key for key in place.get("first", ()) if key in there]
    ordered = sorted(there.difference(first))
    start = next((number for number, key in enumerate(ordered) if key >= place.get("next", "")), 0)
    ring = [*ordered[start:], *ordered[:start]][:most]
    return Turn(first=tuple(first), ring=tuple(ring), again=tuple(sorted(failed, key=lambda key: (failed[key], key))[:most]))


def place_after(turn: Turn, looks: Looks, healthy: Sequence[str]) -> dict[str, Any]:
    """Return where the next turn begins: with those that were cut off, and then with the first of the ring that was not begun."""
    begun = {*looks.by_key, *looks.cut_off}
    first = [key for key in turn.first if key not in looks.by_key] + [key for key in turn.ring if key in looks.cut_off]
    after = next((key for key in turn.ring if key not in begun), None)
    if after is None:
        after = min((key for key in healthy if turn.ring and key > turn.ring[-1]), default="")
    return {"next": after, **({"first": first} if first else {})}


def look_at(turn: Turn, look: Callable[[str], Listing], *, pace: Pace, clock: Callable[[], float]) -> Looks:
    """Look at everyone whose turn it is, as far as the time goes; it returns when that is over, or all have answered.

    Args: look: lists what lies at a key; it may take as long as it likes, and raise. clock: our own clock, for `Look`.
    Raises: what is no `Exception`.
    """
    under_way = _UnderWay(look=look, pace=pace, clock=clock, fresh=deque(turn.first + turn.ring), again=deque(turn.again))
    try:
        return under_way.until_the_end()
    finally:
        under_way.pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A look without an answer. ``began``: seconds since the turn began; ``at``: the same by our own clock."""

    began: float
    at: float
    again: bool


@dataclass(kw_only=True)
class _UnderWay:
    """The looks of one turn."""

    look: Callable[[str], Listing]
    pace: Pace
    clock: Callable[[], float]
    fresh: deque[str]
    again: deque[str]
    open: dict[str, _Open] = field(default_factory=dict)
    seen: dict[str, Look] = field(default_factory=dict)
    answers: SimpleQueue[tuple[str, Listing | BaseException, float]] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        workers = max(self.pace.threads, self.pace.most) + max(self.pace.again, self.pace.most // 2)  # each look has one at once
        self.pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="look")
        self.start = time.monotonic()
        self.order = (*self.fresh, *self.again)

    def until_the_end(self) -> Looks:
        while (left := self.pace.seconds - self._elapsed()) > 0 and (self.open or self.fresh or self.again):
            if self._elapsed() < _LAST * self.pace.seconds:
                self._begin()
            elif not self.open:
                break
            self._take_in(min(left, self.pace.slow, _GLANCE))
        self._take_in(0)
        now, at = self._elapsed(), self.clock()
        late = LandingUnavailable(where="the landing zone", problem="did not answer within the time of a tick")
        unanswered = {key: found for key, found in self.open.items() if now - found.began >= self.pace.answer}
        found = {**self.seen, **{key: Look(found=late, begun=begun.at, ended=at) for key, begun in unanswered.items()}}
        return Looks(
            by_key={key: found[key] for key in self.order if key in found},
            cut_off=tuple(key for key in self.open if key not in unanswered),
        )

    def _begin(self) -> None:
        self._fill(self.fresh, again=False, places=self.pace.threads, most=self.pace.most)
        self._fill(self.again, again=True, places=self.pace.again, most=self.pace.most // 2)

    def _fill(self, waiting: deque[str], *, again: bool, places: int, most: int) -> None:
        """Begin looks of one kind: so many at a time, those that have become slow not counted, and never more than `most`."""
        now = self._elapsed()
        mine = [found for found in self.open.values() if found.again is again]
        busy, under_way = sum(now - found.began < self.pace.slow for found in mine), len(mine)
        while waiting and busy < places and under_way < max(places, most):
            self._submit(waiting.popleft(), again=again)
            busy, under_way = busy + 1, under_way + 1

    def _submit(self, key: str, *, again: bool) -> None:
        self.open[key] = _Open(began=self._elapsed(), at=self.clock(), again=again)
        self.pool.submit(self._answer, key)

    def _answer(self, key: str) -> None:
        try:
            found: Listing | BaseException = self.look(key)
        except BaseException as error:  # noqa: BLE001 - handed on to the thread that waits
            found = error
        self.answers.put((key, found, self.clock()))

    def _take_in(self, wait: float) -> None:
        """Take in the answers that are there, and wait for one at most so long."""
        try:
            answer = self.answers.get(timeout=wait) if wait else self.answers.get_nowait()
            while True:
                key, found, ended = answer
                if isinstance(found, BaseException) and not isinstance(found, Exception):
                    raise found
                self.seen[key] = Look(found=found, begun=self.open.pop(key).at, ended=ended)
                answer = self.answers.get_nowait()
        except Empty:
            return

    def _elapsed(self) -> float:
        return time.monotonic() - self.start
