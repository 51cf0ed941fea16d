"""How the roster is written as OneRoster 1.1 or 1.2 CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping

from roster_etl.exports.arrays import Array, texts
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import PERSON_ID_OPTION, ExportFormat, OutColumn, OutFile, Rows
from roster_etl.exports.rows import table_rows
from roster_etl.exports.rules import classes, oneroster_classes, oneroster_contacts, oneroster_people, oneroster_sessions, people
from roster_etl.exports.rules.words import SCHOOL_YEAR_BEGINS, USER_IDS
from roster_etl.spec import Option

_MARKS = (OutColumn("status", form="empty"), OutColumn("dateLastModified", form="empty"))
_MANIFEST_11 = (
    "academicSessions", "categories", "classes", "classResources", "courses", "courseResources", "demographics", "enrollments", "lineItems",
    "orgs", "resources", "results", "users",
)  # fmt: skip
_MANIFEST_12 = (
    *_MANIFEST_11, "lineItemLearningObjectiveIds", "lineItemScoreScales", "resultLearningObjectiveIds", "resultScoreScales", "roles",
    "scoreScales", "userProfiles", "userResources",
)  # fmt: skip


def _data_file(
    name: str,
    table: str,
    rows: Rows,
    id_column: str,
    *columns: OutColumn,
    extensions: str = "metadata.",
    said_extensions: tuple[str, ...] = (),
) -> OutFile:
    """Return a file of records of `table`: their id, the two marks that every file has, and `columns`."""
    id_ = f"{table}.{id_column}"
    return OutFile(
        name,
        table=table,
        rows=rows,
        key=(id_,),
        identity=("sourcedId",),
        when="rows",
        columns=(OutColumn("sourcedId", value=id_, required=True), *_MARKS, *columns),
        extensions=extensions,
        said_extensions=said_extensions,
    )


ORGS = _data_file(
    "orgs.csv",
    "organizations",
    table_rows("organizations"),
    "organization_id",
    OutColumn("name", value="organizations.name", required=True),
    OutColumn("type", value="organizations.type", required=True),
    OutColumn("identifier", value="organizations.number"),
    OutColumn("parentSourcedId", value="organizations.parent_organization_id"),
)

SESSIONS = _data_file(
    "academicSessions.csv",
    "terms",
    table_rows("terms"),
    "term_id",
    OutColumn("title", value="terms.name", required=True),
    OutColumn("type", value="terms.type", required=True),
    OutColumn("startDate", value="terms.start_at", form="iso_first_day", required=True),
    OutColumn("endDate", value="terms.end_at", form="iso_end_day", required=True),
    OutColumn("parentSourcedId", value="terms.parent_term_id"),
    OutColumn("schoolYear", value="terms.school_year", required=True),
)

COURSES = _data_file(
    "courses.csv",
    "courses",
    oneroster_classes.course_rows,
    "course_id",
    OutColumn("schoolYearSourcedId", value="courses.term_id"),
    OutColumn("title", value="courses.name", required=True),
    OutColumn("courseCode", value="courses.number"),
    OutColumn("grades", value="grade_list", holds=("courses.grades",)),
    OutColumn("orgSourcedId", value="courses.organization_id", required=True),
    OutColumn("subjects", value="subject_list", holds=("courses.subjects",)),
    OutColumn("subjectCodes", value="code_list", holds=("courses.subject_codes",)),
)

CLASSES = _data_file(
    "classes.csv",
    "sections",
    oneroster_classes.class_rows,
    "section_id",
    OutColumn("title", value="sections.name", required=True),
    OutColumn("grades", value="grade_list", holds=("sections.grades", "sections.grade")),
    OutColumn(
        "courseSourcedId", value="sections.course_id", holds=("sections.course_id", "sections.home_course_id"), required=True
    ),
    OutColumn("classCode", value="sections.number"),
    OutColumn("classType", value="sections.class_type", required=True),
    OutColumn("location", value="sections.location"),
    OutColumn("schoolSourcedId", value="sections.organization_id", required=True),
    OutColumn(
        "termSourcedIds",
        value="term_list",
        holds=("sections.term_id", "section_terms.section_id", "section_terms.term_id", "section_terms.position"),
        required=True,
    ),
    OutColumn("subjects", value="subject_list", holds=("sections.subjects", "sections.subject")),
    OutColumn("subjectCodes", value="code_list", holds=("sections.subject_codes",)),
    OutColumn("periods", value="period_list", holds=("sections.period",)),
)

_CONTACTS = ("contacts.user_id", "contacts.contact_id", "contacts.name", "contacts.relationship", "contacts.phone", "contacts.email", "contacts.position", "contacts.contact_user_id")  # fmt: skip
_IDENTIFIERS = ("user_identifiers.user_id", "user_identifiers.type", "user_identifiers.identifier")
_GRADES = ("student_profiles.user_id", "student_profiles.grade", "student_profiles.grades")


_ENABLED = OutColumn("enabledUser", value="enabled", holds=("users.status",), form="true/false", required=True)
_USERNAME = OutColumn("username", value="users.username", required=True)
_USER_IDS = OutColumn("userIds", value="id_list", holds=_IDENTIFIERS)
_NAMES = (
    OutColumn("givenName", value="users.first_name", holds=("users.first_name", "users.full_name"), required=True),
    OutColumn("familyName", value="users.last_name", required=True),
    OutColumn("middleName", value="users.middle_name"),
    OutColumn("identifier", value="users.number"),
    OutColumn("email", value="users.email"),
    OutColumn("sms", value="users.sms"),
    OutColumn("phone", value="users.phone"),
    OutColumn("agentSourcedIds", value="agent_list", holds=_CONTACTS),
    OutColumn("grades", value="grade_list", holds=_GRADES),
    OutColumn("password", form="empty"),
)
_USER_COLUMNS = {
    "1.1": (
        _ENABLED,
        OutColumn("orgSourcedIds", value="org_list", holds=("user_roles.user_id", "user_roles.organization_id"), required=True),
        OutColumn("role", value="role", holds=("user_roles.role",), required=True),
        _USERNAME,
        _USER_IDS,
        *_NAMES,
    ),
    "1.2": (
        _ENABLED,
        _USERNAME,
        _USER_IDS,
        *_NAMES,
        OutColumn("userMasterIdentifier", value="users.master_id"),
        OutColumn("preferredGivenName", value="users.preferred_first_name"),
        OutColumn("preferredMiddleName", value="users.preferred_middle_name"),
        OutColumn("preferredFamilyName", value="users.preferred_last_name"),
        OutColumn("primaryOrgSourcedId", value="users.primary_organization_id"),
        OutColumn("pronouns", value="users.pronouns"),
    ),
}


def _users(version: str) -> OutFile:
    return _data_file(
        "users.csv",
        "users",
        oneroster_people.user_rows,
        "user_id",
        *_USER_COLUMNS[version],
    )


ROLES = _data_file(
    "roles.csv",
    "user_roles",
    oneroster_people.role_rows,
    "role_id",
    OutColumn("userSourcedId", value="user_roles.user_id", required=True),
    OutColumn("roleType", value="role_type", holds=("user_roles.is_primary",), required=True),
    OutColumn("role", value="user_roles.role", required=True),
    OutColumn("beginDate", value="user_roles.start_at", form="iso_first_day"),
    OutColumn("endDate", value="user_roles.end_at", form="iso_end_day"),
    OutColumn("orgSourcedId", value="user_roles.organization_id", required=True),
    OutColumn("userProfileSourcedId", value="user_roles.login_user_id"),
)

ENROLLMENTS = _data_file(
    "enrollments.csv",
    "enrollments",
    oneroster_classes.enrollment_rows,
    "enrollment_id",
    OutColumn(
        "classSourcedId",
        value="enrollments.section_id",
        holds=("enrollments.section_id", "enrollments.course_id"),
        required=True,
    ),
    OutColumn("schoolSourcedId", value="enrollments.organization_id", required=True),
    OutColumn("userSourcedId", value="enrollments.user_id", required=True),
    OutColumn("role", value="enrollments.role", required=True),
    OutColumn("primary", value="enrollments.is_primary", form="true/false"),
    OutColumn("beginDate", value="enrollments.start_at", form="iso_first_day"),
    OutColumn("endDate", value="enrollments.end_at", holds=("enrollments.end_at", "enrollments.status"), form="iso_end_day"),
)

DEMOGRAPHICS = _data_file(
    "demographics.csv",
    "student_profiles",
    oneroster_people.demographic_rows,
    "user_id",
    OutColumn("birthDate", value="student_profiles.birth_date", form="iso_date"),
    OutColumn("sex", value="student_profiles.sex", holds=("student_profiles.sex", "student_profiles.gender")),
    OutColumn(
        "americanIndianOrAlaskaNative",
        value="american_indian",
        holds=("student_profiles.races", "student_profiles.race"),
        form="true/false",
    ),
    OutColumn("asian", value="asian", form="true/false"),
    OutColumn("blackOrAfricanAmerican", value="black", form="true/false"),
    OutColumn("nativeHawaiianOrOtherPacificIslander", value="pacific", form="true/false"),
    OutColumn("white", value="white", form="true/false"),
    OutColumn("demographicRaceTwoOrMoreRaces", value="two_or_more", form="true/false"),
    OutColumn("hispanicOrLatinoEthnicity", value="student_profiles.hispanic", form="true/false"),
    OutColumn("countryOfBirthCode", value="student_profiles.birth_country"),
    OutColumn("stateOfBirthAbbreviation", value="student_profiles.birth_state"),
    OutColumn("cityOfBirth", value="student_profiles.birth_city"),
    OutColumn("publicSchoolResidenceStatus", value="student_profiles.residence_status"),
    extensions="",
)

PROFILES = _data_file(
    "userProfiles.csv",
    "logins",
    oneroster_people.profile_rows,
    "login_user_id",
    OutColumn("userSourcedId", value="logins.user_id", required=True),
    OutColumn("profileType", value="x_profileType", required=True),
    OutColumn("vendorId", value="logins.authentication_provider_id", required=True),
    OutColumn("applicationId", value="x_applicationId"),
    OutColumn("description", value="x_description"),
    OutColumn("credentialType", value="x_credentialType", required=True),
    OutColumn("username", value="logins.username", required=True),
    OutColumn("password", form="empty"),
    said_extensions=("profileType", "applicationId", "description", "credentialType"),
)


def _manifest(work: ExportTables, rows: Mapping[str, int], delta: bool) -> tuple[str, Mapping[str, Array]]:  # noqa: FBT001 - the shape of the plan
    """Return manifest.csv: every property of the version, each file as bulk, delta or absent."""
    version = str(work.options["oneroster_version"])
    mode = "delta" if delta else "bulk"
    names = sorted(_MANIFEST_11 if version == "1.1" else _MANIFEST_12)
    lines = [
        ("manifest.version", "1.0"),
        ("oneroster.version", version),
        *((f"file.{name}", mode if rows.get(f"{name}.csv") else "absent") for name in names),
        ("source.systemName", "roster_etl"),
        ("source.systemCode", re.sub(r"[^0-9A-Za-z._/@-]", "-", work.district_id)),
    ]
    return "manifest.csv", {"propertyName": texts(name for name, _ in lines), "value": texts(value for _, value in lines)}


_RULES = (
    people.one_id_space,
    oneroster_sessions.plain_ids,
    oneroster_classes.default_classes,
    oneroster_sessions.organization_types,
    oneroster_classes.course_titles,
    oneroster_classes.class_details,  # before courses without an organization get the district, which no class can be in
    oneroster_sessions.district_organization,
    oneroster_sessions.session_years,
    oneroster_sessions.sections_have_terms,
    oneroster_sessions.course_sessions,
    oneroster_classes.class_lists,
    classes.reset_home_course,
    oneroster_people.roles_from_enrollments,
    oneroster_classes.map_enrollments,
    oneroster_people.required_names,
    oneroster_contacts.contacts_as_users,
    oneroster_people.map_roles,
    oneroster_people.primary_organizations,
    oneroster_people.identifiers,
    oneroster_people.demographics,
    oneroster_people.profiles_of_logins,
    oneroster_classes.enrollment_ids,
)

_OPTIONS = (
    Option("oneroster_version", default="1.1", kind="choice", choices=("1.1", "1.2"), meaning="The version that is written."),
    USER_IDS,
    Option(
        "contacts",
        default="users",
        kind="choice",
        choices=("users", "leave_out"),
        meaning="Whether contacts become users of the roles parent, guardian and relative.",
    ),
    Option(
        "account_type",
        default="",
        kind="choice",
        choices=("", "school", "department"),
        optional=True,
        meaning="What accounts of a learning platform are said as; empty: schools where something is taught or nothing is below, else departments.",
    ),
    SCHOOL_YEAR_BEGINS,
    PERSON_ID_OPTION,
)


def _version(version: str) -> tuple[OutFile, ...]:
    common = (ORGS, SESSIONS, COURSES, CLASSES, _users(version))
    if version == "1.1":
        return (*common, ENROLLMENTS, DEMOGRAPHICS)
    return (*common, ROLES, ENROLLMENTS, DEMOGRAPHICS, PROFILES)


EXPORT = ExportFormat(
    name="oneroster",
    title="OneRoster CSV",
    vendor="oneroster",
    delta="oneroster",
    files=_version("1.1"),
    by_option={("oneroster_version", "1.2"): _version("1.2")},
    options=_OPTIONS,
    rules=_RULES,
    also_holds=("courses.status",),
    manifest=_manifest,
)
