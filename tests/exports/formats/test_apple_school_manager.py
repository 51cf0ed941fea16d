"""What the files for Apple School Manager say of a roster, record by record."""

from __future__ import annotations

from tests.exports.writing import enrolled, person, role, section, small_district, write

NAME, SIX = "apple_school_manager", ["locations.csv", "students.csv", "staff.csv", "courses.csv", "classes.csv", "rosters.csv"]


def test_all_six_files_are_written_each_time():
    found = write(NAME, small_district())

    assert [*found.files] == SIX
    assert found.files["rosters.csv"] == [{"roster_id": "b1-ana", "class_id": "b1", "student_id": "ana"}]
    assert found.column("staff.csv", "person_id") == ["tom"]
    assert found.column("students.csv", "person_id") == ["ana"]


def test_several_locations_of_a_person_are_numbered_columns_by_id():
    found = write(
        NAME,
        small_district(
            organizations=[{"organization_id": "s3", "type": "school", "name": "Three"}],
            user_roles=[role("tom", "s3", "teacher"), role("tom", "s2", "teacher"), role("tom", "s2", "admin")],
        ),
    )

    (tom,) = found.files["staff.csv"]
    assert [tom[name] for name in ("location_id", "location_id_2", "location_id_3")] == ["s1", "s2", "s3"]
    assert "location_id_4" not in tom
    assert not [name for name in found.files["students.csv"][0] if name.startswith("location_id_")]


def test_instructors_are_in_order_three_columns_always_and_fifteen_at_most():
    more = [f"t{number:02}" for number in range(16)]
    found = write(
        NAME,
        small_district(
            users=[person(user) for user in more],
            user_roles=[role(user, "s1", "teacher") for user in more],
            sections=[section("b2")],
            enrollments=[enrolled(user, "b2", "teacher") for user in more],
        ),
    )

    first, second = found.files["classes.csv"]
    assert [first[name] for name in ("instructor_id", "instructor_id_2", "instructor_id_3")] == ["tom", "", ""]
    names = ["instructor_id", *(f"instructor_id_{place}" for place in range(2, 16))]
    assert [second[name] for name in names] == more[:15]
    assert "instructor_id_16" not in second
    assert found.losses["row_left_out", "enrollments", None, "several_values"] == 1


def test_who_has_no_role_is_where_the_enrollments_are_and_who_has_none_is_left_out():
    found = write(
        NAME,
        small_district(
            users=[person("bo"), person("cy")],
            user_roles=[role("cy", None, "teacher")],
            enrollments=[enrolled("bo", "b1", "student")],
        ),
    )

    assert [(row["person_id"], row["location_id"]) for row in found.files["students.csv"]] == [("ana", "s1"), ("bo", "s1")]
    assert found.column("staff.csv", "person_id") == ["tom"]
    assert found.losses["value_made_up", "user_roles", None, "missing_required"] == 1
    assert found.losses["row_left_out", "users", None, "missing_required"] == 1


def test_ids_have_letters_digits_and_hyphens():
    found = write(
        NAME,
        small_district(
            users=[person("b.o")], user_roles=[role("b.o", "s1", "student")], sections=[section("b-2"), section("b_3")]
        ),
    )

    assert found.column("students.csv", "person_id") == ["ana"]
    assert found.column("classes.csv", "class_id") == ["b-2", "b1"]


def test_grades_are_words_and_the_school_of_a_course_is_that_of_its_class():
    found = write(
        NAME,
        small_district(
            student_profiles=[{"user_kind": "user", "user_id": "ana", "grade": "KG"}],
            courses=[{"course_id": "c2", "name": "Art"}, {"course_id": "c3", "name": "Music"}],
            sections=[section("b2", course_id="c2", organization_id="s2")],
        ),
    )

    assert found.column("students.csv", "grade_level") == ["Kindergarten"]
    assert [(row["course_id"], row["location_id"]) for row in found.files["courses.csv"]] == [("c1", "s1"), ("c2", "s2")]
    assert found.losses["row_left_out", "courses", None, "missing_required"] == 1


def test_a_student_with_another_role_at_the_school_is_a_student():
    tables = small_district(users=[person("bo")], user_roles=[role("bo", "s1", "aide"), role("bo", "s1", "student")])
    found = write(NAME, tables)

    assert found.column("students.csv", "person_id") == ["ana", "bo"]
    assert found.column("staff.csv", "person_id") == ["tom"]
    assert found.losses["rows_joined", "user_roles", None, "several_values"] == 1
