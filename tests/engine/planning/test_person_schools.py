"""Updates of people, profiles and contacts by the schools that the people belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from roster_etl.engine.planning.person_schools import PERSON_TABLES
from roster_etl.engine.planning.thresholds import ExceededThreshold, Thresholds, exceeded_thresholds
from tests.engine.plans import Row, plan_of, user

LIMITS = Thresholds(delete_pct=10, delete_min=5, update_pct=75, add_pct=100)


def people(numbers: range, **cells: Any) -> list[Row]:
    return [user(n, **cells) for n in numbers]


def roles(school: str, numbers: range, role: str = "student") -> list[Row]:
    return people(numbers, organization_id=school, role=role)


def over(before: dict[str, Sequence[Row]], **after: Sequence[Row]) -> list[tuple[str, str | None, str | None, int, int]]:
    found = exceeded_thresholds(plan_of(before, {**before, **after}), LIMITS)
    return [(item.table, item.school, item.role, item.records, item.current) for item in found]


def test_the_tables_of_people_are_known() -> None:
    assert set(PERSON_TABLES) == {"users", "user_identifiers", "student_profiles", "contacts", "logins"}


def test_a_school_that_is_overwritten_in_a_district_of_forty_exceeds() -> None:
    before = {
        "users": people(range(400)),
        "user_roles": [r for at in range(40) for r in roles(f"o{at}", range(at * 10, at * 10 + 10))],
    }

    after = [*people(range(10), first_name="Kim"), *people(range(10, 400))]

    assert over(before, users=after) == [("users", "o0", "student", 10, 10)]
    assert over(before, users=[*people(range(7), first_name="Kim"), *people(range(7, 400))]) == []


def test_teachers_do_not_hide_the_students_of_a_school() -> None:
    before = {"users": people(range(14)), "user_roles": [*roles("o1", range(8)), *roles("o1", range(8, 14), "teacher")]}

    assert over(before, users=[*people(range(8), first_name="Kim"), *people(range(8, 14))]) == [("users", "o1", "student", 8, 8)]


def test_a_school_counts_as_a_whole_where_no_role_of_it_exceeds() -> None:
    before = {
        "users": people(range(100)),
        "user_roles": [*roles("o1", range(4)), *roles("o1", range(4, 8), "teacher"), *roles("o2", range(8, 100))],
    }

    assert over(before, users=[*people(range(8), first_name="Kim"), *people(range(8, 100))]) == [("users", "o1", None, 8, 8)]


def test_each_contact_of_a_person_counts() -> None:
    def contacts(numbers: range, **cells: Any) -> list[Row]:
        return [user(n, contact_id=f"c{n}{k}", **cells) for n in numbers for k in range(2)]

    before = {"contacts": contacts(range(20)), "user_roles": [*roles("o1", range(4)), *roles("o2", range(4, 20))]}

    after = [*contacts(range(4), email="a@example.org"), *contacts(range(4, 20))]
    assert over(before, contacts=after) == [("contacts", "o1", "student", 8, 8)]


def test_contacts_that_others_take_the_place_of_count_as_updates_of_their_school() -> None:
    def contacts(numbers: range, mark: str) -> list[Row]:
        return [user(n, contact_id=f"{mark}{n}") for n in numbers]

    before = {"contacts": contacts(range(100), "c"), "user_roles": [*roles("o1", range(6)), *roles("o2", range(6, 100))]}

    assert over(before, contacts=[*contacts(range(6), "x"), *contacts(range(6, 100), "c")]) == [
        ("contacts", "o1", "student", 6, 6)
    ]
    assert over(before, contacts=contacts(range(6, 100), "c")) == []  # removed, which is judged for the whole table


@pytest.mark.parametrize("own", ["o1", None])
def test_people_without_roles_belong_to_the_schools_of_their_courses(own: str | None) -> None:
    def enrolled(course: str, numbers: range, school: str | None) -> list[Row]:
        return people(numbers, course_id=course, section_id="s", role="student", organization_id=school)

    before = {
        "users": people(range(40)),
        "user_roles": [],
        "courses": [{"course_id": "c1", "organization_id": "o1"}, {"course_id": "c2", "organization_id": "o2"}],
        "enrollments": [*enrolled("c1", range(6), own), *enrolled("c2", range(6, 40), None)],
    }

    assert over(before, users=[*people(range(6), first_name="Kim"), *people(range(6, 40))]) == [("users", "o1", "student", 6, 6)]


def test_people_who_leave_still_count_for_the_school_that_they_leave() -> None:
    before = {"users": people(range(100)), "user_roles": [*roles("o1", range(12)), *roles("o2", range(12, 100))]}
    after = {
        "users": [*people(range(6), first_name="Kim"), *people(range(12, 100))],
        "user_roles": [*roles("o1", range(6)), *roles("o2", range(12, 100))],
    }

    (part, *_) = [p for p in plan_of(before, after).tables["users"].person_updates if p.role == "student"]
    assert (part.school, part.counted, part.current) == ("o1", 6, 12)


def test_derived_columns_count_for_no_school() -> None:
    derived = '["full_name"]'
    before = {"users": people(range(10), full_name="A", derived=derived), "user_roles": roles("o1", range(10))}

    assert over(before, users=people(range(10), full_name="B", derived=derived)) == []


def test_an_exceeded_threshold_names_school_and_role() -> None:
    before = {"users": people(range(100)), "user_roles": [*roles("o1", range(6)), *roles("o2", range(6, 100))]}
    after = {**before, "users": [*people(range(6), first_name="Kim"), *people(range(6, 100))]}

    assert exceeded_thresholds(plan_of(before, after), LIMITS) == (
        ExceededThreshold(table="users", what="updated", school="o1", role="student", records=6, current=6),
    )
