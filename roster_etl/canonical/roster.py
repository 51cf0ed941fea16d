"""The roster tables, declared once: every column with its type and meaning.

``canonical.history`` declares how versions are stored, ``canonical.ledger`` the history of imports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal["text", "boolean", "integer", "float", "date", "timestamp"]


@dataclass(frozen=True)
class RosterColumn:
    """One column, with its meaning. ``type`` is the same on all databases.

    ``added``: the column joined its table after versions had been published: a NULL in it leaves ``row_hash`` as it was.
    """

    name: str
    type: ColumnType
    comment: str
    added: bool = False


@dataclass(frozen=True)
class RosterTable:
    """One roster table.

    - ``key``: the columns that identify a record within its district and source
    - ``optional_key``: the key columns that may be NULL, where NULL equals NULL
    - ``holds_events``: rows are events, so an absent row closes nothing
    - ``school_column``: the column with the school of a record, for plans and thresholds per school
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[RosterColumn, ...]
    comment: str
    holds_events: bool = False
    school_column: str | None = None
    optional_key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a column is declared twice")
        if names[: len(self.key)] != self.key or not self.key:
            raise ValueError(f"{self.name}: the key columns come first, in the order of the key")
        if not set(self.optional_key) < set(self.key):
            raise ValueError(f"{self.name}: optional_key must be a part of the key")
        if self.school_column is not None and self.school_column not in names:
            raise ValueError(f"{self.name}: has_school names no column")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the business columns, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of the business columns."""
        return arrow_schema(self.columns)

    @cached_property
    def full_schema(self) -> pa.Schema:
        """The Arrow schema of a whole version: ``version_id``, feed, business columns, COMMON."""
        return arrow_schema((*FEED, *self.columns, *COMMON))

    def column(self, name: str) -> RosterColumn:
        """Return the column `name`. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


def arrow_schema(columns: tuple[RosterColumn, ...]) -> pa.Schema:
    """Return the Arrow schema of `columns`: timestamps in microseconds UTC, dates as date32."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "text": pa.string(),
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(column.name, types[column.type]) for column in columns])


# Columns before the business columns of every version.
FEED: tuple[RosterColumn, ...] = (
    RosterColumn("version_id", "integer", "The number of this version in its table, given by the database"),
    RosterColumn("district_id", "text", "The district's partition key"),
    RosterColumn("source", "text", "The format that the record came in"),
)

# Columns after the business columns of every version.
COMMON: tuple[RosterColumn, ...] = (
    RosterColumn("valid_from_import", "integer", "The import that opened this version"),
    RosterColumn("valid_to_import", "integer", "The import that closed this version; NULL while current"),
    RosterColumn("valid_from", "timestamp", "When the opening import was published"),
    RosterColumn("valid_to", "timestamp", "When the closing import was published; NULL while current"),
    RosterColumn("close_reason", "text", "Why this version was closed; NULL while current"),
    RosterColumn("source_file", "text", "The member file that this version was read from"),
    RosterColumn("source_row", "integer", "The record number in that file, with the header as row 1"),
    RosterColumn("row_hash", "text", "64-bit hash of the business columns, as 16 hex digits"),
    RosterColumn("derived", "text", "JSON list of the columns that were derived, not given"),
    RosterColumn("extensions", "text", "JSON object of the extra columns that the format lets through"),
)


def _text(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "text", comment)


def _boolean(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "boolean", comment)


def _integer(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "integer", comment)


def _float(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "float", comment)


def _date(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "date", comment)


def _timestamp(name: str, comment: str) -> RosterColumn:
    return RosterColumn(name, "timestamp", comment)


def _added(*columns: RosterColumn) -> tuple[RosterColumn, ...]:
    return tuple(replace(column, added=True) for column in columns)


USER_KINDS: Final = ("student", "teacher", "staff", "user")
_USER_KIND = _text("user_kind", "Which id space the user's id belongs to: student, teacher, staff or user")
_USER_ID = _text("user_id", "The source's id of the user")
_START_AT = _timestamp("start_at", "When it starts (UTC)")
_END_AT = _timestamp("end_at", "When it ends (UTC, exclusive)")
_INTEGRATION_ID = _text("integration_id", "A second id of the record, for integrations")
_GRADES = _text("grades", "JSON list of its grades (CEDS), in the source's order")
_SUBJECTS = _text("subjects", "JSON list of its subjects, in the source's order")
_SUBJECT_CODES = _text("subject_codes", "JSON list of the codes of its subjects, in the same order")

ORGANIZATIONS = RosterTable(
    name="organizations",
    key=("organization_id",),
    comment="Schools, offices and accounts of the district",
    school_column="organization_id",
    columns=(
        _text("organization_id", "The source's id of the organization"),
        _text("type", "district, school, department, office, account, local, state, national, or the source's own type (ext:…)"),
        _text("name", "Its name"),
        _text("number", "Its number in the source system"),
        _text("state_id", "Its id with the state"),
        _text("parent_organization_id", "The organization that it belongs to; NULL: the district's root"),
        _text("low_grade", "Its lowest grade (CEDS)"),
        _text("high_grade", "Its highest grade (CEDS)"),
        _text("principal_name", "The principal's name"),
        _text("principal_email", "The principal's e-mail address"),
        _text("street", "Street address"),
        _text("city", "City"),
        _text("state", "State"),
        _text("zip", "Postal code"),
        _text("phone", "Phone number"),
        _INTEGRATION_ID,
        _text("merge_with_id", "The id of the site that this one is to be merged with"),
    ),
)

TERMS = RosterTable(
    name="terms",
    key=("term_id",),
    comment="School years, semesters and other terms",
    columns=(
        _text("term_id", "The source's id of the term, or a derived one"),
        _text("name", "Its name"),
        _START_AT,
        _END_AT,
        _INTEGRATION_ID,
        *_added(
            _text("type", "schoolYear, semester, term, gradingPeriod, or the source's own type (ext:…)"),
            _text("parent_term_id", "The term that it is a part of"),
            _integer("school_year", "The year in which its school year ends"),
        ),
    ),
)

TERM_DATES = RosterTable(
    name="term_dates",
    key=("term_id", "enrollment_type"),
    comment="Dates of a term that differ by type of enrollment",
    columns=(
        _text("term_id", "The term"),
        _text("enrollment_type", "StudentEnrollment, TeacherEnrollment, TaEnrollment or DesignerEnrollment"),
        _START_AT,
        _END_AT,
    ),
)

USERS = RosterTable(
    name="users",
    key=("user_kind", "user_id"),
    comment="People: students, teachers, staff",
    columns=(
        _USER_KIND,
        _USER_ID,
        _text("number", "The user's number in the source system"),
        _text("state_id", "The user's id with the state"),
        _INTEGRATION_ID,
        _text("first_name", "First name"),
        _text("middle_name", "Middle name"),
        _text("last_name", "Last name"),
        _text("preferred_first_name", "The first name that the user prefers"),
        _text("preferred_middle_name", "The middle name that the user prefers"),
        _text("preferred_last_name", "The last name that the user prefers"),
        _text("full_name", "The whole name as one text"),
        _text("sortable_name", "The name as it is sorted"),
        _text("short_name", "The name as it is displayed"),
        _text("email", "E-mail address"),
        _text("username", "The name to log in with"),
        _text("pronouns", "Pronouns"),
        _text("declared_user_type", "What the source says that the user is"),
        _text("title", "Title"),
        _text("phone", "Phone number"),
        _text("status", "active or suspended"),
        *_added(
            _text("master_id", "The user's id across systems, as the source keeps it"),
            _text("sms", "Phone number for text messages"),
            _text("primary_organization_id", "The organization that the user mainly belongs to"),
        ),
    ),
)

USER_IDENTIFIERS = RosterTable(
    name="user_identifiers",
    key=("user_kind", "user_id", "type"),
    comment="Further ids of a user, by the system that gave them",
    columns=(
        _USER_KIND,
        _USER_ID,
        _text("type", "What kind of id it is, in the source's words"),
        _text("identifier", "The id"),
    ),
)

USER_ROLES = RosterTable(
    name="user_roles",
    key=("user_kind", "user_id", "organization_id", "role"),
    optional_key=("organization_id",),
    comment="What a user is at an organization",
    school_column="organization_id",
    columns=(
        _USER_KIND,
        _USER_ID,
        _text("organization_id", "The organization; NULL: the district's root"),
        _text("role", "student, teacher, staff, tech_lead, admin, or the source's own role name"),
        _boolean("is_primary", "Whether this is the user's main role"),
        _text("title", "Title in this role"),
        _text("department", "Department"),
        *_added(
            _text("role_id", "The source's own id of the role"),
            _START_AT,
            _END_AT,
            _text("login_user_id", "The login that the role is carried out with"),
        ),
    ),
)

STUDENT_PROFILES = RosterTable(
    name="student_profiles",
    key=("user_kind", "user_id"),
    comment="What is known of a student beyond the name",
    columns=(
        _USER_KIND,
        _USER_ID,
        _text("grade", "Grade (CEDS): IT PR PK TK KG 01 … 13 PS UG OT"),
        _text("gender", "M, F or X"),
        _date("birth_date", "Date of birth"),
        _text("race", "A, B, I, M, P or W"),
        _boolean("hispanic", "Hispanic or Latino"),
        _text("home_language", "Language spoken at home"),
        _boolean("ell", "English language learner"),
        _text("frl", "Lunch: F free, R reduced, N no discount"),
        _boolean("iep", "Has an individualized education program"),
        _boolean("section_504", "Has a plan under section 504"),
        _boolean("gifted", "Gifted"),
        _boolean("disability", "Has a disability"),
        _text("disability_type", "Kind of disability, as the source codes it"),
        _integer("graduation_year", "Year of graduation"),
        _float("unweighted_gpa", "Grade point average, unweighted"),
        _float("weighted_gpa", "Grade point average, weighted"),
        _text("street", "Street of the home address"),
        _text("city", "City of the home address"),
        _text("state", "State of the home address"),
        _text("zip", "Postal code of the home address"),
        _text("bus_route", "Bus route"),
        _float("lunch_balance", "Balance of the lunch account, in dollars"),
        _text("preferred_contact_method", "How the family prefers to be reached"),
        *_added(
            _text("grades", "JSON list of all grades (CEDS), the first of which is in grade"),
            _text("sex", "The sex as the source codes it"),
            _text("races", "JSON list of all races (A B I P W); NULL: not said"),
            _text("birth_country", "Country of birth, as the source codes it"),
            _text("birth_state", "State of birth"),
            _text("birth_city", "City of birth"),
            _text("residence_status", "Status of the residence for public schools, as the source codes it"),
        ),
    ),
)

CONTACTS = RosterTable(
    name="contacts",
    key=("user_kind", "user_id", "contact_id"),
    comment="Parents, guardians and others to reach about a student",
    columns=(
        _USER_KIND,
        _text("user_id", "The source's id of the student"),
        _text("contact_id", "The source's id of the contact, else a stable derived one"),
        _text("name", "The contact's name"),
        _text("relationship", "Relationship to the student"),
        _text("type", "Kind of contact"),
        _text("phone", "Phone number"),
        _text("phone_type", "Kind of phone"),
        _text("email", "E-mail address"),
        _integer("position", "Order among the student's contacts in the source, from 1"),
        *_added(
            _text("contact_user_id", "The user who the contact is, where the source lists contacts as users"),
        ),
    ),
)

COURSES = RosterTable(
    name="courses",
    key=("course_id",),
    comment="Courses; sections are what is taught",
    school_column="organization_id",
    columns=(
        _text("course_id", "The source's id of the course, or a derived one"),
        _text("organization_id", "The organization that offers it; NULL: the district's root"),
        _text("term_id", "Its term; NULL: none, or the default term"),
        _text("number", "Its number in the catalogue"),
        _text("short_name", "Its short name"),
        _text("name", "Its name"),
        _text("description", "Its description"),
        _text("format", "How it is taught"),
        _text("blueprint_course_id", "The blueprint course that it follows"),
        _boolean("is_homeroom", "Whether it is a homeroom"),
        _START_AT,
        _END_AT,
        _INTEGRATION_ID,
        _text("status", "active or completed"),
        *_added(
            _GRADES,
            _SUBJECTS,
            _SUBJECT_CODES,
        ),
    ),
)

SECTIONS = RosterTable(
    name="sections",
    key=("section_id",),
    comment="Classes: a course taught to a group in a term",
    school_column="organization_id",
    columns=(
        _text("section_id", "The source's id of the section, or a derived one"),
        _text("course_id", "The course where the section is now"),
        _text("home_course_id", "The course before cross-listing; equal to course_id if never cross-listed"),
        _text("organization_id", "The organization where it is taught"),
        _text("term_id", "Its term"),
        _text("name", "Its name"),
        _text("number", "Its number"),
        _text("period", "The period of the day"),
        _text("subject", "Its subject"),
        _text("grade", "Its grade (CEDS)"),
        _START_AT,
        _END_AT,
        _INTEGRATION_ID,
        *_added(
            _text("class_type", "homeroom, scheduled, or the source's own type (ext:…)"),
            _text("location", "Where it is taught"),
            _GRADES,
            _SUBJECTS,
            _SUBJECT_CODES,
        ),
    ),
)

SECTION_TERMS = RosterTable(
    name="section_terms",
    key=("section_id", "term_id"),
    comment="All terms of a section; sections.term_id has the one that stands for them",
    columns=(
        _text("section_id", "The section"),
        _text("term_id", "The term"),
        _integer("position", "Order among the section's terms in the source, from 1"),
    ),
)

ENROLLMENTS = RosterTable(
    name="enrollments",
    key=("course_id", "section_id", "user_kind", "user_id", "role", "associated_user_id"),
    optional_key=("section_id", "associated_user_id"),
    comment="Who learns, teaches, assists or watches in which section",
    school_column="organization_id",
    columns=(
        _text("course_id", "The course"),
        _text("section_id", "The section; NULL: the course's default section"),
        _USER_KIND,
        _USER_ID,
        _text("role", "student, teacher, ta, designer, observer, or a custom role"),
        _text("associated_user_id", "The student whom an observer watches"),
        _boolean("is_primary", "Whether this is the section's main teacher"),
        _text("organization_id", "The organization of the section"),
        _START_AT,
        _END_AT,
        _boolean("limit_section_privileges", "Whether the user sees the own section only"),
        _text("status", "active, completed or inactive"),
        _text("cause", "NULL, or what the enrollment follows from, such as observer_link"),
        *_added(
            _text("enrollment_id", "The source's own id of the enrollment"),
        ),
    ),
)

LOGINS = RosterTable(
    name="logins",
    key=("login_user_id",),
    comment="Further logins of a user",
    columns=(
        _text("login_user_id", "The source's own id of the login"),
        _USER_KIND,
        _text("user_id", "The user whom it belongs to"),
        _text("username", "The name to log in with"),
        _INTEGRATION_ID,
        _text("authentication_provider_id", "Where the login is checked"),
        _text("email", "E-mail address"),
    ),
)

OBSERVERS = RosterTable(
    name="observers",
    key=("observer_id", "student_id"),
    comment="Who may watch which student",
    columns=(_text("observer_id", "The user who watches"), _text("student_id", "The user who is watched")),
)

GROUP_CATEGORIES = RosterTable(
    name="group_categories",
    key=("group_category_id",),
    comment="Sets of groups",
    school_column="organization_id",
    columns=(
        _text("group_category_id", "The source's id of the category"),
        _text("name", "Its name"),
        _text("organization_id", "The organization that it belongs to"),
        _text("course_id", "The course that it belongs to"),
    ),
)

GROUPS = RosterTable(
    name="groups",
    key=("group_id",),
    comment="Groups of users",
    school_column="organization_id",
    columns=(
        _text("group_id", "The source's id of the group"),
        _text("group_category_id", "Its category"),
        _text("name", "Its name"),
        _text("organization_id", "The organization that it belongs to"),
        _text("course_id", "The course that it belongs to"),
    ),
)

GROUP_MEMBERSHIPS = RosterTable(
    name="group_memberships",
    key=("group_id", "user_id"),
    comment="Who is in which group",
    columns=(_text("group_id", "The group"), _text("user_id", "The member"), _text("status", "accepted")),
)

ATTENDANCE = RosterTable(
    name="attendance",
    key=("organization_id", "user_id", "period", "date", "absence_code"),
    optional_key=("period",),
    comment="Absences: events that are appended; an absent row closes nothing",
    holds_events=True,
    school_column="organization_id",
    columns=(
        _text("organization_id", "The school"),
        _text("user_id", "The student"),
        _text("period", "The period of the day; NULL: the whole day"),
        _date("date", "The day"),
        _text("absence_code", "The kind of absence, as the source codes it"),
        _text("teacher_name", "The teacher's name"),
    ),
)

ID_CHANGES = RosterTable(
    name="id_changes",
    key=("entity", "old_id", "new_id"),
    comment="Ids that the source changed: the old id's versions close as renamed, the new id's open",
    columns=(
        _text("entity", "The table whose id changed"),
        _text("old_id", "The id before"),
        _text("new_id", "The id after"),
    ),
    holds_events=True,
)

# In publishing order: a referenced table comes before the tables that refer to it.
TABLES: dict[str, RosterTable] = {
    table.name: table
    for table in (
        ORGANIZATIONS,
        TERMS,
        TERM_DATES,
        USERS,
        USER_IDENTIFIERS,
        USER_ROLES,
        STUDENT_PROFILES,
        CONTACTS,
        COURSES,
        SECTIONS,
        SECTION_TERMS,
        ENROLLMENTS,
        LOGINS,
        OBSERVERS,
        GROUP_CATEGORIES,
        GROUPS,
        GROUP_MEMBERSHIPS,
        ATTENDANCE,
        ID_CHANGES,
    )
}
