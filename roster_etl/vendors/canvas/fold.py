"""What rows of Canvas files do: the regular facts of "how rows are applied", kind by kind, in the order of loading.

Sources: the document, and how the vendor's own programs behave (README.md, "Behaviour").
"""

from roster_etl.mapping.change_plan import FoldPlan, Given, Refers, Roles, RowKind
from roster_etl.mapping.value_functions import instant, switch

CLEAR = "<delete>"
LIVING = {"active": "active", "deleted": "deleted"}
DATES = (("start_at", "end_at"),)

CHANGE_SIS_ID = RowKind(
    name="change_sis_id",
    verb="rename",
    table="id_changes",
    key=("old_id", "old_integration_id", "entity"),
    columns=(
        Given("old_id"),
        Given("new_id"),
        Given("old_integration_id"),
        Given("new_integration_id"),
        Given("type", to="entity"),
    ),
)

ACCOUNTS = RowKind(
    name="accounts",
    verb="organizations",
    table="organizations",
    key=("organization_id",),
    columns=(
        Given("account_id", to="organization_id"),
        Given("parent_account_id", to="parent_organization_id"),
        Given("name", blank="keeps", needed="new"),
        Given("status", needed="new"),
        Given("integration_id", unique=True),
    ),
    statuses=LIVING,
    references=(Refers(to="parent_organization_id", table="organizations", deleted_code="deleted_parent"),),
)

TERMS = RowKind(
    name="terms",
    verb="terms",
    table="terms",
    key=("term_id", "enrollment_type"),
    columns=(
        Given("term_id"),
        Given("name", blank="keeps", needed="live"),
        Given("status"),
        Given("start_date", to="start_at", via=instant),
        Given("end_date", to="end_at", via=instant),
        Given("integration_id", unique=True),
        Given("date_override_enrollment_type", to="enrollment_type"),
    ),
    statuses=LIVING,
    together=DATES,
)

COURSES = RowKind(
    name="courses",
    verb="courses",
    table="courses",
    key=("course_id",),
    columns=(
        Given("course_id"),
        Given("short_name", blank="keeps"),
        Given("long_name", to="name", blank="keeps"),
        Given("account_id", to="organization_id", blank="keeps"),
        Given("term_id", blank="keeps"),
        Given("status"),
        Given("integration_id", unique=True),
        Given("start_date", to="start_at", via=instant),
        Given("end_date", to="end_at", via=instant),
        Given("course_format", to="format"),
        Given("blueprint_course_id", blank="keeps", clear="dissociate"),
        Given("homeroom_course", to="is_homeroom", blank="keeps", via=switch),
        Given("fallback_account_id", to="fallback_organization_id"),
    ),
    statuses={
        "active": "active",
        "unpublished": "active",
        "published": "active",
        "completed": "completed",
        "deleted": "deleted",
    },
    references=(
        Refers(to="term_id", table="terms", deleted="warn", unknown="warn"),
        Refers(to="fallback_organization_id", table="organizations", deleted="warn", unknown="warn"),
    ),
    together=DATES,
    sticky_end=True,
)

SECTIONS = RowKind(
    name="sections",
    verb="sections",
    table="sections",
    key=("section_id",),
    columns=(
        Given("section_id"),
        Given("course_id"),
        Given("name", blank="keeps", needed="live"),
        Given("status"),
        Given("integration_id", unique=True),
        Given("start_date", to="start_at", via=instant),
        Given("end_date", to="end_at", via=instant),
    ),
    statuses=LIVING,
    references=(Refers(to="course_id", table="courses", deleted="warn"),),
    together=DATES,
)

XLISTS = RowKind(
    name="xlists",
    verb="cross_lists",
    table="sections",
    key=("section_id",),
    columns=(
        Given("xlist_course_id", to="course_id"),
        Given("section_id"),
        Given("status"),
    ),
    statuses=LIVING,
)

USERS = RowKind(
    name="users",
    verb="people",
    table="users",
    key=("user_id",),
    columns=(
        Given("user_id"),
        Given("integration_id", blank="keeps", unique=True),
        Given("login_id", to="username"),
        Given("first_name", blank="keeps"),
        Given("last_name", blank="keeps"),
        Given("full_name", blank="keeps"),
        Given("sortable_name", blank="keeps"),
        Given("short_name", blank="keeps"),
        Given("email", blank="keeps"),
        Given("pronouns", blank="keeps", clear=CLEAR),
        Given("declared_user_type", blank="keeps", clear=CLEAR),
        Given("status"),
    ),
    statuses={"active": "active", "suspended": "suspended", "deleted": "deleted"},
    sticky_end=True,
)

LOGINS = RowKind(
    name="logins",
    verb="logins",
    table="logins",
    key=("login_user_id",),
    columns=(
        Given("user_id", to="login_user_id"),
        Given("integration_id"),
        Given("login_id", to="username"),
        Given("authentication_provider_id"),
        Given("existing_user_id", to="user_id"),
        Given("existing_integration_id", to="user_integration_id"),
        Given("existing_canvas_user_id", to="vendor_user_id"),
        Given("email"),
    ),
)

ENROLLMENTS = RowKind(
    name="enrollments",
    verb="enrollments",
    table="enrollments",
    key=("course_id", "section_id", "user_id", "user_integration_id", "role", "role_id", "associated_user_id"),
    columns=(
        Given("course_id"),
        Given("start_date", to="start_at", via=instant),
        Given("end_date", to="end_at", via=instant),
        Given("user_id"),
        Given("user_integration_id"),
        Given("role"),
        Given("role_id"),
        Given("section_id"),
        Given("status"),
        Given("associated_user_id"),
        Given("limit_section_privileges", blank="keeps", via=switch),
    ),
    statuses={
        "active": "active",
        "completed": "completed",
        "inactive": "inactive",
        "deleted": "deleted",
        "deleted_last_completed": "deleted_last_completed",
    },
    together=DATES,
)

ADMINS = RowKind(
    name="admins",
    verb="admins",
    table="user_roles",
    key=("user_id", "organization_id", "role", "role_id"),
    columns=(
        Given("user_id"),
        Given("account_id", to="organization_id"),
        Given("role_id"),
        Given("role"),
        Given("status"),
    ),
    statuses=LIVING,
)

GROUP_CATEGORIES = RowKind(
    name="group_categories",
    verb="group_categories",
    table="group_categories",
    key=("group_category_id",),
    columns=(
        Given("group_category_id"),
        Given("account_id", to="organization_id"),
        Given("course_id"),
        Given("category_name", to="name", blank="keeps", needed="live"),
        Given("status"),
    ),
    statuses=LIVING,
)

GROUPS = RowKind(
    name="groups",
    verb="groups",
    table="groups",
    key=("group_id",),
    columns=(
        Given("group_id"),
        Given("group_category_id", blank="keeps"),
        Given("account_id", to="organization_id"),
        Given("course_id"),
        Given("name", blank="keeps", needed="live"),
        Given("status"),
    ),
    statuses={"available": "available", "closed": "available", "completed": "available", "deleted": "deleted"},
)

GROUPS_MEMBERSHIP = RowKind(
    name="groups_membership",
    verb="group_memberships",
    table="group_memberships",
    key=("group_id", "user_id"),
    columns=(
        Given("group_id"),
        Given("user_id"),
        Given("status"),
    ),
    statuses={"accepted": "accepted", "deleted": "deleted"},
)

USER_OBSERVERS = RowKind(
    name="user_observers",
    verb="observers",
    table="observers",
    key=("observer_id", "student_id"),
    columns=(
        Given("observer_id"),
        Given("student_id"),
        Given("status"),
    ),
    statuses=LIVING,
)

FOLD = FoldPlan(
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
    roles=Roles(
        built_in={"student": "student", "teacher": "teacher", "ta": "ta", "designer": "designer", "observer": "observer"},
        by_name={
            "StudentEnrollment": "student",
            "TeacherEnrollment": "teacher",
            "TaEnrollment": "ta",
            "DesignerEnrollment": "designer",
            "ObserverEnrollment": "observer",
        },
        of_accounts=("AccountAdmin",),
    ),
    batch=("enrollments", "sections", "courses"),
)
