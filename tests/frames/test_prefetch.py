"""One item ahead: the order, what is made when, and where errors come out."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, get_ident

import pytest

from roster_etl.frames.prefetch import prefetch


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
