"""What the functions that are put together return."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from roster_etl.frames.arrow import text_series, to_chunked_array
from roster_etl.mapping.combinators import (
    day_end,
    day_start,
    if_first_given,
    looked_up,
    of_dates,
    or_else,
    unless_same_lookup,
    us_day_end,
    us_day_start,
    with_constants,
    with_us_dates,
)
from roster_etl.mapping.value_functions import derived_id, joined


def _list(values: pd.Series) -> list[object]:
    return to_chunked_array(values).to_pylist()


def test_a_first_day_begins_and_a_last_day_ends_in_the_districts_zone() -> None:
    days = text_series(["8/19/2024", "02/30/2024", None])

    assert _list(us_day_start(days, "America/Chicago")) == [datetime(2024, 8, 19, 5, tzinfo=UTC), None, None]
    assert _list(us_day_end(days, "America/Chicago")) == [datetime(2024, 8, 20, 5, tzinfo=UTC), None, None]


def test_days_in_either_notation_begin_and_end_in_the_districts_zone() -> None:
    days = text_series(["8/19/2024", "2024-08-19", "19.8.2024"])

    assert _list(day_start(days, "America/Chicago")) == [datetime(2024, 8, 19, 5, tzinfo=UTC)] * 2 + [None]
    assert _list(day_end(days, "America/Chicago")) == [datetime(2024, 8, 20, 5, tzinfo=UTC)] * 2 + [None]


def test_an_id_of_days_is_that_of_the_same_days_without_a_name() -> None:
    nameless = with_us_dates(derived_id("term"))(text_series([None]), text_series(["8/19/2024"]), text_series(["12/1/2024"]))
    ids = _list(
        of_dates(derived_id("term"))(
            text_series(["2024-08-19", "08/19/2024", None]), text_series(["12/1/2024", "2024-12-01", None])
        )
    )

    assert ids == [*_list(nameless) * 2, None]


def test_nothing_is_made_where_the_first_column_is_empty() -> None:
    name = if_first_given(joined(" - "))

    assert _list(name(text_series(["Art", None, "Art"]), text_series(["Reed", "Reed", None]))) == ["Art - Reed", None, "Art"]


def test_what_is_given_counts_else_what_is_made_of_the_others() -> None:
    course = or_else(joined("/"))

    assert _list(course(text_series(["1", None, None]), text_series(["a", "b", None]), text_series(["c", "d", None]))) == [
        "1",
        "b/d",
        None,
    ]


def test_fixed_texts_follow_the_columns() -> None:
    kind = with_constants(derived_id("contact"), "", "Primary")
    written = derived_id("contact")(text_series(["Ana"]), text_series([""]), text_series(["Primary"]))

    assert _list(kind(text_series(["Ana"]))) == _list(written)
    assert _list(kind(text_series([None])))[0] is not None


def test_a_name_is_looked_up_without_regard_to_case() -> None:
    table = {"Lincoln High": "10", " Field House ": "a1"}

    assert _list(looked_up(text_series([" LINCOLN high ", "field house", "nowhere", None]), table)) == ["10", "a1", None, None]
    assert _list(looked_up(text_series(["x", None]), {})) == [None, None]


def test_nothing_is_merged_with_itself() -> None:
    names, table = text_series(["Annex", "Lincoln", "Unknown", "Annex"]), {"Annex": "11", "Lincoln": "10"}

    assert _list(unless_same_lookup(text_series(["10", "10", "10", None]), names, table)) == ["10", None, "10", None]


def test_days_count_however_they_are_written() -> None:
    term = with_us_dates(derived_id("term"))
    ids = _list(
        term(text_series(["S1"] * 4), text_series(["8/19/2024", "08/19/2024", "8/20/2024", None]), text_series(["12/1/2024"] * 4))
    )

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert _list(term(text_series([None, None]), text_series([None, "13/1/2024"]), text_series([None, None]))) == [None, None]
