"""Rows of one upload that describe different records under one id."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, mark_shared_ids
from roster_etl.engine.changes.change_rows import SHARED_ID
from roster_etl.frames.arrow import REFUSED, ROW
from roster_etl.vendors.canvas.change_rules import CHANGE_PLAN
from tests.vendors.canvas.folding import District

NAMES = ("user_id", "login_id", "email", "integration_id", "first_name", "last_name", "full_name", "status")


def users(*rows: str, file: str = "users.csv") -> ChangeFile:
    lists = [[*(row.split(",") + [""] * 7)[:7], "deleted" if row.endswith("-") else "active"] for row in rows]
    columns = {name: pa.array([cells[at].rstrip("-") or None for cells in lists], pa.string()) for at, name in enumerate(NAMES)}
    marks = {ROW: pa.array(range(2, len(rows) + 2), pa.int64()), REFUSED: pa.array([False] * len(rows))}
    return ChangeFile(kind="users", file=file, rows=pa.table(columns | marks))


def marked(*sources: ChangeFile) -> list[tuple[str, int]]:
    found = []
    for source in mark_shared_ids(CHANGE_PLAN, sources, {"users": TABLES["users"].full_schema.empty_table()}):
        for row in source.rows.to_pylist():
            if row.get(SHARED_ID):
                assert row[REFUSED]
                found.append((source.file, row[ROW]))
    return found


@pytest.mark.parametrize(
    "second",
    [
        "U1,bob,b@x.org",
        "U1,bob,,K2",
        "U1,bob,,,Bob,Ray",
        "U1,bob,,,,,Bob Ray",
    ],
)
def test_another_login_and_another_cell_are_another_person(second: str):
    assert marked(users("U1,ann,a@x.org,K1,Ann,Lee", second)) == [("users.csv", 3)]


@pytest.mark.parametrize(
    "second",
    [
        "U1,ANN,b@x.org,K2,Bob,Ray",  # one login is one person
        "U1,annlee,A@x.org,k1,ANN,LEE",  # a new login, and all else agrees
        "U1,annlee",  # nothing else is said
        "U2,bob,b@x.org,K2,Bob,Ray",
        "U1,bob,b@x.org,K2,Bob,Ray,-",  # it deletes
    ],
)
def test_rows_of_one_person_are_changes(second: str):
    assert marked(users("U1,ann,a@x.org,K1,Ann,Lee", second)) == []


def test_the_rows_may_be_in_several_files():
    one, other = users("U1,ann,,,Ann,Lee"), users("U1,bob,,,Bob,Ray", "U1,ann,,,Ann,Ray", file="more.csv")

    assert marked(one, other) == [("more.csv", 2)]


def test_the_message_names_the_row_that_stands():
    (source,) = mark_shared_ids(CHANGE_PLAN, [users("U1,ann,,,Ann,Lee", "U1,bob,,,Bob,Ray")], {})

    assert source.rows.column(SHARED_ID).to_pylist() == [
        None,
        "Row 2 of users.csv has the same user_id and describes another record; that row stands.",
    ]


def test_a_row_is_compared_with_what_the_rows_before_it_made_of_the_person():
    assert marked(users("U1,ann,,,Ann,Lee", "U1,ann,,,Ann,Ray", "U1,annray,,,Ann,Ray")) == []  # a new name, then a new login
    assert marked(users("U1,ann", "U1,annlee,,,Ann,Lee", "U1,bob,,,Bob,Ray")) == [("users.csv", 4)]  # the first row has no name


def rows_of(kind: str, header: str, *rows: str) -> ChangeFile:
    """Return a file of a kind with these rows, all of them active."""
    names = header.split(",")
    cells = [row.split(",") for row in rows]
    columns = {name: pa.array([row[at] or None for row in cells], pa.string()) for at, name in enumerate(names)}
    marks = {ROW: pa.array(range(2, len(rows) + 2), pa.int64()), REFUSED: pa.array([False] * len(rows))}
    return ChangeFile(kind=kind, file=f"{kind}.csv", rows=pa.table(columns | marks))


@pytest.mark.parametrize(
    ("kind", "header", "row", "other", "renamed"),
    [
        ("accounts", "account_id,parent_account_id,name,status", "A1,P1,Elm,active", "A1,P2,Oak,active", "A1,P1,Elm High,active"),
        (
            "courses",
            "course_id,short_name,long_name,account_id,status",
            "C1,ART,Art,A1,active",
            "C1,BIO,Biology,A1,active",
            "C1,ART,Fine Art,A1,active",
        ),
        (
            "terms",
            "term_id,name,status,start_date,end_date",
            "T1,Fall,active,2026-08-01,2026-12-20",
            "T1,Spring,active,2027-01-05,2027-06-10",
            "T1,Autumn,active,2026-08-01,2026-12-20",
        ),
        (
            "groups",
            "group_id,group_category_id,name,status",
            "G1,K1,Red,available",
            "G1,K2,Blue,available",
            "G1,K1,Crimson,available",
        ),
        (
            "group_categories",
            "group_category_id,course_id,category_name,status",
            "K1,C1,Projects,active",
            "K1,C2,Readers,active",
            "K1,C1,Project teams,active",
        ),
    ],
)
def test_two_records_under_one_id_stay_apart_and_a_new_name_does_not(kind: str, header: str, row: str, other: str, renamed: str):
    assert marked(rows_of(kind, header, row, other)) == [(f"{kind}.csv", 3)]
    assert marked(rows_of(kind, header, row, renamed)) == []


def test_dates_of_a_term_for_one_type_of_enrollment_are_no_other_term():
    header = "term_id,name,status,start_date,end_date,date_override_enrollment_type"
    rows = ("T1,Fall,active,2026-08-01,2026-12-20,", "T1,Teachers,active,2026-07-20,2026-12-22,TeacherEnrollment")

    assert marked(rows_of("terms", header, *rows)) == []


def test_a_published_term_keeps_its_dates_whichever_row_comes_first():
    header = "term_id,name,status,start_date,end_date"
    known, other = "T1,Fall,active,2026-08-01,2026-12-20", "T1,Spring,active,2027-01-05,2027-06-10"
    for rows in ((known, other), (other, known)):
        district = District()
        district.upload({"terms": f"{header}\n{known}"})
        found = district.upload({"terms": "\n".join((header, *rows))})

        assert [row["name"] for row in district.current["terms"].to_pylist()] == ["Fall"]
        assert [(line["code"], line["row"]) for line in found.quarantine.to_pylist()] == [
            ("duplicate_key", 2 + rows.index(other))
        ]


def test_what_names_a_term_or_a_group_of_two_rows_is_ambiguous():
    people = "user_id,login_id,first_name,last_name,full_name,sortable_name,short_name,email,status"
    district = District()
    district.upload(
        {
            "terms": "term_id,name,status,start_date,end_date\nT1,Fall,active,2026-08-01,\nT2,Late,active,2026-10-01,",
            "courses": "course_id,short_name,long_name,account_id,term_id,status\nC1,ART,Art,,T2,active",
            "users": f"{people}\nU1,ann,Ann,Lee,,,,,active",
            "accounts": "account_id,parent_account_id,name,status\nA1,,Elm,active\nA2,,Oak,active",
        }
    )
    found = district.upload(
        {
            "terms": "term_id,name,status,start_date,end_date\nT1,Fall,active,2026-08-01,\nT1,Spring,active,2027-01-05,",
            "courses": "course_id,short_name,long_name,account_id,term_id,status\nC1,ART,Art,,T1,active",
            "groups": "group_id,group_category_id,account_id,course_id,name,status\nG1,,A1,,Red,available\nG1,,A2,,Blue,available",
            "groups_membership": "group_id,user_id,status\nG1,U1,accepted",
        }
    )
    codes = {(f["severity"], f["code"], f["file"]) for f in found.findings.to_pylist()}

    assert [row["term_id"] for row in district.current["courses"].to_pylist()] == ["T2"]
    assert ("warning", "unknown_reference", "courses.csv") in codes
    assert ("reject", "unknown_reference", "groups_membership.csv") in codes


def test_a_section_that_rows_cross_list_into_two_courses_is_reported_and_the_later_row_counts():
    district = District()
    district.upload(
        {
            "courses": "course_id,short_name,long_name,status\nC1,A,Art,active\nC2,B,Biology,active\nC3,C,Chess,active",
            "sections": "section_id,course_id,name,status\nS1,C1,One,active",
        }
    )
    found = district.upload({"xlists": "xlist_course_id,section_id,status\nC2,S1,active\nC3,S1,active\nC3,S1,active"})

    assert [(f["code"], f["row"]) for f in found.findings.to_pylist()] == [("conflicting_rows", 3)]
    assert district.current["sections"].column("course_id").to_pylist() == ["C3"]
