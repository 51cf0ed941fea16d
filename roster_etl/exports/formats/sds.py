"""How the roster is written as Microsoft School Data Sync v2.1 CSV.

Belongs here: which column holds what, and the rules of the format. Headers are case-sensitive; the same set of files is written each time.
"""

from __future__ import annotations

from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile
from roster_etl.exports.rows import enrollment_rows
from roster_etl.exports.rules import (
    classes,
    oneroster_classes,
    oneroster_contacts,
    oneroster_people,
    oneroster_sessions,
    people,
    sds,
)
from roster_etl.exports.rules.words import SCHOOL_YEAR_BEGINS, USER_IDS
from roster_etl.spec import Option

ORGS = OutFile(
    "orgs.csv",
    table="organizations",
    columns=(
        OutColumn("sourcedId", value="organizations.organization_id", required=True),
        OutColumn("name", value="organizations.name", required=True),
        OutColumn("type", value="organizations.type", required=True),
        OutColumn("parentSourcedId", value="organizations.parent_organization_id"),
    ),
)

USERS = OutFile(
    "users.csv",
    table="users",
    key=("users.user_id",),
    columns=(
        OutColumn("sourcedId", value="users.user_id", required=True),
        OutColumn("username", value="users.username", required=True),
        OutColumn("givenName", value="users.first_name", required=True),
        OutColumn("familyName", value="users.last_name", required=True),
        OutColumn("password", form="empty"),
        OutColumn("activeDirectoryMatchId", form="empty"),
        OutColumn("email", value="users.email"),
        OutColumn("phone", value="users.phone"),
        OutColumn("sms", value="users.sms"),
    ),
)

ROLES = OutFile(
    "roles.csv",
    table="user_roles",
    rows=sds.role_rows,
    key=("user_roles.user_id", "user_roles.organization_id", "user_roles.role"),
    columns=(
        OutColumn("userSourcedId", value="user_roles.user_id", required=True),
        OutColumn("orgSourcedId", value="user_roles.organization_id", required=True),
        OutColumn("role", value="user_roles.role", required=True),
        OutColumn("sessionSourcedId", form="empty"),
        OutColumn("grade", value="student_profiles.grade", holds=("student_profiles.user_id", "student_profiles.grade")),
        OutColumn("isPrimary", value="user_roles.is_primary", form="TRUE/FALSE"),
        OutColumn("roleStartDate", value="user_roles.start_at", form="iso_first_day"),
        OutColumn("roleEndDate", value="user_roles.end_at", form="iso_end_day"),
    ),
)

CLASSES = OutFile(
    "classes.csv",
    table="sections",
    rows=oneroster_classes.class_rows,
    columns=(
        OutColumn("sourcedId", value="sections.section_id", required=True),
        OutColumn("orgSourcedId", value="sections.organization_id", required=True),
        OutColumn("title", value="sections.name", required=True),
        OutColumn(
            "sessionSourcedIds",
            value="term_list",
            holds=("sections.term_id", "section_terms.section_id", "section_terms.term_id", "section_terms.position"),
        ),
        OutColumn("courseSourcedId", value="sections.course_id"),
    ),
)

ENROLLMENTS = OutFile(
    "enrollments.csv",
    table="enrollments",
    rows=enrollment_rows(),
    key=("enrollments.section_id", "enrollments.user_id", "enrollments.role"),
    columns=(
        OutColumn(
            "classSourcedId",
            value="enrollments.section_id",
            holds=("enrollments.section_id", "enrollments.course_id"),
            required=True,
        ),
        OutColumn("userSourcedId", value="enrollments.user_id", required=True),
        OutColumn("role", value="enrollments.role", required=True),
    ),
)

SESSIONS = OutFile(
    "academicSessions.csv",
    table="terms",
    columns=(
        OutColumn("sourcedId", value="terms.term_id", required=True),
        OutColumn("title", value="terms.name", required=True),
        OutColumn("type", value="terms.type", required=True),
        OutColumn("schoolYear", value="terms.school_year", required=True),
        OutColumn("startDate", value="terms.start_at", form="iso_first_day", required=True),
        OutColumn("endDate", value="terms.end_at", form="iso_end_day", required=True),
    ),
)

COURSES = OutFile(
    "courses.csv",
    table="courses",
    rows=sds.course_rows,
    columns=(
        OutColumn("sourcedId", value="courses.course_id", required=True),
        OutColumn("orgSourcedId", value="courses.organization_id", required=True),
        OutColumn("title", value="courses.name", required=True),
        OutColumn("code", value="courses.number"),
        OutColumn("schoolYearSourcedId", value="courses.term_id"),
        OutColumn("subject", value="first_subject", holds=("courses.subjects",)),
        OutColumn("grade", value="first_grade", holds=("courses.grades",)),
    ),
)

DEMOGRAPHICS = OutFile(
    "demographics.csv",
    table="student_profiles",
    rows=sds.demographic_rows,
    key=("student_profiles.user_id",),
    columns=(
        OutColumn("userSourcedId", value="student_profiles.user_id", required=True),
        OutColumn("sex", value="student_profiles.sex", holds=("student_profiles.sex", "student_profiles.gender")),
        OutColumn("birthDate", value="student_profiles.birth_date", form="iso_date"),
        OutColumn("birthCity", value="student_profiles.birth_city"),
        OutColumn("birthState", value="student_profiles.birth_state"),
        OutColumn("birthCountry", value="student_profiles.birth_country"),
        OutColumn("ethnicityCodes", value="ethnicity", holds=("student_profiles.hispanic",)),
        OutColumn("raceCodes", value="race_list", holds=("student_profiles.race", "student_profiles.races")),
    ),
)

USER_FLAGS = OutFile(
    "userFlags.csv",
    table="student_profiles",
    rows=sds.flag_rows,
    key=("userSourcedId", "flag"),
    columns=(
        OutColumn("userSourcedId", value="userSourcedId", holds=("student_profiles.user_id",), required=True),
        OutColumn("flag", value="flag", holds=tuple(f"student_profiles.{name}" for name in sds.FLAG_COLUMNS), required=True),
    ),
)

RELATIONSHIPS = OutFile(
    "relationships.csv",
    table="contacts",
    key=("contacts.user_id", "contacts.contact_id"),
    columns=(
        OutColumn("userSourcedId", value="contacts.user_id", required=True),
        OutColumn(
            "relationshipUserSourcedId",
            value="contacts.contact_id",
            holds=("contacts.contact_id", "contacts.name", "contacts.email", "contacts.phone"),
            required=True,
        ),
        OutColumn("relationshipRole", value="contacts.relationship", required=True),
    ),
)

EXPORT = ExportFormat(
    name="sds",
    title="Microsoft School Data Sync v2.1",
    files=(ORGS, USERS, ROLES, CLASSES, ENROLLMENTS, SESSIONS, COURSES, DEMOGRAPHICS, USER_FLAGS, RELATIONSHIPS),
    options=(
        USER_IDS,
        SCHOOL_YEAR_BEGINS,
        Option("username_domain", default="", kind="text", optional=True, meaning="The domain that user names without one get."),
        Option(
            "flags",
            default="{}",
            kind="table",
            meaning='The words of userFlags.csv by ours, as a JSON object: {"ell": "ell"}; ours not in it are written as documented.',
        ),
        Option(
            "contacts",
            default="users",
            kind="choice",
            choices=("users", "leave_out"),
            meaning="Whether contacts become users with a relationship to their students.",
        ),
        Option("oneroster_version", default="1.2", kind="choice", choices=("1.2",), meaning="Which words of roles are used."),
    ),
    also_holds=(
        "users.full_name",
        "users.status",
        "enrollments.status",
        "sections.home_course_id",
        "enrollments.organization_id",
    ),
    rules=(
        people.active_enrollments("student", "teacher"),
        people.one_id_space,
        oneroster_sessions.plain_ids,
        oneroster_sessions.organization_types,
        oneroster_classes.course_titles,
        oneroster_classes.class_details,  # before courses without an organization get the district, which no class can be in
        oneroster_sessions.district_organization,
        oneroster_sessions.session_years,
        oneroster_sessions.sections_have_terms,
        oneroster_sessions.course_sessions,
        classes.reset_home_course,
        oneroster_people.roles_from_enrollments,
        oneroster_people.required_names,
        sds.usernames_with_domain,
        oneroster_contacts.contacts_as_users,
        oneroster_people.map_roles,
        oneroster_people.demographics,
    ),
)
