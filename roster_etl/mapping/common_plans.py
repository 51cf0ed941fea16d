"""Column plans that many formats share: a role at a school, an enrollment, a person's name."""

from __future__ import annotations

from roster_etl.mapping.column_plan import Const, Expression, From, Mapping
from roster_etl.mapping.value_functions import joined

ACTIVE = Const("active", derived=True)


def user_key(kind: str, user_id: str) -> dict[str, Expression]:
    """Return the columns that identify a user; `user_id` is the source column."""
    return {"user_kind": Const(kind), "user_id": From(user_id)}


def named_user(kind: str, user_id: str, first: str, last: str) -> dict[str, Expression]:
    """Return the columns of a user who has a first and a last name; the other arguments but `kind` are source columns."""
    full = From(first, last, via=joined(" "), derived=True)
    return {**user_key(kind, user_id), "first_name": From(first), "last_name": From(last), "full_name": full}


def role_at_school(source: str, kind: str, user_id: str, school: str) -> Mapping:
    """Return the plan of users who are at `school` what their kind says."""
    columns = {**user_key(kind, user_id), "organization_id": From(school), "role": Const(kind)}
    return Mapping(source=source, to="user_roles", columns=columns)


def active_enrollment(
    course: Expression, section: Expression, user: dict[str, Expression], role: str, school: str
) -> dict[str, Expression]:
    """Return the columns of an enrollment that is active because the source has it."""
    return {
        "course_id": course,
        "section_id": section,
        **user,
        "role": Const(role),
        "organization_id": From(school),
        "status": ACTIVE,
    }
