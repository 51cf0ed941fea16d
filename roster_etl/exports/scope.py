"""The scope of an export: schools, enrolled people only, and what must not be disclosed.

Belongs here: what a caller asks to leave out, before a format is considered. Each record or cell is counted as ``left_out``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import Array, Mask, column, equals, is_in, keys_of, lookup, present, with_columns
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import ExportFormat
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.similar_names import similar_name_hint


class UnknownSchool(PermanentError):
    """An organization that was asked for is not in the roster."""

    code = "unknown_school"
    template = "--school: the roster has no organization {schools} at that moment"


class UnknownExclusion(PermanentError):
    """A name that is to be left out is no canonical table or column."""

    code = "unknown_table"
    template = "--leave-out {name}: expected a roster table or TABLE.COLUMN, such as contacts or student_profiles.race{hint}"


class RequiredColumnExcluded(PermanentError):
    """A column that is to be left out is required by the format."""

    code = "needed"
    template = "--leave-out {name}: {format} needs it; leave it in, or send another format"


def check_left_out(names: Sequence[str], format_: ExportFormat) -> None:
    """Require that each name is known, and not needed by the format. Raises UnknownExclusion, RequiredColumnExcluded."""
    needed = format_.needed_columns()
    for name in names:
        table, _, column_name = name.partition(".")
        if table not in TABLES or (column_name and column_name not in (*TABLES[table].names, "extensions")):
            raise UnknownExclusion(name=name, hint=similar_name_hint(name, _names()))
        if name in needed:
            raise RequiredColumnExcluded(name=name, format=format_.title)


def _names() -> list[str]:
    return [*TABLES, *(f"{table.name}.{column}" for table in TABLES.values() for column in table.names)]


def leave_out(work: ExportTables, names: Sequence[str]) -> None:
    """Empty tables and columns, and count what they had."""
    for name in names:
        table, _, column_name = name.partition(".")
        rows = work.table(table)
        if not column_name:
            work.losses.add("table_left_out", "left_out", rows.num_rows, table=table)
            work.tables[table] = rows.slice(0, 0)
        elif column_name in rows.column_names:
            cells = rows.num_rows - rows.column(column_name).null_count
            work.losses.add("column_left_out", "left_out", cells, table=table, column=column_name)
            work.tables[table] = with_columns(rows, **{column_name: pa.nulls(rows.num_rows, rows.schema.field(column_name).type)})


def narrow(work: ExportTables, schools: Sequence[str], *, enrolled_only: bool) -> None:
    """Keep only what belongs to `schools` (empty: all), and only people with an enrollment where asked. Raises UnknownSchool."""
    work.homes = frozenset(work.tables)
    if schools:
        _keep_schools(work, schools)
    if enrolled_only:
        enrolled = is_in(work.user_keys("users"), work.user_keys("enrollments"))
        work.keep("users", enrolled, "left_out")
    if schools or enrolled_only:
        work.cascade("left_out")


def _keep_schools(work: ExportTables, schools: Sequence[str]) -> None:
    wanted = pa.array(list(schools), pa.string())
    ids = work.col("organizations", "organization_id")
    if unknown := sorted(set(schools) - set(ids.to_pylist())):
        raise UnknownSchool(schools=", ".join(unknown))
    _keep_taught(work, wanted)
    _keep_people(work, wanted)
    parents = work.col("organizations", "parent_organization_id")
    kept = _with_ancestors(is_in(ids, wanted), ids, parents)
    kept |= is_in(ids, work.col("courses", "organization_id"))
    kept = _with_ancestors(kept, ids, parents) | equals(work.col("organizations", "type"), "district")
    work.keep("organizations", kept, "left_out")
    used = is_in(
        work.col("terms", "term_id"), pa.concat_arrays([work.col("sections", "term_id"), work.col("courses", "term_id")])
    )
    if "section_terms" in work.tables:
        taught = is_in(work.col("section_terms", "section_id"), work.col("sections", "section_id"))
        used |= is_in(work.col("terms", "term_id"), work.col("section_terms", "term_id").filter(pa.array(taught)))
    parent_terms = work.col("terms", "parent_term_id")
    work.keep("terms", _with_ancestors(used, work.col("terms", "term_id"), parent_terms), "left_out")


def _keep_taught(work: ExportTables, wanted: Array) -> None:
    """Keep the sections of the schools, their courses, and their enrollments."""
    courses = work.col("courses", "course_id")
    course_school = lookup(work.col("sections", "course_id"), courses, work.col("courses", "organization_id"))
    own = work.col("sections", "organization_id")
    here = is_in(own, wanted) | (~present(own) & is_in(course_school, wanted))
    work.keep("sections", here, "left_out")
    used = pa.concat_arrays([work.col("sections", "course_id"), work.col("sections", "home_course_id")])
    work.keep("courses", is_in(courses, used) | is_in(work.col("courses", "organization_id"), wanted), "left_out")
    section, school = work.col("enrollments", "section_id"), work.col("enrollments", "organization_id")
    in_section = is_in(section, work.col("sections", "section_id"))
    in_course = ~present(section) & is_in(work.col("enrollments", "course_id"), work.col("courses", "course_id"))
    work.keep("enrollments", in_section | (in_course & (is_in(school, wanted) | ~present(school))), "left_out")
    for name in ("groups", "group_categories"):
        course = work.col(name, "course_id")
        kept = is_in(work.col(name, "organization_id"), wanted) | is_in(course, work.col("courses", "course_id"))
        work.keep(name, kept, "left_out")
    work.keep("attendance", is_in(work.col("attendance", "organization_id"), wanted), "left_out")


def _keep_people(work: ExportTables, wanted: Array) -> None:
    """Keep who is at the schools, who is taught or teaches there, and the contacts of these students who are users themselves."""
    work.keep("user_roles", is_in(work.col("user_roles", "organization_id"), wanted), "left_out")
    keys = work.user_keys("users")
    kept: Mask = is_in(keys, work.user_keys("user_roles")) | is_in(keys, work.user_keys("enrollments"))
    contacts = work.table("contacts")
    if "contact_user_id" in contacts.column_names:
        of_kept = is_in(work.user_keys("contacts"), keys.filter(pa.array(kept)))
        kept |= is_in(keys, keys_of(contacts.filter(pa.array(of_kept)), ("user_kind", "contact_user_id")))
    ids = column(work.table("users"), "user_id")
    watched = is_in(work.col("observers", "student_id"), ids.filter(pa.array(kept)))
    kept |= is_in(ids, work.col("observers", "observer_id").filter(pa.array(watched)))
    work.keep("users", kept, "left_out")


def _with_ancestors(kept: Mask, ids: Array, parents: Array) -> Mask:
    """Return `kept` with the records above them, however deep."""
    size = -1
    kept = np.array(kept)
    while size != kept.sum():
        size = int(kept.sum())
        kept |= is_in(ids, parents.filter(pa.array(kept)))
    return kept
