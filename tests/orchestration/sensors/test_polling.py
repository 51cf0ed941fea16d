"""Looks within a budget of time: fair turns, and what one that hangs costs the others."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from roster_etl.orchestration.sensors.polling import Listing, PollBudget, PollQueue, PollResults, build_queue, next_position, poll
from roster_etl.spec.errors import LandingUnavailable
from roster_etl.store.landing import quiet_period
from roster_etl.store.landing.entries import Entry
from roster_etl.store.settings import LandingSettings

NOON = 1_800_000_000.0


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What a look at a silent server waits for, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def looked(turn: PollQueue, look: Callable[[str], Any], **pace: float) -> PollResults:
    return poll(turn, look, budget=PollBudget(**pace), clock=lambda: NOON)  # type: ignore[arg-type]


def keys(count: int) -> list[str]:
    return [f"d{number:03}/clever" for number in range(count)]


class Round:
    """Ticks of which each gets to `most` feeds; the poll of `slow` is cut off in the tick that names it."""

    def __init__(self, most: int) -> None:
        self.most, self.place, self.seen = most, dict[str, Any](), list[list[str]]()

    def tick(self, healthy: list[str], slow: str = "") -> list[str]:
        turn = build_queue(healthy, {}, self.place, 2000)
        order = (turn.first + turn.rotation)[: self.most]
        found = [key for key in order if key != slow or key in turn.first]
        done = looked(PollQueue(rotation=tuple(found)), lambda _: ())
        looks = PollResults(by_key=done.by_key, cut_off=tuple(key for key in order if key not in found))
        self.place = next_position(turn, looks, healthy)
        self.seen.append(found)
        return found


# ── turns ──


@pytest.mark.parametrize(("count", "most"), [(1, 1), (7, 3), (10, 5), (100, 16), (5, 100)])
def test_everyone_is_looked_at_within_as_many_ticks_as_it_takes(count: int, most: int):
    ticks, everyone = Round(most), keys(count)
    for _ in range(math.ceil(count / most)):
        ticks.tick(everyone)

    assert {key for seen in ticks.seen for key in seen} == set(everyone)


def test_from_one_look_to_the_next_nobody_waits_longer_than_a_round():
    ticks, everyone = Round(16), keys(100)
    for _ in range(40):
        ticks.tick(everyone)

    for key in everyone:
        when = [number for number, seen in enumerate(ticks.seen) if key in seen]
        assert max(later - earlier for earlier, later in itertools.pairwise(when)) <= math.ceil(100 / 16)


def test_who_was_cut_off_comes_first_and_the_others_go_on_where_they_were():
    ticks, everyone = Round(3), keys(9)

    assert ticks.tick(everyone, slow="d001/clever") == ["d000/clever", "d002/clever"]
    assert ticks.tick(everyone) == ["d001/clever", "d003/clever", "d004/clever"]
    assert ticks.tick(everyone)[0] == "d005/clever"


def test_one_that_is_cut_off_again_and_again_makes_nobody_wait():
    ticks, everyone = Round(3), keys(9)
    turns = [ticks.tick(everyone, slow="d001/clever") for _ in range(8)]

    assert {key for seen in turns[:4] for key in seen} == set(everyone)


def test_turns_go_on_when_feeds_come_and_go():
    ticks = Round(2)
    ticks.tick(["a", "b", "c", "d"])

    assert ticks.tick(["a", "b", "bb", "d"]) == ["d", "a"]


def test_those_that_failed_have_a_turn_of_their_own_who_has_waited_longest_first():
    turn = build_queue(["a", "b"], {"c": 7.0, "d": 3.0, "e": 5.0}, {"next": "b"}, 2)

    assert (turn.rotation, turn.retries) == (("b", "a"), ("d", "e"))


def test_who_was_cut_off_and_not_begun_again_keeps_its_place_at_the_front():
    turn = PollQueue(first=("x", "y"), rotation=("a", "b"))

    assert next_position(turn, PollResults(by_key={}, cut_off=("x",)), ["a", "b", "x", "y"]) == {"next": "a", "first": ["x", "y"]}


# ── the budget ──


def test_silent_servers_cost_no_more_than_the_time_of_a_tick(never: threading.Event):
    begun = time.monotonic()
    looks = looked(
        PollQueue(rotation=tuple(keys(40))),
        lambda _: never.wait(30),
        seconds=0.2,
        answer_timeout=0.1,
        slow_after=0.02,
        threads=4,
        max_threads=8,
    )

    assert time.monotonic() - begun < 2
    assert 4 <= len(looks.by_key) <= 8
    assert all(isinstance(look.outcome, LandingUnavailable) for look in looks.by_key.values())


def test_a_turn_of_which_all_have_answered_does_not_use_up_its_time():
    begun = time.monotonic()
    looks = looked(PollQueue(rotation=tuple(keys(50)), retries=("x",)), lambda _: (), seconds=30)

    assert time.monotonic() - begun < 5
    assert list(looks.by_key) == [*keys(50), "x"]


def test_silent_servers_free_their_places_for_others(never: threading.Event):
    silent, answering = keys(4), ["x", "y", "z"]
    looks = looked(
        PollQueue(rotation=(*silent, *answering)),
        lambda key: never.wait(30) and () if key in silent else (),
        seconds=0.5,
        answer_timeout=0.3,
        slow_after=0.02,
        threads=2,
        max_threads=6,
    )

    assert [looks.by_key[key].outcome for key in answering] == [(), (), ()]


def test_retries_that_hang_leave_the_places_of_the_others_alone(never: threading.Event):
    looks = looked(
        PollQueue(rotation=tuple(keys(30)), retries=tuple("abcdef")),
        lambda key: never.wait(30) and () if key in "abcdef" else (),
        seconds=0.2,
        answer_timeout=0.1,
        retry_threads=2,
        threads=1,
        max_threads=1,
    )

    assert set(looks.by_key) == {*keys(30), "a", "b"}


def test_a_retry_that_hangs_frees_its_place_for_another_one(never: threading.Event):
    looks = looked(
        PollQueue(retries=("a", "b", "c", "x")),
        lambda key: () if key == "x" else never.wait(30),
        seconds=0.5,
        answer_timeout=0.3,
        slow_after=0.02,
        retry_threads=1,
        max_threads=8,
    )

    assert looks.by_key["x"].outcome == ()


def test_looks_of_which_no_more_fit_in_are_not_begun(never: threading.Event):
    begun = []
    looks = looked(
        PollQueue(rotation=tuple(keys(5))),
        lambda key: (begun.append(key), never.wait(30)),
        seconds=0.2,
        answer_timeout=1,
        threads=2,
        max_threads=2,
    )

    assert (begun, looks.cut_off, looks.by_key) == (keys(2), tuple(keys(2)), {})


def test_an_error_of_one_is_its_own():
    looks = looked(PollQueue(rotation=("a", "b")), lambda key: {"b": ()}[key])

    assert (type(looks.by_key["a"].outcome), looks.by_key["b"].outcome) == (KeyError, ())


def test_what_is_no_error_ends_the_tick():
    def interrupted(key: str) -> Listing:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        looked(PollQueue(rotation=("a",)), interrupted)


@pytest.mark.parametrize(("seconds", "answer"), [(5, 3), (20, 3), (1, 0.6)])
def test_a_short_tick_asks_for_faster_answers(seconds: float, answer: float):
    pace = PollBudget.for_tick(seconds)

    assert (pace.seconds, pace.answer_timeout) == (seconds, pytest.approx(answer))
    assert pace.slow_after < pace.answer_timeout < pace.seconds


def test_the_usual_pace_is_that_of_the_settings():
    assert PollBudget.for_tick(LandingSettings().tick_seconds, LandingSettings().tick_looks) == PollBudget()


# ── what is looked at seldom ──


@pytest.mark.parametrize("every", [1, 2, 3, 7, 20])
def test_nothing_settles_before_it_stood_still_for_the_quiet_period_however_seldom_it_is_looked_at(every: int):
    """Ticks of 30 s; looks take 4 s; the upload changes for the last time at second 100."""
    state, rules = None, quiet_period.QuietPeriodRules(quiet_period=300)
    for tick in range(0, 200, every):
        begun = NOON + 30.0 * tick
        ended = begun + 4
        listing = (Entry(name="a.csv", size=2 if ended - NOON > 100 else 1, mtime=1.0, regular=True),)
        state, decision = quiet_period.evaluate_listing(state, listing, ended, rules, listing_started_at=begun)
        if decision.import_now:
            break

    seen_first = next(30 * tick + 4 for tick in range(0, 200, every) if 30 * tick + 4 > 100)
    assert begun - NOON >= seen_first + 300
    assert begun - NOON < seen_first + 300 + 30 * every + 4


def test_a_look_that_took_long_proves_no_standing_still():
    rules = quiet_period.QuietPeriodRules(quiet_period=300)
    listing = (Entry(name="a.csv", size=1, mtime=1.0, regular=True),)
    state, _ = quiet_period.evaluate_listing(None, listing, NOON + 5, rules, listing_started_at=NOON)

    assert quiet_period.evaluate_listing(state, listing, NOON + 306, rules, listing_started_at=NOON + 304)[1].reason == "quiet"
    assert quiet_period.evaluate_listing(state, listing, NOON + 306, rules, listing_started_at=NOON + 305)[1].reason == "settled"


def test_without_a_quiet_period_the_first_look_is_enough():
    listing = (Entry(name="a.csv", size=1, mtime=1.0, regular=True),)

    assert (
        quiet_period.evaluate_listing(
            None, listing, NOON + 5, quiet_period.QuietPeriodRules(quiet_period=0), listing_started_at=NOON
        )[1].reason
        == "settled"
    )
