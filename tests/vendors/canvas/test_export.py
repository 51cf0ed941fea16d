"""What Canvas's files say of a roster, record by record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.exports.writing import Written, enrolled, person, role, section, small_district, write

AT = datetime(2026, 8, 17, 5, tzinfo=UTC)


def canvas(**more: Any) -> Written:
    options = {"staff_role": more.pop("staff_role")} if "staff_role" in more else {}
    return write("canvas", small_district(**more), **options)


def test_the_district_is_the_root_account_and_parents_stand_before_their_children():
    found = canvas(
        organizations=[
            {"organization_id": "d", "type": "district", "name": "Lincoln"},
            {"organization_id": "a", "type": "account", "name": "A", "parent_organization_id": "z"},
            {"organization_id": "z", "type": "account", "name": "Z", "parent_organization_id": "d"},
        ],
        courses=[{"course_id": "c2", "name": "Art", "organization_id": "d"}],
        user_roles=[role("tom", "d", "admin")],
    )

    rows = [(row["account_id"], row["parent_account_id"]) for row in found.files["accounts.csv"]]
    assert rows == [("s1", ""), ("s2", ""), ("z", ""), ("a", "z")]
    assert {row["course_id"]: row["account_id"] for row in found.files["courses.csv"]} == {"c1": "s1", "c2": ""}
    assert found.files["admins.csv"] == [{"user_id": "tom", "account_id": "", "role": "AccountAdmin", "status": "active"}]


def test_admins_are_those_with_another_role_than_students_teachers_and_parents():
    people = [("kim", "counselor"), ("lee", "staff"), ("max", "tech_lead"), ("noa", "parent"), ("pat", "guardian")]
    more = {"users": [person(user) for user, _ in people], "user_roles": [role(user, "s1", name) for user, name in people]}

    def admins(**options: str) -> list[tuple[str, str]]:
        return [(row["user_id"], row["role"]) for row in canvas(**more, **options).files["admins.csv"]]

    assert admins() == [("kim", "counselor")]
    assert admins(staff_role="Sub Admin") == [("kim", "counselor"), ("lee", "Sub Admin"), ("max", "Sub Admin")]


def test_the_login_is_the_user_name_else_the_address_else_the_id_and_nobody_elses():
    found = canvas(
        users=[
            person("bo", email="bo@example.org"),
            person("cy"),
            person("di", username="ANA", email="di@example.org"),
            person("ed", username="ed", status="suspended"),
        ],
        logins=[{"login_user_id": "l1", "user_kind": "user", "user_id": "tom", "username": "Cy"}],
    )

    logins = {row["user_id"]: (row["login_id"], row["status"]) for row in found.files["users.csv"]}
    assert logins == {
        "ana": ("ana", "active"),
        "bo": ("bo@example.org", "active"),
        "di": ("di@example.org", "active"),
        "ed": ("ed", "suspended"),
        "tom": ("tom", "active"),
    }
    assert found.losses["row_left_out", "users", None, "missing_required"] == 1  # cy, whose id is a login of tom


def test_a_whole_name_is_said_where_it_is_not_the_parts_that_an_import_joined():
    derived = {"derived": json.dumps(["full_name"])}
    found = canvas(users=[person("bo", full_name="Bo Ames", **derived), person("cy", full_name="Cyrus Ames")])

    assert {row["user_id"]: row["full_name"] for row in found.files["users.csv"]} == {
        "ana": "", "bo": "", "cy": "Cyrus Ames", "tom": ""
    }  # fmt: skip


def test_names_of_terms_courses_and_sections_are_made_where_there_are_none():
    found = canvas(
        terms=[{"term_id": "t1", "start_at": AT}],
        courses=[
            {"course_id": "c2", "number": "22", "name": "Art", "status": "completed"},
            {"course_id": "c3", "short_name": "MU"},
            {"course_id": "c4"},
        ],
        sections=[section("b2")],
    )

    (term,) = found.files["terms.csv"]
    assert (term["name"], term["start_date"], term["end_date"]) == ("t1", "2026-08-17T05:00:00Z", "")
    names = {row["course_id"]: (row["short_name"], row["long_name"], row["status"]) for row in found.files["courses.csv"]}
    assert names == {"c1": ("Biology", "Biology", "active"), "c2": ("22", "Art", "completed"), "c3": ("MU", "MU", "active")}
    assert {row["section_id"]: row["name"] for row in found.files["sections.csv"]} == {"b1": "Bio 1", "b2": "Biology"}
    assert found.losses["row_left_out", "courses", None, "missing_required"] == 1


def test_dates_of_a_kind_of_enrollment_are_a_row_of_the_term():
    dates = {"term_id": "t1", "enrollment_type": "TeacherEnrollment", "start_at": AT, "end_at": datetime(2026, 12, 1, tzinfo=UTC)}
    found = canvas(terms=[{"term_id": "t1", "name": "Fall"}], term_dates=[dates])

    rows = [(row["term_id"], row["date_override_enrollment_type"], row["end_date"]) for row in found.files["terms.csv"]]
    assert rows == [("t1", "", ""), ("t1", "TeacherEnrollment", "2026-12-01T00:00:00Z")]


def test_a_cross_listed_section_is_in_its_home_course_and_in_xlists():
    found = canvas(
        courses=[{"course_id": "c2", "name": "Art", "status": "active"}],
        sections=[section("b2", course_id="c2", name="Both")],
        enrollments=[enrolled("ana", "b2", "student", course_id="c2")],
    )

    assert {row["section_id"]: row["course_id"] for row in found.files["sections.csv"]} == {"b1": "c1", "b2": "c1"}
    assert found.files["xlists.csv"] == [{"xlist_course_id": "c2", "section_id": "b2", "status": "active"}]


def test_an_enrollment_names_its_section_else_its_course_and_those_with_a_cause_are_not_written():
    found = canvas(
        users=[person("eva"), person("mum")],
        enrollments=[
            enrolled("eva", None, "designer", status="completed"),
            enrolled("mum", "b1", "observer", associated_user_id="ana", cause="observer_link"),
            enrolled("mum", None, "observer", associated_user_id="ana", end_at=AT),
        ],
        observers=[{"observer_id": "mum", "student_id": "ana"}],
    )

    names = ("course_id", "section_id", "user_id", "role", "status", "associated_user_id", "end_date")
    assert [tuple(row[name] for name in names) for row in found.files["enrollments.csv"]] == [
        ("", "b1", "ana", "student", "active", "", ""),
        ("", "b1", "tom", "teacher", "active", "", ""),
        ("c1", "", "eva", "designer", "completed", "", ""),
        ("c1", "", "mum", "observer", "active", "ana", "2026-08-17T05:00:00Z"),
    ]
    assert found.files["user_observers.csv"] == [{"observer_id": "mum", "student_id": "ana", "status": "active"}]


def test_a_contact_who_is_a_user_observes_the_student():
    def contact(contact_id: str, user: str | None) -> dict[str, Any]:
        return {"user_kind": "user", "user_id": "ana", "contact_id": contact_id, "contact_user_id": user, "name": "Pat"}

    found = canvas(
        users=[person("mum"), person("dad")],
        contacts=[contact("1", "mum"), contact("2", None), contact("3", "ana"), contact("4", "gone"), contact("5", "dad")],
        observers=[{"observer_id": "dad", "student_id": "ana"}],
    )

    assert [(row["observer_id"], row["student_id"]) for row in found.files["user_observers.csv"]] == [
        ("dad", "ana"),
        ("mum", "ana"),
    ]
    assert found.losses["value_made_up", "observers", None, "missing_required"] == 1


def test_members_of_a_group_of_a_course_are_in_the_course():
    found = canvas(
        users=[person("bo")],
        group_categories=[
            {"group_category_id": "k1", "name": "Labs", "course_id": "c1"},
            {"group_category_id": "k2", "name": "Labs", "course_id": "c1"},
            {"group_category_id": "k3", "name": "Labs", "organization_id": "s1"},
        ],
        groups=[
            {"group_id": "g1", "name": "One", "course_id": "c1", "group_category_id": "k1"},
            {"group_id": "g2", "name": "Two", "organization_id": "s1"},
        ],
        group_memberships=[
            {"group_id": group, "user_id": user, "status": "accepted"} for group in ("g1", "g2") for user in ("ana", "bo")
        ],
    )

    assert [(row["group_id"], row["user_id"]) for row in found.files["groups_membership.csv"]] == [
        ("g1", "ana"), ("g2", "ana"), ("g2", "bo")
    ]  # fmt: skip
    assert found.column("group_categories.csv", "group_category_id") == ["k1", "k3"]
    assert found.column("groups.csv", "status") == ["available", "available"]


def test_a_second_id_of_two_records_is_said_of_the_first():
    found = canvas(users=[person("bo", integration_id="i1"), person("cy", integration_id="i1")])

    assert {row["user_id"]: row["integration_id"] for row in found.files["users.csv"]} == {
        "ana": "", "bo": "i1", "cy": "", "tom": ""
    }  # fmt: skip
    assert found.losses["value_changed", "users", "integration_id", "several_values"] == 1
