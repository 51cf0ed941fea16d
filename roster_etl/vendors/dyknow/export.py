"""How the roster is written as Dyknow's files."""

from roster_etl.canonical.codes import GRADES
from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile, table_columns
from roster_etl.exports.rows import enrollment_rows, person_rows, section_rows, teacher_columns
from roster_etl.exports.rules import classes, derived_ids, people, schools
from roster_etl.mapping.combinators import of_dates
from roster_etl.mapping.value_functions import derived_id

_GRADES = {code: "Other" if code == "OT" else code for code in GRADES}

SCHOOLS = OutFile(
    "Schools.csv",
    table="organizations",
    columns=(
        OutColumn("school_id", value="organizations.organization_id", required=True),
        OutColumn("school_name", value="organizations.name", required=True),
    ),
)

STUDENTS = OutFile(
    "Students.csv",
    table="users",
    rows=person_rows("student"),
    key=("users.user_id",),
    columns=(
        OutColumn("school_id", value="user_roles.organization_id", required=True),
        OutColumn("student_id", value="users.user_id", required=True),
        OutColumn("first_name", value="users.first_name", required=True),
        OutColumn("last_name", value="users.last_name", required=True),
        OutColumn("student_email", value="users.email"),
        OutColumn("username", value="users.username"),
        OutColumn("grade", value="student_profiles.grade", codes=_GRADES),
    ),
)

TEACHERS = OutFile(
    "Teachers.csv",
    table="users",
    rows=person_rows("teacher"),
    key=("users.user_id",),
    columns=(
        OutColumn("school_id", value="user_roles.organization_id", required=True),
        OutColumn("teacher_id", value="users.user_id", required=True),
        OutColumn("first_name", value="users.first_name", required=True),
        OutColumn("last_name", value="users.last_name", required=True),
        OutColumn("teacher_email", value="users.email"),
    ),
)

SECTIONS = OutFile(
    "Sections.csv",
    table="sections",
    rows=section_rows("teacher_id"),
    columns=(
        OutColumn("school_id", value="sections.organization_id", required=True),
        OutColumn("section_id", value="sections.section_id", required=True),
        OutColumn("teacher_id", value="teacher_id", holds=("enrollments.user_id",), required=True),
        OutColumn("course_name", value="courses.name", required=True),
        OutColumn("term_start", value="terms.start_at", form="us_first_day"),
        OutColumn("term_end", value="terms.end_at", form="us_last_day"),
    ),
    columns_of=teacher_columns("teacher_{n}_id", first=2),
)

ENROLLMENTS = OutFile(
    "Enrollments.csv",
    table="enrollments",
    rows=enrollment_rows("student"),
    key=("enrollments.section_id", "enrollments.user_id"),
    columns=(
        OutColumn("school_id", value="sections.organization_id", holds=("enrollments.organization_id",), required=True),
        OutColumn("section_id", value="enrollments.section_id", required=True),
        OutColumn("student_id", value="enrollments.user_id", required=True),
    ),
)

EXPORT = ExportFormat(
    name="dyknow",
    title="Dyknow files",
    vendor="dyknow",
    files=(SCHOOLS, STUDENTS, TEACHERS, SECTIONS, ENROLLMENTS),
    also_holds=(
        "organizations.type",
        "terms.term_id",
        *table_columns("courses", "course_id", "organization_id", "status"),
        *table_columns("sections", "course_id", "home_course_id", "term_id", "name"),
        *table_columns("enrollments", "course_id", "role", "status"),
        "users.full_name",
        "users.status",
        "user_roles.user_id",
        "user_roles.role",
        "student_profiles.user_id",
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        schools.only_schools(),
        people.require("users", "first_name", "last_name"),
        people.only_users("students", "teachers"),
        classes.schools_of_classes,
        people.kinds_by_file({"students": "student", "teachers": "teacher"}),
        people.one_role("student", "students"),
        people.one_role("teacher", "teachers"),
        people.require_role,
        classes.name_courses,
        classes.sections_with("teacher"),
        classes.teacher_places(None),
        classes.reset_home_course,
        classes.local_days("end_at"),
        derived_ids.rederive_terms(of_dates(derived_id("term")), named=False),
        derived_ids.rederive_courses(derived_id("course"), by_number=False),
        derived_ids.derive_course_school,
    ),
)
