"""How the roster is written as OneRoster 1.1 or 1.2 CSV.

Belongs here: which column holds what, the rules of the format, and its manifest. The rules are in ``exports.rules``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from roster_etl.exports.arrays import texts
from roster_etl.exports.plan import PERSON_ID_OPTION, ExportFormat, Out, OutFile
from roster_etl.exports.rows import table_rows
from roster_etl.exports.rules import agents, class_lists, classes, contact_users, people, sessions
from roster_etl.exports.rules.words import SCHOOL_YEAR_BEGINS, USER_IDS
from roster_etl.spec import Option

if TYPE_CHECKING:
    from roster_etl.exports.arrays import Array
    from roster_etl.exports.work import Work

_MARKS = (Out("status", form="empty"), Out("dateLastModified", form="empty"))
_MANIFEST_11 = (
    "academicSessions", "categories", "classes", "classResources", "courses", "courseResources", "demographics", "enrollments", "lineItems",
    "orgs", "resources", "results", "users",
)  # fmt: skip
_MANIFEST_12 = (
    *_MANIFEST_11, "lineItemLearningObjectiveIds", "lineItemScoreScales", "resultLearningObjectiveIds", "resultScoreScales", "roles",
    "scoreScales", "userProfiles", "userResources",
)  # fmt: skip

ORGS = OutFile(
    "orgs.csv",
    table="organizations",
    rows=table_rows("organizations"),
    key=("organizations.organization_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="organizations.organization_id", required=True),
        *_MARKS,
        Out("name", value="organizations.name", required=True),
        Out("type", value="organizations.type", required=True),
        Out("identifier", value="organizations.number"),
        Out("parentSourcedId", value="organizations.parent_organization_id"),
    ),
)

SESSIONS = OutFile(
    "academicSessions.csv",
    table="terms",
    rows=table_rows("terms"),
    key=("terms.term_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="terms.term_id", required=True),
        *_MARKS,
        Out("title", value="terms.name", required=True),
        Out("type", value="terms.type", required=True),
        Out("startDate", value="terms.start_at", form="iso_first_day", required=True),
        Out("endDate", value="terms.end_at", form="iso_end_day", required=True),
        Out("parentSourcedId", value="terms.parent_term_id"),
        Out("schoolYear", value="terms.school_year", required=True),
    ),
)

COURSES = OutFile(
    "courses.csv",
    table="courses",
    rows=class_lists.course_rows,
    key=("courses.course_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="courses.course_id", required=True),
        *_MARKS,
        Out("schoolYearSourcedId", value="courses.term_id"),
        Out("title", value="courses.name", required=True),
        Out("courseCode", value="courses.number"),
        Out("grades", value="grade_list", holds=("courses.grades",)),
        Out("orgSourcedId", value="courses.organization_id", required=True),
        Out("subjects", value="subject_list", holds=("courses.subjects",)),
        Out("subjectCodes", value="code_list", holds=("courses.subject_codes",)),
    ),
)

CLASSES = OutFile(
    "classes.csv",
    table="sections",
    rows=class_lists.class_rows,
    key=("sections.section_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="sections.section_id", required=True),
        *_MARKS,
        Out("title", value="sections.name", required=True),
        Out("grades", value="grade_list", holds=("sections.grades", "sections.grade")),
        Out(
            "courseSourcedId", value="sections.course_id", holds=("sections.course_id", "sections.home_course_id"), required=True
        ),
        Out("classCode", value="sections.number"),
        Out("classType", value="sections.class_type", required=True),
        Out("location", value="sections.location"),
        Out("schoolSourcedId", value="sections.organization_id", required=True),
        Out(
            "termSourcedIds",
            value="term_list",
            holds=("sections.term_id", "section_terms.section_id", "section_terms.term_id", "section_terms.position"),
            required=True,
        ),
        Out("subjects", value="subject_list", holds=("sections.subjects", "sections.subject")),
        Out("subjectCodes", value="code_list", holds=("sections.subject_codes",)),
        Out("periods", value="period_list", holds=("sections.period",)),
    ),
)

_CONTACTS = ("contacts.user_id", "contacts.contact_id", "contacts.name", "contacts.relationship", "contacts.phone", "contacts.email", "contacts.position", "contacts.contact_user_id")  # fmt: skip
_IDENTIFIERS = ("user_identifiers.user_id", "user_identifiers.type", "user_identifiers.identifier")
_GRADES = ("student_profiles.user_id", "student_profiles.grade", "student_profiles.grades")


_ENABLED = Out("enabledUser", value="enabled", holds=("users.status",), form="true/false", required=True)
_USERNAME = Out("username", value="users.username", required=True)
_USER_IDS = Out("userIds", value="id_list", holds=_IDENTIFIERS)
_NAMES = (
    Out("givenName", value="users.first_name", holds=("users.first_name", "users.full_name"), required=True),
    Out("familyName", value="users.last_name", required=True),
    Out("middleName", value="users.middle_name"),
    Out("identifier", value="users.number"),
    Out("email", value="users.email"),
    Out("sms", value="users.sms"),
    Out("phone", value="users.phone"),
    Out("agentSourcedIds", value="agent_list", holds=_CONTACTS),
    Out("grades", value="grade_list", holds=_GRADES),
    Out("password", form="empty"),
)
_USER_COLUMNS = {
    "1.1": (
        _ENABLED,
        Out("orgSourcedIds", value="org_list", holds=("user_roles.user_id", "user_roles.organization_id"), required=True),
        Out("role", value="role", holds=("user_roles.role",), required=True),
        _USERNAME,
        _USER_IDS,
        *_NAMES,
    ),
    "1.2": (
        _ENABLED,
        _USERNAME,
        _USER_IDS,
        *_NAMES,
        Out("userMasterIdentifier", value="users.master_id"),
        Out("preferredGivenName", value="users.preferred_first_name"),
        Out("preferredMiddleName", value="users.preferred_middle_name"),
        Out("preferredFamilyName", value="users.preferred_last_name"),
        Out("primaryOrgSourcedId", value="users.primary_organization_id"),
        Out("pronouns", value="users.pronouns"),
    ),
}


def _users(version: str) -> OutFile:
    return OutFile(
        "users.csv",
        table="users",
        rows=agents.user_rows,
        key=("users.user_id",),
        identity=("sourcedId",),
        when="rows",
        extensions="metadata.",
        columns=(Out("sourcedId", value="users.user_id", required=True), *_MARKS, *_USER_COLUMNS[version]),
    )


ROLES = OutFile(
    "roles.csv",
    table="user_roles",
    rows=agents.role_rows,
    key=("user_roles.role_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="user_roles.role_id", required=True),
        *_MARKS,
        Out("userSourcedId", value="user_roles.user_id", required=True),
        Out("roleType", value="role_type", holds=("user_roles.is_primary",), required=True),
        Out("role", value="user_roles.role", required=True),
        Out("beginDate", value="user_roles.start_at", form="iso_first_day"),
        Out("endDate", value="user_roles.end_at", form="iso_end_day"),
        Out("orgSourcedId", value="user_roles.organization_id", required=True),
        Out("userProfileSourcedId", value="user_roles.login_user_id"),
    ),
)

ENROLLMENTS = OutFile(
    "enrollments.csv",
    table="enrollments",
    rows=class_lists.enrollment_rows,
    key=("enrollments.enrollment_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    columns=(
        Out("sourcedId", value="enrollments.enrollment_id", required=True),
        *_MARKS,
        Out(
            "classSourcedId",
            value="enrollments.section_id",
            holds=("enrollments.section_id", "enrollments.course_id"),
            required=True,
        ),
        Out("schoolSourcedId", value="enrollments.organization_id", required=True),
        Out("userSourcedId", value="enrollments.user_id", required=True),
        Out("role", value="enrollments.role", required=True),
        Out("primary", value="enrollments.is_primary", form="true/false"),
        Out("beginDate", value="enrollments.start_at", form="iso_first_day"),
        Out("endDate", value="enrollments.end_at", holds=("enrollments.end_at", "enrollments.status"), form="iso_end_day"),
    ),
)

DEMOGRAPHICS = OutFile(
    "demographics.csv",
    table="student_profiles",
    rows=agents.demographic_rows,
    key=("student_profiles.user_id",),
    identity=("sourcedId",),
    when="rows",
    columns=(
        Out("sourcedId", value="student_profiles.user_id", required=True),
        *_MARKS,
        Out("birthDate", value="student_profiles.birth_date", form="iso_date"),
        Out("sex", value="student_profiles.sex", holds=("student_profiles.sex", "student_profiles.gender")),
        Out(
            "americanIndianOrAlaskaNative",
            value="american_indian",
            holds=("student_profiles.races", "student_profiles.race"),
            form="true/false",
        ),
        Out("asian", value="asian", form="true/false"),
        Out("blackOrAfricanAmerican", value="black", form="true/false"),
        Out("nativeHawaiianOrOtherPacificIslander", value="pacific", form="true/false"),
        Out("white", value="white", form="true/false"),
        Out("demographicRaceTwoOrMoreRaces", value="two_or_more", form="true/false"),
        Out("hispanicOrLatinoEthnicity", value="student_profiles.hispanic", form="true/false"),
        Out("countryOfBirthCode", value="student_profiles.birth_country"),
        Out("stateOfBirthAbbreviation", value="student_profiles.birth_state"),
        Out("cityOfBirth", value="student_profiles.birth_city"),
        Out("publicSchoolResidenceStatus", value="student_profiles.residence_status"),
    ),
)

PROFILES = OutFile(
    "userProfiles.csv",
    table="logins",
    rows=agents.profile_rows,
    key=("logins.login_user_id",),
    identity=("sourcedId",),
    when="rows",
    extensions="metadata.",
    said_extensions=("profileType", "applicationId", "description", "credentialType"),
    columns=(
        Out("sourcedId", value="logins.login_user_id", required=True),
        *_MARKS,
        Out("userSourcedId", value="logins.user_id", required=True),
        Out("profileType", value="x_profileType", required=True),
        Out("vendorId", value="logins.authentication_provider_id", required=True),
        Out("applicationId", value="x_applicationId"),
        Out("description", value="x_description"),
        Out("credentialType", value="x_credentialType", required=True),
        Out("username", value="logins.username", required=True),
        Out("password", form="empty"),
    ),
)


def _manifest(work: Work, rows: Mapping[str, int], delta: bool) -> tuple[str, Mapping[str, Array]]:  # noqa: FBT001 - the shape of the plan
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
    sessions.plain_ids,
    class_lists.default_classes,
    sessions.organization_types,
    sessions.district_organization,
    sessions.session_years,
    class_lists.course_titles,
    class_lists.class_details,
    sessions.sections_have_terms,
    sessions.course_sessions,
    class_lists.class_lists,
    classes.home_is_course,
    agents.roles_from_enrollments,
    class_lists.enrollments_said,
    agents.required_names,
    contact_users.contacts_as_users,
    agents.say_roles,
    agents.primary_organizations,
    agents.identifiers,
    agents.demographics,
    agents.profiles_of_logins,
    class_lists.enrollment_ids,
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
