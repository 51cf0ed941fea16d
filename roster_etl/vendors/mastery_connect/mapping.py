"""How Mastery Connect's files become canonical tables; this folder's README records the decisions about ambiguous columns."""

from roster_etl.mapping.column_plan import AssignUnique, Const, FirstOf, From, Lookup, Mapping, OnlyRows, WarnIfDifferent
from roster_etl.mapping.common_plans import user_key
from roster_etl.mapping.value_functions import joined, recode
from roster_etl.spec import RowCondition
from roster_etl.vendors.mastery_connect.codes import FLAGS, GENDERS, GRADES, RACES, ROLES, STATUSES, STUDENT, TEACHER

_STATUS = From("status", via=recode(STATUSES))
_COURSE_ACCOUNT = Lookup(file="courses", on="course_id", key="course_id", take={"course_account": "account_id"})

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="accounts",
        to="organizations",
        columns={
            "organization_id": From("account_id"),
            "type": Const("account"),
            "name": From("name"),
        },
    ),
    Mapping(
        source="users",
        to="users",
        steps=(
            AssignUnique(
                take={"own_login": "login_id", "mail_login": "email"},
                code="login_taken",
                message="The login, which is the e-mail address where none is given, belongs to another user; it was left out.",
            ),
        ),
        columns={
            **user_key("user", "user_id"),
            "number": From("student_number"),
            "state_id": From("student_state_number"),
            "first_name": From("first_name"),
            "last_name": From("last_name"),
            "full_name": From("first_name", "last_name", via=joined(" "), derived=True),
            "email": From("email"),
            "username": FirstOf(From("own_login"), From("mail_login", derived=True)),
            "status": _STATUS,
        },
    ),
    Mapping(
        source="users",
        to="user_roles",
        columns={
            **user_key("user", "user_id"),
            "organization_id": From("account_id"),
            "role": From("user_role", via=recode(ROLES)),
        },
    ),
    Mapping(
        source="users",
        to="student_profiles",
        steps=(OnlyRows(column="user_role", values=STUDENT),),
        note="Of teachers, the columns of students are not read.",
        columns={
            **user_key("user", "user_id"),
            "grade": From("student_grade", via=recode(GRADES)),
            "gender": From("student_gender", via=recode(GENDERS)),
            "race": From("student_race", via=recode(RACES)),
            "hispanic": From("student_hispanic", via=recode(FLAGS)),
            "ell": From("student_ell_status", via=recode(FLAGS)),
        },
    ),
    Mapping(
        source="courses",
        to="courses",
        columns={
            "course_id": From("course_id"),
            "organization_id": From("account_id"),
            "short_name": From("short_name"),
            "name": From("long_name"),
            "status": _STATUS,
        },
    ),
    Mapping(
        source="sections",
        to="sections",
        steps=(
            _COURSE_ACCOUNT,
            Lookup(file="courses", on="course_id", key="course_id", take={"course_name": "long_name"}),
            Lookup(
                file="enrollments",
                on="section_id",
                key="section_id",
                take={"teacher_id": "user_id"},
                where=RowCondition(column="role", values=TEACHER),
            ),
            Lookup(file="users", on="teacher_id", key="user_id", take={"teacher_last_name": "last_name"}),
        ),
        columns={
            "section_id": From("section_id"),
            "course_id": From("course_id"),
            "home_course_id": From("course_id"),
            "organization_id": From("course_account", derived=True),
            "name": FirstOf(From("name"), From("course_name", "teacher_last_name", via=joined(" - "), derived=True)),
            "number": From("course_number"),
        },
    ),
    Mapping(
        source="enrollments",
        to="enrollments",
        steps=(
            Lookup(file="sections", on="section_id", key="section_id", take={"course_id": "course_id"}),
            _COURSE_ACCOUNT,
            Lookup(file="users", on="user_id", key="user_id", take={"user_role": "user_role"}),
            WarnIfDifferent(
                column="role",
                other="user_role",
                code="role_mismatch",
                message="The user has another role in users.csv; this enrollment counts as given.",
            ),
        ),
        columns={
            "course_id": From("course_id"),
            "section_id": From("section_id"),
            **user_key("user", "user_id"),
            "role": From("role", via=recode(ROLES)),
            "organization_id": From("course_account", derived=True),
            "status": _STATUS,
        },
    ),
)
