"""What Mastery Connect's files say of a roster, record by record."""

from __future__ import annotations

from typing import Any

from tests.exports.writing import Written, enrolled, person, role, section, small_district, write


def mastery(**more: Any) -> Written:
    return write("mastery_connect", small_district(**more))


def test_students_and_teachers_are_users_of_one_account():
    found = mastery(
        users=[person("kim", email="kim@example.org", number="3")],
        user_roles=[role("kim", "s1", "counselor"), role("tom", "s2", "teacher", is_primary=True)],
        student_profiles=[{"user_kind": "user", "user_id": "ana", "grade": "KG", "gender": "X"}],
    )

    rows = {row["user_id"]: row for row in found.files["users.csv"]}
    assert [*rows] == ["ana", "tom"]
    assert {user: (row["account_id"], row["user_role"]) for user, row in rows.items()} == {
        "ana": ("s1", "student"), "tom": ("s2", "teacher")
    }  # fmt: skip
    assert found.losses["value_changed", "student_profiles", "gender", "not_in_code_list"] == 1
    assert {row["status"] for file in found.files.values() for row in file if "status" in row} == {"active"}


def test_a_user_needs_an_address_and_a_number_of_digits():
    found = mastery(
        users=[
            person("70", username="bo@example.org"),
            person("71", email="cy@example.org", number="A7"),
            person("di", email="di@example.org", number="A8"),
            person("73", username="ed", number="9"),
        ],
        user_roles=[role(user, "s1", "student") for user in ("70", "71", "di", "73")],
    )

    rows = {row["user_id"]: (row["email"], row["student_number"]) for row in found.files["users.csv"]}
    assert rows == {
        "70": ("bo@example.org", "70"),
        "71": ("cy@example.org", "71"),
        "ana": ("ana@example.org", "1"),
        "tom": ("tom@example.org", "2"),
    }
    assert found.losses["row_left_out", "users", None, "missing_required"] == 2


def test_a_course_has_both_names_and_an_account_its_own_else_that_of_a_section():
    found = mastery(
        courses=[
            {"course_id": "c2", "short_name": "ART"},
            {"course_id": "c3", "organization_id": "s2"},
            {"course_id": "c4", "name": "Music"},
        ],
        sections=[section("b2", course_id="c2", organization_id="s2", number="7", name="Art 1")],
    )

    rows = {row["course_id"]: (row["account_id"], row["long_name"], row["short_name"]) for row in found.files["courses.csv"]}
    assert rows == {"c1": ("s1", "Biology", "Biology"), "c2": ("s2", "ART", "ART")}
    assert [(row["section_id"], row["name"], row["course_number"]) for row in found.files["sections.csv"]] == [
        ("b1", "Bio 1", ""), ("b2", "Art 1", "7")
    ]  # fmt: skip
    assert found.losses["row_left_out", "courses", None, "missing_required"] == 2


def test_enrollments_of_students_and_teachers_are_written():
    found = mastery(enrollments=[enrolled("tom", "b1", "ta"), enrolled("ana", "b1", "student", status="inactive")])

    assert [(row["user_id"], row["role"]) for row in found.files["enrollments.csv"]] == [("ana", "student"), ("tom", "teacher")]
