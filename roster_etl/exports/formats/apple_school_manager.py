"""How the roster is written for Apple School Manager: six files, every time, lines that end in LF.

Belongs here: which column holds what, and the rules of the format. A class that leaves an upload loses its students there, so the shrink gate
of destinations matters most here. The order of columns was read from the vendor's pages, not from its templates.
"""

from __future__ import annotations

from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile, table_columns
from roster_etl.exports.rules import apple, classes, people, schools
from roster_etl.exports.rules.words import GRADE_WORDS, USER_IDS

LOCATIONS = OutFile(
    "locations.csv",
    table="organizations",
    columns=(
        OutColumn("location_id", value="organizations.organization_id", required=True),
        OutColumn("location_name", value="organizations.name", required=True),
    ),
)

_PERSON = (
    OutColumn("person_id", value="users.user_id", required=True),
    OutColumn("person_number", value="users.number"),
    OutColumn("first_name", value="users.first_name", required=True),
    OutColumn("middle_name", value="users.middle_name"),
    OutColumn("last_name", value="users.last_name", required=True),
)
_LOGIN = (OutColumn("email_address", value="users.email"), OutColumn("sis_username", value="users.username"))
_LOCATION = OutColumn(
    "location_id", value="location_id", holds=("user_roles.organization_id", "user_roles.user_id"), required=True
)

STUDENTS = OutFile(
    "students.csv",
    table="users",
    rows=apple.people_rows("student"),
    key=("users.user_id",),
    columns=(
        *_PERSON,
        OutColumn(
            "grade_level",
            value="student_profiles.grade",
            holds=("student_profiles.user_id", "student_profiles.grade"),
            codes=GRADE_WORDS,
        ),
        *_LOGIN,
        OutColumn("password_policy", form="empty"),
        _LOCATION,
    ),
    columns_of=apple.further_locations,
)

STAFF = OutFile(
    "staff.csv",
    table="users",
    rows=apple.people_rows("staff"),
    key=("users.user_id",),
    columns=(*_PERSON, *_LOGIN, _LOCATION),
    columns_of=apple.further_locations,
)

COURSES = OutFile(
    "courses.csv",
    table="courses",
    columns=(
        OutColumn("course_id", value="courses.course_id", required=True),
        OutColumn("course_number", value="courses.number"),
        OutColumn("course_name", value="courses.name"),
        OutColumn("location_id", value="courses.organization_id", required=True),
    ),
)

CLASSES = OutFile(
    "classes.csv",
    table="sections",
    rows=apple.class_rows,
    columns=(
        OutColumn("class_id", value="sections.section_id", required=True),
        OutColumn("class_number", value="sections.number"),
        OutColumn(
            "course_id", value="sections.course_id", holds=("sections.course_id", "sections.home_course_id"), required=True
        ),
        OutColumn("instructor_id", value="instructor_1", holds=("enrollments.user_id",)),
        OutColumn("instructor_id_2", value="instructor_2", holds=("enrollments.user_id",)),
        OutColumn("instructor_id_3", value="instructor_3", holds=("enrollments.user_id",)),
        OutColumn(
            "location_id",
            value="sections.organization_id",
            holds=("sections.organization_id", "enrollments.organization_id"),
            required=True,
        ),
    ),
    columns_of=apple.further_instructors,
)

ROSTERS = OutFile(
    "rosters.csv",
    table="enrollments",
    rows=apple.roster_rows,
    key=("enrollments.section_id", "enrollments.user_id"),
    columns=(
        OutColumn("roster_id", value="roster_id"),
        OutColumn("class_id", value="enrollments.section_id", required=True),
        OutColumn("student_id", value="enrollments.user_id", required=True),
    ),
)

EXPORT = ExportFormat(
    name="apple_school_manager",
    title="Apple School Manager",
    files=(LOCATIONS, STUDENTS, STAFF, COURSES, CLASSES, ROSTERS),
    options=(USER_IDS,),
    newline="\n",
    also_holds=(
        "organizations.type",
        *table_columns("enrollments", "role", "status", "course_id"),
        "users.full_name",
        "users.status",
        "user_roles.role",
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        schools.only_schools(),
        people.require("users", "first_name", "last_name"),
        people.only_users("students", "teachers", "others"),
        classes.schools_of_classes,
        people.one_id_space,
        apple.allowed_ids,
        classes.courses_have_schools,
        apple.roles_at_schools,
        classes.reset_home_course,
        classes.teacher_places(15),
        classes.no_primary,
    ),
)
