"""Apply rows of group categories, groups and memberships; and rows of users' roles in organizations.

A context is an organization or a course, never both; names are unique per context; members are enrolled users.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.enrollment_lookup import base_roles
from roster_etl.engine.changes.state import State, stated_values, status_of
from roster_etl.engine.changes.working_table import WorkingRecord
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.change_plan import RowKind

CONTEXT = ("organization_id", "course_id")


def apply_group_categories(state: State, kind: RowKind) -> None:
    """Apply rows of group categories. Ending a category ends its groups."""
    table, ended = state.table(kind.table), set[str]()
    names: dict[tuple[Any, ...], str] = {(*where, name): key for key, name, *where in table.live_values("name", *CONTEXT)}
    groups = Counter(category for _, category in state.table("groups").live_values("group_category_id") if category)

    def apply(row: Row) -> None:
        key = row.get("group_category_id")
        record = table.find_live(key)
        if status_of(row) == "deleted":
            if state.end_record(kind, row, key) and record is not None:
                ended.add(key)
                names.pop(_name_key(record), None)
            return
        context = _context(state, row)
        if record is not None and groups[key] and context != _record_context(record):
            raise RowRejected("move_blocked", "The set has groups, so it cannot move to another account or course.")
        name = row.get("name")
        other = names.get((*context.values(), name), key)
        if other != key:
            raise RowRejected("name_taken", "Another set there has this name.", about="name", holder=(kind.table, other))
        before = _name_key(record) if record is not None else None
        after = state.upsert(kind, row, key, {**stated_values(kind, row, table.target.names), **context})
        names.pop(before, None) if before is not None else None
        names[_name_key(after)] = key

    state.apply_rows(kind, apply)
    if ended:
        _end_memberships_of(state, state.cascade("groups", ("group_category_id",), ended))


def apply_groups(state: State, kind: RowKind) -> None:
    """Apply rows of groups. Ending a group ends its memberships."""
    table, ended = state.table(kind.table), set[str]()
    members = Counter(key[0] for (key,) in state.table("group_memberships").live_values())

    def apply(row: Row) -> None:
        key = row.get("group_id")
        if status_of(row) == "deleted":
            if state.end_record(kind, row, key):
                ended.add(key)
            return
        record = table.find_live(key)
        context = _group_context(state, row, record)
        if record is not None and members[key] and context["course_id"] != record.values["course_id"]:
            raise RowRejected("move_blocked", "The group has members, so it cannot move from or to a course.")
        values = {**stated_values(kind, row, table.target.names), **context}
        before = table.find(key)
        category = values.get("group_category_id", before.values["group_category_id"] if before else None)
        if category is not None and state.table("group_categories").find_live(category) is None:
            values["group_category_id"] = None  # the category was deleted while the group was
        state.upsert(kind, row, key, values)

    state.apply_rows(kind, apply)
    if ended:
        state.cascade("group_memberships", ("group_id",), ended)


def apply_group_memberships(state: State, kind: RowKind) -> None:
    """Apply rows of memberships."""
    enrolled: set[tuple[str, str]] = set()
    courses = {course for _, course in state.table("groups").live_values("course_id") if course}
    if courses and kind.name in state.reads:
        enrolled = _enrolled(state, courses)

    def apply(row: Row) -> None:
        status = status_of(row)
        group = state.require_record(row, "group_id", "groups", row.get("group_id"))
        user = state.resolve_person(row, "user_id", must_live=status != "deleted")
        key = (row.get("group_id"), user)
        if status == "deleted":
            state.end_record(kind, row, key)
            return
        state.require_clear_id(row, "group_id", "groups")
        if not group.alive:
            raise RowRejected("deleted_reference", "The group is deleted.", about="group_id")
        course = group.values["course_id"]
        if course is not None and (user, course) not in enrolled:
            message = "The user is not enrolled in the group's course."
            raise RowRejected("not_enrolled", message, about="user_id", holder=("enrollments", user))
        state.upsert(kind, row, key, {"status": status})

    state.apply_rows(kind, apply)


def apply_admins(state: State, kind: RowKind) -> None:
    """Apply rows of users' roles in organizations."""
    known = {*state.plan.roles.account_roles, *(state.options.get("custom_roles") or {})}
    builtin = set(base_roles(state)) - set(state.options.get("custom_roles") or {})
    known -= builtin

    def apply(row: Row) -> None:
        status, place = status_of(row), row.get("organization_id")
        user = state.resolve_person(row, "user_id", must_live=status != "deleted")
        name = "role_id" if row.get("role_id") is not None else "role"
        if row.get(name) not in known:
            raise RowRejected("unknown_role", "Expected a role of the account, or one of the option custom_roles.", about=name)
        if place is not None and status == "deleted":
            state.require_record(row, "organization_id", "organizations", place)
        elif place is not None:
            state.require_live_record(row, "organization_id", "organizations", place)
        key = (user, place, row.get(name))
        if status == "deleted":
            state.end_record(kind, row, key)
        else:
            state.upsert(kind, row, key, {})

    state.apply_rows(kind, apply)


def end_unenrolled_memberships(state: State) -> None:
    """End memberships in a course's groups of users without a live enrollment in it: it ended, or moved to another course."""
    groups, members = state.table("groups"), state.table("group_memberships")
    place = pc.index_in(members.column("group_id"), value_set=groups.column("group_id"))
    course, user = groups.column("course_id").take(place), members.column("user_id")
    if not course.null_count < len(course):
        return
    table = state.table("enrollments")
    beside = pc.and_(pc.is_in(table.column("course_id"), value_set=course), pc.is_in(table.column("user_id"), value_set=user))
    names = ("user_id", "course_id")
    enrolled = key_text(table.rows.filter(beside), names)
    is_in = pc.is_in(key_text(pa.table({"user_id": user, "course_id": course}), names), value_set=enrolled)
    left = pc.and_(pc.is_valid(course), pc.invert(is_in))
    if pc.any(left).as_py():
        members.end_rows(left.to_numpy(zero_copy_only=False), "cascade")


def _enrolled(state: State, courses: set[str]) -> set[tuple[str, str]]:
    """Return (user, course) of every live enrollment in `courses`."""
    table = state.table("enrollments")
    table.flush()
    return _pairs(table.rows, courses)


def _pairs(enrollments: pa.Table, courses: set[str]) -> set[tuple[str, str]]:
    hit = pc.is_in(combine_chunks(enrollments.column("course_id")), value_set=pa.array(sorted(courses), pa.string()))
    rows = enrollments.filter(hit)
    return set(
        zip(combine_chunks(rows.column("user_id")).to_pylist(), combine_chunks(rows.column("course_id")).to_pylist(), strict=True)
    )


def _context(state: State, row: Row) -> dict[str, str | None]:
    """Return the account or course of a row. Raises RowRejected: it names both, or an unknown one."""
    given = {name: row.get(name) for name in CONTEXT}
    if all(given.values()):
        raise RowRejected("two_contexts", "The row names an account and a course; one is allowed.")
    for name, table in zip(CONTEXT, ("organizations", "courses"), strict=True):
        if given[name] is not None:
            state.require_live_record(row, name, table, given[name])
    return given


def _group_context(state: State, row: Row, record: WorkingRecord | None) -> dict[str, str | None]:
    """Return a group's context: that of the row, else of its category, else the previous one.

    The category must exist. Raises RowRejected: it is in another account or course than the row names.
    """
    context, category = _context(state, row), row.get("group_category_id")
    said = any(context.values())
    if category is None:
        return context if said or record is None else _record_context(record)
    state.require_clear_id(row, "group_category_id", "group_categories")
    place = _record_context(state.require_live_record(row, "group_category_id", "group_categories", category))
    if said and place != context:
        raise RowRejected("unknown_reference", "No set of this id belongs to the account or course.", about="group_category_id")
    return place


def _record_context(record: WorkingRecord) -> dict[str, str | None]:
    return {name: record.values[name] for name in CONTEXT}


def _name_key(record: WorkingRecord) -> tuple[Any, ...]:
    return (*_record_context(record).values(), record.values["name"])


def _end_memberships_of(state: State, gone: pa.Table) -> None:
    ids = set(combine_chunks(gone.column("group_id")).to_pylist()) if gone.num_rows else set()
    if ids:
        state.cascade("group_memberships", ("group_id",), ids)
