"""What the resources of Ed-Fi say of a roster, object by object."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.exports.writing import Record, counts, enrolled, person, prepared_records, role, section, small_district

FALL = {
    "term_id": "t1", "name": "Fall", "type": "term", "school_year": 2027, "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC),
    "end_at": datetime(2026, 12, 19, 6, tzinfo=UTC),
}  # fmt: skip


def edfi(options: dict[str, str] | None = None, **more: Any) -> tuple[dict[str, list[Record]], dict[Any, int]]:
    more.setdefault("terms", [FALL])
    found, work = prepared_records("edfi", small_district(**more), **(options or {}))
    return found, counts(work)


def test_schools_are_known_by_a_whole_number_and_others_are_left_out_with_all_under_them():
    found, losses = edfi(
        organizations=[
            {"organization_id": "s3", "type": "school", "name": "Three", "state_id": "3b"},
            {"organization_id": "s4", "type": "school", "name": "Four"},
        ],
        users=[person("bo", state_id="902")],
        user_roles=[role("bo", "s3", "student")],
        sections=[section("b3", organization_id="s3")],
    )

    assert [(one["schoolId"], one["nameOfInstitution"]) for one in found["schools"]] == [(11, "One"), (22, "Two")]
    assert [one["sectionIdentifier"] for one in found["sections"]] == ["b1"]
    assert losses["row_left_out", "organizations", None, "id_not_allowed"] == 2


def test_of_two_schools_with_one_number_the_second_is_left_out_though_it_is_written_otherwise():
    found, losses = edfi(
        organizations=[{"organization_id": "s3", "type": "school", "name": "Three", "state_id": "011"}],
        users=[person("bo", state_id="902")],
        user_roles=[role("bo", "s3", "student")],
    )

    assert [(one["schoolId"], one["nameOfInstitution"]) for one in found["schools"]] == [(11, "One"), (22, "Two")]
    assert losses["row_left_out", "organizations", None, "id_not_allowed"] == 1


@pytest.mark.parametrize(("option", "known"), [("state_id", "901"), ("number", "1"), ("user_id", "ana")])
def test_students_are_known_by_the_column_of_the_option(option: str, known: str):
    found, _ = edfi({"student_id": option})

    assert found["students"] == [{"studentUniqueId": known, "firstName": "Ana", "lastSurname": "Ames"}]


def test_students_without_the_id_or_with_that_of_another_are_left_out():
    found, losses = edfi(
        users=[person("bo"), person("cy", state_id="901"), person("di", state_id="903"), person("kim", state_id="903")],
        user_roles=[*(role(user, "s1", "student") for user in ("bo", "cy", "di")), role("kim", "s1", "aide")],
    )

    assert [one["studentUniqueId"] for one in found["students"]] == ["901", "903"]
    assert [one["staffUniqueId"] for one in found["staffs"]] == ["kim", "tom"]
    assert losses["row_left_out", "users", None, "missing_required"] == 1
    assert losses["row_left_out", "users", None, "id_not_allowed"] == 1


def test_a_student_is_at_a_school_from_the_first_day_of_the_year_in_a_grade():
    profile = {
        "user_kind": "user", "user_id": "ana", "grade": "09", "gender": "F", "race": "A", "hispanic": True, "birth_date": date(2012, 2, 29),
    }  # fmt: skip
    found, losses = edfi(user_roles=[role("ana", "s1", "aide")], student_profiles=[profile])

    assert found["studentSchoolAssociations"] == [
        {
            "schoolReference": {"schoolId": 11},
            "studentReference": {"studentUniqueId": "901"},
            "entryDate": "2026-07-01",
            "entryGradeLevelDescriptor": "uri://ed-fi.org/GradeLevelDescriptor#Ninth grade",
        }
    ]
    (about,) = found["studentEducationOrganizationAssociations"]
    assert about["hispanicLatinoEthnicity"] is True
    assert about["sexDescriptor"] == "uri://ed-fi.org/SexDescriptor#Female"
    assert about["races"] == [{"raceDescriptor": "uri://ed-fi.org/RaceDescriptor#Asian"}]
    assert found["students"][0]["birthDate"] == "2012-02-29"
    assert losses["value_made_up", "user_roles", "start_at", "missing_required"] == 1


def test_descriptors_of_the_option_are_written_in_place_of_the_defaults():
    words = {"position:primary": "uri://x#Lead"}
    found, _ = edfi({"descriptors": json.dumps(words)})

    assert [one["classroomPositionDescriptor"] for one in found["staffSectionAssociations"]] == ["uri://x#Lead"]


def test_who_is_no_student_is_staff_with_a_place_in_a_class():
    found, losses = edfi(
        users=[person("eva"), person("fay")],
        user_roles=[role("eva", "s2", "teacher"), role("fay", "s1", "teacher")],
        enrollments=[
            enrolled("eva", "b1", "teacher", is_primary=False),
            enrolled("fay", "b1", "teacher"),
            enrolled("ana", "b1", "teacher"),
        ],
    )

    assert [(one["schoolReference"]["schoolId"], one["staffReference"]["staffUniqueId"]) for one in found["staffSchoolAssociations"]] == [
        (22, "eva"), (11, "fay"), (11, "tom"),
    ]  # fmt: skip
    places = {
        one["staffReference"]["staffUniqueId"]: one["classroomPositionDescriptor"].rpartition("#")[2]
        for one in found["staffSectionAssociations"]
    }
    assert places == {"eva": "Assistant Teacher", "fay": "Teacher of Record", "tom": "Teacher of Record"}
    assert losses["row_left_out", "enrollments", None, "no_home"] == 1
    assert [one["staffUniqueId"] for one in found["staffs"]] == ["eva", "fay", "tom"]


def test_a_session_is_a_term_at_a_school_with_its_weekdays():
    found, _ = edfi(
        sections=[section("b2", term_id="t1"), section("b3", term_id="t1", organization_id="s2"), section("b4", term_id="t1")]
    )

    fall = [one for one in found["sessions"] if one["sessionName"] == "Fall"]
    assert [one["schoolReference"]["schoolId"] for one in fall] == [11, 22]
    assert [fall[0][name] for name in ("beginDate", "endDate", "totalInstructionalDays")] == ["2026-08-17", "2026-12-18", 90]
    assert fall[0]["schoolYearTypeReference"] == {"schoolYear": 2027}


def test_a_course_is_offered_once_a_term_and_school_and_its_sections_name_the_offering():
    found, _ = edfi(sections=[section("b2", term_id="t1", name="Bio 2"), section("b3", term_id="t1", organization_id="s2")])

    offered = [
        (one["localCourseCode"], one["sessionReference"]["sessionName"], one["schoolReference"]["schoolId"])
        for one in found["courseOfferings"]
    ]
    assert sorted(offered) == [("c1", "2026-2027", 11), ("c1", "Fall", 11), ("c1", "Fall", 22)]
    second = next(one for one in found["sections"] if one["sectionIdentifier"] == "b2")
    assert second["sectionName"] == "Bio 2"
    assert second["courseOfferingReference"] == {
        "localCourseCode": "c1",
        "schoolId": 11,
        "schoolYear": 2027,
        "sessionName": "Fall",
    }
    assert [one["courseReference"]["educationOrganizationId"] for one in found["courseOfferings"]] == [11, 11, 11]


def test_an_enrollment_has_its_own_days_else_those_of_the_term():
    days = {"start_at": datetime(2026, 9, 1, 5, tzinfo=UTC), "end_at": datetime(2026, 10, 2, 5, tzinfo=UTC)}
    found, _ = edfi(
        sections=[section("b2", term_id="t1"), section("b3", term_id="t1")],
        enrollments=[enrolled("ana", "b2", "student", **days), enrolled("ana", "b3", "student")],
    )

    said = {
        one["sectionReference"]["sectionIdentifier"]: (one["beginDate"], one["endDate"])
        for one in found["studentSectionAssociations"]
    }
    assert said["b2"] == ("2026-09-01", "2026-10-01")
    assert said["b3"] == ("2026-08-17", "2026-12-18")


def test_a_contact_of_a_student_needs_a_name_of_two_parts():
    contacts = [
        {"user_kind": "user", "user_id": "ana", "contact_id": "contact:1", "name": "Pat van Doe", "relationship": "Mother", "phone": "555-0100"},
        {"user_kind": "user", "user_id": "ana", "contact_id": "p2", "name": "Sam", "email": "sam@example.org"},
        {"user_kind": "user", "user_id": "ana", "contact_id": "p3", "name": "Lee Doe", "email": "lee@example.org"},
    ]  # fmt: skip
    found, losses = edfi(contacts=contacts)

    first, second = found["contacts"]
    assert (first["contactUniqueId"], first["firstName"], first["lastSurname"]) == ("ana-contact-1", "Pat van", "Doe")
    assert first["telephones"][0]["telephoneNumber"] == "555-0100"
    assert "electronicMails" not in first
    assert second["electronicMails"][0]["electronicMailAddress"] == "lee@example.org"
    assert "telephones" not in second
    assert [one.get("relationDescriptor") for one in found["studentContactAssociations"]] == [
        "uri://ed-fi.org/RelationDescriptor#Mother", None
    ]  # fmt: skip
    assert losses["row_left_out", "contacts", None, "missing_required"] == 1


def test_terms_of_one_name_and_year_are_one_session_at_a_school_from_the_first_day_to_the_last():
    late = {**FALL, "term_id": "t2", "type": "semester", "start_at": datetime(2026, 9, 1, 5, tzinfo=UTC), "end_at": datetime(2027, 1, 16, 6, tzinfo=UTC)}  # fmt: skip
    found, losses = edfi(
        terms=[FALL, late],
        sections=[
            section("b4", term_id="t1"),
            section("b2", term_id="t2"),
            section("b3", term_id="t2"),
        ],
        enrollments=[enrolled("ana", "b2", "student")],
    )

    (fall,) = [one for one in found["sessions"] if one["sessionName"] == "Fall"]
    assert (fall["beginDate"], fall["endDate"]) == ("2026-08-17", "2027-01-15")
    assert fall["termDescriptor"].endswith("#Trimester")
    assert losses["rows_joined", "terms", None, "several_values"] == 1
    assert [losses["value_changed", "terms", column, "several_values"] for column in ("start_at", "end_at", "type")] == [1, 1, 1]
    days = {
        one["sectionReference"]["sectionIdentifier"]: (one["beginDate"], one["endDate"])
        for one in found["studentSectionAssociations"]
    }
    assert days["b2"] == ("2026-09-01", "2027-01-15")


def test_terms_of_one_name_in_two_years_or_at_two_schools_are_sessions_of_their_own():
    next_fall = {**FALL, "term_id": "t2", "school_year": 2028}
    found, losses = edfi(
        terms=[FALL, next_fall],
        sections=[section("b4", term_id="t1"), section("b2", term_id="t2"), section("b3", term_id="t1", organization_id="s2")],
    )

    falls = [one for one in found["sessions"] if one["sessionName"] == "Fall"]
    assert [(one["schoolReference"]["schoolId"], one["schoolYearTypeReference"]["schoolYear"]) for one in falls] == [
        (11, 2027), (11, 2028), (22, 2027)
    ]  # fmt: skip
    assert not [place for place in losses if place[0] == "rows_joined"]
