"""What the functions that are put together return."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from roster_etl.mapping.columns import derived_id, joined
from roster_etl.mapping.compound import begins_us, ends_us, if_first, with_us_days
from roster_etl.mapping.frames import arrow, text


def _list(values: pd.Series) -> list[object]:
    return arrow(values).to_pylist()


def test_a_first_day_begins_and_a_last_day_ends_in_the_districts_zone() -> None:
    days = text(["8/19/2024", "02/30/2024", None])

    assert _list(begins_us(days, "America/Chicago")) == [datetime(2024, 8, 19, 5, tzinfo=UTC), None, None]
    assert _list(ends_us(days, "America/Chicago")) == [datetime(2024, 8, 20, 5, tzinfo=UTC), None, None]


def test_nothing_is_made_where_the_first_column_is_empty() -> None:
    name = if_first(joined(" - "))

    assert _list(name(text(["Art", None, "Art"]), text(["Reed", "Reed", None]))) == ["Art - Reed", None, "Art"]


def test_days_count_however_they_are_written() -> None:
    term = with_us_days(derived_id("term"))
    ids = _list(term(text(["S1"] * 4), text(["8/19/2024", "08/19/2024", "8/20/2024", None]), text(["12/1/2024"] * 4)))

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert _list(term(text([None, None]), text([None, "13/1/2024"]), text([None, None]))) == [None, None]
