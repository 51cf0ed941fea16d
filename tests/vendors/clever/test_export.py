"""What Clever's files say of a roster, record by record: who stands in which file, at which school, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.exports.writing import Record, Written, roster, write

LEFT_OUT, CHANGED, MADE_UP = "row_left_out", "value_changed", "value_made_up"


def person(kind: str, user: str, **more: Any) -> Record:
    return {"user_kind": kind, "user_id": user, "first_name": "Ana", "last_name": "Ames", "status": "active", **more}


def role(kind: str, user: str, school: str | None, name: str, **more: Any) -> Record:
    return {"user_kind": kind, "user_id": user, "organization_id": school, "role": name, **more}


def enrolled(kind: str, user: str, section: str, name: str, **more: Any) -> Record:
    place = {"course_id": "c1", "section_id": section, "organization_id": "s1", "status": "active"}
    return {"user_kind": kind, "user_id": user, "role": name, **place, **more}


def district(**more: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    """Return the records of two schools, one class of Ana with Tom, and `more`."""
    base: dict[str, list[Record]] = {
        "organizations": [
            {"organization_id": "s1", "type": "school", "name": "One", "number": "1"},
            {"organization_id": "s2", "type": "school", "name": "Two", "number": "2"},
        ],
        "users": [person("student", "ana"), person("teacher", "tom")],
        "user_roles": [role("student", "ana", "s1", "student"), role("teacher", "tom", "s1", "teacher")],
        "courses": [{"course_id": "c1", "name": "Biology", "organization_id": "s1"}],
        "sections": [{"section_id": "b1", "course_id": "c1", "home_course_id": "c1", "organization_id": "s1"}],
        "enrollments": [
            enrolled("student", "ana", "b1", "student"),
            enrolled("teacher", "tom", "b1", "teacher", is_primary=True),
        ],
    }
    return {name: [*base.get(name, ()), *more.get(name, ())] for name in {*base, *more}}


def clever(**more: Sequence[Record]) -> Written:
    return write("clever", roster(**district(**more)))


def test_a_plain_roster_loses_nothing_but_what_the_files_do_not_say():
    found = clever()

    assert found.column("schools.csv", "School_id") == ["s1", "s2"]
    assert [(row["School_id"], row["Student_id"]) for row in found.files["students.csv"]] == [("s1", "ana")]
    assert [(row["School_id"], row["Teacher_id"]) for row in found.files["teachers.csv"]] == [("s1", "tom")]
    assert [(row["Section_id"], row["Teacher_id"], row["Course_name"]) for row in found.files["sections.csv"]] == [
        ("b1", "tom", "Biology")
    ]
    assert found.files["enrollments.csv"] == [{"School_id": "s1", "Section_id": "b1", "Student_id": "ana"}]
    assert "staff.csv" not in found.files
    assert not [place for place in found.losses if place[0] == LEFT_OUT]


def test_the_number_of_a_school_is_its_number_else_its_id_with_the_state_else_its_own():
    found = clever(
        organizations=[
            {"organization_id": "s3", "type": "school", "name": "Three", "state_id": "33"},
            {"organization_id": "s4", "type": "school", "name": "Four"},
        ]
    )

    assert found.column("schools.csv", "School_number") == ["1", "2", "33", "s4"]
    assert found.losses[MADE_UP, "organizations", "number", "missing_required"] == 2


def test_only_schools_are_schools_and_an_account_is_one_where_somebody_is():
    found = clever(
        organizations=[
            {"organization_id": "d", "type": "district", "name": "Lincoln"},
            {"organization_id": "o", "type": "department", "name": "Transport"},
            {"organization_id": "a", "type": "account", "name": "A"},
            {"organization_id": "top", "type": "account", "name": "Top"},
            {"organization_id": "below", "type": "account", "name": "B", "parent_organization_id": "top"},
            {"organization_id": "s5", "type": "school"},
        ]
    )

    assert found.column("schools.csv", "School_id") == ["a", "below", "s1", "s2"]
    assert found.losses[LEFT_OUT, "organizations", None, "missing_required"] == 1  # Clever needs a name


@pytest.mark.parametrize(
    ("roles", "enrollments", "school"),
    [
        ([("s1", None), ("s2", True)], [("x1", "s1")], "s2"),  # the primary one
        ([("s1", None), ("s2", None)], [("x2", "s2")], "s2"),  # the one of most enrollments
        ([("s2", None), ("s1", None)], [], "s1"),  # the first by id
        ([], [("x1", "s2"), ("x2", "s2"), ("x3", "s1")], "s2"),
    ],
)
def test_a_student_is_at_one_school(roles, enrollments, school):
    found = clever(
        users=[person("student", "bo")],
        user_roles=[role("student", "bo", at, "student", is_primary=primary) for at, primary in roles],
        sections=[
            {"section_id": name, "course_id": "c1", "home_course_id": "c1", "organization_id": at} for name, at in enrollments
        ],
        enrollments=[
            made
            for name, at in enrollments
            for made in (
                enrolled("student", "bo", name, "student", organization_id=at),
                enrolled("teacher", "tom", name, "teacher", organization_id=at),
            )
        ],
    )

    assert {row["Student_id"]: row["School_id"] for row in found.files["students.csv"]} == {"ana": "s1", "bo": school}
    assert found.losses.get(("rows_joined", "user_roles", None, "several_values"), 0) == max(len(roles) - 1, 0)


def test_students_have_their_profile_in_clevers_words():
    profile = {
        "user_kind": "student", "user_id": "ana", "grade": "KG", "gender": "X", "birth_date": date(2012, 2, 29), "hispanic": True,
        "ell": False, "frl": "N", "race": "M",
    }  # fmt: skip
    (ana,) = clever(student_profiles=[profile]).files["students.csv"]

    said = [ana[name] for name in ("Grade", "Gender", "DOB", "Hispanic_Latino", "Ell_status", "Frl_status", "Race")]
    assert said == ["Kindergarten", "X", "02/29/2012", "Y", "N", "N", "M"]


def test_suspended_people_are_left_out_with_what_is_theirs():
    found = clever(
        users=[person("student", "bo", status="suspended")],
        user_roles=[role("student", "bo", "s1", "student")],
        enrollments=[enrolled("student", "bo", "b1", "student")],
    )

    assert found.column("students.csv", "Student_id") == ["ana"]
    assert found.column("enrollments.csv", "Student_id") == ["ana"]
    assert found.losses[LEFT_OUT, "users", None, "no_home"] == 1
    assert found.losses[LEFT_OUT, "enrollments", None, "parent_left_out"] == 1


def test_a_contact_is_a_row_of_the_student_and_has_a_type():
    names = {"n1": "Grandmother", "n2": "Neighbor", "n3": "Legal Guardian", "n4": None}
    contacts = [
        {"user_kind": "student", "user_id": "ana", "contact_id": key, "name": f"Pat {key}", "relationship": word, "position": at}
        for at, (key, word) in enumerate(names.items(), 1)
    ]
    known = {"user_kind": "student", "user_id": "ana", "contact_id": "n5", "name": "Sam", "type": "School-based", "position": 5}
    without = {"user_kind": "student", "user_id": "ana", "contact_id": "n6", "phone": "555-0100", "position": 6}
    found = clever(contacts=[*contacts, known, without])

    assert found.column("students.csv", "Contact_type") == [
        "Parent/Guardian", "Other", "Parent/Guardian", "Other", "School-based"
    ]  # fmt: skip
    assert found.column("students.csv", "Contact_sis_id") == ["n1", "n2", "n3", "n4", "n5"]
    assert found.losses[MADE_UP, "contacts", "type", "missing_required"] == 4
    assert found.losses[LEFT_OUT, "contacts", None, "missing_required"] == 1


def test_staff_are_a_row_for_each_school_that_they_are_at():
    staff = person("staff", "kim", email="kim@example.org", title="Principal")
    found = clever(
        users=[staff],
        user_roles=[role("staff", "kim", "s2", "counselor", title="Counselor"), role("staff", "kim", "s1", "staff")],
    )

    rows = [(row["School_id"], row["Staff_id"], row["Title"], row.get("Role", "")) for row in found.files["staff.csv"]]
    assert rows == [("s1", "kim", "Principal", ""), ("s2", "kim", "Counselor", "")]


def test_who_is_at_the_district_is_said_with_clevers_word_for_every_school():
    found = clever(
        organizations=[{"organization_id": "d", "type": "district", "name": "Lincoln"}],
        users=[person("staff", user, email=f"{user}@example.org") for user in ("kim", "lee")],
        user_roles=[role("staff", "kim", "d", "tech_lead"), role("staff", "lee", "s2", "staff")],
    )

    rows = [(row["School_id"], row["Staff_id"], row["Role"]) for row in found.files["staff.csv"]]
    assert rows == [("district", "kim", "School Tech Lead"), ("s2", "lee", "")]
    assert found.column("schools.csv", "School_id") == ["s1", "s2"]
    assert found.losses["rows_split", "user_roles", None, "several_values"] == 1


def test_the_office_of_the_district_has_clevers_word_and_is_no_school():
    found = clever(
        organizations=[{"organization_id": name, "type": "office", "name": f"Office {name}"} for name in ("o1", "o2", "o3")],
        users=[person("staff", user, email=f"{user}@example.org") for user in ("kim", "lee")],
        user_roles=[role("staff", "kim", "o1", "staff"), role("staff", "lee", "o2", "staff")],
    )

    rows = [(row["School_id"], row["Staff_id"]) for row in found.files["staff.csv"]]
    assert rows == [("DEFAULT_DISTRICT_OFFICE", "kim"), ("DEFAULT_DISTRICT_OFFICE", "lee")]
    assert found.column("schools.csv", "School_id") == ["s1", "s2"]


def test_staff_need_an_address_of_their_own():
    found = clever(
        users=[
            person("staff", "kim", email="kim@example.org"),
            person("staff", "lee", email="KIM@example.org"),
            person("staff", "max"),
            person("staff", "noa", email="noa at example.org"),
        ],
        user_roles=[role("staff", user, "s1", "staff") for user in ("kim", "lee", "max", "noa")],
    )

    assert found.column("staff.csv", "Staff_id") == ["kim"]
    assert found.losses[LEFT_OUT, "users", None, "missing_required"] == 3


def test_parents_are_no_staff():
    found = clever(
        users=[person("user", user, email=f"{user}@example.org") for user in ("p1", "p2", "p3")],
        user_roles=[
            role("user", "p1", "s1", "parent"),
            role("user", "p2", "s1", "guardian"),
            role("user", "p3", "s1", "relative"),
        ],
    )

    assert "staff.csv" not in found.files
    assert found.losses[LEFT_OUT, "users", None, "no_home"] == 3


def test_who_teaches_and_studies_stands_in_both_files():
    found = clever(
        users=[person("user", "zoe")],
        user_roles=[role("user", "zoe", "s1", "teacher"), role("user", "zoe", "s1", "student")],
    )

    assert found.column("students.csv", "Student_id") == ["ana", "zoe"]
    assert found.column("teachers.csv", "Teacher_id") == ["tom", "zoe"]
    assert found.losses["rows_split", "users", None, "several_values"] == 1


def test_the_primary_teacher_comes_first_then_the_others_by_id_and_ten_at_most():
    more = [f"t{number:02}" for number in range(12)]
    found = clever(
        users=[person("teacher", user) for user in more],
        user_roles=[role("teacher", user, "s1", "teacher") for user in more],
        enrollments=[enrolled("teacher", user, "b1", "teacher") for user in more],
    )

    (row,) = found.files["sections.csv"]
    assert [row["Teacher_id"], *(row[f"Teacher_{place}_id"] for place in range(2, 11))] == ["tom", *more[:9]]
    assert "Teacher_11_id" not in row
    assert found.losses[LEFT_OUT, "enrollments", None, "several_values"] == 3


def test_of_teachers_without_a_primary_one_the_first_by_id_comes_first():
    found = clever(
        users=[person("teacher", "abe"), person("teacher", "bea")],
        user_roles=[role("teacher", user, "s1", "teacher") for user in ("abe", "bea")],
        sections=[{"section_id": "b2", "course_id": "c1", "home_course_id": "c1", "organization_id": "s1"}],
        enrollments=[
            enrolled("student", "ana", "b2", "student"),
            enrolled("teacher", "bea", "b2", "teacher"),
            enrolled("teacher", "abe", "b2", "teacher"),
        ],
    )

    row = found.files["sections.csv"][1]
    assert (row["Section_id"], row["Teacher_id"], row["Teacher_2_id"]) == ("b2", "abe", "bea")


def test_a_section_needs_a_teacher_and_an_active_student():
    sections = [
        {"section_id": name, "course_id": "c1", "home_course_id": "c1", "organization_id": "s1"} for name in ("b2", "b3", "b4")
    ]
    found = clever(
        sections=sections,
        enrollments=[
            enrolled("student", "ana", "b2", "student"),
            enrolled("teacher", "tom", "b3", "teacher"),
            enrolled("teacher", "tom", "b4", "teacher"),
            enrolled("student", "ana", "b4", "student", status="completed"),
        ],
    )

    assert found.column("sections.csv", "Section_id") == ["b1"]
    assert found.losses[LEFT_OUT, "sections", None, "missing_required"] == 3
    assert found.losses[LEFT_OUT, "enrollments", None, "no_home"] == 1


def test_other_roles_in_a_class_have_no_home():
    found = clever(
        users=[person("user", "eva")],
        user_roles=[role("user", "eva", "s1", "teacher")],
        enrollments=[enrolled("user", "eva", "b1", name) for name in ("ta", "designer", "observer")],
    )

    assert found.column("enrollments.csv", "Student_id") == ["ana"]
    assert found.losses[LEFT_OUT, "enrollments", None, "no_home"] == 3


def test_a_term_ends_on_its_last_day_in_the_time_of_the_district():
    term = {
        "term_id": "t1", "name": "Fall", "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC), "end_at": datetime(2026, 12, 19, 6, tzinfo=UTC),
    }  # fmt: skip
    base = district(terms=[term])
    sections = [{**section, "term_id": "t1", "subject": "Juggling", "grade": "09"} for section in base["sections"]]
    found = write("clever", roster(**{**base, "sections": sections}))

    (row,) = found.files["sections.csv"]
    assert [row[name] for name in ("Term_name", "Term_start", "Term_end", "Grade")] == ["Fall", "08/17/2026", "12/18/2026", "9"]
    assert "Subject" not in row
    assert found.losses[CHANGED, "sections", "subject", "not_in_code_list"] == 1


def test_a_teacher_is_at_the_school_of_a_role_whatever_it_is_before_that_of_the_classes():
    found = clever(
        users=[person("teacher", "eva")],
        user_roles=[role("teacher", "eva", "s2", "admin")],
        enrollments=[enrolled("teacher", "eva", "b1", "teacher")],
    )

    assert [(row["Teacher_id"], row["School_id"]) for row in found.files["teachers.csv"]] == [("eva", "s2"), ("tom", "s1")]
