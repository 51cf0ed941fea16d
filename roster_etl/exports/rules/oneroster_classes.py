"""Rules of OneRoster about courses, classes and enrollments: titles, types, lists in one cell, default classes, roles."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    choose,
    column,
    constant,
    each_distinct,
    equals,
    is_in,
    lookup,
    mask,
    nulls,
    present,
    with_columns,
)
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.rows import qualified
from roster_etl.exports.rules.oneroster_sessions import drop_cells, is_version, made_ids

_HOMEROOM = "Homeroom/advisory"
_OTHER_GRADE = {"OT": "Other"}


def course_titles(work: ExportTables) -> None:
    """Give courses a title (name, else short name, else number, else id) and a code (number, else short name)."""
    work.fill(
        "courses", "name", work.col("courses", "short_name"), work.col("courses", "number"), work.col("courses", "course_id")
    )
    work.fill("courses", "number", work.col("courses", "short_name"))


def default_classes(work: ExportTables) -> None:
    """Make a class for the default section of each course that people are enrolled in without a section."""
    without = ~present(work.col("enrollments", "section_id"))
    if not without.any():
        return
    courses = pc.unique(work.col("enrollments", "course_id").filter(pa.array(without)))
    ids = pc.binary_join_element_wise("default", courses, "-")
    made = {
        "section_id": ids,
        "course_id": courses,
        "home_course_id": courses,
        **{
            name: lookup(courses, work.col("courses", "course_id"), work.col("courses", name))
            for name in ("name", "organization_id", "term_id")
        },
    }
    work.add_rows("sections", made, len(ids))
    work.losses.add("value_made_up", "synthetic", len(ids), table="sections")
    work.fill(
        "enrollments",
        "section_id",
        pc.binary_join_element_wise("default", work.col("enrollments", "course_id"), "-"),
        reason="synthetic",
    )


def class_details(work: ExportTables) -> None:
    """Give classes a title, a type and a school; those without any school are left out."""
    courses = work.col("courses", "course_id")
    own = work.col("sections", "course_id")
    work.fill("sections", "name", lookup(own, courses, work.col("courses", "name")))
    homeroom = mask(pc.fill_null(lookup(own, courses, work.col("courses", "is_homeroom")), False))
    homeroom |= equals(work.col("sections", "subject"), _HOMEROOM)
    size = len(homeroom)
    if is_version(work, "1.1"):
        types = work.col("sections", "class_type")
        foreign = present(types) & ~equals(types, "homeroom", "scheduled")
        work.change("sections", "class_type", choose(foreign, constant("scheduled", size), types), "coarser_code")
    work.fill("sections", "class_type", choose(homeroom, constant("homeroom", size), constant("scheduled", size)))
    schools = work.col("organizations", "organization_id").filter(pa.array(equals(work.col("organizations", "type"), "school")))
    only = constant(schools[0].as_py(), size) if len(schools) == 1 else nulls(size)
    work.fill("sections", "organization_id", lookup(own, courses, work.col("courses", "organization_id")), only)
    work.keep("sections", present(work.col("sections", "organization_id")), "missing_required")
    work.cascade()


def class_lists(work: ExportTables) -> None:
    """Say grade and subject of a class in its lists, as the file has lists alone."""
    for name, single in (("grades", "grade"), ("subjects", "subject")):
        listed = each_distinct(work.col("sections", single), lambda value: json.dumps([value], ensure_ascii=False))
        work.fill("sections", name, listed)
    for table in ("courses", "sections"):
        for name in ("subjects", "subject_codes", "grades"):
            values = work.col(table, name)
            clean = each_distinct(values, _without_commas)
            work.change(table, name, clean, "comma_in_list")


def _without_commas(cell: str) -> str:
    items = json.loads(cell)
    cleaned = [str(item).replace(",", "") for item in items]
    return cell if cleaned == items else json.dumps(cleaned, ensure_ascii=False)


def comma_list(values: Array, *, grades: bool = False) -> Array:
    """Return JSON lists as comma lists in one cell."""

    def cell(text: str) -> str:
        items = json.loads(text)
        return ",".join(_OTHER_GRADE.get(item, item) if grades else str(item) for item in items)

    return each_distinct(values, cell)


def class_rows(work: ExportTables) -> pa.Table:
    """Return one row a class, with its terms, lists and periods as comma lists."""
    rows = qualified(work, "sections")
    terms = work.table("section_terms")
    terms = terms.take(
        pc.sort_indices(terms, sort_keys=[("section_id", "ascending"), ("position", "ascending"), ("term_id", "ascending")])
    )
    joined = terms.group_by("section_id", use_threads=False).aggregate([("term_id", "list")])
    cells = pc.binary_join(column(joined, "term_id_list"), ",")
    period = pc.replace_substring_regex(column(rows, "sections.period"), pattern=r"\s*,\s*", replacement=",")
    return with_columns(
        rows,
        term_list=lookup(column(rows, "sections.section_id"), column(joined, "section_id"), cells),
        grade_list=comma_list(column(rows, "sections.grades"), grades=True),
        subject_list=comma_list(column(rows, "sections.subjects")),
        code_list=comma_list(column(rows, "sections.subject_codes")),
        period_list=period,
    )


def course_rows(work: ExportTables) -> pa.Table:
    """Return one row a course, with its lists as comma lists."""
    rows = qualified(work, "courses")
    return with_columns(
        rows,
        grade_list=comma_list(column(rows, "courses.grades"), grades=True),
        subject_list=comma_list(column(rows, "courses.subjects")),
        code_list=comma_list(column(rows, "courses.subject_codes")),
    )


def map_enrollments(work: ExportTables) -> None:
    """Keep active enrollments, and completed ones with an end; say their roles in the words of the format."""
    status, ends = work.col("enrollments", "status"), work.col("enrollments", "end_at")
    kept = equals(status, "active") | ~present(status) | (equals(status, "completed") & present(ends))
    work.keep("enrollments", kept, "no_home")
    roles = work.col("enrollments", "role")
    work.keep("enrollments", ~equals(roles, "observer") & ~present(work.col("enrollments", "cause")), "no_home")
    _say_roles(work)
    _say_places(work)
    if _role_changed(work):
        work.keep_first("enrollments", ("section_id", "user_kind", "user_id", "role"))


def _role_changed(work: ExportTables) -> bool:
    return bool(
        work.losses.count(table="enrollments", column="role")
        or work.losses.count(table="enrollments", column="associated_user_id")
    )


def _say_roles(work: ExportTables) -> None:
    """Say assistants as teachers (1.2: ``ext:ta``), designers as administrators, and other words as the version allows."""
    roles = work.col("enrollments", "role")
    assistants = equals(roles, "ta")
    known = ("student", "teacher", "administrator", "proctor")
    table = {"designer": "administrator", **({} if is_version(work, "1.2") else {"ta": "teacher"})}

    def said(word: str) -> str | None:
        if word in known:
            return word
        if word in table:
            return table[word]
        if is_version(work, "1.2"):
            return word if word.startswith("ext:") else f"ext:{word}"
        return None

    words = each_distinct(roles, said)
    work.keep("enrollments", present(words), "no_home")
    kept = pa.array(present(words))
    work.change("enrollments", "role", words.filter(kept), "coarser_code")
    teaching = equals(work.col("enrollments", "role"), "teacher")
    primary = work.col("enrollments", "is_primary")
    flags = choose(assistants[present(words)] & teaching, pa.repeat(pa.scalar(False), len(teaching)), primary)
    work.change("enrollments", "is_primary", flags, "coarser_code")
    drop_cells(work, "enrollments", "is_primary", ~teaching & present(work.col("enrollments", "is_primary")))


def _say_places(work: ExportTables) -> None:
    section = work.col("enrollments", "section_id")
    ids = work.col("sections", "section_id")
    for name in ("organization_id", "course_id"):
        of_section = lookup(section, ids, work.col("sections", name))
        before = work.col("enrollments", name)
        work.change(
            "enrollments", name, pc.coalesce(before, of_section) if name == "organization_id" else of_section, "coarser_code"
        )
    known = is_in(work.col("enrollments", "organization_id"), work.col("organizations", "organization_id"))
    work.keep("enrollments", known, "missing_required")


def enrollment_ids(work: ExportTables) -> None:
    """Give enrollments an id of class, user and role where the source gave none; count the dates that come back otherwise."""
    parts = [work.col("enrollments", name) for name in ("section_id", "user_id", "role")]
    given = work.col("enrollments", "enrollment_id")
    made = made_ids(given, *parts)
    if given.null_count < len(given):
        work.change("enrollments", "enrollment_id", made, "id_not_allowed")
    else:
        work.losses.add("value_made_up", "missing_required", len(made), table="enrollments", column="enrollment_id")
        work.tables["enrollments"] = with_columns(work.table("enrollments"), enrollment_id=made)
    ends = work.col("enrollments", "end_at")
    if ends.null_count < len(ends):
        past = mask(pc.less_equal(ends, pa.scalar(work.moment, ends.type)))
        said = choose(past, constant("completed", len(past)), constant("active", len(past)))
        work.change("enrollments", "status", said, "coarser_code")
    else:
        status = work.col("enrollments", "status")
        work.fill("enrollments", "status", constant("active", len(status)))


def enrollment_rows(work: ExportTables) -> pa.Table:
    """Return one row an enrollment."""
    rows = work.table("enrollments")
    names = ("enrollment_id", "section_id", "organization_id", "user_id", "role", "is_primary", "start_at", "end_at")
    found = pa.table({ROW: column(rows, ROW), **{f"enrollments.{name}": column(rows, name) for name in names}})
    if "extensions" in rows.column_names:
        for name in work.extension_names("enrollments", "metadata."):
            found = with_columns(found, **{name: work.extension("enrollments", name)})
    return found
