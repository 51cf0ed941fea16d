"""Which cells have the form that a spec promises."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.cell_formats import describe_format, find_invalid, finding_code, parse_dates
from roster_etl.frames.arrow import text_series, to_chunked_array
from roster_etl.mapping import value_functions
from roster_etl.spec import (
    CellFormat,
    Choice,
    Date,
    Decimal,
    Digits,
    Email,
    Identifier,
    Phone,
    SchoolYear,
    Status,
    Text,
    WholeNumber,
)

GRADES = Choice(options=("Kindergarten", "1", "2", "9", "09", "12"))
RANGES = Choice(options=GRADES.options, ranges=True)
US = Date(pattern="MM/DD/YYYY")
EITHER = Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",))
YEAR = WholeNumber(minimum=1900, maximum=3000, digits=4)
PHONE = Phone(lengths=(7, 10, 11))

GOOD: dict[CellFormat, tuple[str, ...]] = {
    Text(max_length=3): ("abc", "é李x"),
    GRADES: ("kindergarten", "KINDERGARTEN", "9", "09"),
    RANGES: ("9-12", "1-1", "09-12", "Kindergarten"),
    Status(options=("active", "deleted")): ("active", "Active", "DELETED"),
    Digits(): ("0", "007", "9" * 30),
    WholeNumber(minimum=0, maximum=10): ("0", "10", "007"),
    YEAR: ("1900", "3000", "2031"),
    SchoolYear(): ("2026", "2025-2026"),
    Decimal(): ("3", "3.75", "-0.5", "+4", "4.", ".5"),
    US: ("08/01/2012", "8/1/2012", "02/29/2024", "12/31/9999", "01/01/0001"),
    Date(pattern="YYYY-MM-DD"): ("2024-02-29", "2024-2-9"),
    Date(pattern="MM/DD/YY"): ("02/29/24",),
    Email(): ("a@b.org", "o'brien+x@mail.school.k12.us", "josé@schule.example"),
    PHONE: ("5550107", "(555) 010-7788", "+1.555.010.7788", "555 010 7788"),
}
BAD: dict[CellFormat, tuple[str, ...]] = {
    Text(max_length=3): ("abcd", "éééé"),
    GRADES: ("K", "0", "PK", "9-12", "3", "09 "),
    RANGES: ("12-9", "9-", "-9", "9-12-12", "9 - 12", "1-K", "Kindergarten-2", "9–12"),
    Status(options=("active", "deleted")): ("act", "active deleted", "inactive", "true", ""),
    Digits(): ("", "-1", "1.0", "1E5", "1 000", "٣", "x7"),
    WholeNumber(minimum=0, maximum=10): ("11", "-1", "+1", "1.0", "1E1", "", "٣", "9" * 30),
    YEAR: ("1899", "3001", "02000", "20x4", "200"),
    SchoolYear(): ("26", "2025-2027", "2025-26", "2025-", "a-b", "2025-x", "|---|", "-", "2025-2026-2027", "٢٠٢٥-٢٠٢٦"),
    Decimal(): ("3,75", "1e3", "NaN", "inf", "", ".", "-", "1.2.3", "1 000", "٣"),
    US: ("02/30/2024", "02/29/2023", "13/01/2012", "00/01/2012", "8/1/12", "2012-08-01", "08/01/2012 00:00", "01/01/0000", ""),
    Date(pattern="YYYY-MM-DD"): ("2024-02-30", "02/09/2024"),
    Date(pattern="MM/DD/YY"): ("02/29/23", "02/29/2024"),
    Email(): (
        "a@b",
        "a b@c.org",
        "a@b@c.org",
        "@b.org",
        "a@",
        "a@b..org",
        "a,b@c.org",
        "<a@b.org>",
        "a\u00a0b@c.org",
        "a@b.org;",
    ),
    PHONE: ("555010", "55501077", "555010778", "555010778899", "555-0107 x218", "none", "٥٥٥٠١٠٧"),
}


@pytest.mark.parametrize(("form", "value"), [(form, value) for form, values in GOOD.items() for value in values])
def test_it_has_the_form(form: CellFormat, value: str) -> None:
    assert find_invalid(form, pa.array([value])).tolist() == [False]


@pytest.mark.parametrize(("form", "value"), [(form, value) for form, values in BAD.items() for value in values])
def test_it_has_not_the_form(form: CellFormat, value: str) -> None:
    assert find_invalid(form, pa.array([value])).tolist() == [True]


@pytest.mark.parametrize("form", [*GOOD, Text()])
def test_an_empty_cell_is_never_broken(form: CellFormat) -> None:
    assert find_invalid(form, pa.array([None, None], pa.string())).tolist() == [False, False]
    assert find_invalid(form, pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize("form", GOOD)
def test_each_cell_is_judged_by_itself(form: CellFormat) -> None:
    good, bad = GOOD[form][0], BAD[form][0]

    assert find_invalid(form, pa.array([bad, None, good, bad, good])).tolist() == [True, False, False, True, False]


def test_any_text_is_text() -> None:
    assert find_invalid(Text(), pa.array(["x" * 100_000, "\x07"])).tolist() == [False, False]


@pytest.mark.parametrize(
    ("form", "function"),
    [
        (US, value_functions.parse_us_date),
        (Decimal(), value_functions.parse_decimal),
        (YEAR, value_functions.parse_integer),
        (PHONE, value_functions.digits),
    ],
)
def test_what_has_the_form_can_be_read_by_the_mapping(form: CellFormat, function: value_functions.Values) -> None:
    assert function(text_series(GOOD[form])).isna().tolist() == [False] * len(GOOD[form])


def test_dates_are_read_as_days() -> None:
    assert parse_dates(US, pa.array(["8/1/2012", "02/30/2012", None])).to_pylist() == [date(2012, 8, 1), None, None]
    assert parse_dates(Date(pattern="MM-DD-YY"), pa.array(["8-1-12"])).to_pylist() == [date(2012, 8, 1)]


def test_dates_may_be_written_in_several_ways() -> None:
    cells = ["8/1/2012", "2012-08-01", "2012-8-1", "2012-02-30", "2012/08/01", "08-01-2012", None]
    days = [date(2012, 8, 1)] * 3 + [None] * 4

    assert parse_dates(EITHER, pa.array(cells)).to_pylist() == days
    assert to_chunked_array(value_functions.parse_us_or_iso_date(text_series(cells))).to_pylist() == days


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Text(max_length=3), "at most 3 characters"),
        (Text(), "any text"),
        (Choice(options=("Y", "N")), "one of: Y, N"),
        (RANGES, "or a range such as 9-12"),
        (Choice(options=tuple(map(str, range(30)))), "one of 30 options"),
        (YEAR, "a whole number from 1900 to 3000"),
        (Decimal(), "3.75"),
        (US, "MM/DD/YYYY"),
        (EITHER, "MM/DD/YYYY or YYYY-MM-DD"),
        (Email(), "name@"),
        (PHONE, "7 or 10 or 11 digits"),
    ],
)
def test_messages_say_what_was_expected(form: CellFormat, words: str) -> None:
    assert words in describe_format(form)


def test_a_choice_may_have_a_code_of_its_own() -> None:
    role = Choice(options=("student",), code="unknown_role")

    assert [finding_code(form) for form in (role, GRADES, Status(options=("active",)), Digits())] == [
        "unknown_role",
        "bad_value",
        "bad_status",
        "bad_value",
    ]


@pytest.mark.parametrize("form", [form for form in GOOD if isinstance(form, cell_formats._CHEAP)], ids=repr)
def test_cells_that_differ_are_looked_at_one_by_one_with_the_same_result(
    form: CellFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = pa.array([None, *GOOD[form], *BAD[form], None, *GOOD[form]])
    expected = find_invalid(form, cells)
    monkeypatch.setattr(cell_formats, "_SAMPLE", 1)

    assert find_invalid(form, cells.slice(1)).tolist() == expected.tolist()[1:]
    assert expected.tolist() == [
        False,
        *([False] * len(GOOD[form])),
        *([True] * len(BAD[form])),
        False,
        *([False] * len(GOOD[form])),
    ]


@pytest.mark.parametrize("cell", ["a b", "", "é", "x" * 256, "a:b"])
def test_one_cell_that_is_no_id_is_found_among_others(cell):
    ids = pa.array(["skipped id", "a", None, "x" * 255, "A.b-c_d/e@9"]).slice(1)

    assert not find_invalid(Identifier(), ids).any()
    assert find_invalid(Identifier(), pa.concat_arrays([ids, pa.array([cell])])).tolist() == [False] * len(ids) + [True]


def test_no_date_is_no_date():
    assert parse_dates(US, pa.nulls(3, pa.string())).equals(pa.nulls(3, pa.date32()))
