"""How the roster is written as CatapultCONNECT's files."""

from roster_etl.canonical.codes import GRADES
from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile, table_columns
from roster_etl.exports.rules import catapult, classes, contacts, people, schools
from roster_etl.mapping.value_functions import derived_id
from roster_etl.spec import Option

_GRADES = {code: code.lstrip("0") or code for code in GRADES}

STAFF = OutFile(
    "StaffExport.csv",
    table="users",
    rows=catapult.role_rows("staff"),
    key=("users.user_id", "user_roles.organization_id"),
    columns=(
        OutColumn("ID", value="users.user_id", required=True),
        OutColumn("School", value="user_roles.organization_id", required=True),
        OutColumn("Name.First", value="users.first_name", required=True),
        OutColumn("Name.Last", value="users.last_name", required=True),
        OutColumn("Email", value="users.email", required=True),
        OutColumn("Title", value="user_roles.title", holds=("user_roles.title", "users.title"), required=True),
        OutColumn("Mobile_number", value="users.phone"),
    ),
)

STUDENTS = OutFile(
    "StudentExport.csv",
    table="users",
    rows=catapult.role_rows("student"),
    key=("users.user_id", "user_roles.organization_id"),
    columns=(
        OutColumn("ID", value="users.user_id", required=True),
        OutColumn("School", value="user_roles.organization_id", required=True),
        OutColumn("Name.First", value="users.first_name", required=True),
        OutColumn("Name.Last", value="users.last_name", required=True),
        OutColumn("MobileNumber", value="users.phone"),
        OutColumn("Email", value="users.email"),
        OutColumn("ContactNamePrimary", value="namePrimary", holds=("contacts.name",)),
        OutColumn("ContactPhonePrimary", value="phonePrimary", holds=("contacts.phone",)),
        OutColumn("ContactEmailPrimary", value="emailPrimary", holds=("contacts.email",)),
        OutColumn("ContactNameSecondary", value="nameSecondary", holds=("contacts.name",)),
        OutColumn("ContactPhoneSecondary", value="phoneSecondary", holds=("contacts.phone",)),
        OutColumn("ContactEmailSecondary", value="emailSecondary", holds=("contacts.email",)),
        OutColumn("ZipCode", value="student_profiles.zip"),
        OutColumn("Grade", value="student_profiles.grade", codes=_GRADES),
        OutColumn("BusRoute", value="student_profiles.bus_route"),
        OutColumn("LunchBalance", value="student_profiles.lunch_balance"),
        OutColumn("PrimaryLanguage", value="student_profiles.home_language"),
        OutColumn("PreferredContactMethod", value="student_profiles.preferred_contact_method"),
    ),
)

STAFF_TO_STUDENT = OutFile(
    "StaffToStudentExport.csv",
    table="enrollments",
    rows=catapult.class_rows,
    key=(
        "sections.organization_id",
        "teacher",
        "sections.period",
        "sections.name",
        "enrollments.section_id",
        "enrollments.user_id",
    ),
    columns=(
        OutColumn(
            "School",
            value="sections.organization_id",
            holds=("sections.organization_id", "enrollments.organization_id"),
            required=True,
        ),
        OutColumn("Teacher", value="teacher", holds=("enrollments.user_id",), required=True),
        OutColumn("Student", value="enrollments.user_id", required=True),
        OutColumn("Period", value="sections.period", required=True),
        OutColumn("Name", value="sections.name", holds=("sections.name", "courses.name"), required=True),
        OutColumn("Course_number", value="courses.number"),
        OutColumn("Section_number", value="sections.number"),
    ),
)

SCHOOLS = OutFile(
    "SchoolExport.csv",
    table="organizations",
    rows=catapult.site_rows,
    when="option:schools",
    columns=(
        OutColumn("School Site Name", value="organizations.name", required=True),
        OutColumn("Address", value="organizations.street"),
        OutColumn("Phone Number", value="organizations.phone"),
        OutColumn("Merge with Site ID", value="site", holds=("organizations.organization_id", "organizations.merge_with_id")),
    ),
)

ATTENDANCE = OutFile(
    "AttendanceExport.csv",
    table="attendance",
    key=("attendance.organization_id", "attendance.user_id", "attendance.date", "attendance.period", "attendance.absence_code"),
    when="option:attendance",
    columns=(
        OutColumn("School", value="attendance.organization_id", required=True),
        OutColumn("Student", value="attendance.user_id", required=True),
        OutColumn("Period", value="attendance.period", required=True),
        OutColumn("Absence.code", value="attendance.absence_code", required=True),
        OutColumn("Teacher.name", value="attendance.teacher_name"),
        OutColumn("Date", value="attendance.date", form="us_date"),
    ),
)

EXPORT = ExportFormat(
    name="catapult_connect",
    title="CatapultCONNECT files",
    vendor="catapult_connect",
    files=(STAFF, STUDENTS, STAFF_TO_STUDENT, SCHOOLS, ATTENDANCE),
    options=(
        Option("schools", default="false", kind="switch", meaning="Also write SchoolExport.csv, which is uploaded once."),
        Option("attendance", default="false", kind="switch", meaning="Also write AttendanceExport.csv."),
        Option(
            "period_if_missing",
            default="",
            kind="text",
            optional=True,
            meaning="The period of sections without one; empty: such sections are left out.",
        ),
    ),
    also_holds=(
        "organizations.type",
        *table_columns("courses", "course_id", "organization_id", "status", "is_homeroom"),
        *table_columns("sections", "section_id", "course_id", "home_course_id"),
        *table_columns("enrollments", "section_id", "course_id", "role", "status", "is_primary"),
        "users.full_name",
        "users.status",
        "user_roles.user_id",
        "user_roles.role",
        "student_profiles.user_id",
        *table_columns("contacts", "user_id", "contact_id", "position", "type"),
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        people.active_users,
        catapult.absences,
        schools.only_schools(named=False),
        catapult.sites_have_names,
        people.require("users", "first_name", "last_name"),
        people.only_users("students", "teachers", "others"),
        classes.schools_of_classes,
        people.kinds_by_file({"students": "student", "staff": "staff"}),
        people.require_email_of("staff"),
        catapult.roles_from_enrollments,
        catapult.unify_staff_roles,
        people.require_role,
        catapult.titled_roles,
        people.no_primary_role,
        catapult.name_sections,
        classes.taught_sections,
        catapult.split_classes_by_teacher(derived_id("section"), derived_id("course")),
        contacts.drop_empty_contacts,
        contacts.by_position(2, ("Primary", "Secondary")),
        contacts.rederive_by_type(derived_id("contact")),
        catapult.unnamed_sites,
        catapult.absences_of_students,
    ),
)
