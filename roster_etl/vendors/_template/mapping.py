"""How the files become canonical tables: one column plan for each pair of file and table.

Belongs here: which column goes where, by which function of ``mapping.value_functions``. A column that no plan names is validated,
but not published.
"""

from roster_etl.mapping.column_plan import Const, From, Mapping
from roster_etl.mapping.value_functions import joined, recode
from roster_etl.vendors._template.codes import ROLES

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        source="schools",
        to="organizations",
        columns={
            "organization_id": From("school_id"),
            "type": Const("school"),
            "name": From("name"),
        },
    ),
    Mapping(
        source="people",
        to="users",
        columns={
            "user_kind": Const("user"),
            "user_id": From("person_id"),
            "first_name": From("first_name"),
            "last_name": From("last_name"),
            "full_name": From("first_name", "last_name", via=joined(" "), derived=True),
            "email": From("email"),
            "status": Const("active", derived=True),
        },
    ),
    Mapping(
        source="people",
        to="user_roles",
        columns={
            "user_kind": Const("user"),
            "user_id": From("person_id"),
            "organization_id": From("school_id"),
            "role": From("role", via=recode(ROLES)),
        },
    ),
)
