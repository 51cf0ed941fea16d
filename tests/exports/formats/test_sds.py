"""What the files of School Data Sync say of a roster, record by record."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.exports.writing import enrolled, person, role, section, small_district, write

SDS_FILES = [
    "orgs.csv", "users.csv", "roles.csv", "classes.csv", "enrollments.csv", "academicSessions.csv", "courses.csv", "demographics.csv",
    "userFlags.csv", "relationships.csv",
]  # fmt: skip


def test_the_same_set_of_files_is_written_whatever_there_is():
    assert [*write("sds", small_district()).files] == SDS_FILES


def test_a_user_name_has_a_domain_that_of_the_option_or_it_is_the_address():
    tables = small_district(users=[person("bo", username="bo@other.org"), person("cy", username="cy")], user_roles=[
        role("bo", "s1", "student"), role("cy", "s1", "student"),
    ])  # fmt: skip

    def names(**options: str) -> dict[str, str]:
        return {row["sourcedId"]: row["username"] for row in write("sds", tables, **options).files["users.csv"]}

    assert names() == {"ana": "ana@example.org", "tom": "tom@example.org", "bo": "bo@other.org", "cy": "cy"}
    assert names(username_domain="@d.org") == {"ana": "ana@d.org", "tom": "tom@d.org", "bo": "bo@other.org", "cy": "cy@d.org"}


def test_a_role_has_the_grade_of_a_student_and_says_whether_it_is_primary():
    found = write(
        "sds",
        small_district(
            user_roles=[role("tom", "s2", "admin"), role("tom", "s1", "aide")],
            student_profiles=[{"user_kind": "user", "user_id": user, "grade": "09", "gifted": True} for user in ("ana", "tom")],
        ),
    )

    rows = [
        [row[name] for name in ("userSourcedId", "orgSourcedId", "role", "grade", "isPrimary")]
        for row in found.files["roles.csv"]
    ]
    assert rows == [
        ["ana", "s1", "student", "09", "TRUE"],
        ["tom", "s1", "aide", "", "FALSE"],
        ["tom", "s1", "teacher", "", "TRUE"],
        ["tom", "s2", "siteAdministrator", "", "TRUE"],
    ]
    assert found.files["userFlags.csv"] == [{"userSourcedId": "ana", "flag": "gifted"}]


def test_flags_are_rows_in_the_words_of_the_option():
    profile = {"user_kind": "user", "user_id": "ana", "iep": True, "ell": True, "gifted": False, "section_504": True, "frl": "R"}
    tables = small_district(student_profiles=[profile])
    found = write("sds", tables, flags=json.dumps({"ell": "englishLearner"}))

    assert [row["flag"] for row in found.files["userFlags.csv"]] == ["englishLearner", "iep", "reducedLunch", "section504"]
    assert found.losses["value_changed", "student_profiles", "gifted", "coarser_code"] == 1


@pytest.mark.parametrize(("frl", "flags"), [("F", ["freeLunch"]), ("N", [])])
def test_who_pays_for_lunch_has_no_flag(frl: str, flags: list[str]):
    tables = small_district(student_profiles=[{"user_kind": "user", "user_id": "ana", "frl": frl}])

    assert write("sds", tables).column("userFlags.csv", "flag") == flags


def test_demographics_are_those_of_students_who_have_some():
    more = {"birth_date": date(2012, 2, 29), "gender": "F", "race": "A"}
    found = write(
        "sds",
        small_district(
            users=[person(user, username=user) for user in ("bo", "cy")],
            user_roles=[role(user, "s1", "student") for user in ("bo", "cy")],
            student_profiles=[
                {"user_kind": "user", "user_id": "ana", "hispanic": False, **more},
                {"user_kind": "user", "user_id": "bo", "grade": "09"},
                {"user_kind": "user", "user_id": "cy", "hispanic": True},
            ],
        ),
    )

    names = ("userSourcedId", "sex", "birthDate", "ethnicityCodes", "raceCodes")
    assert [[row[name] for name in names] for row in found.files["demographics.csv"]] == [
        ["ana", "female", "2012-02-29", "notHispanicOrLatino", "A"],
        ["cy", "", "", "hispanicOrLatino", ""],
    ]


def test_a_class_without_a_school_is_at_no_district():
    found = write(
        "sds",
        small_district(
            courses=[{"course_id": "c2", "name": "Art"}], sections=[section("b2", course_id="c2", organization_id=None)]
        ),
    )

    assert found.column("classes.csv", "sourcedId") == ["b1"]
    assert {row["sourcedId"]: row["orgSourcedId"] for row in found.files["courses.csv"]} == {"c1": "s1", "c2": "d"}


def test_contacts_are_users_and_relationships():
    contact = {
        "user_kind": "user",
        "user_id": "ana",
        "contact_id": "p1",
        "name": "Pat Doe",
        "relationship": "Father",
        "position": 1,
    }
    found = write("sds", small_district(contacts=[contact]))

    assert found.files["relationships.csv"] == [
        {"userSourcedId": "ana", "relationshipUserSourcedId": "p1", "relationshipRole": "parent"}
    ]
    assert "p1" in found.column("users.csv", "sourcedId")


def test_the_first_subject_and_grade_of_a_course_are_said():
    lists = {"subjects": json.dumps(["Math", "Art"]), "grades": json.dumps(["09"])}
    course = {"course_id": "c2", "name": "Math", "organization_id": "s1", **lists}
    found = write("sds", small_district(courses=[course]))

    row = found.files["courses.csv"][1]
    assert (row["sourcedId"], row["subject"], row["grade"]) == ("c2", "Math", "09")
    assert found.losses["value_changed", "courses", "subjects", "several_values"] == 1
    assert ("value_changed", "courses", "grades", "several_values") not in found.losses


def test_enrollments_of_students_and_teachers_are_written():
    tables = small_district(enrollments=[enrolled("tom", "b1", "ta"), enrolled("ana", "b1", "student", status="completed")])
    found = write("sds", tables)

    rows = [(row["userSourcedId"], row["role"]) for row in found.files["enrollments.csv"]]
    assert rows == [("ana", "student"), ("tom", "teacher")]
