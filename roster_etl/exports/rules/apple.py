"""Rules and rows of Apple School Manager: ids of letters, digits and hyphens; locations and instructors in numbered columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import column, equals, is_in, lookup, mask, nulls, order, present, rank_in_group, with_columns
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import OutColumn, Rows
from roster_etl.exports.rows import left_join, qualified, teachers_in_columns
from roster_etl.exports.rules.catapult import roles_from_enrollments
from roster_etl.exports.rules.people import one_role_a_school, students

_ALLOWED = r"^[0-9A-Za-z-]+$"
_IDS = (("organizations", "organization_id"), ("courses", "course_id"), ("sections", "section_id"), ("users", "user_id"))
_INSTRUCTORS = 3
"""Columns of instructors that every file has."""


def allowed_ids(work: ExportTables) -> None:
    """Write derived ids with ``-`` for ``:``, and leave out records whose id has other characters."""
    for table, name in _IDS:
        derived = pa.array(work.is_derived(table, name))
        ids = work.col(table, name)
        work.rename_ids(
            table, ids, pc.if_else(derived, pc.replace_substring(ids, pattern=":", replacement="-"), ids), "id_not_allowed"
        )
    for table, name in _IDS:
        work.keep(table, mask(pc.match_substring_regex(work.col(table, name), pattern=_ALLOWED)), "id_not_allowed")
    work.cascade()


def roles_at_schools(work: ExportTables) -> None:
    """Keep one role of each person at each school; who has none is where the enrollments are, or is left out."""
    roles_from_enrollments(work)
    one_role_a_school(work)
    work.keep("user_roles", present(work.col("user_roles", "organization_id")), "missing_required")
    work.keep("users", is_in(work.user_keys("users"), work.user_keys("user_roles")), "missing_required")
    work.cascade()


def people_rows(kind: str) -> Rows:
    """Return one row a student, or one a member of staff, with locations in numbered columns."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "users")
        learning = students(work)
        found = found.filter(pa.array(learning if kind == "student" else ~learning))
        found = left_join(work, found, ("users.user_kind", "users.user_id"), "student_profiles", ("user_kind", "user_id"))
        roles = order(work.table("user_roles"), "user_id", "organization_id")
        places = rank_in_group(column(roles, "user_id"))
        for place in range(1, int(places.max(initial=1)) + 1):
            here = roles.filter(pa.array(places == place))
            schools = lookup(column(found, "users.user_id"), column(here, "user_id"), column(here, "organization_id"))
            name = "location_id" if place == 1 else f"location_id_{place}"
            if place == 1 or present(schools).any():
                found = with_columns(found, **{name: schools})
        return found

    return rows


def further_locations(work: ExportTables, rows: pa.Table) -> tuple[OutColumn, ...]:
    """Return the columns of second and further locations, as many as the data has."""
    del work
    names = sorted(
        (name for name in rows.column_names if name.startswith("location_id_")), key=lambda name: int(name.rpartition("_")[2])
    )
    return tuple(OutColumn(name, value=name, holds=("user_roles.organization_id",)) for name in names)


def class_rows(work: ExportTables) -> pa.Table:
    """Return one row a class, with its instructors in numbered columns."""
    rows = qualified(work, "sections")
    for place, sections, users in teachers_in_columns(work):
        rows = with_columns(rows, **{f"instructor_{place}": lookup(column(rows, "sections.section_id"), sections, users)})
    for place in range(1, _INSTRUCTORS + 1):
        if f"instructor_{place}" not in rows.column_names:
            rows = with_columns(rows, **{f"instructor_{place}": nulls(rows.num_rows)})
    return rows


def further_instructors(work: ExportTables, rows: pa.Table) -> tuple[OutColumn, ...]:
    """Return the columns of fourth and further instructors, as many as the data has."""
    del work
    places = sorted(int(name.rpartition("_")[2]) for name in rows.column_names if name.startswith("instructor_"))
    further = [place for place in places if place > _INSTRUCTORS]
    return tuple(
        OutColumn(f"instructor_id_{place}", value=f"instructor_{place}", holds=("enrollments.user_id",)) for place in further
    )


def roster_rows(work: ExportTables) -> pa.Table:
    """Return one row a student of a class."""
    rows = qualified(work, "enrollments")
    rows = rows.filter(pa.array(np.asarray(equals(column(rows, "enrollments.role"), "student"))))
    made = pc.binary_join_element_wise(column(rows, "enrollments.section_id"), column(rows, "enrollments.user_id"), "-")
    return with_columns(rows, roster_id=made)
