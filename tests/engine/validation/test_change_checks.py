"""A file sent whole or as changes: status and time of a row, rows that only remove, and which row of a record counts."""

from __future__ import annotations

import pytest

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.validation.validate import ValidatedFile, validate_file
from roster_etl.frames.arrow import DELETED, REFUSED
from roster_etl.spec import Column, File, RowChanges, RowCondition

FILE = File(
    name="people",
    file_name="people.csv",
    title="People",
    source="1",
    key=("id",),
    columns=tuple(Column(name, required=name == "id") for name in ("id", "name", "note", "status", "at")),
    changes=RowChanges(status="status", modified="at"),
    deleted=RowCondition(column="status", values=("gone",)),
)
T1, T2, T3 = (f"2026-01-0{day}T00:00:00.000Z" for day in (1, 2, 3))
HEADER = "id,status,at,name,note"


def judged(*lines: str, changes: int | None = None, strict: bool = False) -> ValidatedFile:
    """Return the result for a file of these lines, of which the first `changes` are changes."""
    raw = read_csv("\n".join((HEADER, *lines)).encode() + b"\n")
    return validate_file(raw, FILE, changes=changes, strict=strict)


def rows(result: ValidatedFile) -> list[tuple[str | None, str | None]]:
    """Return id and name of each row that stands."""
    found = result.rows.to_pylist()
    return [(row["id"], row["name"]) for row in found if not row[REFUSED] and not row.get(DELETED)]


def codes(result: ValidatedFile) -> set[tuple[str, str]]:
    return {(finding["severity"], finding["code"]) for finding in result.findings.to_pylist()}


def test_of_several_changes_of_a_record_the_newest_counts_whatever_their_order() -> None:
    result = judged(f"1,active,{T3},Ada,", f"1,active,{T1},Bea,", f"1,active,{T2},Cleo,", changes=3)

    assert rows(result) == [("1", "Ada")]
    assert ("warning", "stale_row") in codes(result)


def test_a_change_that_is_older_than_what_went_on_is_not_applied() -> None:
    result = judged(f"1,active,{T1},Old,", f"1,active,{T2},Known,", f"2,active,{T3},Two,", changes=1)

    assert rows(result) == [("1", "Known"), ("2", "Two")]
    assert ("warning", "stale_row") in codes(result)


def test_a_change_beats_a_row_of_a_whole_file_which_has_no_time() -> None:
    result = judged(f"1,active,{T1},New,", "1,,,Known,", changes=1)

    assert rows(result) == [("1", "New")]
    assert ("warning", "stale_row") not in codes(result)


def test_of_two_changes_of_one_time_the_later_row_counts() -> None:
    assert rows(judged(f"1,active,{T1},First,", f"1,active,{T1},Second,", changes=2)) == [("1", "Second")]


def test_status_and_time_of_a_whole_file_are_ignored_and_told() -> None:
    lenient, strict = judged(f"1,active,{T1},Ada,"), judged(f"1,active,{T1},Ada,", strict=True)

    assert (rows(lenient), codes(lenient)) == ([("1", "Ada")], {("warning", "ignored_value")})
    assert (rows(strict), codes(strict)) == ([], {("reject", "bad_value")})


def test_a_time_in_another_form_is_read_and_told_or_refused() -> None:
    lenient, strict = (judged("1,active,2026-01-01T00:00:00Z,Ada,", changes=1, strict=strict) for strict in (False, True))

    assert (rows(lenient), codes(lenient)) == ([("1", "Ada")], {("warning", "bad_date")})
    assert (rows(strict), codes(strict)) == ([], {("reject", "bad_date")})


@pytest.mark.parametrize("changes", [None, 1])
def test_a_row_that_removes_its_record_needs_its_key_only(changes: int | None) -> None:
    result = judged(f"1,gone,{T1},,", "2,,,Two,", changes=changes)

    assert rows(result) == [("2", "Two")]
    assert result.rows_rejected == 0
