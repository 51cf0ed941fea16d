"""Rules about ids that the reader of a format derives from cells: records get the id that they will have there."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import Array, choose, column, first_rows, lookup, present, same, with_columns
from roster_etl.exports.cells import day_texts
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import Rule
from roster_etl.exports.rules.classes import join_records
from roster_etl.frames.arrow import to_arrow_array

Derive = Callable[..., pd.Series]


def derive(function: Derive, *cells: Array) -> Array:
    """Return what a value function of the mappings makes of arrays."""
    series = [pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([values]))) for values in cells]
    return to_arrow_array(function(*series))


def rederive_terms(function: Derive, *, named: bool = True) -> Rule:
    """Return the rule that gives terms the id which the reader derives from their name (if `named`) and days."""

    def rule(work: ExportTables) -> None:
        days = [
            day_texts(work.col("terms", "start_at"), work.zone, "us_first_day"),
            day_texts(work.col("terms", "end_at"), work.zone, "us_last_day"),
        ]
        cells = [work.col("terms", "name"), *days] if named else days
        new = derive(function, *cells)
        work.keep("terms", present(new), "missing_required")
        work.cascade()
        join_records(work, "terms", "terms", "term_id", work.col("terms", "term_id"), new.filter(pa.array(present(new))))

    return rule


def rederive_courses(function: Derive, *, by_number: bool) -> Rule:
    """Return the rule that gives the courses of sections the id which the reader derives: the number, else school and name.

    A course of several schools becomes one a school where it has no number.
    """

    def rule(work: ExportTables) -> None:
        courses = work.col("courses", "course_id")
        of_section = work.col("sections", "course_id")
        name = lookup(of_section, courses, work.col("courses", "name"))
        new = derive(function, work.col("sections", "organization_id"), name)
        if by_number:
            new = pc.coalesce(lookup(of_section, courses, work.col("courses", "number")), new)
        pairs = first_rows(pa.table({"old": of_section, "new": new}), ("old", "new"))
        replace_courses(work, pairs)
        work.change("sections", "course_id", new, "id_not_allowed")
        work.change("sections", "home_course_id", new, "id_not_allowed")
        by_section = lookup(work.col("enrollments", "section_id"), work.col("sections", "section_id"), new)
        work.change("enrollments", "course_id", by_section, "id_not_allowed")

    return rule


def replace_courses(work: ExportTables, pairs: pa.Table) -> None:
    """Give each course its new ids: one with several becomes several records, several with one become one."""
    rows, old = work.table("courses"), column(pairs, "old")
    at = pc.index_in(old, value_set=column(rows, "course_id"))
    known = present(at)
    many = pairs.filter(pa.array(known))
    made = with_columns(rows.take(at.filter(pa.array(known))), course_id=column(many, "new"))
    work.losses.add(
        "rows_split",
        "several_values",
        len(pc.unique(old)) and made.num_rows - len(pc.unique(old.filter(pa.array(known)))),
        table="courses",
    )
    differs = ~same(column(many, "old"), column(many, "new"))
    work.losses.add("value_changed", "id_not_allowed", int(differs.sum()), table="courses", column="course_id")
    work.keep_first("courses", ("course_id",), made)


def derive_course_school(work: ExportTables) -> None:
    """Say the school of a course as the reader will: that of its sections, none where they are of several."""
    sections = pa.table({"course": work.col("sections", "course_id"), "school": work.col("sections", "organization_id")})
    pairs = first_rows(sections, ("course", "school"))
    course = column(pairs, "course")
    counts = pc.value_counts(course)
    single = counts.field(0).filter(pc.equal(counts.field(1), 1))
    school = lookup(work.col("courses", "course_id"), course, column(pairs, "school"))
    alone = present(pc.index_in(work.col("courses", "course_id"), value_set=single))
    work.change("courses", "organization_id", choose(alone, school, pa.nulls(len(school), pa.string())), "several_values")
