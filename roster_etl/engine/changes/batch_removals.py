"""Removals by term: what earlier uploads brought and this one does not name goes, where the district asks for it.

Belongs here: which records an upload leaves out, and when nothing is removed all the same. A record that a refused row names
is named, and so is one whose row was left out on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.enrollment_lookup import NAMED, true
from roster_etl.engine.changes.observers import LINK, follow_students
from roster_etl.engine.changes.state import State
from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import flat

REASON = "batch_mode"


@dataclass(frozen=True, kw_only=True)
class _Unnamed:
    """Records of one table that would go (mask over its rows), and how many there are in the terms."""

    table: str
    mask: np.ndarray
    current: int

    @property
    def count(self) -> int:
        """How many would go."""
        return int(self.mask.sum())


def remove_unnamed(state: State, *, supplied: frozenset[str], refused_files: bool) -> None:
    """Remove the courses, sections and enrollments of the terms in question that the upload does not name."""
    options = state.options
    if not (options.get("batch_mode") or options.get("multi_term_batch_mode")):
        return
    if refused_files:
        state.notes.upload("incomplete_upload", "A file was refused, so nothing was removed because of this upload.")
        return
    terms = _terms(state)
    if not terms:
        state.notes.upload("no_terms", "No term was found to clean up, so nothing was removed.")
        return
    unnamed = [_FIND[kind](state, terms) for kind in state.plan.batch if kind in supplied]
    if not _too_many(state, unnamed):
        for found in unnamed:
            _remove(state, found)


def _terms(state: State) -> set[str]:
    if state.options.get("multi_term_batch_mode"):
        kind = next(kind for kind in state.plan.kinds if kind.table == "terms")
        named = _named(state, kind.name, "term_id")
    else:
        named = {state.options["batch_mode_term_id"]} if state.options.get("batch_mode_term_id") else set()
    return {term for term in named if state.table("terms").live(term) is not None}


def _named(state: State, kind: str, name: str) -> set[str]:
    """Return the cells `name` of every row of a kind in this upload, whatever came of the row."""
    reads = [read for read in state.reads.get(kind, ()) if not read.source.retried and name in read.columns]
    return {cell for read in reads for cell in pc.unique(read.columns[name]).to_pylist() if cell is not None}


def _too_many(state: State, unnamed: list[_Unnamed]) -> bool:
    limit = state.options.get("change_threshold")
    over = [found for found in unnamed if limit is not None and found.count * 100 > float(limit) * found.current]
    for found in over:
        message = f"{found.count:,} of {found.current:,} current records would be removed; nothing was."
        state.notes.upload("change_threshold_exceeded", message, found.table)
    return bool(over)


# ---- what is left out


def _courses(state: State, terms: set[str]) -> _Unnamed:
    table = state.table("courses")
    there = _in(table.column("term_id"), terms)
    named = _named(state, "courses", "course_id").union(*(_named(state, kind, "course_id") for kind in _cross_listing(state)))
    return _Unnamed(table="courses", mask=there & ~_in(table.column("course_id"), named), current=int(there.sum()))


def _sections(state: State, terms: set[str]) -> _Unnamed:
    """A section belongs to the term of its home course."""
    table = state.table("sections")
    there = _in(table.column("home_course_id"), _courses_of(state, terms))
    named = _named(state, "sections", "section_id").union(*(_named(state, kind, "section_id") for kind in _cross_listing(state)))
    return _Unnamed(table="sections", mask=there & ~_in(table.column("section_id"), named), current=int(there.sum()))


def _enrollments(state: State, terms: set[str]) -> _Unnamed:
    """An enrollment belongs to the term of the course where it is now. What follows from a link goes with the student's."""
    table = state.table("enrollments")
    there = _in(table.column("course_id"), _courses_of(state, terms)) & ~true(pc.equal(table.column("cause"), LINK))
    if state.options.get("batch_mode_enrollment_drop_status", "deleted") != "deleted":
        there &= true(pc.equal(table.column("status"), "active"))
    named = np.zeros(len(there), dtype=bool)
    for rows in state.named:
        if rows.column_names == list(NAMED):
            named |= _is_one_of(table.rows, rows, NAMED)
            continue
        with_section = pc.is_valid(flat(rows.column("section_id")))
        named |= _is_one_of(table.rows, rows.filter(with_section), ("section_id", "user_id"))
        named |= _is_one_of(table.rows, rows.filter(pc.invert(with_section)), ("course_id", "user_id"))
    return _Unnamed(table="enrollments", mask=there & ~named, current=int(there.sum()))


_FIND = {"courses": _courses, "sections": _sections, "enrollments": _enrollments}


def _cross_listing(state: State) -> list[str]:
    return [kind.name for kind in state.plan.kinds if kind.verb == "cross_lists"]


def _courses_of(state: State, terms: set[str]) -> set[str]:
    courses = state.table("courses")
    return set(courses.column("course_id").filter(pa.array(_in(courses.column("term_id"), terms))).to_pylist())


def _in(column: pa.Array, values: set[str]) -> np.ndarray:
    return true(pc.is_in(column, value_set=pa.array(sorted(values), pa.string())))


def _is_one_of(there: pa.Table, rows: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    return true(pc.is_in(key_text(there, names), value_set=key_text(rows, names)))


# ---- removing


def _remove(state: State, found: _Unnamed) -> None:
    mask = found.mask
    if not mask.any():
        return
    table = state.table(found.table)
    if found.table == "enrollments":
        _drop(state, mask)
        return
    key = table.key[0]
    gone = table.kill(mask, REASON)
    ids = set(flat(gone.column(key)).to_pylist())
    state.cascade("enrollments", (key,), ids)
    for id_ in sorted(ids) if found.table == "courses" else ():
        state.sticky.end("courses", {"course_id": id_}, "status")


def _drop(state: State, mask: np.ndarray) -> None:
    table, status = state.table("enrollments"), str(state.options.get("batch_mode_enrollment_drop_status") or "deleted")
    rows = table.rows.filter(pa.array(mask))
    if status == "deleted":
        table.kill(mask, REASON)
        follow_students(state, rows.slice(0, 0), rows)
        return
    words = pa.repeat(pa.scalar(status), rows.num_rows)
    table.change(mask, {"status": words})
    changed = rows.set_column(rows.schema.get_field_index("status"), rows.schema.field("status"), words)
    follow_students(state, changed, rows.slice(0, 0))
