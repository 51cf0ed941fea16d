"""Rows of courses.

Belongs here: the account and the term of a course, and courses that cross-listing made: they look like the course that their
section came from, now and later, but for what rows, or stewards, say of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.state import State, given_values, integration_ids, second_id, status_of
from roster_etl.engine.changes.working_table import Record
from roster_etl.mapping.change_plan import RowKind

PLACE = "organization_id"
COPIED = ("organization_id", "term_id", "short_name", "name", "start_at", "end_at")  # to a course that cross-listing makes
MIRROR = "mirror_cross_listed_courses"


def courses(state: State, kind: RowKind) -> None:
    """Apply rows of courses. A course that ends takes its enrollments along."""
    table, ids = state.table(kind.table), integration_ids(state.table(kind.table))
    ended: set[str] = set()
    likenesses = _likenesses(state) if state.options.get(MIRROR, True) else {}

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
        before = dict(record.values) if record else {}
        after = state.put(kind, row, key, values | _given(before, values)).values
        ids.move(before.get("integration_id"), after["integration_id"], key)
        for other in likenesses.get(key, ()):
            _mirror(state, kind, row, other, before, after)

    state.each(kind, apply)
    if ended:
        state.cascade("enrollments", ("course_id",), ended)


def copy_of(course: Record) -> dict[str, Any]:
    """Return what a course that cross-listing makes takes over from `course`: derived, not given."""
    return {**{name: course.values[name] for name in COPIED}, "derived": json.dumps(sorted(COPIED))}


def _given(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return which columns are derived still when a row gives `values`."""
    derived = set(json.loads(before.get("derived") or "[]"))
    return {"derived": json.dumps(sorted(derived - set(values)))} if derived & set(values) else {}


def _likenesses(state: State) -> dict[str, list[str]]:
    """Return course → the courses where sections are that came from it."""
    found: dict[str, set[str]] = {}
    for _, here, home in state.table("sections").live_values("course_id", "home_course_id"):
        if home is not None and here != home:
            found.setdefault(home, set()).add(here)
    return {home: sorted(courses) for home, courses in found.items()}


def _mirror(state: State, kind: RowKind, row: Row, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Let a course that was made like another follow it, where it still looks like it; what a steward edited stays."""
    record = state.table(kind.table).live(key)
    if record is None or not before:
        return
    derived, place = json.loads(record.values["derived"] or "[]"), state.key_of(kind.table, key)
    copied = [name for name in COPIED if name in derived and not state.sticky.holds(kind.table, place, name)]
    if all(record.values[name] == before[name] for name in copied):
        state.table(kind.table).put(key, {name: after[name] for name in copied}, row.origin)


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
        is_unknown = state.table("terms").known(term) is None
        code = "unknown_reference" if is_unknown else "deleted_reference"
        message = state.nobody("terms") if is_unknown else "The term with this id is deleted."
        message += " The course keeps the term that it has; a new one has the default term."
        state.notes.warn(kind, row, code, message, "term_id")
    if "term_id" not in values and known is not None and state.table("terms").live(known) is None:
        values["term_id"] = None
