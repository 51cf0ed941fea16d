"""How the roster is written as Clever's files."""

from roster_etl.canonical.codes import RACES
from roster_etl.exports.plan import PERSON_ID_OPTION, ExportFormat, OutColumn, OutFile, table_columns
from roster_etl.exports.rows import contacts_rows, enrollment_rows, person_rows, section_rows, table_rows, teacher_columns
from roster_etl.exports.rules import classes, clever_staff, contacts, derived_ids, people, schools
from roster_etl.exports.rules.words import GRADE_WORDS
from roster_etl.mapping.combinators import with_us_dates
from roster_etl.mapping.value_functions import derived_id
from roster_etl.vendors.clever.codes import DISTRICT_OFFICE, DISTRICT_OFFICE_NAME, EVERY_SCHOOL, SUBJECTS

_RACES = {code: code for code in RACES}
_GENDERS = {"M": "M", "F": "F", "X": "X"}
_LUNCHES = {"F": "F", "R": "R", "N": "N"}
_PHONE_TYPES = {"Cell": "Cell", "Home": "Home", "Work": "Work"}
_SUBJECTS = {subject: subject for subject in SUBJECTS}

SCHOOLS = OutFile(
    "schools.csv",
    table="organizations",
    rows=table_rows("organizations", where={"organizations.type": "school"}),
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="organizations.organization_id", required=True),
        OutColumn("School_name", value="organizations.name", required=True),
        OutColumn("School_number", value="organizations.number", required=True),
        OutColumn("State_id", value="organizations.state_id", optional=True),
        OutColumn("Low_grade", value="organizations.low_grade", codes=GRADE_WORDS, optional=True),
        OutColumn("High_grade", value="organizations.high_grade", codes=GRADE_WORDS, optional=True),
        OutColumn("Principal", value="organizations.principal_name", optional=True),
        OutColumn("Principal_email", value="organizations.principal_email", optional=True),
        OutColumn("School_address", value="organizations.street", optional=True),
        OutColumn("School_city", value="organizations.city", optional=True),
        OutColumn("School_state", value="organizations.state", optional=True),
        OutColumn("School_zip", value="organizations.zip", optional=True),
        OutColumn("School_phone", value="organizations.phone", optional=True),
    ),
)

STUDENTS = OutFile(
    "students.csv",
    table="users",
    rows=contacts_rows("student"),
    key=("users.user_id", "contacts.position", "contacts.contact_id"),
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="user_roles.organization_id", required=True),
        OutColumn("Student_id", value="users.user_id", required=True),
        OutColumn("Student_number", value="users.number", optional=True),
        OutColumn("State_id", value="users.state_id", optional=True),
        OutColumn("Last_name", value="users.last_name", required=True),
        OutColumn("Middle_name", value="users.middle_name", optional=True),
        OutColumn("First_name", value="users.first_name", required=True),
        OutColumn("Preferred_last_name", value="users.preferred_last_name", optional=True),
        OutColumn("Preferred_middle_name", value="users.preferred_middle_name", optional=True),
        OutColumn("Preferred_first_name", value="users.preferred_first_name", optional=True),
        OutColumn("Grade", value="student_profiles.grade", codes=GRADE_WORDS, optional=True),
        OutColumn("Gender", value="student_profiles.gender", codes=_GENDERS, optional=True),
        OutColumn("Gifted_status", value="student_profiles.gifted", form="Y/N", optional=True),
        OutColumn("Graduation_year", value="student_profiles.graduation_year", optional=True),
        OutColumn("DOB", value="student_profiles.birth_date", form="us_date", optional=True),
        OutColumn("Race", value="student_profiles.race", codes=_RACES, optional=True),
        OutColumn("Hispanic_Latino", value="student_profiles.hispanic", form="Y/N", optional=True),
        OutColumn("Home_language", value="student_profiles.home_language", optional=True),
        OutColumn("Ell_status", value="student_profiles.ell", form="Y/N", optional=True),
        OutColumn("Frl_status", value="student_profiles.frl", codes=_LUNCHES, optional=True),
        OutColumn("IEP_status", value="student_profiles.iep", form="Y/N", optional=True),
        OutColumn("Student_street", value="student_profiles.street", optional=True),
        OutColumn("Student_city", value="student_profiles.city", optional=True),
        OutColumn("Student_state", value="student_profiles.state", optional=True),
        OutColumn("Student_zip", value="student_profiles.zip", optional=True),
        OutColumn("Student_email", value="users.email", optional=True),
        OutColumn("Contact_relationship", value="contacts.relationship", optional=True),
        OutColumn("Contact_type", value="contacts.type", optional=True),
        OutColumn("Contact_name", value="contacts.name", optional=True),
        OutColumn("Contact_phone", value="contacts.phone", optional=True),
        OutColumn("Contact_phone_type", value="contacts.phone_type", codes=_PHONE_TYPES, optional=True),
        OutColumn("Contact_email", value="contacts.email", optional=True),
        OutColumn("Contact_sis_id", value="contacts.given_id", holds=("contacts.contact_id",), optional=True),
        OutColumn("Username", value="users.username", optional=True),
        OutColumn("Password", form="empty", optional=True),
        OutColumn("Unweighted_gpa", value="student_profiles.unweighted_gpa", optional=True),
        OutColumn("Weighted_gpa", value="student_profiles.weighted_gpa", optional=True),
        OutColumn("Disability_status", value="student_profiles.disability", form="Y/N", optional=True),
        OutColumn("Disability_type", value="student_profiles.disability_type", optional=True),
        OutColumn("Section_504_status", value="student_profiles.section_504", form="Y/N", optional=True),
    ),
)

TEACHERS = OutFile(
    "teachers.csv",
    table="users",
    rows=person_rows("teacher"),
    key=("users.user_id",),
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="user_roles.organization_id", required=True),
        OutColumn("Teacher_id", value="users.user_id", required=True),
        OutColumn("Teacher_number", value="users.number", optional=True),
        OutColumn("State_teacher_id", value="users.state_id", optional=True),
        OutColumn("Teacher_email", value="users.email", optional=True),
        OutColumn("First_name", value="users.first_name", required=True),
        OutColumn("Middle_name", value="users.middle_name", optional=True),
        OutColumn("Last_name", value="users.last_name", required=True),
        OutColumn("Title", value="users.title", optional=True),
        OutColumn("Username", value="users.username", optional=True),
        OutColumn("Password", form="empty", optional=True),
    ),
)

SECTIONS = OutFile(
    "sections.csv",
    table="sections",
    rows=section_rows("Teacher_id"),
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="sections.organization_id", required=True),
        OutColumn("Section_id", value="sections.section_id", required=True),
        OutColumn("Teacher_id", value="Teacher_id", holds=("enrollments.user_id", "enrollments.is_primary"), required=True),
        OutColumn("Name", value="sections.name", optional=True),
        OutColumn("Section_number", value="sections.number", optional=True),
        OutColumn("Grade", value="sections.grade", codes=GRADE_WORDS, optional=True),
        OutColumn("Course_name", value="courses.name", optional=True),
        OutColumn("Course_number", value="courses.number", optional=True),
        OutColumn("Course_description", value="courses.description", optional=True),
        OutColumn("Period", value="sections.period", optional=True),
        OutColumn("Subject", value="sections.subject", codes=_SUBJECTS, optional=True),
        OutColumn("Term_name", value="terms.name", optional=True),
        OutColumn("Term_start", value="terms.start_at", form="us_first_day", optional=True),
        OutColumn("Term_end", value="terms.end_at", form="us_last_day", optional=True),
    ),
    columns_of=teacher_columns("Teacher_{n}_id", first=2),
)

STAFF = OutFile(
    "staff.csv",
    table="users",
    rows=clever_staff.staff_rows(office=DISTRICT_OFFICE, everywhere=EVERY_SCHOOL),
    key=("users.user_id", "School_id"),
    when="rows",
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="School_id", holds=("user_roles.organization_id",), required=True),
        OutColumn("Staff_id", value="users.user_id", required=True),
        OutColumn("Staff_email", value="users.email", required=True),
        OutColumn("First_name", value="users.first_name", required=True),
        OutColumn("Last_name", value="users.last_name", required=True),
        OutColumn("Department", value="user_roles.department", optional=True),
        OutColumn("Title", value="staff_title", holds=("users.title", "user_roles.title"), optional=True),
        OutColumn("Username", value="users.username", optional=True),
        OutColumn("Password", form="empty", optional=True),
        OutColumn("Role", value="role_word", holds=("user_roles.role",), optional=True),
    ),
)

ENROLLMENTS = OutFile(
    "enrollments.csv",
    table="enrollments",
    rows=enrollment_rows("student"),
    key=("enrollments.section_id", "enrollments.user_id"),
    extensions="ext.",
    columns=(
        OutColumn("School_id", value="sections.organization_id", holds=("enrollments.organization_id",), required=True),
        OutColumn("Section_id", value="enrollments.section_id", required=True),
        OutColumn("Student_id", value="enrollments.user_id", required=True),
    ),
)

EXPORT = ExportFormat(
    name="clever",
    title="Clever SFTP files",
    vendor="clever",
    options=(PERSON_ID_OPTION,),
    files=(SCHOOLS, STUDENTS, TEACHERS, SECTIONS, STAFF, ENROLLMENTS),
    also_holds=(
        "organizations.type",
        "terms.term_id",
        *table_columns("courses", "course_id", "organization_id", "status"),
        *table_columns("sections", "course_id", "home_course_id", "term_id"),
        *table_columns("enrollments", "course_id", "role", "status"),
        "users.full_name",
        "users.status",
        "user_roles.is_primary",
        "user_roles.user_id",
        "student_profiles.user_id",
        "contacts.user_id",
        "contacts.position",
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        people.active_users,
        schools.only_schools("office", "district"),
        schools.number_schools,
        people.require("users", "first_name", "last_name"),
        people.only_users("students", "teachers", "others"),
        clever_staff.require_email,
        classes.schools_of_classes,
        people.kinds_by_file({"students": "student", "teachers": "teacher", "others": "staff"}),
        people.unique_numbers,
        people.one_role("student", "students", primary=True),
        people.one_role("teacher", "teachers"),
        clever_staff.staff_roles(office=DISTRICT_OFFICE, office_name=DISTRICT_OFFICE_NAME, lead="tech_lead"),
        people.require_role,
        classes.taught_sections,
        classes.teacher_places(10),
        classes.primary_is_first(others=False),
        classes.reset_home_course,
        classes.local_days("end_at"),
        contacts.typed_contacts,
        contacts.numbered_contacts,
        contacts.rederive_contacts(derived_id("contact")),
        derived_ids.rederive_terms(with_us_dates(derived_id("term"))),
        derived_ids.rederive_courses(derived_id("course"), by_number=True),
        derived_ids.derive_course_school,
    ),
)
