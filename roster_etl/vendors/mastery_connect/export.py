"""How the roster is written as Mastery Connect's files."""

from roster_etl.canonical.codes import RACES
from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile
from roster_etl.exports.rows import enrollment_rows, person_rows, section_rows
from roster_etl.exports.rules import classes, people, schools
from roster_etl.exports.rules.words import GRADE_WORDS, USER_IDS

_ACTIVE = OutColumn("status", const="active", holds=("users.status", "courses.status", "enrollments.status"))
_RACES = {code: code for code in RACES}

ACCOUNTS = OutFile(
    "accounts.csv",
    table="organizations",
    columns=(
        OutColumn("account_id", value="organizations.organization_id", required=True),
        OutColumn("name", value="organizations.name", required=True),
        _ACTIVE,
    ),
)

USERS = OutFile(
    "users.csv",
    table="users",
    rows=person_rows("user"),
    key=("users.user_id",),
    columns=(
        OutColumn("email", value="users.email", required=True),
        OutColumn("first_name", value="users.first_name", required=True),
        OutColumn("last_name", value="users.last_name", required=True),
        OutColumn("login_id", value="users.username"),
        OutColumn("account_id", value="user_roles.organization_id", required=True),
        _ACTIVE,
        OutColumn("student_ell_status", value="student_profiles.ell", form="True/False"),
        OutColumn("student_gender", value="student_profiles.gender", codes={"M": "M", "F": "F"}),
        OutColumn("student_grade", value="student_profiles.grade", codes=GRADE_WORDS),
        OutColumn("student_hispanic", value="student_profiles.hispanic", form="True/False"),
        OutColumn("student_number", value="users.number", required=True),
        OutColumn("student_race", value="student_profiles.race", codes=_RACES),
        OutColumn("student_state_number", value="users.state_id"),
        OutColumn("user_id", value="users.user_id", required=True),
        OutColumn("user_role", value="user_roles.role", required=True),
    ),
)

COURSES = OutFile(
    "courses.csv",
    table="courses",
    columns=(
        OutColumn("account_id", value="courses.organization_id", required=True),
        OutColumn("course_id", value="courses.course_id", required=True),
        OutColumn("long_name", value="courses.name", required=True),
        OutColumn("short_name", value="courses.short_name", required=True),
        _ACTIVE,
    ),
)

SECTIONS = OutFile(
    "sections.csv",
    table="sections",
    rows=section_rows(),
    columns=(
        OutColumn("section_id", value="sections.section_id", required=True),
        OutColumn("name", value="sections.name"),
        OutColumn("course_id", value="sections.course_id", required=True),
        OutColumn("course_number", value="sections.number"),
        _ACTIVE,
    ),
)

ENROLLMENTS = OutFile(
    "enrollments.csv",
    table="enrollments",
    rows=enrollment_rows(),
    key=("enrollments.section_id", "enrollments.user_id", "enrollments.role"),
    columns=(
        OutColumn("role", value="enrollments.role", required=True),
        OutColumn("user_id", value="enrollments.user_id", required=True),
        OutColumn("section_id", value="enrollments.section_id", required=True),
        _ACTIVE,
    ),
)

EXPORT = ExportFormat(
    name="mastery_connect",
    title="Mastery Connect files",
    vendor="mastery_connect",
    files=(ACCOUNTS, USERS, COURSES, SECTIONS, ENROLLMENTS),
    options=(USER_IDS,),
    also_holds=(
        "organizations.type",
        "sections.home_course_id",
        "sections.organization_id",
        "enrollments.course_id",
        "enrollments.organization_id",
        "users.full_name",
        "user_roles.user_id",
        "student_profiles.user_id",
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        people.active_users,
        schools.only_schools(),
        schools.all_of_type("account"),
        people.require("users", "first_name", "last_name"),
        people.email_or_username,
        people.digits_number,
        people.only_users("students", "teachers"),
        people.one_role("teacher", "teachers"),
        people.one_role("student", "students"),
        people.one_id_space,
        people.require_role,
        people.profiles_of("student"),
        classes.courses_have_names,
        classes.courses_have_schools,
        classes.reset_home_course,
        classes.set_schools_from_course,
        people.own_logins,
    ),
)
