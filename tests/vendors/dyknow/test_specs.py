"""Dyknow's specs against the document's own lists."""

from __future__ import annotations

import pytest

from roster_etl.canonical.codes import GRADES as CEDS
from roster_etl.vendors.dyknow import FORMAT, VENDOR
from roster_etl.vendors.dyknow.codes import GRADES
from tests.walking import accepted, found, judge, judge_upload, lines, map_upload

HEADERS = {
    "Schools.csv": "school_id school_name",
    "Students.csv": "school_id student_id first_name last_name student_email username grade",
    "Teachers.csv": "school_id teacher_id first_name last_name teacher_email",
    "Sections.csv": "school_id section_id teacher_id course_name term_start term_end",
    "Enrollments.csv": "school_id section_id student_id",
}
OPTIONAL = {"student_email", "username", "grade", "teacher_email", "term_start", "term_end"}
UPLOAD = {
    "schools": lines("school_id,school_name", "s1,Cedar Hill"),
    "teachers": lines(
        "school_id,teacher_id,first_name,last_name,teacher_email", *(f"s1,t{n},T,{n:03d},t{n}@a.org" for n in range(201))
    ),
}
SECTION = "school_id,section_id,teacher_id,course_name"


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_has_the_columns_of_the_document(name: str) -> None:
    (file,) = [file for file in FORMAT.files if file.file_name == name]

    assert [column.name for column in file.columns] == HEADERS[name].split()
    assert {column.name for column in file.columns if not column.required} == OPTIONAL & set(HEADERS[name].split())


def test_all_of_the_five_files_are_required_and_there_are_no_others() -> None:
    assert {file.file_name for file in FORMAT.files if file.required} == set(HEADERS)
    assert (FORMAT.mode, FORMAT.extra_files) == ("snapshot", "warn")


def test_every_ceds_code_is_a_grade() -> None:
    assert set(GRADES.values()) == set(CEDS)
    assert {code for code in CEDS if code not in GRADES} == set()


def test_a_section_has_as_many_teachers_as_there_are_columns() -> None:
    numbers = (*range(2, 200), 999_999)
    header = ",".join((SECTION, *(f"teacher_{n}_id" for n in numbers)))
    row = ",".join(("s1,c1,t0,Art", *(f"t{n}" for n in range(1, 200))))
    made = map_upload(VENDOR, {**UPLOAD, "sections": lines(header, row)})["enrollments"]

    assert {record["user_id"] for record in accepted(made.table)} == {f"t{n}" for n in range(200)}


@pytest.mark.parametrize(
    "name", ["teacher_02_id", "teacher_1_id", "teacher_0_id", "teacher_1000000_id", "teacher__id", "teacher_2"]
)
def test_what_is_no_number_of_an_additional_teacher_is_not_read(name: str) -> None:
    result = judge_upload(VENDOR, {**UPLOAD, "sections": lines(f"{SECTION},{name}", "s1,c1,t0,Art,t1")})["sections"]

    assert found(result) == [("warning", "unexpected_column", None, name)]


def test_one_number_twice_is_one_column_twice() -> None:
    result = judge_upload(VENDOR, {**UPLOAD, "sections": lines(f"{SECTION},teacher_2_id,Teacher_2_ID", "s1,c1,t0,Art,t1,t2")})

    assert result["sections"].refused == "duplicate_column"


def test_columns_may_stand_in_any_order_and_case() -> None:
    result = judge(FORMAT.file("schools"), lines("SCHOOL_NAME,School_Id", "Cedar Hill,s1"))

    assert found(result) == []
    assert result.rows["school_id"].to_pylist() == ["s1"]
