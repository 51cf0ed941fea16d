"""Rules and rows of files that know a class by who teaches whom: school, teacher, period, numbers and name.

Belongs here: the classes of such a format, staff rows of schools, sites. Ids are derived by the value functions that the mapping uses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    choose,
    column,
    constant,
    equals,
    first_marks,
    first_rows,
    is_in,
    keys_of,
    lookup,
    mask,
    nulls,
    present,
    with_columns,
)
from roster_etl.exports.cells import without_breaks
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.plan import Rows, Rule
from roster_etl.exports.rows import left_join, qualified
from roster_etl.exports.rules.derived_ids import derive, replace_courses
from roster_etl.exports.rules.people import school_of
from roster_etl.frames.arrow import common_codes
from roster_etl.spec.field_rules import ID_CHARS

Derive = Callable[..., pd.Series]


def sites_have_names(work: ExportTables) -> None:
    """Give a site without a name its code, as its reader does.

    Where sites are written, one gets it too whose name is too long, or that of a site before it.
    """
    codes = work.col("organizations", "organization_id")
    work.fill("organizations", "name", codes)
    if not work.options.get("schools"):
        return
    names = work.col("organizations", "name")
    short = mask(pc.less_equal(pc.utf8_length(names), ID_CHARS))
    work.change("organizations", "name", choose(short, names, codes), "too_long")
    names = work.col("organizations", "name")
    work.change("organizations", "name", choose(first_marks(without_breaks(names)), names, codes), "several_values")
    work.keep("organizations", first_marks(work.col("organizations", "name")), "several_values")
    work.cascade()


def titled_roles(work: ExportTables) -> None:
    """Give each role of staff a title: its own, else the person's, else the role itself."""
    staff = equals(work.col("user_roles", "user_kind"), "staff")
    of_person = lookup(work.user_keys("user_roles"), work.user_keys("users"), work.col("users", "title"))
    filled = pc.coalesce(work.col("user_roles", "title"), of_person, work.col("user_roles", "role"))
    work.change("user_roles", "title", choose(staff, filled, work.col("user_roles", "title")), "missing_required")


def unify_staff_roles(work: ExportTables) -> None:
    """Say every role of staff as `staff`, once for each school, and those of students once for each school, too."""
    kinds = work.col("user_roles", "user_kind")
    word = choose(equals(kinds, "staff"), constant("staff", len(kinds)), constant("student", len(kinds)))
    work.change("user_roles", "role", word, "coarser_code")
    work.keep_first("user_roles", ("user_kind", "user_id", "organization_id", "role"))
    work.keep("user_roles", present(work.col("user_roles", "organization_id")), "missing_required")


def roles_from_enrollments(work: ExportTables) -> None:
    """Give people without a role one at the school of most of their enrollments."""
    keys = work.user_keys("users")
    without = ~is_in(keys, work.user_keys("user_roles"))
    schools = school_of(work, without)
    missing = without & present(schools)
    users = work.table("users").filter(pa.array(missing))
    made = {
        "user_kind": column(users, "user_kind"),
        "user_id": column(users, "user_id"),
        "role": column(users, "user_kind"),
        "organization_id": schools.filter(pa.array(missing)),
    }
    work.add_rows("user_roles", made, users.num_rows)
    work.losses.add("value_made_up", "missing_required", users.num_rows, table="user_roles")


def name_sections(work: ExportTables) -> None:
    """Give sections the name and the number that their rows carry: the section's name, else the course's."""
    course_name = lookup(work.col("sections", "course_id"), work.col("courses", "course_id"), work.col("courses", "name"))
    work.fill("sections", "name", course_name)
    period = work.options.get("period_if_missing")
    if period:
        work.fill("sections", "period", constant(str(period), work.table("sections").num_rows))
    work.keep("sections", present(work.col("sections", "name")) & present(work.col("sections", "period")), "missing_required")
    work.cascade()


def split_classes_by_teacher(section_id: Derive, course_id: Derive) -> Rule:
    """Return the rule that makes of each section one class a teacher, with the ids that the reader derives."""

    def rule(work: ExportTables) -> None:
        sections, enrollments = work.table("sections"), work.table("enrollments")
        teaching = equals(column(enrollments, "role"), "teacher")
        taught = enrollments.filter(pa.array(teaching))
        at = pc.index_in(column(taught, "section_id"), value_set=column(sections, "section_id"))
        wide = with_columns(sections.take(at), _teacher=column(taught, "user_id"))
        number = lookup(column(wide, "course_id"), work.col("courses", "course_id"), work.col("courses", "number"))
        school, name = column(wide, "organization_id"), column(wide, "name")
        cells = (school, column(wide, "_teacher"), column(wide, "period"), number, column(wide, "number"), name)
        wide = with_columns(
            wide,
            _section=derive(section_id, *cells),
            _course=pc.coalesce(number, derive(course_id, school, name)),
            _old=column(wide, "section_id"),
        )
        _count_new_ids(work, wide)
        del enrollments
        _replace(work, wide, taught, work.rows(work.table("enrollments"), ~teaching))

    return rule


def _count_new_ids(work: ExportTables, wide: pa.Table) -> None:
    old = column(wide, "_old")
    work.losses.add("rows_split", "several_values", wide.num_rows - len(pc.unique(old)), table="sections")
    for name, new in (("section_id", "_section"), ("course_id", "_course"), ("home_course_id", "_course")):
        changed = pc.sum(pc.not_equal(column(wide, name), column(wide, new))).as_py() or 0
        work.losses.add("value_changed", "id_not_allowed", changed, table="sections", column=name)


def _replace(work: ExportTables, wide: pa.Table, taught: pa.Table, learning: pa.Table) -> None:
    _new_courses(work, wide)
    named = with_columns(
        wide, section_id=column(wide, "_section"), course_id=column(wide, "_course"), home_course_id=column(wide, "_course")
    )
    work.keep_first("sections", ("section_id",), named)
    teachers = with_columns(
        taught,
        section_id=column(wide, "_section"),
        course_id=column(wide, "_course"),
        is_primary=pa.repeat(pa.scalar(True), taught.num_rows),
    )
    students = _of_each_class(work, wide, learning)
    work.losses.add("rows_split", "several_values", max(0, students.num_rows - learning.num_rows), table="enrollments")
    both = work.store.keep(pa.concat_tables([teachers, students]))
    del teachers, students, learning
    work.keep_first("enrollments", ("section_id", "user_kind", "user_id", "role"), both)
    _count_enrollments(work)


def _of_each_class(work: ExportTables, wide: pa.Table, learning: pa.Table) -> pa.Table:
    """Return the enrollments of students, once for each class that their section has become."""
    classes, sections = common_codes([(column(wide, "_old"), column(learning, "section_id"))], wide.num_rows)
    order = np.argsort(classes, kind="stable")
    begin, end = (np.searchsorted(classes[order], sections, side=side) for side in ("left", "right"))
    counts = end - begin
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    found = work.take(learning, pa.array(np.repeat(np.arange(len(sections)), counts)))
    at = pa.array(order[np.repeat(begin, counts) + number])
    return with_columns(found, section_id=column(wide, "_section").take(at), course_id=column(wide, "_course").take(at))


def _count_enrollments(work: ExportTables) -> None:
    rows = work.table("enrollments")
    for name in ("section_id", "course_id"):
        before = column(work.original["enrollments"], name).take(column(rows, ROW))
        changed = pc.sum(pc.not_equal(before, column(rows, name))).as_py() or 0
        work.losses.add("value_changed", "id_not_allowed", changed, table="enrollments", column=name)


def _new_courses(work: ExportTables, wide: pa.Table) -> None:
    """Give courses the ids that their classes say: one course may become several, and several one."""
    pairs = first_rows(pa.table({"old": column(wide, "course_id"), "new": column(wide, "_course")}), ("old", "new"))
    replace_courses(work, pairs)


def class_rows(work: ExportTables) -> pa.Table:
    """Return one row for each student of each class, with its teacher, numbers and name."""
    rows = qualified(work, "enrollments")
    rows = work.rows(rows, equals(column(rows, "enrollments.role"), "student"))
    said = ("organization_id", "course_id", "period", "name", "number")
    rows = left_join(work, rows, ("enrollments.section_id",), "sections", ("section_id",), only=said)
    rows = left_join(work, rows, ("sections.course_id",), "courses", ("course_id",), only=("number",))
    sections = work.table("sections")
    teacher = lookup(column(rows, "enrollments.section_id"), column(sections, "section_id"), column(sections, "_teacher"))
    return with_columns(rows, teacher=teacher)


def role_rows(kind: str) -> Rows:
    """Return one row for each school of each person of a kind, with profile and, as columns, two contacts."""

    def rows(work: ExportTables) -> pa.Table:
        found = qualified(work, "user_roles")
        found = found.filter(pa.array(equals(column(found, "user_roles.user_kind"), kind)))
        key = ("user_roles.user_kind", "user_roles.user_id")
        found = left_join(work, found, key, "users", ("user_kind", "user_id"))
        found = left_join(work, found, key, "student_profiles", ("user_kind", "user_id"))
        return _with_contacts(work, found) if kind == "student" else found

    return rows


def _with_contacts(work: ExportTables, rows: pa.Table) -> pa.Table:
    contacts = work.table("contacts")
    places = work.col("contacts", "position").to_numpy(zero_copy_only=False)
    owners = keys_of(rows, ("users.user_kind", "users.user_id"))
    for place, word in ((1, "Primary"), (2, "Secondary")):
        chosen = contacts.filter(pa.array(places == place))
        keys = keys_of(chosen, ("user_kind", "user_id"))
        for name in ("name", "phone", "email"):
            rows = with_columns(rows, **{f"{name}{word}": lookup(owners, keys, column(chosen, name))})
    return rows


def site_rows(work: ExportTables) -> pa.Table:
    """Return one row a site, under the id by which its reader knows it."""
    rows = qualified(work, "organizations")
    merged = pc.coalesce(column(rows, "organizations.merge_with_id"), column(rows, "organizations.organization_id"))
    return with_columns(rows, site=merged)


def unnamed_sites(work: ExportTables) -> None:
    """Say sites by their code alone, where the file of sites is not written."""
    if work.options.get("schools"):
        return
    size = work.table("organizations").num_rows
    work.change("organizations", "name", work.col("organizations", "organization_id"), "coarser_code")
    for name in ("street", "phone", "merge_with_id"):
        lost = int(present(work.col("organizations", name)).sum())
        work.losses.add("column_left_out", "no_home", lost, table="organizations", column=name)
        work.change("organizations", name, nulls(size), "coarser_code", count=False)
    mentioned = [work.col(table, "organization_id") for table in ("user_roles", "sections")]
    work.keep("organizations", is_in(work.col("organizations", "organization_id"), pa.concat_arrays(mentioned)), "no_home")


def absences(work: ExportTables) -> None:
    """Leave out absences unless the option asks for them, and those without a period."""
    rows = work.table("attendance")
    if not work.options.get("attendance"):
        work.losses.add("table_left_out", "no_home", rows.num_rows, table="attendance")
        work.tables["attendance"] = rows.slice(0, 0)
    work.keep("attendance", present(work.col("attendance", "period")), "missing_required")


def absences_of_students(work: ExportTables) -> None:
    """Leave out absences of students who are not written: an event outlives its student."""
    users = work.table("users")
    students = column(users, "user_id").filter(pa.array(equals(column(users, "user_kind"), "student")))
    work.keep("attendance", is_in(work.col("attendance", "user_id"), students), "parent_left_out")
