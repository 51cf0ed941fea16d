"""A file of changes goes on with the file before it: which records stand, and which cells they take over."""

from __future__ import annotations

import csv
import io

import pytest

from roster_etl.engine.csv.continue_file import continue_file, is_all_changes
from roster_etl.engine.csv.reader import RawFile, read_csv
from roster_etl.spec import Column, File, RowChanges, RowCondition

FILE = File(
    name="people",
    file_name="people.csv",
    title="People",
    source="1",
    key=("id",),
    columns=tuple(Column(name, required=name == "id") for name in ("id", "status", "at", "name", "note")),
    changes=RowChanges(status="status", modified="at"),
    deleted=RowCondition(column="status", values=("gone",)),
    extensions=("ext.",),
)
T1, T2, T3 = (f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def raw(*lines: str) -> RawFile:
    """Return a file of these lines."""
    return read_csv("\n".join(lines).encode() + b"\n")


def continued(changes: RawFile, before: RawFile | None, **how: object) -> list[list[str]]:
    """Return the records of the file that comes of it, the header first."""
    data = continue_file(FILE, changes, before, **how)  # type: ignore[arg-type]
    return list(csv.reader(io.StringIO(data.decode()), strict=True))


def test_the_changes_stand_first_under_their_own_numbers_and_the_others_follow() -> None:
    made = continued(
        raw("id,status,at,name,note", f"b,ok,{T1},Ben,"), raw("id,status,at,name,note", 'a,,,"Ana, ""A""",x', "b,,,Old,")
    )

    assert made == [
        ["id", "status", "at", "name", "note"],
        ["b", "ok", T1, "Ben", ""],
        ["a", "", "", 'Ana, "A"', "x"],
        ["b", "", "", "Old", ""],  # a change that is refused changes nothing: which one counts is judged later
    ]


def test_without_a_file_before_the_changes_are_the_file() -> None:
    assert continued(raw("id,status,at", f"b,ok,{T1}"), None) == [["id", "status", "at"], ["b", "ok", T1]]


def test_a_column_that_the_changes_lack_keeps_what_was_known() -> None:
    made = continued(raw("id,status,at", f"b,ok,{T1}", f"n,ok,{T1}"), raw("id,name,ext.bus", "b,Ben,7"))

    assert made == [
        ["id", "status", "at", "name", "ext.bus"],
        ["b", "ok", T1, "Ben", "7"],
        ["n", "ok", T1, "", ""],
        ["b", "", "", "Ben", "7"],
    ]


def test_a_removal_needs_its_key_only() -> None:
    made = continued(raw("id,status,at,name,note", f"b,GONE,{T1},,"), raw("id,name,note", "b,Ben,x"))

    assert made[1] == ["b", "GONE", T1, "Ben", "x"]


def test_of_each_record_the_newest_goes_on_and_a_refused_one_waits_beside_it() -> None:
    before = raw("id,status,at,name", f"a,ok,{T2},Two", f"a,ok,{T1},One", f"b,ok,{T3},Broken", "a,,,Zero", "b,,,Ben", "c,,,Cy")
    made = continued(raw("id,status,at,name", f"n,ok,{T1},New"), before, changes_before=3, refused_before=(4,))

    assert [row[3] for row in made[2:]] == ["Broken", "Two", "Ben", "Cy"]


def test_changes_that_lack_status_or_time_do_not_go_on() -> None:
    before = raw("id,status,at,name", f"a,,{T1},No status", "b,ok,,No time", "c,,,Cy")
    made = continued(raw("id,status,at,name", f"n,ok,{T1},New"), before, changes_before=2)

    assert [row[3] for row in made[2:]] == ["Cy"]


def test_of_a_whole_file_the_first_record_of_a_key_goes_on() -> None:
    made = continued(raw("id,status,at,name", f"n,ok,{T1},New"), raw("id,name", "a,First", "a,Second", ",No key"))

    assert [row[3] for row in made[2:]] == ["First"]


def test_records_that_cannot_be_read_keep_their_place() -> None:
    made = continued(raw("id,status,at", f"a,ok,{T1}", "b,ok", ",,", f"c,ok,{T1}"), None)

    assert [row[:1] for row in made[1:]] == [["a"], ["b"], [""], ["c"]]
    assert len(made[2]) == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("id,status", "a,ok", "b,ok"), True),
        (("id,status", "a,", "b,"), False),
        (("id,status", "a,ok", "b,"), None),
        (("id,name", "a,x"), False),
        (("id,status",), False),
    ],
)
def test_whether_rows_are_changes_is_told_by_their_status(lines: tuple[str, ...], expected: bool | None) -> None:
    assert is_all_changes(FILE, raw(*lines)) is expected


def test_a_record_that_was_refused_as_another_one_under_its_id_does_not_go_on() -> None:
    changes = raw("id,status,at,name", f"n,ok,{T1},New")
    before = raw("id,status,at,name", f"a,ok,{T3},Stranger", f"a,ok,{T1},Ana", "b,,,Ben")
    whole = raw("id,name", "a,Stranger", "a,Ana")

    assert [row[3] for row in continued(changes, before, changes_before=2, refused_before=(2,), dropped_before=(2,))[2:]] == [
        "Ana",
        "Ben",
    ]
    assert [row[3] for row in continued(changes, whole, dropped_before=(2,))[2:]] == ["Ana"]
