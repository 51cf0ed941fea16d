"""Forms refuse to be declared in contradiction."""

from __future__ import annotations

import pytest

from roster_etl.spec import Date


def test_a_date_may_be_written_in_several_ways_that_can_be_told_apart() -> None:
    assert Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",)).patterns == ("MM/DD/YYYY", "YYYY-MM-DD")


@pytest.mark.parametrize("also", [("DD/MM/YYYY",), ("YYYY-MM",), ("YYYY-MM-DD", "MM-DD-YY")])
def test_patterns_that_fit_one_text_are_refused(also: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Date: "):
        Date(pattern="MM/DD/YYYY", also=also)
