"""Report sections that take the place of others under known ids: exchanged ids, and exchanged classes.

Belongs here: which sections and enrollments are compared, and the findings. The comparison is ``engine.planning.replaced_sections``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.replaced_sections import IDENTITY, MIN_STUDENTS, exchanged_classes, exchanged_sections
from roster_etl.frames.arrow import REFUSED, combine_chunks
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.spec.findings import Finding

_MOVED = "Course, school, term, name, number and period are now those of another section, and that one has others, too."
_CLASS = "All students of the section are now those that another section had."


def replaced_sections_findings(plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions) -> list[Finding]:
    """Return a finding for each section that is now what another one was. Reads data only of sections and enrollments that change."""
    return [*_exchanged_ids(plan, tables, closing), *_exchanged_classes(plan, tables, closing)]


def _exchanged_ids(plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions) -> list[Finding]:
    sections = plan.tables.get("sections")
    if sections is None or not any(sections.columns.get(name) for name in IDENTITY):
        return []
    names = ["section_id", *IDENTITY]
    opened = sections.rows_to_open(lambda: tables["sections"]).select([*names, "source_file", "source_row"])
    found = exchanged_sections(closing.replaced("sections").select(names), opened)
    return [_finding(file, row, _MOVED) for file, row in zip(*(found.column(name).to_pylist() for name in _PLACE), strict=True)]


_PLACE = ("source_file", "source_row")


def _exchanged_classes(plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions) -> list[Finding]:
    """Return a finding for each section whose class was exchanged, at the first of the rows that say so."""
    enrollments = plan.tables.get("enrollments")
    if enrollments is None or not enrollments.closes.num_rows or not len(enrollments.opens):
        return []
    opened = enrollments.rows_to_open(lambda: tables["enrollments"])
    begun = _students(opened)
    if not begun:
        return []
    ended = closing.removed("enrollments")
    found = exchanged_classes(_students(ended), begun, set(_with_role(ended).column("section_id").to_pylist()))
    if not found:
        return []
    now = _students(_of_sections(tables["enrollments"], sorted(found)))
    whole = sorted(section for section in found if now.get(section) == begun[section])  # nobody stayed
    rows = _of_sections(opened, whole).select(["section_id", *_PLACE]).to_pylist()
    first: dict[str, tuple[str | None, int | None]] = {}
    for row in rows:
        first.setdefault(row["section_id"], (row["source_file"], row["source_row"]))
    return [_finding(*place, _CLASS) for _, place in sorted(first.items())]


def _of_sections(enrollments: pa.Table, sections: list[str]) -> pa.Table:
    """Return the enrollments in `sections` that apply."""
    own = pc.is_in(combine_chunks(enrollments.column("section_id")), value_set=pa.array(sections, pa.string()))
    applied = pc.invert(combine_chunks(enrollments.column(REFUSED))) if REFUSED in enrollments.column_names else True
    return enrollments.filter(pc.and_(own, applied))


def _students(enrollments: pa.Table) -> dict[str, frozenset[str]]:
    """Return the students by section, of sections with MIN_STUDENTS or more: few of those that change have as many."""
    rows = _with_role(enrollments)
    counts = pc.value_counts(rows.column("section_id"))
    large = counts.field("values").filter(pc.greater_equal(counts.field("counts"), MIN_STUDENTS))
    rows = rows.filter(pc.is_in(rows.column("section_id"), value_set=large))
    found: dict[str, set[str]] = defaultdict(set)
    for section, user in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        found[section].add(user)
    return {section: frozenset(students) for section, students in found.items() if len(students) >= MIN_STUDENTS}


def _with_role(enrollments: pa.Table) -> pa.Table:
    """Return section and user of the enrollments of students."""
    chosen = pc.and_(pc.equal(enrollments.column("role"), "student"), pc.is_valid(enrollments.column("section_id")))
    return pa.table({name: combine_chunks(enrollments.column(name)) for name in ("section_id", "user_id")}).filter(
        combine_chunks(chosen)
    )


def _finding(file: str | None, row: int | None, message: str) -> Finding:
    return Finding(severity="warning", code="another_section", file=file, row=row, field="sections", message=message)
