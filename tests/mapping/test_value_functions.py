"""What the value functions return."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256

import pandas as pd
import pyarrow as pa
import pytest

from roster_etl.frames.arrow import text_series
from roster_etl.mapping import value_functions


def _days(*values: date | None) -> pd.Series:
    return pd.Series(pd.array(list(values), dtype=pd.ArrowDtype(pa.date32())))


def _list(values: pd.Series) -> list[object]:
    return pa.chunked_array(values.array.__arrow_array__()).to_pylist()


def test_recode_ignores_case_and_leaves_unknown_values_empty() -> None:
    grades = value_functions.recode({"Kindergarten": "KG", "9": "09"})

    assert _list(grades(text_series(["KINDERGARTEN", "9", None, "K"]))) == ["KG", "09", None, None]


def test_recode_can_give_unknown_values_a_meaning_but_never_missing_ones() -> None:
    lunch = value_functions.recode({"F": "F", "N": "N"}, otherwise="N")

    assert _list(lunch(text_series(["f", "paid", None]))) == ["F", "N", None]


def test_recode_of_an_empty_column_is_empty() -> None:
    assert _list(value_functions.recode({"a": "b"})(text_series([]))) == []


def test_the_index_of_a_column_is_kept() -> None:
    values = text_series(["Y", "N", "Y"]).iloc[[2, 0]]

    assert list(value_functions.parse_yes_no(values).index) == [2, 0]


def test_flags_are_booleans() -> None:
    flags = value_functions.parse_yes_no(text_series(["Y", "n", None, "maybe"]))

    assert _list(flags) == [True, False, None, None]
    assert flags.dtype == pd.ArrowDtype(pa.bool_())


def test_of_a_range_the_lower_bound_counts() -> None:
    assert _list(value_functions.range_low(text_series(["9-13", " 9 - 12 ", "9", "Kindergarten", "Pre-K", None]))) == [
        "9",
        "9",
        "9",
        "Kindergarten",
        "Pre-K",
        None,
    ]


def test_functions_can_be_chained() -> None:
    grade = value_functions.chained(value_functions.range_low, value_functions.recode({"9": "09"}))

    assert _list(grade(text_series(["9-12"]))) == ["09"]


def test_us_dates_may_leave_out_leading_zeros() -> None:
    assert _list(value_functions.parse_us_date(text_series(["08/01/2012", "8/1/2012", None]))) == [
        date(2012, 8, 1),
        date(2012, 8, 1),
        None,
    ]


@pytest.mark.parametrize(
    "value", ["02/30/2012", "13/01/2012", "8/1/12", "2012-08-01", "08/01/2012 00:00", "٠٨/٠١/٢٠١٢", "", "00/00/0000"]
)
def test_what_is_no_us_date_is_empty(value: str) -> None:
    assert _list(value_functions.parse_us_date(text_series([value]))) == [None]


def test_a_date_begins_at_local_midnight() -> None:
    chicago = value_functions.local_midnight("America/Chicago")

    assert _list(chicago(_days(date(2024, 1, 8), date(2024, 8, 1), None))) == [
        datetime(2024, 1, 8, 6, tzinfo=UTC),
        datetime(2024, 8, 1, 5, tzinfo=UTC),
        None,
    ]


def test_an_inclusive_last_day_ends_when_the_day_after_begins() -> None:
    chicago = value_functions.day_after_midnight("America/Chicago")

    assert _list(chicago(_days(date(2024, 3, 9), date(2024, 12, 31)))) == [
        datetime(2024, 3, 10, 6, tzinfo=UTC),
        datetime(2025, 1, 1, 6, tzinfo=UTC),
    ]


def test_a_day_without_a_midnight_begins_with_its_first_moment() -> None:
    santiago = value_functions.local_midnight("America/Santiago")

    assert _list(santiago(_days(date(2024, 9, 8)))) == [datetime(2024, 9, 8, 4, tzinfo=UTC)]


def test_the_last_day_of_all_has_no_day_after() -> None:
    assert _list(value_functions.day_after_midnight("UTC")(_days(date(9999, 12, 31)))) == [None]


def test_a_phone_number_is_its_digits() -> None:
    assert _list(value_functions.digits(text_series(["(555) 010-7788", "+1.555.010.7788", "-", None]))) == [
        "5550107788",
        "15550107788",
        None,
        None,
    ]


def test_whole_numbers_are_read_and_nothing_else() -> None:
    assert _list(value_functions.parse_integer(text_series(["2030", " 007", "-3", "+4", "1.0", "1E5", "", None]))) == [
        2030,
        7,
        -3,
        4,
        None,
        None,
        None,
        None,
    ]


def test_decimal_numbers_are_read_and_nothing_else() -> None:
    assert _list(value_functions.parse_decimal(text_series(["3.75", "4.", "-0.5", "1e3", "NaN", "1,5", ".5", None]))) == [
        3.75,
        4.0,
        -0.5,
        None,
        None,
        None,
        0.5,
        None,
    ]


def test_joining_skips_what_is_missing() -> None:
    full_name = value_functions.joined(" ")

    assert _list(full_name(text_series(["Ana", None, None]), text_series([None, "Li", None]))) == ["Ana", "Li", None]


def test_the_first_given_value_counts() -> None:
    assert _list(value_functions.coalesce(text_series([None, "a", None]), text_series(["b", "c", None]))) == ["b", "a", None]


def test_a_derived_id_is_what_the_house_fixed() -> None:
    expected = "course:" + sha256("s1\x1fjosé\x1f".encode()).hexdigest()[:16]

    assert _list(value_functions.derived_id("course")(text_series(["S1"]), text_series(["José"]), text_series([None]))) == [
        expected
    ]


def test_a_derived_id_ignores_case_outer_space_and_composition() -> None:
    ids = _list(value_functions.derived_id("contact")(text_series(["José", "  JOSE\u0301 ", "Straße", "STRASSE"])))

    assert ids[0] == ids[1]
    assert ids[2] == ids[3]


def test_cells_of_a_derived_id_do_not_run_together() -> None:
    ids = _list(value_functions.derived_id("x")(text_series(["ab", "a"]), text_series(["c", "bc"])))

    assert ids[0] != ids[1]


def test_no_cells_no_derived_id() -> None:
    assert _list(value_functions.derived_id("x")(text_series([None, ""]), text_series([None, None])))[0] is None


SUBJECTS = (("English", ("language arts",)), ("Art", ("art", "arts")), ("Language", ("language",)))


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Language Arts 3", "English"),
        ("ART, beginners", "Art"),
        ("Party planning", "other"),
        ("Sign-Language", "Language"),
        (None, "other"),
    ],
)
def test_a_subject_follows_from_whole_words_of_a_name(name: str | None, subject: str) -> None:
    assert _list(value_functions.keyword_subject(SUBJECTS, otherwise="other")(text_series([name]))) == [subject]
