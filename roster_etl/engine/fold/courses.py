"""Rows of courses."""

from __future__ import annotations

from typing import Any

from roster_etl.engine.fold.notes import Refused
from roster_etl.engine.fold.rows import Row
from roster_etl.engine.fold.state import State, given_values, integration_ids, second_id, status_of
from roster_etl.engine.fold.working import Record
from roster_etl.mapping.fold import RowKind

PLACE = "organization_id"


def courses(state: State, kind: RowKind) -> None:
    """Apply rows of courses. A course that ends takes its enrollments along."""
    table, ids = state.table(kind.table), integration_ids(state.table(kind.table))
    ended: set[str] = set()

    def apply(row: Row) -> None:
        key, status = row.get("course_id"), status_of(row)
        if status == "deleted":
            if state.end(kind, row, key):
                ended.add(key)
                ids.move(second_id({}, table.known(key)), None, key)
            return
        record = table.known(key)
        values = given_values(kind, row, table.target.names) | {"status": status}
        _check_place(state, kind, row, record, values)
        _check_term(state, kind, row, record, values)
        ids.check(second_id(values, record), key)
        before = record.values.get("integration_id") if record else None
        after = state.put(kind, row, key, values).values
        ids.move(before, after["integration_id"], key)

    state.each(kind, apply)
    if ended:
        state.cascade("enrollments", ("course_id",), ended)


def _check_place(state: State, kind: RowKind, row: Row, record: Record | None, values: dict[str, Any]) -> None:
    """An unknown account refuses the row, unless a second one is named; nothing moves to a deleted one, or lives in it."""
    organizations, place = state.table("organizations"), values.get(PLACE)
    if place is not None and organizations.known(place) is None:
        other = row.get("fallback_organization_id")
        if other is None or organizations.known(other) is None:
            state.must_exist(row, PLACE, "organizations", place)
        place = values[PLACE] = other
    if place is not None and organizations.live(place) is None:
        del values[PLACE]
        message = "The account is deleted, so the course was not moved there."
        state.notes.warn(kind, row, "deleted_reference", message, PLACE)
    own = values.get(PLACE, record.values[PLACE] if record else None)
    if own is not None and organizations.live(own) is None:
        raise Refused("deleted_parent", "The course's account is deleted.", about=PLACE)


def _check_term(state: State, kind: RowKind, row: Row, record: Record | None, values: dict[str, Any]) -> None:
    """A term that is not there leaves the course's term as it is; one that went while the course was gone is not taken up."""
    term, known = values.get("term_id"), record.values["term_id"] if record else None
    if term is not None and state.table("terms").live(term) is None:
        del values["term_id"]
        code = "unknown_reference" if state.table("terms").known(term) is None else "deleted_reference"
        message = "No current record of terms has this id; the course keeps the term that it has."
        state.notes.warn(kind, row, code, message, "term_id")
    if "term_id" not in values and known is not None and state.table("terms").live(known) is None:
        values["term_id"] = None
