"""How rows of Canvas files change records: the regular rules, kind by kind, in the order of loading.

Sources: the document, and the behaviour of the vendor's own programs (README.md, "Behaviour").
"""

from roster_etl.mapping.change_plan import ChangeColumn, ChangePlan, ReferenceRule, RoleNames, RowKind
from roster_etl.mapping.value_functions import parse_boolean, parse_timestamp
from roster_etl.vendors.canvas.codes import ENTITIES

CLEAR = "<delete>"
LIVING = {"active": "active", "deleted": "deleted"}
DATES = (("start_at", "end_at"),)

CHANGE_SIS_ID = RowKind(
    name="change_sis_id",
    handler="rename",
    table="id_changes",
    key=("old_id", "old_integration_id", "entity"),
    columns=(
        ChangeColumn("old_id"),
        ChangeColumn("new_id"),
        ChangeColumn("old_integration_id"),
        ChangeColumn("new_integration_id"),
        ChangeColumn("type", to="entity"),
    ),
)

ACCOUNTS = RowKind(
    name="accounts",
    handler="organizations",
    table="organizations",
    key=("organization_id",),
    columns=(
        ChangeColumn("account_id", to="organization_id"),
        ChangeColumn("parent_account_id", to="parent_organization_id"),
        ChangeColumn("name", blank="keeps", needed="new"),
        ChangeColumn("status", needed="new"),
        ChangeColumn("integration_id", unique=True),
    ),
    statuses=LIVING,
    references=(ReferenceRule(to="parent_organization_id", table="organizations", deleted_code="deleted_parent"),),
)

TERMS = RowKind(
    name="terms",
    handler="terms",
    table="terms",
    key=("term_id", "enrollment_type"),
    columns=(
        ChangeColumn("term_id"),
        ChangeColumn("name", blank="keeps", needed="live"),
        ChangeColumn("status"),
        ChangeColumn("start_date", to="start_at", via=parse_timestamp),
        ChangeColumn("end_date", to="end_at", via=parse_timestamp),
        ChangeColumn("integration_id", unique=True),
        ChangeColumn("date_override_enrollment_type", to="enrollment_type"),
    ),
    statuses=LIVING,
    protected_together=DATES,
)

COURSES = RowKind(
    name="courses",
    handler="courses",
    table="courses",
    key=("course_id",),
    columns=(
        ChangeColumn("course_id"),
        ChangeColumn("short_name", blank="keeps"),
        ChangeColumn("long_name", to="name", blank="keeps"),
        ChangeColumn("account_id", to="organization_id", blank="keeps"),
        ChangeColumn("term_id", blank="keeps"),
        ChangeColumn("status"),
        ChangeColumn("integration_id", unique=True),
        ChangeColumn("start_date", to="start_at", via=parse_timestamp),
        ChangeColumn("end_date", to="end_at", via=parse_timestamp),
        ChangeColumn("course_format", to="format"),
        ChangeColumn("blueprint_course_id", blank="keeps", clear="dissociate"),
        ChangeColumn("homeroom_course", to="is_homeroom", blank="keeps", via=parse_boolean),
        ChangeColumn("fallback_account_id", to="fallback_organization_id"),
    ),
    statuses={
        "active": "active",
        "unpublished": "active",
        "published": "active",
        "completed": "completed",
        "deleted": "deleted",
    },
    references=(
        ReferenceRule(to="term_id", table="terms", deleted="warn", unknown="warn"),
        ReferenceRule(to="fallback_organization_id", table="organizations", deleted="warn", unknown="warn"),
    ),
    protected_together=DATES,
    protects_deletion=True,
)

SECTIONS = RowKind(
    name="sections",
    handler="sections",
    table="sections",
    key=("section_id",),
    columns=(
        ChangeColumn("section_id"),
        ChangeColumn("course_id"),
        ChangeColumn("name", blank="keeps", needed="live"),
        ChangeColumn("status"),
        ChangeColumn("integration_id", unique=True),
        ChangeColumn("start_date", to="start_at", via=parse_timestamp),
        ChangeColumn("end_date", to="end_at", via=parse_timestamp),
    ),
    statuses=LIVING,
    references=(ReferenceRule(to="course_id", table="courses", deleted="warn"),),
    protected_together=DATES,
)

XLISTS = RowKind(
    name="xlists",
    handler="cross_lists",
    table="sections",
    key=("section_id",),
    columns=(
        ChangeColumn("xlist_course_id", to="course_id"),
        ChangeColumn("section_id"),
        ChangeColumn("status"),
    ),
    statuses=LIVING,
)

USERS = RowKind(
    name="users",
    handler="people",
    table="users",
    key=("user_id",),
    columns=(
        ChangeColumn("user_id"),
        ChangeColumn("integration_id", blank="keeps", unique=True),
        ChangeColumn("login_id", to="username"),
        ChangeColumn("first_name", blank="keeps"),
        ChangeColumn("last_name", blank="keeps"),
        ChangeColumn("full_name", blank="keeps"),
        ChangeColumn("sortable_name", blank="keeps"),
        ChangeColumn("short_name", blank="keeps"),
        ChangeColumn("email", blank="keeps"),
        ChangeColumn("pronouns", blank="keeps", clear=CLEAR),
        ChangeColumn("declared_user_type", blank="keeps", clear=CLEAR),
        ChangeColumn("status"),
    ),
    statuses={"active": "active", "suspended": "suspended", "deleted": "deleted"},
    protects_deletion=True,
)

LOGINS = RowKind(
    name="logins",
    handler="logins",
    table="logins",
    key=("login_user_id",),
    columns=(
        ChangeColumn("user_id", to="login_user_id"),
        ChangeColumn("integration_id"),
        ChangeColumn("login_id", to="username"),
        ChangeColumn("authentication_provider_id"),
        ChangeColumn("existing_user_id", to="user_id"),
        ChangeColumn("existing_integration_id", to="user_integration_id"),
        ChangeColumn("existing_canvas_user_id", to="vendor_user_id"),
        ChangeColumn("email"),
    ),
)

ENROLLMENTS = RowKind(
    name="enrollments",
    handler="enrollments",
    table="enrollments",
    key=("course_id", "section_id", "user_id", "user_integration_id", "role", "role_id", "associated_user_id"),
    columns=(
        ChangeColumn("course_id"),
        ChangeColumn("start_date", to="start_at", via=parse_timestamp),
        ChangeColumn("end_date", to="end_at", via=parse_timestamp),
        ChangeColumn("user_id"),
        ChangeColumn("user_integration_id"),
        ChangeColumn("role"),
        ChangeColumn("role_id"),
        ChangeColumn("section_id"),
        ChangeColumn("status"),
        ChangeColumn("associated_user_id"),
        ChangeColumn("limit_section_privileges", blank="keeps", via=parse_boolean),
    ),
    statuses={
        "active": "active",
        "completed": "completed",
        "inactive": "inactive",
        "deleted": "deleted",
        "deleted_last_completed": "deleted_last_completed",
    },
    protected_together=DATES,
)

ADMINS = RowKind(
    name="admins",
    handler="admins",
    table="user_roles",
    key=("user_id", "organization_id", "role", "role_id"),
    columns=(
        ChangeColumn("user_id"),
        ChangeColumn("account_id", to="organization_id"),
        ChangeColumn("role_id"),
        ChangeColumn("role"),
        ChangeColumn("status"),
    ),
    statuses=LIVING,
)

GROUP_CATEGORIES = RowKind(
    name="group_categories",
    handler="group_categories",
    table="group_categories",
    key=("group_category_id",),
    columns=(
        ChangeColumn("group_category_id"),
        ChangeColumn("account_id", to="organization_id"),
        ChangeColumn("course_id"),
        ChangeColumn("category_name", to="name", blank="keeps", needed="live"),
        ChangeColumn("status"),
    ),
    statuses=LIVING,
)

GROUPS = RowKind(
    name="groups",
    handler="groups",
    table="groups",
    key=("group_id",),
    columns=(
        ChangeColumn("group_id"),
        ChangeColumn("group_category_id", blank="keeps"),
        ChangeColumn("account_id", to="organization_id"),
        ChangeColumn("course_id"),
        ChangeColumn("name", blank="keeps", needed="live"),
        ChangeColumn("status"),
    ),
    statuses={"available": "available", "closed": "available", "completed": "available", "deleted": "deleted"},
)

GROUPS_MEMBERSHIP = RowKind(
    name="groups_membership",
    handler="group_memberships",
    table="group_memberships",
    key=("group_id", "user_id"),
    columns=(
        ChangeColumn("group_id"),
        ChangeColumn("user_id"),
        ChangeColumn("status"),
    ),
    statuses={"accepted": "accepted", "deleted": "deleted"},
)

USER_OBSERVERS = RowKind(
    name="user_observers",
    handler="observers",
    table="observers",
    key=("observer_id", "student_id"),
    columns=(
        ChangeColumn("observer_id"),
        ChangeColumn("student_id"),
        ChangeColumn("status"),
    ),
    statuses=LIVING,
)

CHANGE_PLAN = ChangePlan(
    kinds=(
        CHANGE_SIS_ID,
        ACCOUNTS,
        TERMS,
        COURSES,
        SECTIONS,
        XLISTS,
        USERS,
        LOGINS,
        ENROLLMENTS,
        ADMINS,
        GROUP_CATEGORIES,
        GROUPS,
        GROUPS_MEMBERSHIP,
        USER_OBSERVERS,
    ),
    fixed={
        "organizations": {"type": "account"},
        "users": {"user_kind": "user"},
        "user_roles": {"user_kind": "user"},
        "enrollments": {"user_kind": "user"},
        "logins": {"user_kind": "user"},
    },
    entities=ENTITIES,
    roles=RoleNames(
        built_in={"student": "student", "teacher": "teacher", "ta": "ta", "designer": "designer", "observer": "observer"},
        by_name={
            "StudentEnrollment": "student",
            "TeacherEnrollment": "teacher",
            "TaEnrollment": "ta",
            "DesignerEnrollment": "designer",
            "ObserverEnrollment": "observer",
        },
        account_roles=("AccountAdmin",),
    ),
    batch_mode_kinds=("enrollments", "sections", "courses"),
)
