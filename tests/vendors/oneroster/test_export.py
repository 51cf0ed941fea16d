"""What OneRoster's files say of a roster, record by record (the mapping from canonical tables to OneRoster 1.1 and 1.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from roster_etl.exports.rules.people import IdClash
from tests.exports.writing import Record, Written, roster, write

LEFT_OUT, CHANGED, MADE_UP = "row_left_out", "value_changed", "value_made_up"
FALL = {
    "term_id": "t1", "name": "Fall", "type": "term", "school_year": 2027, "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC),
    "end_at": datetime(2026, 12, 19, 6, tzinfo=UTC),
}  # fmt: skip
VERSIONS = ("1.1", "1.2")


def user(user_id: str, **more: Any) -> Record:
    names = {"first_name": user_id.title(), "last_name": "Ames", "username": user_id}
    return {"user_kind": "user", "user_id": user_id, "status": "active", **names, **more}


def role(user_id: str, school: str | None, name: str, **more: Any) -> Record:
    return {"user_kind": "user", "user_id": user_id, "organization_id": school, "role": name, **more}


def enrolled(user_id: str, section: str | None, name: str, **more: Any) -> Record:
    place = {"course_id": "c1", "section_id": section, "organization_id": "s1", "status": "active"}
    return {"user_kind": "user", "user_id": user_id, "role": name, **place, **more}


def section(section_id: str, **more: Any) -> Record:
    place = {"course_id": "c1", "home_course_id": "c1", "organization_id": "s1", "term_id": "t1"}
    return {"section_id": section_id, "name": section_id.upper(), **place, **more}


def district(**more: Sequence[Record]) -> dict[str, Sequence[Record]]:
    """Return the records of a district with one school, one class of Ana with Tom, and `more`."""
    base: dict[str, list[Record]] = {
        "organizations": [
            {"organization_id": "d", "type": "district", "name": "Lincoln"},
            {"organization_id": "s1", "type": "school", "name": "One", "parent_organization_id": "d"},
        ],
        "terms": [FALL],
        "users": [user("ana"), user("tom")],
        "user_roles": [role("ana", "s1", "student"), role("tom", "s1", "teacher")],
        "courses": [{"course_id": "c1", "name": "Biology", "number": "BIO", "organization_id": "s1", "status": "active"}],
        "sections": [section("b1")],
        "enrollments": [enrolled("ana", "b1", "student"), enrolled("tom", "b1", "teacher", is_primary=True)],
    }
    return {name: [*base.get(name, ()), *more.get(name, ())] for name in {*base, *more}}


def oneroster(version: str = "1.1", instead: Mapping[str, Sequence[Record]] | None = None, **more: Any) -> Written:
    options = {name: more.pop(name) for name in ("contacts_as", "account_type", "school_year_begins") if name in more}
    given = {"contacts" if name == "contacts_as" else name: value for name, value in options.items()}
    return write("oneroster", roster(**(district(**more) | dict(instead or {}))), oneroster_version=version, **given)


def by_id(found: Written, file: str, name: str) -> dict[str, str]:
    return {row["sourcedId"]: row[name] for row in found.files[file]}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plain_roster_is_whole(version: str):
    found = oneroster(version)

    assert by_id(found, "orgs.csv", "type") == {"d": "district", "s1": "school"}
    assert by_id(found, "classes.csv", "termSourcedIds") == {"b1": "t1"}
    assert by_id(found, "enrollments.csv", "primary") == {"b1.ana.student": "", "b1.tom.teacher": "true"}
    assert by_id(found, "courses.csv", "courseCode") == {"c1": "BIO"}
    assert ("roles.csv" in found.files) == (version == "1.2")
    assert not [place for place in found.losses if place[0] in (LEFT_OUT, CHANGED)]


def test_a_district_is_made_where_there_is_none_and_is_the_parent_of_what_has_none():
    places = [
        {"organization_id": "s1", "type": "school", "name": "One"},
        {"organization_id": "o1", "type": "office", "name": "Office", "parent_organization_id": "s1"},
    ]
    found = oneroster(instead={"organizations": places})

    assert by_id(found, "orgs.csv", "type") == {"d": "district", "o1": "department", "s1": "school"}
    assert by_id(found, "orgs.csv", "parentSourcedId") == {"d": "", "o1": "s1", "s1": "d"}
    assert by_id(found, "orgs.csv", "name")["d"] == "Lincoln"
    assert found.losses[MADE_UP, "organizations", None, "synthetic"] == 1
    assert found.losses[MADE_UP, "organizations", "parent_organization_id", "synthetic"] == 1
    assert found.losses[CHANGED, "organizations", "type", "coarser_code"] == 1


def test_a_school_with_the_id_of_the_district_refuses_the_export():
    with pytest.raises(IdClash):
        oneroster(instead={"organizations": [{"organization_id": "d", "type": "school", "name": "One"}]})


ACCOUNTS = [
    {"organization_id": "top", "type": "account", "name": "Top"},
    {"organization_id": "low", "type": "account", "name": "Low", "parent_organization_id": "top"},
]


@pytest.mark.parametrize(
    ("option", "types"),
    [({}, ("department", "school")), ({"account_type": "school"}, ("school",) * 2), ({"account_type": "department"}, ("department",) * 2)],
)  # fmt: skip
def test_accounts_are_schools_where_something_is_taught_or_none_is_below(option, types):
    found = oneroster(organizations=ACCOUNTS, **option)

    assert (by_id(found, "orgs.csv", "type")["top"], by_id(found, "orgs.csv", "type")["low"]) == types


def test_an_account_above_others_is_a_school_where_somebody_has_a_role():
    found = oneroster(organizations=ACCOUNTS, user_roles=[role("tom", "top", "teacher")])

    assert by_id(found, "orgs.csv", "type")["top"] == "school"


def test_the_identifier_of_an_organization_is_its_number_else_that_of_the_state():
    more = [
        {"organization_id": "s2", "type": "school", "name": "Two", "number": "2", "state_id": "22"},
        {"organization_id": "s3", "type": "school", "name": "Three", "state_id": "33"},
    ]

    assert by_id(oneroster(organizations=more), "orgs.csv", "identifier") == {"d": "", "s1": "", "s2": "2", "s3": "33"}


def test_a_session_has_a_type_a_title_both_dates_and_a_school_year():
    terms = [
        {"term_id": "t2", "start_at": datetime(2027, 1, 11, 6, tzinfo=UTC), "end_at": datetime(2027, 6, 5, 5, tzinfo=UTC)},
        {"term_id": "t3", "start_at": datetime(2026, 8, 17, 18, tzinfo=UTC), "end_at": datetime(2026, 12, 18, 18, tzinfo=UTC)},
        {"term_id": "t4", "name": "Open", "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC)},
        {"term_id": "t5", "name": "Summer", "type": "summer", "end_at": datetime(2026, 7, 1, 5, tzinfo=UTC)},
    ]
    found = oneroster(terms=terms)

    rows = {row["sourcedId"]: row for row in found.files["academicSessions.csv"]}
    said = {key: [row[name] for name in ("title", "type", "startDate", "endDate", "schoolYear")] for key, row in rows.items()}
    assert said == {
        "t1": ["Fall", "term", "2026-08-17", "2026-12-19", "2027"],
        "t2": ["2027-01-11 to 2027-06-04", "term", "2027-01-11", "2027-06-05", "2027"],
        "t3": ["2026-08-17 to 2026-12-18", "term", "2026-08-17", "2026-12-19", "2027"],
        "t4": ["Open", "term", "2026-08-17", "2027-07-01", "2027"],
        "t5": ["Summer", "term", "2025-07-01", "2026-07-01", "2026"],
    }
    assert found.losses[CHANGED, "terms", "start_at", "time_of_day"] == 1
    assert found.losses[CHANGED, "terms", "end_at", "time_of_day"] == 1


def test_the_month_in_which_a_school_year_begins_is_an_option():
    terms = [{"term_id": "t2", "name": "Open", "start_at": datetime(2026, 8, 17, 5, tzinfo=UTC)}]
    (_, row) = oneroster(terms=terms, school_year_begins="9").files["academicSessions.csv"]

    assert (row["startDate"], row["endDate"], row["schoolYear"]) == ("2026-08-17", "2026-09-01", "2026")


def test_a_class_has_the_terms_that_are_listed_else_its_own_else_its_courses_else_a_made_school_year():
    spring = FALL | {"term_id": "t2", "name": "Spring"}
    year = FALL | {"term_id": "y1", "name": "Year", "type": "schoolYear"}
    found = oneroster(
        terms=[spring, year],
        courses=[{"course_id": "c2", "name": "Art", "organization_id": "s1", "term_id": "y1"}],
        sections=[
            section("b2"),
            section("b3", term_id=None, course_id="c2", home_course_id="c2"),
            section("b4", term_id=None),
        ],
        section_terms=[
            {"section_id": "b2", "term_id": "t2", "position": 2},
            {"section_id": "b2", "term_id": "t1", "position": 1},
        ],
    )

    assert by_id(found, "classes.csv", "termSourcedIds") == {"b1": "t1", "b2": "t1,t2", "b3": "y1", "b4": "sy-2027"}
    made = next(row for row in found.files["academicSessions.csv"] if row["sourcedId"] == "sy-2027")
    assert [made[name] for name in ("title", "type", "startDate", "endDate", "schoolYear")] == [
        "2026-2027", "schoolYear", "2026-07-01", "2027-07-01", "2027"
    ]  # fmt: skip
    assert found.losses[MADE_UP, "terms", None, "synthetic"] == 1
    assert by_id(found, "courses.csv", "schoolYearSourcedId") == {"c1": "", "c2": "y1"}


def test_a_course_in_a_term_that_is_no_school_year_has_none():
    courses = [{"course_id": "c2", "short_name": "ART", "term_id": "t1"}, {"course_id": "c3", "number": "3"}]
    found = oneroster(courses=courses)

    assert by_id(found, "courses.csv", "schoolYearSourcedId") == {"c1": "", "c2": "", "c3": ""}
    assert by_id(found, "courses.csv", "title") == {"c1": "Biology", "c2": "ART", "c3": "3"}
    assert by_id(found, "courses.csv", "courseCode") == {"c1": "BIO", "c2": "ART", "c3": "3"}
    assert by_id(found, "courses.csv", "orgSourcedId") == {"c1": "s1", "c2": "d", "c3": "d"}


def test_the_title_and_the_type_of_a_class():
    found = oneroster(
        courses=[{"course_id": "c2", "name": "Homeroom", "organization_id": "s1", "is_homeroom": True}],
        sections=[
            section("b2", name=None),
            section("b3", course_id="c2", home_course_id="c2"),
            section("b4", subject="Homeroom/advisory"),
            section("b5", class_type="lab"),
        ],
    )

    assert by_id(found, "classes.csv", "title")["b2"] == "Biology"
    types = by_id(found, "classes.csv", "classType")
    assert types == {"b1": "scheduled", "b2": "scheduled", "b3": "homeroom", "b4": "homeroom", "b5": "scheduled"}


def test_the_school_of_a_class_is_its_own_else_its_courses_else_the_only_one():
    found = oneroster(
        courses=[{"course_id": "c2", "name": "Art"}, {"course_id": "c3", "name": "Music", "organization_id": "s1"}],
        sections=[
            section("b2", organization_id=None, course_id="c2", home_course_id="c2"),
            section("b3", organization_id=None, course_id="c3", home_course_id="c3"),
        ],
    )

    assert by_id(found, "classes.csv", "schoolSourcedId") == {"b1": "s1", "b2": "s1", "b3": "s1"}


def test_a_class_without_a_school_where_there_are_several_is_left_out():
    found = oneroster(
        organizations=[{"organization_id": "s2", "type": "school", "name": "Two"}],
        courses=[{"course_id": "c2", "name": "Art"}],
        sections=[section("b2", organization_id=None, course_id="c2", home_course_id="c2")],
    )

    assert by_id(found, "classes.csv", "schoolSourcedId") == {"b1": "s1"}
    assert found.losses[LEFT_OUT, "sections", None, "missing_required"] == 1


def test_lists_of_a_class_have_no_commas_in_their_items():
    lists = {
        "grade": "09", "subject": "Arts, fine", "period": "1, 2", "subject_codes": json.dumps(["A,1", "B"]), "number": "7",
    }  # fmt: skip
    found = oneroster(sections=[section("b2", **lists)])

    row = found.files["classes.csv"][1]
    assert [row[name] for name in ("grades", "subjects", "periods", "subjectCodes", "classCode")] == [
        "09", "Arts fine", "1,2", "A1,B", "7"
    ]  # fmt: skip
    assert found.losses[CHANGED, "sections", "subjects", "comma_in_list"] == 1


def test_enrollments_of_a_course_are_in_its_default_class():
    found = oneroster(
        users=[user("bo")],
        user_roles=[role("bo", "s1", "student")],
        courses=[{"course_id": "c2", "name": "Art", "organization_id": "s1", "term_id": "t1"}],
        enrollments=[
            enrolled("bo", None, "student", course_id="c2"),
            enrolled("ana", None, "student", course_id="c2"),
            enrolled("tom", None, "teacher", course_id="c2"),
        ],
    )

    made = next(row for row in found.files["classes.csv"] if row["sourcedId"] == "default-c2")
    assert [made[name] for name in ("title", "courseSourcedId", "schoolSourcedId", "termSourcedIds")] == ["Art", "c2", "s1", "t1"]
    there = {row["userSourcedId"] for row in found.files["enrollments.csv"] if row["classSourcedId"] == "default-c2"}
    assert there == {"ana", "bo", "tom"}
    assert found.losses[MADE_UP, "sections", None, "synthetic"] == 1
    assert found.losses[MADE_UP, "enrollments", "section_id", "synthetic"] == 3


def test_active_enrollments_are_written_and_completed_ones_that_have_an_end():
    end = datetime(2026, 9, 12, 5, tzinfo=UTC)
    people = [user(name) for name in ("bo", "cy", "di", "ed")]
    found = oneroster(
        users=people,
        user_roles=[role(one["user_id"], "s1", "student") for one in people],
        enrollments=[
            enrolled("bo", "b1", "student", status="completed", end_at=end),
            enrolled("cy", "b1", "student", status="completed"),
            enrolled("di", "b1", "student", status="inactive", end_at=end),
            enrolled("ed", "b1", "student", cause="observer_link"),
        ],
    )

    assert by_id(found, "enrollments.csv", "endDate") == {
        "b1.ana.student": "", "b1.bo.student": "2026-09-12", "b1.tom.teacher": ""
    }  # fmt: skip
    assert found.losses[LEFT_OUT, "enrollments", None, "no_home"] == 3


@pytest.mark.parametrize(
    ("version", "roles", "lost"),
    [
        ("1.1", {"ta": "teacher", "designer": "administrator"}, 2),
        ("1.2", {"ta": "ext:ta", "designer": "administrator", "tutor": "ext:tutor"}, 1),
    ],
)
def test_the_role_in_a_class_is_said_in_the_words_of_the_version(version, roles, lost):
    people = {"ta": "eva", "designer": "fay", "observer": "gus", "tutor": "hal"}
    found = oneroster(
        version,
        users=[user(name) for name in people.values()],
        user_roles=[role(name, "s1", "aide") for name in people.values()],
        enrollments=[enrolled(name, "b1", word, is_primary=True) for word, name in people.items()],
    )

    said = {row["userSourcedId"]: (row["role"], row["primary"]) for row in found.files["enrollments.csv"]}
    primary = {"ta": "false" if version == "1.1" else "", "designer": "", "tutor": ""}
    assert said == {
        "ana": ("student", ""),
        "tom": ("teacher", "true"),
        **{people[word]: (name, primary[word]) for word, name in roles.items()},
    }
    assert found.losses[LEFT_OUT, "enrollments", None, "no_home"] == lost


def test_a_user_has_a_name_and_a_user_name():
    found = oneroster(
        users=[
            user("bo", username=None, email="bo@example.org"),
            user("cy", username=None, first_name=None, last_name=None, full_name="Cy de la Cruz"),
            user("di", first_name=None, last_name=None),
            user("ed", status="suspended"),
        ],
        user_roles=[role(name, "s1", "student") for name in ("bo", "cy", "di", "ed")],
    )

    rows = {row["sourcedId"]: row for row in found.files["users.csv"]}
    assert [rows[name]["username"] for name in ("bo", "cy")] == ["bo@example.org", "cy"]
    assert (rows["cy"]["givenName"], rows["cy"]["familyName"]) == ("Cy de la", "Cruz")
    assert (rows["di"]["givenName"], rows["di"]["familyName"]) == ("di", "di")
    assert [rows[name]["enabledUser"] for name in ("ana", "ed")] == ["true", "false"]
    assert found.losses[MADE_UP, "users", "first_name", "name_split"] == 1


def test_in_1_1_a_user_has_the_highest_role_and_the_organizations_in_order_the_primary_one_first():
    found = oneroster(
        organizations=[{"organization_id": f"s{number}", "type": "school", "name": "S"} for number in (2, 3)],
        users=[user(name) for name in ("kim", "lee", "max", "noa", "pat")],
        user_roles=[
            role("kim", "s1", "teacher"),
            role("kim", "s2", "admin"),
            role("kim", "s3", "teacher", is_primary=True),
            role("lee", "s1", "staff"),
            role("max", "d", "principal"),
            role("noa", "s1", "counselor"),
            role("pat", "s1", "staff"),
        ],
        enrollments=[enrolled("pat", "b1", "teacher")],
    )

    said = {row["sourcedId"]: (row["role"], row["orgSourcedIds"]) for row in found.files["users.csv"]}
    assert said == {
        "ana": ("student", "s1"),
        "tom": ("teacher", "s1"),
        "kim": ("teacher", "s3,s1,s2"),
        "lee": ("aide", "s1"),
        "max": ("administrator", "d"),
        "noa": ("aide", "s1"),
        "pat": ("teacher", "s1"),
    }


def test_in_1_2_each_role_is_a_row_and_one_of_a_user_and_organization_is_primary():
    found = oneroster(
        "1.2",
        users=[user(name) for name in ("kim", "lee", "max")],
        user_roles=[
            role("kim", "s1", "teacher"),
            role("kim", "s1", "aide"),
            role("kim", "d", "admin", role_id="r1"),
            role("lee", "s1", "admin"),
            role("max", "s1", "coach"),
        ],
    )

    said = {row["sourcedId"]: (row["role"], row["roleType"]) for row in found.files["roles.csv"]}
    assert said == {
        "ana.s1.student": ("student", "primary"),
        "tom.s1.teacher": ("teacher", "primary"),
        "kim.s1.teacher": ("teacher", "primary"),
        "kim.s1.aide": ("aide", "secondary"),
        "r1": ("districtAdministrator", "primary"),
        "lee.s1.siteAdministrator": ("siteAdministrator", "primary"),
        "max.s1.ext-coach": ("ext:coach", "primary"),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_user_without_a_role_has_that_of_the_enrollments_and_one_without_any_is_left_out(version):
    found = oneroster(version, users=[user("bo"), user("cy")], enrollments=[enrolled("bo", "b1", "student")])

    assert found.column("users.csv", "sourcedId") == ["ana", "bo", "tom"]
    file = "users.csv" if version == "1.1" else "roles.csv"
    id_column = "sourcedId" if version == "1.1" else "userSourcedId"
    assert {row[id_column]: row["role"] for row in found.files[file]}["bo"] == "student"
    assert found.losses[LEFT_OUT, "users", None, "missing_required"] == 1


def contact(owner: str, contact_id: str, at: int, **more: Any) -> Record:
    return {"user_kind": "user", "user_id": owner, "contact_id": contact_id, "position": at, "name": "Pat Doe", **more}


def test_contacts_are_users_one_for_each_id_of_the_source_and_one_a_student_for_derived_ids():
    made = {"derived": json.dumps(["contact_id"])}
    found = oneroster(
        organizations=[{"organization_id": "s2", "type": "school", "name": "Two"}],
        users=[user("bo"), user("mum")],
        user_roles=[role("bo", "s2", "student"), role("mum", "s1", "parent")],
        contacts=[
            contact("ana", "p1", 2, relationship="Mother"),
            contact("bo", "p1", 1, relationship="Mother"),
            contact("ana", "contact:ff", 3, relationship="Neighbor", **made),
            contact("bo", "contact:ff", 2, relationship="Grandmother", **made),
            contact("ana", "x", 1, contact_user_id="mum"),
        ],
    )

    rows = {row["sourcedId"]: row for row in found.files["users.csv"]}
    assert [*rows] == ["ana", "bo", "contact-ana-ff", "contact-bo-ff", "mum", "p1", "tom"]
    assert rows["ana"]["agentSourcedIds"] == "mum,p1,contact-ana-ff"
    assert rows["bo"]["agentSourcedIds"] == "p1,contact-bo-ff"
    said = {key: (row["role"], row["orgSourcedIds"]) for key, row in rows.items()}
    assert said["p1"] == ("parent", "s1,s2")
    assert said["contact-ana-ff"] == ("guardian", "s1")
    assert said["contact-bo-ff"] == ("relative", "s2")
    assert (rows["p1"]["givenName"], rows["p1"]["familyName"]) == ("Pat", "Doe")


def test_a_contact_of_two_students_is_said_as_with_the_first():
    found = oneroster(
        users=[user("bo")],
        user_roles=[role("bo", "s1", "student")],
        contacts=[contact("bo", "p1", 1, email="b@example.org"), contact("ana", "p1", 1, email="a@example.org")],
    )

    assert by_id(found, "users.csv", "email")["p1"] == "a@example.org"
    assert found.losses[CHANGED, "contacts", "email", "several_values"] == 1


def test_contacts_can_be_left_out():
    found = oneroster(contacts=[contact("ana", "p1", 1)], contacts_as="leave_out")

    assert found.column("users.csv", "sourcedId") == ["ana", "tom"]
    assert by_id(found, "users.csv", "agentSourcedIds") == {"ana": "", "tom": ""}
    assert found.losses["table_left_out", "contacts", None, "left_out"] == 1


def test_a_contact_with_the_id_of_a_user_refuses_the_export():
    with pytest.raises(IdClash):
        oneroster(contacts=[contact("ana", "tom", 1)])


def profile(user_id: str, **more: Any) -> Record:
    return {"user_kind": "user", "user_id": user_id, **more}


@pytest.mark.parametrize(("version", "other"), [("1.1", ""), ("1.2", "other")])
def test_demographics_are_those_of_students(version: str, other: str):
    people = [user(name) for name in ("bo", "cy")]
    found = oneroster(
        version,
        users=people,
        user_roles=[role(one["user_id"], "s1", "student") for one in people],
        student_profiles=[
            profile("ana", gender="F", race="A", hispanic=False, birth_date=date(2012, 2, 29), grade="09"),
            profile("bo", gender="X", race="M"),
            profile("cy", grade="10"),
            profile("tom", gender="M"),
        ],
    )

    rows = {row["sourcedId"]: row for row in found.files["demographics.csv"]}
    races = ("americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white")
    assert [*rows] == ["ana", "bo"]
    assert [rows["ana"][name] for name in ("birthDate", "sex", "hispanicOrLatinoEthnicity")] == ["2012-02-29", "female", "false"]
    assert [rows["ana"][name] for name in races] == ["false", "true", "false", "false", "false"]
    assert rows["ana"]["demographicRaceTwoOrMoreRaces"] == "false"
    assert [rows["bo"][name] for name in ("sex", *races, "demographicRaceTwoOrMoreRaces")] == [other, "", "", "", "", "", "true"]
    assert by_id(found, "users.csv", "grades") == {"ana": "09", "bo": "", "cy": "10", "tom": ""}
    assert found.losses.get((CHANGED, "student_profiles", "gender", "not_in_code_list"), 0) == (version == "1.1")


def test_in_1_2_logins_are_profiles_of_users():
    extra = json.dumps({"profileType": "sis", "credentialType": "basic"})
    logins = [
        {"login_user_id": "l1", "user_kind": "user", "user_id": "ana", "username": "ana@x", "authentication_provider_id": "v"},
        {"login_user_id": "l2", "user_kind": "user", "user_id": "tom", "username": "tom@x", "extensions": extra},
        {"login_user_id": "l3", "user_kind": "user", "user_id": "tom"},
    ]
    found = oneroster("1.2", logins=logins)

    names = ("userSourcedId", "profileType", "vendorId", "credentialType", "username")
    assert {row["sourcedId"]: [row[name] for name in names] for row in found.files["userProfiles.csv"]} == {
        "l1": ["ana", "unknown", "v", "unknown", "ana@x"],
        "l2": ["tom", "sis", "unknown", "basic", "tom@x"],
    }


def test_a_derived_id_is_written_with_a_dash_and_another_that_is_not_allowed_leaves_its_record_out():
    found = oneroster(
        terms=[FALL | {"term_id": "term:28d6", "derived": json.dumps(["term_id"])}, FALL | {"term_id": "t:2"}],
        sections=[section("b2", term_id="term:28d6"), section("b3", term_id="t:2")],
    )

    assert by_id(found, "classes.csv", "termSourcedIds")["b2"] == "term-28d6"
    assert "t:2" not in found.column("academicSessions.csv", "sourcedId")
    assert found.losses[LEFT_OUT, "terms", None, "id_not_allowed"] == 1
    assert found.losses[CHANGED, "terms", "term_id", "id_not_allowed"] == 1


def test_in_1_2_the_primary_organization_of_a_user_is_one_where_the_user_has_a_role():
    found = oneroster(
        "1.2",
        users=[user("bo", primary_organization_id="s1"), user("cy", primary_organization_id="d")],
        user_roles=[role("bo", "s1", "student"), role("cy", "s1", "student")],
    )

    assert by_id(found, "users.csv", "primaryOrgSourcedId") == {"ana": "", "bo": "s1", "cy": "", "tom": ""}
    assert found.losses["column_left_out", "users", "primary_organization_id", "no_home"] == 1
