"""Value functions of lists: a text column in, a typed column out."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from roster_etl.mapping import list_functions as f

GRADES = {"9": "09", "09": "09", "10": "10", "K": "KG"}
RACES = ("I", "A", "B")


def column(*cells: str | None) -> pd.Series:
    """Return a text column."""
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(cells, pa.string())])))


def cells(made: pd.Series) -> list[object]:
    """Return the values, None for null."""
    return pa.array(made.array._pa_array.combine_chunks()).to_pylist()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (f.json_list(), ['["9", "K"]', '["x"]', None]),
        (f.json_list(GRADES), ['["09", "KG"]', None, None]),
        (f.only_item(GRADES), [None, None, None]),
        (f.only_item(), [None, "x", None]),
        (f.first_item(GRADES), ["09", None, None]),
        (f.lowest_item(GRADES, ("KG", "09", "10")), ["KG", None, None]),
    ],
)
def test_a_list_becomes_json_or_one_of_its_items(function: f.Values, expected: list[object]) -> None:
    assert cells(function(column("9,K", "x", None))) == expected


def test_spellings_of_one_grade_are_one_item() -> None:
    assert cells(f.json_list(GRADES)(column("9,09"))) == ['["09"]']
    assert cells(f.only_item(GRADES)(column("9,09"))) == ["09"]


def test_a_pair_has_a_type_and_an_id_that_may_hold_a_colon() -> None:
    assert cells(f.pair_type(column("{State:a:b}", None))) == ["State", None]
    assert cells(f.pair_id(column("{State:a:b}", None))) == ["a:b", None]


def test_a_school_year_is_the_one_in_which_it_ends() -> None:
    assert cells(f.school_year_end(column("2027", "2026-2027", None))) == [2027, 2027, None]


@pytest.mark.parametrize(
    ("flags", "listed", "code"),
    [
        ((None, None, None, None), None, None),
        (("false", "false", "false", "false"), "[]", None),
        (("false", "true", "FALSE", "false"), '["A"]', "A"),
        (("true", None, "True", None), '["I", "B"]', "M"),
        (("true", None, None, "true"), '["I"]', "M"),
        ((None, None, None, "true"), None, "M"),
    ],
)
def test_flags_become_codes(flags: tuple[str | None, ...], listed: str | None, code: str | None) -> None:
    columns = [column(flag) for flag in flags]

    assert cells(f.flagged_codes(RACES)(*columns[:3])) == [listed]
    assert cells(f.flagged_code(RACES, "M")(*columns)) == [code]


def test_an_end_that_is_past_completes() -> None:
    ends = column("2026-08-31", "2026-09-01", "2026-09-02", "9999-12-31", None, "later")
    today = date(2026, 9, 1)

    assert cells(f.completed_when_past(ends, today)) == ["completed", "completed", None, None, None, None]
    assert cells(f.completed_after_last_day(ends, today)) == ["completed", None, None, None, None, None]
