"""Rows: which records of several tables stand in one row of a file.

Belongs here: joins that several formats share, each as a function that returns `plan.Rows`. Columns are named ``table.column``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    choose,
    column,
    equals,
    keys_of,
    lookup,
    mask,
    nulls,
    positions,
    present,
    with_columns,
)
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.plan import OutColumn, Rows

_USER = ("user_kind", "user_id")


def qualified(work: ExportTables, table: str) -> pa.Table:
    """Return a table with its columns named ``table.column``, and the extra columns that the format lets through under their own names."""
    rows = work.table(table)
    named = rows.rename_columns(
        [name if name == ROW or name.startswith("_") else f"{table}.{name}" for name in rows.column_names]
    )
    for name in work.extension_names(table) if "extensions" in rows.column_names else ():
        named = with_columns(named, **{name: work.extension(table, name)})
    return named


def left_join(
    work: ExportTables, rows: pa.Table, by: tuple[str, ...], table: str, key: tuple[str, ...], *, only: tuple[str, ...] = ()
) -> pa.Table:
    """Return `rows` with the columns of the record of `table` whose `key` is in the columns `by`; nulls where there is none.

    ``only``: these columns, where not all are needed: each is copied once for every row.
    """
    other = work.table(table)
    at = positions(keys_of(rows, by), keys_of(other, key))
    at = choose(present(column(rows, by[-1])), at, nulls(rows.num_rows, at.type))
    names = [name for name in other.column_names if name != ROW and not name.startswith("_") and (not only or name in only)]
    taken = work.take(other.select(names), at)
    return with_columns(rows, **{f"{table}.{name}": column(taken, name) for name in names})


def table_rows(table: str, *, where: Mapping[str, str] | None = None) -> Rows:
    """Return the rows of one table, those with the values of `where` alone."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, table)
        for name, value in (where or {}).items():
            found = work.rows(found, equals(column(found, name), value))
        return found

    return rows


def person_rows(kind: str) -> Rows:
    """Return one row a person of a kind, with the person's role and profile."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "users")
        found = work.rows(found, equals(column(found, "users.user_kind"), kind))
        key = ("users.user_kind", "users.user_id")
        found = left_join(work, found, key, "user_roles", _USER)
        return left_join(work, found, key, "student_profiles", _USER)

    return rows


def contacts_rows(kind: str) -> Rows:
    """Return one row for each contact of a person of a kind, and one for a person without any."""

    def rows(work: ExportTables) -> pa.Table:
        found = person_rows(kind)(work)
        owners = positions(work.user_keys("contacts"), keys_of(found, ("users.user_kind", "users.user_id")))
        known = present(owners)
        contacts = qualified(work, "contacts").filter(pa.array(known))
        own = owners.filter(pa.array(known))
        alone = ~mask(pc.is_in(pa.array(np.arange(found.num_rows), own.type), value_set=own))
        place = pa.concat_arrays([own, pa.array(np.flatnonzero(alone), own.type)])
        people = found.take(place)
        none = int(alone.sum())
        added = {
            name: pa.concat_arrays([column(contacts, name), nulls(none, contacts.schema.field(name).type)])
            for name in contacts.column_names
            if name.startswith("contacts.")
        }
        people = with_columns(people, **added)
        derived = pc.fill_null(pc.match_substring(column(people, "contacts.derived"), '"contact_id"'), False)
        given = pc.if_else(derived, pa.scalar(None, pa.string()), column(people, "contacts.contact_id"))
        return with_columns(people, **{"contacts.given_id": given})

    return rows


def teachers_in_columns(work: ExportTables) -> list[tuple[int, Array, Array]]:
    """Return the teachers of sections by place: place, section ids, user ids."""
    rows = work.table("enrollments")
    places = column(rows, "_place").to_numpy()
    found = []
    for place in range(1, int(places.max(initial=0)) + 1):
        here = rows.filter(pa.array(places == place))
        found.append((place, column(here, "section_id"), column(here, "user_id")))
    return found


def section_rows(first_teacher: str = "") -> Rows:
    """Return one row a section, with its course and term; its teachers by place, the first as `first_teacher`, the n-th as ``teacher_n``."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "sections")
        found = left_join(work, found, ("sections.course_id",), "courses", ("course_id",))
        found = left_join(work, found, ("sections.term_id",), "terms", ("term_id",))
        for place, sections, users in teachers_in_columns(work) if first_teacher else ():
            name = first_teacher if place == 1 else f"teacher_{place}"
            found = with_columns(found, **{name: lookup(column(found, "sections.section_id"), sections, users)})
        return found

    return rows


def teacher_columns(pattern: str, *, first: int) -> Callable[[ExportTables, pa.Table], tuple[OutColumn, ...]]:
    """Return the columns of further teachers, from the place `first` on, as many as the data has."""

    def columns(work: ExportTables, rows: pa.Table) -> tuple[OutColumn, ...]:
        del work
        numbers = (name.removeprefix("teacher_") for name in rows.column_names if name.startswith("teacher_"))
        places = sorted(int(number) for number in numbers if number.isdigit())
        return tuple(
            OutColumn(pattern.format(n=place), value=f"teacher_{place}", holds=("enrollments.user_id",))
            for place in places
            if place >= first
        )

    return columns


def enrollment_rows(*roles: str) -> Rows:
    """Return one row an enrollment in one of `roles`, with the organization of its section."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "enrollments")
        if roles:
            found = work.rows(found, equals(column(found, "enrollments.role"), *roles))
        return left_join(work, found, ("enrollments.section_id",), "sections", ("section_id",), only=("organization_id",))

    return rows
