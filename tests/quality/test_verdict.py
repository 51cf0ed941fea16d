"""Shares and their words."""

import pytest

from roster_etl.quality.verdict import allowed_text, is_within_tolerance, requirement_text, share_text


@pytest.mark.parametrize(
    ("judged", "failing", "mostly", "expected"),
    [
        (100, 10, 0.9, True),  # in binary fractions, 10 of 100 is more than 1 - 0.9
        (100, 11, 0.9, False),
        (100, 5, 0.95, True),
        (40, 10, 0.75, True),
        (40, 11, 0.75, False),
        (0, 0, 0.95, True),
        (0, 0, None, True),
        (10, 10, 0.0, True),
        (10, 0, 1.0, True),
        (10, 1, 1.0, False),
        (10, 1, None, False),
        (1_000_000, 1, None, False),
    ],
)
def test_a_share_is_too_much_only_above_the_tolerance(judged, failing, mostly, expected):
    assert is_within_tolerance(judged, failing, mostly) is expected


def test_a_tolerance_is_told_in_percent():
    assert requirement_text(0.95) == "at least 95 % of rows"
    assert requirement_text(None) == "every row"
    assert allowed_text(0.95) == "at most 5 % allowed"
    assert allowed_text(0.999) == "at most 0.1 % allowed"
    assert allowed_text(None) == "none may"


def test_a_small_share_is_never_told_as_none():
    assert share_text(1_000_000, 1) == "less than 0.1 %"
    assert share_text(1_000, 120) == "12.0 %"
    assert share_text(0, 0) == "0.0 %"
