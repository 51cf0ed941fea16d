"""How rows of Canvas files change records: the regular rules, kind by kind, in the order of loading.

Sources: the document, and the behaviour of the vendor's own programs (README.md, "Behaviour").
"""

from roster_etl.mapping.change_plan import ChangeColumn, ChangePlan, ReferenceRule, RoleNames, RowKind
from roster_etl.mapping.value_functions import parse_boolean, parse_timestamp

CLEAR = "<delete>"
LIVING = {"active": "active", "deleted": "deleted"}
DATES = (("start_at", "end_at"),)

CHANGE_SIS_ID = RowKind(
    name="change_sis_id",
    handler="rename",
    table="id_changes",
    key=("old_id", "old_integration_id", "entity"),
    columns=(
        ChangeColumn(column="old_id", to="old_id"),
        ChangeColumn(column="new_id", to="new_id"),
        ChangeColumn(column="old_integration_id", to="old_integration_id"),
        ChangeColumn(column="new_integration_id", to="new_integration_id"),
        ChangeColumn(column="type", to="entity"),
    ),
)

ACCOUNTS = RowKind(
    name="accounts",
    handler="organizations",
    table="organizations",
    key=("organization_id",),
    columns=(
        ChangeColumn(column="account_id", to="organization_id"),
        ChangeColumn(column="parent_account_id", to="parent_organization_id"),
        ChangeColumn(column="name", to="name", blank="keeps", needed="new"),
        ChangeColumn(column="status", to="status", needed="new"),
        ChangeColumn(column="integration_id", to="integration_id", unique=True),
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
        ChangeColumn(column="term_id", to="term_id"),
        ChangeColumn(column="name", to="name", blank="keeps", needed="live"),
        ChangeColumn(column="status", to="status"),
        ChangeColumn(column="start_date", to="start_at", via=parse_timestamp),
        ChangeColumn(column="end_date", to="end_at", via=parse_timestamp),
        ChangeColumn(column="integration_id", to="integration_id", unique=True),
        ChangeColumn(column="date_override_enrollment_type", to="enrollment_type"),
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
        ChangeColumn(column="course_id", to="course_id"),
        ChangeColumn(column="short_name", to="short_name", blank="keeps"),
        ChangeColumn(column="long_name", to="name", blank="keeps"),
        ChangeColumn(column="account_id", to="organization_id", blank="keeps"),
        ChangeColumn(column="term_id", to="term_id", blank="keeps"),
        ChangeColumn(column="status", to="status"),
        ChangeColumn(column="integration_id", to="integration_id", unique=True),
        ChangeColumn(column="start_date", to="start_at", via=parse_timestamp),
        ChangeColumn(column="end_date", to="end_at", via=parse_timestamp),
        ChangeColumn(column="course_format", to="format"),
        ChangeColumn(column="blueprint_course_id", to="blueprint_course_id", blank="keeps", clear="dissociate"),
        ChangeColumn(column="homeroom_course", to="is_homeroom", blank="keeps", via=parse_boolean),
        ChangeColumn(column="fallback_account_id", to="fallback_organization_id"),
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
        ChangeColumn(column="section_id", to="section_id"),
        ChangeColumn(column="course_id", to="course_id"),
        ChangeColumn(column="name", to="name", blank="keeps", needed="live"),
        ChangeColumn(column="status", to="status"),
        ChangeColumn(column="integration_id", to="integration_id", unique=True),
        ChangeColumn(column="start_date", to="start_at", via=parse_timestamp),
        ChangeColumn(column="end_date", to="end_at", via=parse_timestamp),
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
        ChangeColumn(column="xlist_course_id", to="course_id"),
        ChangeColumn(column="section_id", to="section_id"),
        ChangeColumn(column="status", to="status"),
    ),
    statuses=LIVING,
)

USERS = RowKind(
    name="users",
    handler="people",
    table="users",
    key=("user_id",),
    columns=(
        ChangeColumn(column="user_id", to="user_id"),
        ChangeColumn(column="integration_id", to="integration_id", blank="keeps", unique=True),
        ChangeColumn(column="login_id", to="username"),
        ChangeColumn(column="first_name", to="first_name", blank="keeps"),
        ChangeColumn(column="last_name", to="last_name", blank="keeps"),
        ChangeColumn(column="full_name", to="full_name", blank="keeps"),
        ChangeColumn(column="sortable_name", to="sortable_name", blank="keeps"),
        ChangeColumn(column="short_name", to="short_name", blank="keeps"),
        ChangeColumn(column="email", to="email", blank="keeps"),
        ChangeColumn(column="pronouns", to="pronouns", blank="keeps", clear=CLEAR),
        ChangeColumn(column="declared_user_type", to="declared_user_type", blank="keeps", clear=CLEAR),
        ChangeColumn(column="status", to="status"),
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
        ChangeColumn(column="user_id", to="login_user_id"),
        ChangeColumn(column="integration_id", to="integration_id"),
        ChangeColumn(column="login_id", to="username"),
        ChangeColumn(column="authentication_provider_id", to="authentication_provider_id"),
        ChangeColumn(column="existing_user_id", to="user_id"),
        ChangeColumn(column="existing_integration_id", to="user_integration_id"),
        ChangeColumn(column="existing_canvas_user_id", to="vendor_user_id"),
        ChangeColumn(column="email", to="email"),
    ),
)

ENROLLMENTS = RowKind(
    name="enrollments",
    handler="enrollments",
    table="enrollments",
    key=("course_id", "section_id", "user_id", "user_integration_id", "role", "role_id", "associated_user_id"),
    columns=(
        ChangeColumn(column="course_id", to="course_id"),
        ChangeColumn(column="start_date", to="start_at", via=parse_timestamp),
        ChangeColumn(column="end_date", to="end_at", via=parse_timestamp),
        ChangeColumn(column="user_id", to="user_id"),
        ChangeColumn(column="user_integration_id", to="user_integration_id"),
        ChangeColumn(column="role", to="role"),
        ChangeColumn(column="role_id", to="role_id"),
        ChangeColumn(column="section_id", to="section_id"),
        ChangeColumn(column="status", to="status"),
        ChangeColumn(column="associated_user_id", to="associated_user_id"),
        ChangeColumn(column="limit_section_privileges", to="limit_section_privileges", blank="keeps", via=parse_boolean),
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
        ChangeColumn(column="user_id", to="user_id"),
        ChangeColumn(column="account_id", to="organization_id"),
        ChangeColumn(column="role_id", to="role_id"),
        ChangeColumn(column="role", to="role"),
        ChangeColumn(column="status", to="status"),
    ),
    statuses=LIVING,
)

GROUP_CATEGORIES = RowKind(
    name="group_categories",
    handler="group_categories",
    table="group_categories",
    key=("group_category_id",),
    columns=(
        ChangeColumn(column="group_category_id", to="group_category_id"),
        ChangeColumn(column="account_id", to="organization_id"),
        ChangeColumn(column="course_id", to="course_id"),
        ChangeColumn(column="category_name", to="name", blank="keeps", needed="live"),
        ChangeColumn(column="status", to="status"),
    ),
    statuses=LIVING,
)

GROUPS = RowKind(
    name="groups",
    handler="groups",
    table="groups",
    key=("group_id",),
    columns=(
        ChangeColumn(column="group_id", to="group_id"),
        ChangeColumn(column="group_category_id", to="group_category_id", blank="keeps"),
        ChangeColumn(column="account_id", to="organization_id"),
        ChangeColumn(column="course_id", to="course_id"),
        ChangeColumn(column="name", to="name", blank="keeps", needed="live"),
        ChangeColumn(column="status", to="status"),
    ),
    statuses={"available": "available", "closed": "available", "completed": "available", "deleted": "deleted"},
)

GROUPS_MEMBERSHIP = RowKind(
    name="groups_membership",
    handler="group_memberships",
    table="group_memberships",
    key=("group_id", "user_id"),
    columns=(
        ChangeColumn(column="group_id", to="group_id"),
        ChangeColumn(column="user_id", to="user_id"),
        ChangeColumn(column="status", to="status"),
    ),
    statuses={"accepted": "accepted", "deleted": "deleted"},
)

USER_OBSERVERS = RowKind(
    name="user_observers",
    handler="observers",
    table="observers",
    key=("observer_id", "student_id"),
    columns=(
        ChangeColumn(column="observer_id", to="observer_id"),
        ChangeColumn(column="student_id", to="student_id"),
        ChangeColumn(column="status", to="status"),
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
    entities={
        "account": "organizations",
        "term": "terms",
        "course": "courses",
        "section": "sections",
        "group": "groups",
        "group_category": "group_categories",
        "user": "users",
    },
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
