"""Apply rows of sections and of cross-listing, which moves sections into another course and back home.

Belongs here: the course of a section, and its home course. Its enrollments move with it.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.courses import copied_values
from roster_etl.engine.changes.state import (
    State,
    index_integration_ids,
    next_integration_id,
    require_values,
    stated_values,
    status_of,
)
from roster_etl.engine.changes.working_table import WorkingRecord
from roster_etl.mapping.change_plan import RowKind


def apply_sections(state: State, kind: RowKind) -> None:
    """Apply rows of sections. Ending a section ends its enrollments; moving it moves them."""
    table, ids = state.table(kind.table), index_integration_ids(state.table(kind.table))
    ended: set[str] = set()
    moved: set[str] = set()

    def apply(row: Row) -> None:
        key, status = row.get("section_id"), status_of(row)
        course = state.require_record(row, "course_id", "courses", row.get("course_id"))
        if status == "deleted":
            if state.end_record(kind, row, key):
                ended.add(key)
                ids.move(next_integration_id({}, table.find(key)), None, key)
            return
        record = table.find(key)
        require_values(kind, row, record)
        state.require_clear_id(row, "course_id", "courses")
        values = stated_values(kind, row, table.target.names)
        values |= _course_placement(state, record, row.get("course_id"))
        ids.check(next_integration_id(values, record), key)
        before = dict(record.values) if record else {}
        after = state.upsert(kind, row, key, values).values
        ids.move(before.get("integration_id"), after["integration_id"], key)
        if before.get("course_id") != after["course_id"]:
            moved.add(key)
        if not course.alive and after["course_id"] == row.get("course_id"):
            message = "The section's course is deleted."
            state.log.warn_row(kind, row, "deleted_reference", message, "course_id")

    state.apply_rows(kind, apply)
    if ended:
        state.cascade("enrollments", ("section_id",), ended)
    move_enrollments(state, moved)


def _course_placement(state: State, record: WorkingRecord | None, course: str) -> dict[str, Any]:
    """Return the course columns of a section after a row that names `course`.

    A cross-listed section stays in its course while the row names its home course, or that course. It returns home when that
    course is deleted; any other course ends the cross-listing.
    """
    if record is None:
        return {"course_id": course, "home_course_id": course}
    here, home = record.values["course_id"], record.values["home_course_id"]
    is_away = here != home
    stays = course == here or (course == home and is_away and state.table("courses").find_live(here) is not None)
    if stays:
        return {"course_id": here, "home_course_id": home}
    return {"course_id": course, "home_course_id": course}


def apply_cross_lists(state: State, kind: RowKind) -> None:
    """Apply rows of cross-listing."""
    table, moved = state.table(kind.table), set[str]()
    named: dict[str, Row] = {}

    def apply(row: Row) -> None:
        key, status, course = row.get("section_id"), status_of(row), row.get("course_id")
        record = state.require_live_record(row, "section_id", kind.table, key)
        state.require_clear_id(row, "section_id", kind.table)
        here, home = record.values["course_id"], record.values["home_course_id"]
        if state.protected_edits.is_protected(kind.table, {"section_id": key}, "course_id"):
            return
        if status == "active":
            _warn_of_other_course(state, kind, named, row)
            _ensure_course(state, row, course, here)
            target = course
        elif state.table("courses").find(course) is not None and here != course:
            return
        else:
            target = home
        table.upsert(key, {"course_id": target}, row.origin)
        if target != here:
            moved.add(key)

    state.apply_rows(kind, apply)
    move_enrollments(state, moved)


def _warn_of_other_course(state: State, kind: RowKind, named: dict[str, Row], row: Row) -> None:
    """Warn of a row that cross-lists a section into another course than a row before it in this upload; the later one counts."""
    before = named.get(row.get("section_id"), row)
    named[row.get("section_id")] = row
    if before.get("course_id") != row.get("course_id"):
        message = (
            f"Row {before.number} of {before.source.file} cross-lists the section into another course; the later row counts."
        )
        state.log.warn_row(kind, row, "conflicting_rows", message, "course_id")


def _ensure_course(state: State, row: Row, course: str, template: str) -> None:
    """Create the target course as a copy of the section's course, or restore it, if it is not live."""
    table = state.table("courses")
    record = table.find(course)
    if record is not None and record.alive:
        return
    like = table.find(template)
    copied = copied_values(like) if like is not None and record is None else {}
    table.upsert(course, {"status": "active", **copied}, row.origin)


def move_enrollments(state: State, sections_moved: set[str]) -> None:
    """Move enrollments along with their sections; in a deleted course they end."""
    if not sections_moved:
        return
    table, enrollments = state.table("sections"), state.table("enrollments")
    ids = sorted(sections_moved)
    records = [table.find(key) for key in ids]
    course = pa.array([record.values["course_id"] if record else None for record in records], pa.string())
    for key, place in zip(ids, course.to_pylist(), strict=True):
        state.protected_edits.rekey("enrollments", {"section_id": key}, {"course_id": place})
    origins = pa.table(
        {
            "source_file": pa.array([record.origin[0] if record and record.origin else None for record in records], pa.string()),
            "source_row": pa.array([record.origin[1] if record and record.origin else None for record in records], pa.int64()),
        }
    )
    place = pc.index_in(enrollments.column("section_id"), value_set=pa.array(ids, pa.string()))
    now = course.take(place)
    other = pc.fill_null(pc.not_equal(now, enrollments.column("course_id")), fill_value=False)
    origin = origins.take(pc.drop_null(pc.if_else(other, place, None)))
    enrollments.update_rows(other.to_numpy(zero_copy_only=False), {"course_id": now.filter(other)}, origin, moved="changed")
    gone = {course for course in now.unique().to_pylist() if course and state.table("courses").find_live(course) is None}
    if gone:
        state.cascade("enrollments", ("course_id",), gone)
