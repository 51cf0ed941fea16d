"""Identify the record of a row, however the row names it, to detect newer rows about quarantined records.

Rows that name no known record are compared by their text.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.engine.changes.change_rows import key_cells
from roster_etl.engine.changes.enrollment_lookup import base_roles, live_person_ids, parse_role, person_by_integration_id
from roster_etl.engine.changes.state import State
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.change_plan import RowKind

_MAKES_PERSONS = ("people", "logins", "rename")
_NOTHING = pa.scalar(None, pa.string())


def record_keys(state: State, kind: RowKind, rows: pa.Table) -> pa.Array:
    """Return one text per row, equal for rows about the same record, as far as that is known."""
    cells = key_cells(kind, rows)
    if kind.handler not in _MAKES_PERSONS:
        cells = {name: _person(state, kind, name, column) for name, column in cells.items()}
    if "role_id" in cells:
        cells = _role(state, cells, as_sent=kind.handler != "enrollments")
    if kind.handler == "enrollments":
        cells = _enrollment(state, cells)
    table = pa.table(cells)
    return key_text(table, table.column_names)


def _person(state: State, kind: RowKind, name: str, ids: pa.Array) -> pa.Array:
    if (kind.table, name) not in ID_COLUMNS["users"]:
        return ids
    return pc.coalesce(live_person_ids(state, ids), ids)


def _role(state: State, cells: Mapping[str, pa.Array], *, as_sent: bool) -> dict[str, pa.Array]:
    """Return the role cells: a role id takes precedence over a role; role names are parsed as in the kind's own rows."""
    words = cells["role"]
    if not as_sent:
        encoded = words.dictionary_encode()
        known = base_roles(state)
        meant = [parse_role(word, known, state.plan.roles) or word for word in encoded.dictionary.to_pylist()]
        words = pa.array(meant, pa.string()).take(encoded.indices)
    return {**{n: c for n, c in cells.items() if n != "role_id"}, "role": pc.coalesce(cells["role_id"], words)}


def _enrollment(state: State, cells: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Return the enrollment cells that identify its record.

    A section implies its course; a person's second id takes precedence; only observers have an observed user.
    """
    second = cells["user_integration_id"]
    person = person_by_integration_id(state, second)
    observing = [role for role, base in base_roles(state).items() if base == "observer"]
    observes = pc.is_in(cells["role"], value_set=pa.array(observing, pa.string()))
    alone = pc.and_(pc.is_valid(second), pc.is_null(person))  # nobody has this second id: it is compared as text
    return {
        "course_id": pc.if_else(pc.is_valid(cells["section_id"]), _NOTHING, cells["course_id"]),
        "section_id": cells["section_id"],
        "user_id": pc.if_else(pc.is_valid(second), person, cells["user_id"]),
        "user_integration_id": pc.if_else(alone, second, _NOTHING),
        "role": cells["role"],
        "associated_user_id": pc.if_else(observes, cells["associated_user_id"], _NOTHING),
    }
