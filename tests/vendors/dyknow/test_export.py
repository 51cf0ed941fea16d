"""What Dyknow's files say of a roster, record by record."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.exports.writing import enrolled, person, role, section, small_district, write

FALL = {
    "term_id": "t1", "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC), "end_at": datetime(2026, 12, 19, 6, tzinfo=UTC), "name": "Fall"
}  # fmt: skip


def test_five_files_are_written_and_no_other():
    assert [*write("dyknow", small_district()).files] == [
        "Schools.csv", "Students.csv", "Teachers.csv", "Sections.csv", "Enrollments.csv"
    ]  # fmt: skip


def test_grades_are_the_codes_that_the_document_lists_with_a_leading_zero():
    people = {"ana": "09", "bo": "KG", "cy": "OT"}
    found = write(
        "dyknow",
        small_district(
            users=[person(user) for user in ("bo", "cy")],
            user_roles=[role(user, "s1", "student") for user in ("bo", "cy")],
            student_profiles=[{"user_kind": "user", "user_id": user, "grade": grade} for user, grade in people.items()],
        ),
    )

    said = {row["student_id"]: next(row[name] for name in row if "grade" in name.lower()) for row in found.files["Students.csv"]}
    assert said == {"ana": "09", "bo": "KG", "cy": "Other"}


def test_a_section_has_its_courses_name_its_teachers_and_the_days_of_its_term():
    more = [f"t{number:02}" for number in range(12)]
    found = write(
        "dyknow",
        small_district(
            terms=[FALL],
            users=[person(user) for user in more],
            user_roles=[role(user, "s1", "teacher") for user in more],
            courses=[{"course_id": "c2"}, {"course_id": "c3"}],
            sections=[section("b2", term_id="t1"), section("b3", course_id="c2", name="Art 1"), section("b4", course_id="c3")],
            enrollments=[
                *(enrolled(user, "b2", "teacher") for user in more),
                enrolled("tom", "b3", "teacher"),
                enrolled("tom", "b4", "teacher"),
            ],
        ),
    )

    rows = {row["section_id"]: row for row in found.files["Sections.csv"]}
    assert {key: row["course_name"] for key, row in rows.items()} == {"b1": "Biology", "b2": "Biology", "b3": "Art 1"}
    assert [rows["b2"]["teacher_id"], *(rows["b2"][f"teacher_{place}_id"] for place in range(2, 13))] == more
    assert (rows["b2"]["term_start"], rows["b2"]["term_end"], rows["b1"]["term_end"]) == ("08/17/2026", "12/18/2026", "")


def test_staff_and_contacts_have_no_home():
    contact = {"user_kind": "user", "user_id": "ana", "contact_id": "p1", "name": "Pat"}
    found = write(
        "dyknow", small_district(users=[person("kim")], user_roles=[role("kim", "s1", "counselor")], contacts=[contact])
    )

    assert found.losses["table_left_out", "contacts", None, "no_home"] == 1
    assert found.losses["row_left_out", "users", None, "no_home"] == 1
