"""Items computed ahead, by one thread or by two: the order, what is made when, and where errors come out."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event, get_ident

import pytest

from roster_etl.frames.prefetch import prefetch, two_at_a_time

MEDIUM = 1 << 21


def test_all_items_come_in_their_order():
    assert list(prefetch(iter([3, None, 1]))) == [3, None, 1]
    assert list(prefetch([])) == []


def test_the_next_item_is_made_in_another_thread_while_the_present_one_is_used_and_no_more():
    made: list[int] = []
    second = Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(get_ident())
            if number == 1:
                second.set()
            yield number

    ahead = prefetch(items())

    assert next(ahead) == 0
    assert second.wait(10)
    ahead.close()  # type: ignore[attr-defined]
    assert len(made) == 2
    assert get_ident() not in made


def test_an_error_comes_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("second")

    ahead = prefetch(items())

    assert next(ahead) == 1
    with pytest.raises(KeyError):
        next(ahead)


def test_two_items_are_computed_at_a_time_and_come_in_their_order():
    both = Barrier(2, timeout=10)

    def slow(number: int) -> int:
        if number < 2:
            both.wait()
        return -number

    assert list(two_at_a_time(slow, iter(range(5)), largest=MEDIUM)) == [0, -1, -2, -3, -4]
    assert list(two_at_a_time(slow, [], largest=MEDIUM)) == []


def test_items_are_asked_for_in_this_thread_and_only_two_ahead_of_the_one_that_is_used():
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            asked.append(get_ident())
            yield number

    some = two_at_a_time(lambda number: (number, get_ident()), items(), largest=MEDIUM)

    number, worker = next(some)
    assert (number, len(asked)) == (0, 3)
    assert set(asked) == {get_ident()} != {worker}
    some.close()  # type: ignore[attr-defined]
    assert len(asked) == 3


@pytest.mark.parametrize("largest", [1 << 10, 1 << 40])
def test_of_a_small_or_a_large_upload_one_item_is_computed_at_a_time_in_this_thread(largest):
    asked: list[int] = []
    some = two_at_a_time(lambda number: (asked.append(number), get_ident())[1], range(3), largest=largest)

    assert next(some) == get_ident()
    assert asked == [0]


def test_the_error_of_one_of_two_items_comes_after_the_items_before_it():
    def odd(number: int) -> int:
        if number % 2:
            raise KeyError(number)
        return number

    some = two_at_a_time(odd, range(4), largest=MEDIUM)

    assert next(some) == 0
    with pytest.raises(KeyError, match="1"):
        next(some)
