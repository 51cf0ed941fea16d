"""Derived values are made of what stewards edited, in every format; ids and other records are not."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.mapper import SourceFile, map_table
from roster_etl.engine.transform.override_source_cells import with_edited_cells
from roster_etl.engine.transform.overrides import RecordEdit, apply_edits
from roster_etl.mapping.column_plan import RECEIVED_ON
from roster_etl.spec.options import resolve_options
from roster_etl.vendors import vendor
from tests.walking import RECEIVED, accepted, judge_upload, lines

UPLOADS = {
    "clever": {
        "schools": lines("School_id,School_name,School_number", "e1,Birch,11"),
        "teachers": lines("School_id,Teacher_id,First_name,Last_name,Title", "e1,t1,Ines,Vale,Coach", "e1,t2,Otto,Lund,"),
        "students": lines("School_id,Student_id,First_name,Last_name,Grade", "e1,s1,Nora,Quill,3", "e1,s2,Milo,Stone,3"),
        "sections": lines("School_id,Section_id,Teacher_id,Course_name,Period,Grade", "e1,x1,t1,Math,1,", "e1,x2,t2,Art,2,"),
        "enrollments": lines("School_id,Section_id,Student_id", "e1,x1,s1", "e1,x2,s2"),
    },
    "dyknow": {
        "schools": lines("school_id,school_name", "e1,Birch"),
        "teachers": lines("school_id,teacher_id,first_name,last_name", "e1,t1,Ines,Vale"),
        "students": lines("school_id,student_id,first_name,last_name", "e1,s1,Nora,Quill", "e1,s2,Milo,Stone"),
        "sections": lines("school_id,section_id,teacher_id,course_name,term_start,term_end", "e1,x1,t1,Math,,"),
        "enrollments": lines("school_id,section_id,student_id", "e1,x1,s1"),
    },
    "mastery_connect": {
        "accounts": lines("account_id,name,status", "e1,Birch,active"),
        "users": lines(
            "email,first_name,last_name,account_id,status,student_number,user_id,user_role",
            "nora@example.org,Nora,Quill,e1,active,1,s1,student",
            "ines@example.org,Ines,Vale,e1,active,,t1,teacher",
        ),
        "courses": lines("account_id,course_id,long_name,short_name,status", "e1,c1,Math,M,active"),
        "sections": lines("section_id,name,course_id,course_number,status", "x1,,c1,,active"),
        "enrollments": lines("role,user_id,section_id,status", "teacher,t1,x1,active", "student,s1,x1,active"),
    },
    "catapult_connect": {
        "staff": lines("ID,School,Name.First,Name.Last,Email,Title", "t1,10,Ines,Vale,ines@example.org,Teacher"),
        "students": lines("ID,School,Name.First,Name.Last", "s1,10,Nora,Quill", "s1,20,Nora,Quill"),
        "staff_to_student": lines("School,Teacher,Student,Period,Name", "10,t1,s1,1,Math"),
    },
}
KINDS = {"mastery_connect": ("user", "user")}


def mapped(source: str, table: str, *edits: tuple[str, dict[str, str], str, str | None]) -> list[dict[str, Any]]:
    """Return the rows of a table with edits in force: (table, key, field, value)."""
    made = vendor(source)
    by_table: dict[str, list[RecordEdit]] = {}
    for name, key, field, value in edits:
        by_table.setdefault(name, []).append(RecordEdit(key=key, field=field, value=value))
    values = {**resolve_options(made.format, {}), RECEIVED_ON: RECEIVED}
    judged = judge_upload(made, UPLOADS[source])
    files = {n: SourceFile(rows=j.rows, file_name=n) for n, j in judged.items()}
    files = with_edited_cells(files, made.mappings, by_table, values)
    result = map_table(TABLES[table], [m for m in made.mappings if m.to == table], files, values)
    return accepted(apply_edits(TABLES[table], result.table, by_table.get(table, [])))


def of(rows: list[dict[str, Any]], field: str, **key: str) -> Any:
    (row,) = [row for row in rows if key.items() <= row.items()]
    return row[field]


@pytest.mark.parametrize("source", sorted(UPLOADS))
def test_a_full_name_is_made_of_the_edited_first_name(source: str) -> None:
    student = {"user_kind": KINDS.get(source, ("student",))[0], "user_id": "s1"}
    rows = mapped(source, "users", ("users", student, "first_name", "Eleanor"))

    assert of(rows, "full_name", **student) == "Eleanor Quill"
    assert of(rows, "first_name", **student) == "Eleanor"
    assert "full_name" in of(rows, "derived", **student)
    assert {row["full_name"] for row in rows if row["user_id"] != "s1"} == {
        row["full_name"] for row in mapped(source, "users") if row["user_id"] != "s1"
    }


def test_an_emptied_first_name_leaves_the_last_name() -> None:
    key = {"user_kind": "student", "user_id": "s1"}

    assert of(mapped("clever", "users", ("users", key, "first_name", None)), "full_name", **key) == "Quill"


def test_an_edited_full_name_goes_before_what_is_derived() -> None:
    key = {"user_kind": "student", "user_id": "s1"}
    rows = mapped("clever", "users", ("users", key, "first_name", "Eleanor"), ("users", key, "full_name", "E. Quill"))

    assert of(rows, "full_name", **key) == "E. Quill"


@pytest.mark.parametrize(
    ("source", "kind", "name"), [("clever", "teacher", "Math - Valen - 1"), ("mastery_connect", "user", "Math - Valen")]
)
def test_the_name_of_a_section_is_made_of_the_edited_last_name_of_its_teacher(source: str, kind: str, name: str) -> None:
    edit = ("users", {"user_kind": kind, "user_id": "t1"}, "last_name", "Valen")

    assert of(mapped(source, "sections", edit), "name", section_id="x1") == name


def test_what_is_made_of_an_edited_course_name_follows_and_the_ids_stay() -> None:
    before = mapped("clever", "sections")
    course = of(before, "course_id", section_id="x1")
    edit = ("courses", {"course_id": course}, "name", "Mathematics")

    assert of(mapped("clever", "sections", edit), "name", section_id="x1") == "Mathematics - Vale - 1"
    assert [row["course_id"] for row in mapped("clever", "sections", edit)] == [row["course_id"] for row in before]
    assert [row["course_id"] for row in mapped("clever", "enrollments", edit)] == [
        row["course_id"] for row in mapped("clever", "enrollments")
    ]
    assert {row["course_id"] for row in mapped("clever", "courses", edit)} == {
        row["course_id"] for row in mapped("clever", "courses")
    }


def test_the_common_grade_of_a_section_counts_edited_grades() -> None:
    edit = ("student_profiles", {"user_kind": "student", "user_id": "s1"}, "grade", "04")

    assert of(mapped("clever", "sections", edit), "grade", section_id="x1") == "04"
    assert of(mapped("clever", "sections", edit), "grade", section_id="x2") == "03"


def test_a_given_value_of_another_record_is_not_changed_by_an_edit() -> None:
    edit = ("users", {"user_kind": "teacher", "user_id": "t1"}, "title", "Principal")

    assert of(mapped("clever", "user_roles", edit), "title", user_id="t1") == "Coach"
    assert of(mapped("clever", "users", edit), "title", user_id="t1") == "Principal"


def test_a_login_that_stands_in_for_the_address_follows_the_edited_address() -> None:
    key = {"user_kind": "user", "user_id": "s1"}

    assert of(mapped("mastery_connect", "users", ("users", key, "email", "q@example.org")), "username", **key) == "q@example.org"
