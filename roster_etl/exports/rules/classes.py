"""Rules about terms, courses, sections and enrollments."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    column,
    equals,
    is_in,
    keys_of,
    lookup,
    mask,
    nulls,
    present,
    rank_in_group,
    with_columns,
)
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import Rule


def taught_sections(work: ExportTables) -> None:
    """Keep sections with a teacher and a student, as the format asks; their courses and terms; nothing that is not used by them."""
    sections_with("student", "teacher")(work)


def sections_with(*roles: str) -> Rule:
    """Return the rule that keeps sections with somebody in each of `roles`, and the courses and terms of these alone."""

    def rule(work: ExportTables) -> None:
        for role in roles:
            rows = work.table("enrollments")
            filled = column(rows, "section_id").filter(pa.array(equals(column(rows, "role"), role)))
            work.keep("sections", is_in(work.col("sections", "section_id"), filled), "missing_required")
            work.cascade()
        used_courses(work)
        used_terms(work)

    return rule


def name_courses(work: ExportTables) -> None:
    """Give a course without a name that of its first section, and leave out one that has none either."""
    named = lookup(work.col("courses", "course_id"), work.col("sections", "course_id"), work.col("sections", "name"))
    work.fill("courses", "name", named)
    work.keep("courses", present(work.col("courses", "name")), "missing_required")
    work.cascade()


def courses_have_names(work: ExportTables) -> None:
    """Give a course its long name for its short one, or the other way, and leave out one that has neither."""
    work.fill("courses", "name", work.col("courses", "short_name"))
    work.fill("courses", "short_name", work.col("courses", "name"))
    work.keep("courses", present(work.col("courses", "name")), "missing_required")
    work.cascade()


def courses_have_schools(work: ExportTables) -> None:
    """Give a course without a school that of its first section, and leave out one that has none either."""
    of_section = lookup(
        work.col("courses", "course_id"), work.col("sections", "course_id"), work.col("sections", "organization_id")
    )
    work.fill("courses", "organization_id", of_section)
    work.keep("courses", present(work.col("courses", "organization_id")), "missing_required")
    work.cascade()


def set_schools_from_course(work: ExportTables) -> None:
    """Say the school of sections and enrollments as that of their course, where the format says it of courses alone."""
    courses, school = work.col("courses", "course_id"), work.col("courses", "organization_id")
    for table in ("sections", "enrollments"):
        work.change(table, "organization_id", lookup(work.col(table, "course_id"), courses, school), "coarser_code")


def used_courses(work: ExportTables) -> None:
    """Keep courses with a section; where courses are only said with their sections."""
    used = pa.concat_arrays([work.col("sections", "course_id"), work.col("enrollments", "course_id")])
    work.keep("courses", is_in(work.col("courses", "course_id"), used), "no_home")
    work.cascade()


def used_terms(work: ExportTables) -> None:
    """Keep terms of sections; where terms are only said with them."""
    work.keep("terms", is_in(work.col("terms", "term_id"), work.col("sections", "term_id")), "no_home")
    work.cascade()


def reset_home_course(work: ExportTables) -> None:
    """Say the present course alone: the course before cross-listing has no home."""
    work.change("sections", "home_course_id", work.col("sections", "course_id"), "no_home")


def sections_follow_course(*names: str) -> Rule:
    """Return the rule that fills section columns from the course where they are empty (``organization_id``, ``term_id``)."""

    def rule(work: ExportTables) -> None:
        courses = work.col("courses", "course_id")
        for name in names:
            work.fill("sections", name, lookup(work.col("sections", "course_id"), courses, work.col("courses", name)))

    return rule


def schools_of_classes(work: ExportTables) -> None:
    """Fill the school of a section from its course, and leave out sections and enrollments that have none."""
    sections_follow_course("organization_id")(work)
    work.keep("sections", present(work.col("sections", "organization_id")), "missing_required")
    work.cascade()
    of_section = lookup(
        work.col("enrollments", "section_id"), work.col("sections", "section_id"), work.col("sections", "organization_id")
    )
    work.change("enrollments", "organization_id", of_section, "coarser_code")


def local_days(last: str) -> Rule:
    """Return the rule that rounds the dates of terms to local days. ``last``: the column of the exclusive end."""

    def rule(work: ExportTables) -> None:
        from roster_etl.exports.days import round_days

        for name in ("start_at", "end_at"):
            rounded = round_days(work.col("terms", name), work.zone, up=name == last)
            work.change("terms", name, rounded, "time_of_day")

    return rule


def teacher_places(most: int | None) -> Rule:
    """Return the rule that puts the teachers of a section in order: the primary one first, then by id; beyond `most`: left out."""

    def rule(work: ExportTables) -> None:
        rows = work.table("enrollments")
        teaching = equals(column(rows, "role"), "teacher")
        first = ~mask(pc.fill_null(work.col("enrollments", "is_primary"), False))
        by = pa.table({"t": pa.array(~teaching), "p": pa.array(first), "id": column(rows, "user_id")})
        ordered = pc.sort_indices(by, sort_keys=[("t", "ascending"), ("p", "ascending"), ("id", "ascending")])
        places = np.zeros(rows.num_rows, dtype=np.int64)
        at = ordered.to_numpy()
        places[at] = rank_in_group(keys_of(rows.take(ordered), ("section_id", "role")))
        work.tables["enrollments"] = with_columns(rows, _place=pa.array(np.where(teaching, places, 0)))
        if most is not None:
            work.keep(
                "enrollments", places <= most if not (~teaching).any() else (~teaching | (places <= most)), "several_values"
            )

    return rule


def primary_is_first(*, others: bool | None) -> Rule:
    """Return the rule that says the first teacher as the primary one, and of the others what the reader will make of them."""

    def rule(work: ExportTables) -> None:
        places = column(work.table("enrollments"), "_place").to_numpy()
        said = pa.array(places == 1, mask=(places < 1) | ((places > 1) & (others is None)))
        if others:
            said = pc.if_else(pa.array(places > 1), True, said)
        work.change("enrollments", "is_primary", said, "coarser_code")

    return rule


def no_primary(work: ExportTables) -> None:
    """Say no teacher as the primary one."""
    work.change("enrollments", "is_primary", nulls(work.table("enrollments").num_rows, pa.bool_()), "no_home")


def join_records(work: ExportTables, entity: str, table: str, id_column: str, old: Array, new: Array) -> None:
    """Rename records; of several that get one id the first stays, and the others are joined into it."""
    work.rename_ids(entity, old, new, "id_not_allowed")
    work.keep_first(table, (id_column,), with_columns(work.table(table), **{id_column: new}))
