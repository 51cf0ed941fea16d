"""What CatapultCONNECT's files say of a roster, record by record."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.exports.writing import Record, Written, enrolled, person, role, section, small_district, write

STAFF, STUDENTS, CLASSES = "StaffExport.csv", "StudentExport.csv", "StaffToStudentExport.csv"


def catapult(options: dict[str, str] | None = None, **more: Any) -> Written:
    return write("catapult_connect", small_district(**more), **(options or {}))


def test_a_class_is_a_row_for_each_teacher_and_student():
    found = catapult(
        users=[person("bo"), person("eva", email="eva@example.org")],
        user_roles=[role("bo", "s1", "student"), role("eva", "s1", "teacher")],
        enrollments=[enrolled("bo", "b1", "student"), enrolled("eva", "b1", "teacher")],
    )

    rows = [[row[name] for name in ("School", "Teacher", "Student", "Period", "Name")] for row in found.files[CLASSES]]
    assert rows == [
        ["s1", "eva", "ana", "1", "Bio 1"],
        ["s1", "eva", "bo", "1", "Bio 1"],
        ["s1", "tom", "ana", "1", "Bio 1"],
        ["s1", "tom", "bo", "1", "Bio 1"],
    ]
    assert [*found.files] == [STAFF, STUDENTS, CLASSES]


def test_a_class_needs_a_period_a_teacher_and_a_student():
    more: dict[str, list[Record]] = {
        "sections": [section("b2"), section("b3", period="3"), section("b4", period="4")],
        "enrollments": [
            enrolled("ana", "b2", "student"),
            enrolled("tom", "b2", "teacher"),
            enrolled("ana", "b3", "student"),
            enrolled("tom", "b4", "teacher"),
        ],
    }

    def classes(options: dict[str, str]) -> list[tuple[str, str]]:
        return [(row["Period"], row["Name"]) for row in catapult(options, **more).files[CLASSES]]

    assert classes({}) == [("1", "Bio 1")]
    assert classes({"period_if_missing": "0"}) == [("0", "Biology"), ("1", "Bio 1")]


def test_staff_are_a_row_a_school_with_a_title_and_need_an_address():
    found = catapult(
        users=[
            person("kim", email="kim@example.org", title="Coach"),
            person("lee", email="lee@example.org"),
            person("max"),
            person("noa", email="noa@example.org"),
        ],
        user_roles=[
            role("kim", "s1", "counselor", title="Counselor"),
            role("kim", "s2", "counselor"),
            role("lee", "s2", "nurse"),
            role("lee", "s2", "staff"),
            role("max", "s1", "nurse"),
            role("noa", "s1", "parent"),
        ],
    )

    assert [(row["ID"], row["School"], row["Title"]) for row in found.files[STAFF]] == [
        ("kim", "s1", "Counselor"), ("kim", "s2", "Coach"), ("lee", "s2", "staff"), ("tom", "s1", "staff"),
    ]  # fmt: skip
    assert found.losses["row_left_out", "users", None, "missing_required"] == 1


def test_the_first_two_contacts_of_a_student_are_primary_and_secondary():
    def contact(contact_id: str, at: int, **more: Any) -> Record:
        return {"user_kind": "user", "user_id": "ana", "contact_id": contact_id, "position": at, **more}

    found = catapult(
        contacts=[
            contact("p1", 3, name="Third", phone="3"),
            contact("p2", 1, relationship="Mother"),
            contact("p3", 2, email="second@example.org"),
            contact("p4", 4, name="Fourth"),
        ],
        student_profiles=[{"user_kind": "user", "user_id": "ana", "grade": "09", "zip": "01234"}],
    )

    (row,) = found.files[STUDENTS]
    assert [row[f"Contact{name}Primary"] for name in ("Name", "Phone", "Email")] == ["", "", "second@example.org"]
    assert [row[f"Contact{name}Secondary"] for name in ("Name", "Phone", "Email")] == ["Third", "3", ""]
    assert (row["Grade"], row["ZipCode"]) == ("9", "01234")
    assert found.losses["row_left_out", "contacts", None, "missing_required"] == 1
    assert found.losses["row_left_out", "contacts", None, "no_home"] == 1


def test_suspended_people_are_left_out():
    found = catapult(users=[person("bo", status="suspended")], user_roles=[role("bo", "s1", "student")])

    assert found.column(STUDENTS, "ID") == ["ana"]
    assert found.losses["row_left_out", "users", None, "no_home"] == 1


def test_sites_are_written_where_the_option_says_so():
    more = {"organizations": [{"organization_id": "s3", "type": "school", "merge_with_id": "s1", "street": "1 Road"}]}
    found = catapult({"schools": "true"}, **more)

    assert [[*row.values()] for row in found.files["SchoolExport.csv"]] == [
        ["One", "", "", "s1"], ["Two", "", "", "s2"], ["s3", "1 Road", "", "s1"]
    ]  # fmt: skip
    assert "SchoolExport.csv" not in catapult(**more).files


def test_absences_are_written_where_the_option_says_so_if_they_have_a_period_and_a_student_who_is_there():
    def absence(user: str, period: str | None) -> Record:
        return {"organization_id": "s1", "user_id": user, "period": period, "date": date(2026, 9, 1), "absence_code": "E"}

    more = {"attendance": [absence("ana", "1"), absence("ana", None), absence("gone", "1")]}
    found = catapult({"attendance": "true"}, **more)

    assert [(row["Student"], row["Period"], row["Date"]) for row in found.files["AttendanceExport.csv"]] == [
        ("ana", "1", "09/01/2026")
    ]
    assert found.losses["row_left_out", "attendance", None, "missing_required"] == 1
    assert found.losses["row_left_out", "attendance", None, "parent_left_out"] == 1
    assert catapult(**more).losses["table_left_out", "attendance", None, "no_home"] == 2
    assert "AttendanceExport.csv" not in catapult(**more).files
