"""How the roster is written as Canvas's files."""

from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile, RenameFile, table_columns
from roster_etl.exports.rules import canvas, people, schools
from roster_etl.exports.rules.words import USER_IDS
from roster_etl.spec import Option
from roster_etl.vendors.canvas.codes import LOGIN_CHARS

_ACTIVE = OutColumn("status", const="active")
_FORMATS = {"online": "online", "on_campus": "on_campus", "blended": "blended"}
_USER_TYPES = {word: word for word in ("administrative", "observer", "staff", "student", "student_other", "teacher")}

ACCOUNTS = OutFile(
    "accounts.csv",
    table="organizations",
    rows=canvas.account_rows,
    key=("depth", "organizations.organization_id"),
    identity=("account_id",),
    when="rows",
    columns=(
        OutColumn("account_id", value="organizations.organization_id", required=True),
        OutColumn("parent_account_id", value="organizations.parent_organization_id"),
        OutColumn("name", value="organizations.name", required=True),
        _ACTIVE,
        OutColumn("integration_id", value="organizations.integration_id", optional=True),
    ),
)

TERMS = OutFile(
    "terms.csv",
    table="terms",
    rows=canvas.term_rows,
    key=("terms.term_id", "override"),
    identity=("term_id", "date_override_enrollment_type"),
    when="rows",
    columns=(
        OutColumn("term_id", value="terms.term_id", holds=("terms.term_id", "term_dates.term_id"), required=True),
        OutColumn("name", value="terms.name"),
        _ACTIVE,
        OutColumn("start_date", value="terms.start_at", holds=("terms.start_at", "term_dates.start_at"), form="instant"),
        OutColumn("end_date", value="terms.end_at", holds=("terms.end_at", "term_dates.end_at"), form="instant"),
        OutColumn("integration_id", value="terms.integration_id", optional=True),
        OutColumn("date_override_enrollment_type", value="term_dates.enrollment_type", optional=True),
    ),
)

USERS = OutFile(
    "users.csv",
    table="users",
    rows=canvas.user_rows,
    key=("users.user_id",),
    identity=("user_id",),
    when="rows",
    columns=(
        OutColumn("user_id", value="users.user_id", required=True),
        OutColumn("integration_id", value="users.integration_id", optional=True),
        OutColumn("login_id", value="users.username", required=True),
        OutColumn("first_name", value="users.first_name"),
        OutColumn("last_name", value="users.last_name"),
        OutColumn("full_name", value="given_full_name", holds=("users.full_name",)),
        OutColumn("sortable_name", value="users.sortable_name", optional=True),
        OutColumn("short_name", value="users.short_name", optional=True),
        OutColumn("email", value="users.email"),
        OutColumn("pronouns", value="users.pronouns", optional=True),
        OutColumn("declared_user_type", value="users.declared_user_type", codes=_USER_TYPES, optional=True),
        OutColumn("status", value="users.status", required=True),
    ),
)

LOGINS = OutFile(
    "logins.csv",
    table="logins",
    identity=("user_id",),
    when="rows",
    columns=(
        OutColumn("user_id", value="logins.login_user_id", required=True),
        OutColumn("integration_id", value="logins.integration_id", optional=True),
        OutColumn("login_id", value="logins.username", required=True),
        OutColumn("authentication_provider_id", value="logins.authentication_provider_id", optional=True),
        OutColumn("existing_user_id", value="logins.user_id", required=True),
        OutColumn("email", value="logins.email", optional=True),
    ),
)

COURSES = OutFile(
    "courses.csv",
    table="courses",
    identity=("course_id",),
    when="rows",
    columns=(
        OutColumn("course_id", value="courses.course_id", required=True),
        OutColumn("short_name", value="courses.short_name", required=True),
        OutColumn("long_name", value="courses.name", required=True),
        OutColumn("account_id", value="courses.organization_id"),
        OutColumn("term_id", value="courses.term_id"),
        OutColumn("status", value="courses.status", required=True),
        OutColumn("integration_id", value="courses.integration_id", optional=True),
        OutColumn("start_date", value="courses.start_at", form="instant"),
        OutColumn("end_date", value="courses.end_at", form="instant"),
        OutColumn("course_format", value="courses.format", codes=_FORMATS, optional=True),
        OutColumn("blueprint_course_id", value="courses.blueprint_course_id", optional=True),
        OutColumn("homeroom_course", value="courses.is_homeroom", form="true/false", optional=True),
    ),
)

SECTIONS = OutFile(
    "sections.csv",
    table="sections",
    identity=("section_id",),
    when="rows",
    columns=(
        OutColumn("section_id", value="sections.section_id", required=True),
        OutColumn("course_id", value="sections.home_course_id", required=True),
        OutColumn("name", value="sections.name", required=True),
        _ACTIVE,
        OutColumn("integration_id", value="sections.integration_id", optional=True),
        OutColumn("start_date", value="sections.start_at", form="instant"),
        OutColumn("end_date", value="sections.end_at", form="instant"),
    ),
)

XLISTS = OutFile(
    "xlists.csv",
    table="sections",
    rows=canvas.cross_listed_rows,
    key=("sections.course_id", "sections.section_id"),
    identity=("xlist_course_id", "section_id"),
    when="rows",
    columns=(
        OutColumn("xlist_course_id", value="sections.course_id", required=True),
        OutColumn("section_id", value="sections.section_id", required=True),
        _ACTIVE,
    ),
)

ENROLLMENTS = OutFile(
    "enrollments.csv",
    table="enrollments",
    rows=canvas.own_enrollment_rows,
    key=table_columns("enrollments", "course_id", "section_id", "user_id", "role", "associated_user_id"),
    identity=("course_id", "section_id", "user_id", "role", "associated_user_id"),
    when="rows",
    columns=(
        OutColumn("course_id", value="course_if_default", holds=("enrollments.course_id",)),
        OutColumn("start_date", value="enrollments.start_at", form="instant", optional=True),
        OutColumn("end_date", value="enrollments.end_at", form="instant", optional=True),
        OutColumn("user_id", value="enrollments.user_id", required=True),
        OutColumn("role", value="enrollments.role", required=True),
        OutColumn("section_id", value="enrollments.section_id"),
        OutColumn("status", value="enrollments.status", required=True),
        OutColumn("associated_user_id", value="enrollments.associated_user_id"),
        OutColumn("limit_section_privileges", value="enrollments.limit_section_privileges", form="true/false", optional=True),
    ),
)

ADMINS = OutFile(
    "admins.csv",
    table="user_roles",
    key=("user_roles.user_id", "user_roles.organization_id", "user_roles.role"),
    identity=("user_id", "account_id", "role"),
    when="rows",
    columns=(
        OutColumn("user_id", value="user_roles.user_id", required=True),
        OutColumn("account_id", value="user_roles.organization_id"),
        OutColumn("role", value="user_roles.role", required=True),
        _ACTIVE,
    ),
)

USER_OBSERVERS = OutFile(
    "user_observers.csv",
    table="observers",
    identity=("observer_id", "student_id"),
    when="rows",
    columns=(
        OutColumn("observer_id", value="observers.observer_id", required=True),
        OutColumn("student_id", value="observers.student_id", required=True),
        _ACTIVE,
    ),
)

GROUP_CATEGORIES = OutFile(
    "group_categories.csv",
    table="group_categories",
    identity=("group_category_id",),
    when="rows",
    columns=(
        OutColumn("group_category_id", value="group_categories.group_category_id", required=True),
        OutColumn("account_id", value="group_categories.organization_id"),
        OutColumn("course_id", value="group_categories.course_id"),
        OutColumn("category_name", value="group_categories.name", required=True),
        _ACTIVE,
    ),
)

GROUPS = OutFile(
    "groups.csv",
    table="groups",
    identity=("group_id",),
    when="rows",
    columns=(
        OutColumn("group_id", value="groups.group_id", required=True),
        OutColumn("group_category_id", value="groups.group_category_id"),
        OutColumn("account_id", value="groups.organization_id"),
        OutColumn("course_id", value="groups.course_id"),
        OutColumn("name", value="groups.name", required=True),
        OutColumn("status", const="available"),
    ),
)

GROUPS_MEMBERSHIP = OutFile(
    "groups_membership.csv",
    table="group_memberships",
    identity=("group_id", "user_id"),
    when="rows",
    columns=(
        OutColumn("group_id", value="group_memberships.group_id", required=True),
        OutColumn("user_id", value="group_memberships.user_id", required=True),
        OutColumn("status", const="accepted", holds=("group_memberships.status",)),
    ),
)

EXPORT = ExportFormat(
    name="canvas",
    title="Canvas SIS import files",
    vendor="canvas",
    delta="canvas",
    renames=RenameFile(
        "change_sis_id.csv",
        columns=("old_id", "new_id", "type"),
        words={
            "organizations": "account",
            "terms": "term",
            "courses": "course",
            "sections": "section",
            "groups": "group",
            "group_categories": "group_category",
            "users": "user",
        },
        files={
            "organizations": "accounts.csv",
            "terms": "terms.csv",
            "courses": "courses.csv",
            "sections": "sections.csv",
            "groups": "groups.csv",
            "group_categories": "group_categories.csv",
            "users": "users.csv",
        },
    ),
    files=(
        ACCOUNTS,
        TERMS,
        USERS,
        LOGINS,
        COURSES,
        SECTIONS,
        XLISTS,
        ENROLLMENTS,
        ADMINS,
        USER_OBSERVERS,
        GROUP_CATEGORIES,
        GROUPS,
        GROUPS_MEMBERSHIP,
    ),
    options=(
        USER_IDS,
        Option(
            "staff_role",
            default="",
            kind="text",
            optional=True,
            meaning="The account role that staff of other formats get; empty: they are left out.",
        ),
    ),
    also_holds=("organizations.type", "enrollments.cause"),
    rules=(
        canvas.root_account,
        people.require("organizations", "name"),
        people.require("group_categories", "name"),
        people.require("groups", "name"),
        schools.all_of_type("account"),
        canvas.admin_roles,
        people.one_id_space,
        canvas.observing_contacts,
        canvas.name_terms,
        canvas.name_courses,
        canvas.name_sections,
        canvas.unique_logins(LOGIN_CHARS),
        canvas.unique_without_breaks,
        canvas.statuses,
        canvas.courses_of_sections,
        canvas.observer_links,
        canvas.group_members,
    ),
)
