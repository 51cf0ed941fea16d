"""The numbers that a report begins with."""

from __future__ import annotations

import pytest

from roster_etl.pipeline.reporting.headline_numbers import headline_tiles, share_text


def test_a_tile_has_records_before_and_after_with_the_share_that_goes() -> None:
    plan = {"users": {"current": 324, "created": 3, "updated": 5, "deleted": 158}, "terms": {"current": 3}}
    (people,) = headline_tiles({"plan": plan})

    assert (people.label, people.before, people.after) == ("People", 324, 169)
    assert people.changes == "158 removed (48.8 %), 3 new, 5 updated"


def test_without_a_plan_or_records_there_is_no_tile() -> None:
    empty = {"users": {"current": 0, "created": 0, "deleted": 0}, "sections": {"absent": 3}}

    assert headline_tiles({"plan": {}}) == headline_tiles({"plan": empty}) == []


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, ""), (0, "0 %"), (0.04, "< 0.1 %"), (48.77, "48.8 %"), (50, "50 %"), (99.97, "> 99.9 %"), (100, "100 %")],
)
def test_a_share_never_reads_as_nothing_or_all_that_is_not(share: float | None, text: str) -> None:
    assert share_text(share) == text


def test_a_tile_of_records_that_stay_says_so() -> None:
    (people,) = headline_tiles({"plan": {"users": {"current": 324, "created": 0, "updated": 0, "deleted": 0}}})

    assert (people.after, people.changes) == (324, "no change")
