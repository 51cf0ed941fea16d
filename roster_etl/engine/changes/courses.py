"""Apply rows of courses.

Courses that cross-listing created copy the course of their section, now and later, except for values that rows or stewards set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.state import (
    AMBIGUOUS_ID,
    State,
    index_integration_ids,
    next_integration_id,
    stated_values,
    status_of,
)
from roster_etl.engine.changes.working_table import WorkingRecord
from roster_etl.mapping.change_plan import RowKind

ORGANIZATION_ID = "organization_id"
COPIED_COLUMNS = (
    "organization_id",
    "term_id",
    "short_name",
    "name",
    "start_at",
    "end_at",
)  # columns copied to a course that cross-listing creates
MIRROR = "mirror_cross_listed_courses"


def apply_courses(state: State, kind: RowKind) -> None:
    """Apply rows of courses. Ending a course ends its enrollments."""
    table, ids = state.table(kind.table), index_integration_ids(state.table(kind.table))
    ended: set[str] = set()
    likenesses = _cross_list_copies(state) if state.options.get(MIRROR, True) else {}

    def apply(row: Row) -> None:
        key, status = row.get("course_id"), status_of(row)
        if status == "deleted":
            if state.end_record(kind, row, key):
                ended.add(key)
                ids.move(next_integration_id({}, table.find(key)), None, key)
            return
        record = table.find(key)
        values = stated_values(kind, row, table.target.names) | {"status": status}
        _check_organization(state, kind, row, record, values)
        _check_term(state, kind, row, record, values)
        ids.check(next_integration_id(values, record), key)
        before = dict(record.values) if record else {}
        after = state.upsert(kind, row, key, values | _remaining_derived(before, values)).values
        ids.move(before.get("integration_id"), after["integration_id"], key)
        for other in likenesses.get(key, ()):
            _mirror_course(state, kind, row, other, before, after)

    state.apply_rows(kind, apply)
    if ended:
        state.cascade("enrollments", ("course_id",), ended)


def copied_values(course: WorkingRecord) -> dict[str, Any]:
    """Return the values that a course created by cross-listing copies from `course`, marked as derived."""
    return {**{name: course.values[name] for name in COPIED_COLUMNS}, "derived": json.dumps(sorted(COPIED_COLUMNS))}


def _remaining_derived(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that remain derived when a row sets `values`."""
    derived = set(json.loads(before.get("derived") or "[]"))
    return {"derived": json.dumps(sorted(derived - set(values)))} if derived & set(values) else {}


def _cross_list_copies(state: State) -> dict[str, list[str]]:
    """Return course → the courses that its cross-listed sections are in."""
    found: dict[str, set[str]] = {}
    for _, here, home in state.table("sections").live_values("course_id", "home_course_id"):
        if home is not None and here != home:
            found.setdefault(home, set()).add(here)
    return {home: sorted(courses) for home, courses in found.items()}


def _mirror_course(state: State, kind: RowKind, row: Row, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Update a course created by cross-listing after a change to its original, where it still equals it; overrides stay."""
    record = state.table(kind.table).find_live(key)
    if record is None or not before:
        return
    derived, place = json.loads(record.values["derived"] or "[]"), state.key_of(kind.table, key)
    copied = [
        name for name in COPIED_COLUMNS if name in derived and not state.protected_edits.is_protected(kind.table, place, name)
    ]
    if all(record.values[name] == before[name] for name in copied):
        state.table(kind.table).upsert(key, {name: after[name] for name in copied}, row.origin)


def _check_organization(state: State, kind: RowKind, row: Row, record: WorkingRecord | None, values: dict[str, Any]) -> None:
    """Reject a row with an unknown account, unless it has a fallback; courses cannot move to, or be live in, a deleted one."""
    organizations, place = state.table("organizations"), values.get(ORGANIZATION_ID)
    state.require_clear_id(row, ORGANIZATION_ID, "organizations")
    if place is not None and organizations.find(place) is None:
        other = row.get("fallback_organization_id")
        if other is None or organizations.find(other) is None:
            state.require_record(row, ORGANIZATION_ID, "organizations", place)
        place = values[ORGANIZATION_ID] = other
    if place is not None and organizations.find_live(place) is None:
        del values[ORGANIZATION_ID]
        message = "The account is deleted, so the course was not moved there."
        state.log.warn_row(kind, row, "deleted_reference", message, ORGANIZATION_ID)
    own = values.get(ORGANIZATION_ID, record.values[ORGANIZATION_ID] if record else None)
    if own is not None and organizations.find_live(own) is None:
        raise RowRejected("deleted_parent", "The course's account is deleted.", about=ORGANIZATION_ID)


def _check_term(state: State, kind: RowKind, row: Row, record: WorkingRecord | None, values: dict[str, Any]) -> None:
    """Keep the course's term if the row names an unknown or ambiguous one; a term deleted while the course was is not restored."""
    term, known = values.get("term_id"), record.values["term_id"] if record else None
    is_ambiguous = any(term in shared for shared in state.shared_by("terms", is_retried=row.source.is_retried))
    if term is not None and (is_ambiguous or state.table("terms").find_live(term) is None):
        del values["term_id"]
        is_unknown = state.table("terms").find(term) is None
        code = "unknown_reference" if is_ambiguous or is_unknown else "deleted_reference"
        message = state.unknown_id_message("terms", term) if is_unknown else "The term with this id is deleted."
        message = AMBIGUOUS_ID if is_ambiguous else message
        message += " The course keeps the term that it has; a new one has the default term."
        state.log.warn_row(kind, row, code, message, "term_id")
    if "term_id" not in values and known is not None and state.table("terms").find_live(known) is None:
        values["term_id"] = None
