"""Batch removals by term: remove records of earlier uploads that this one omits, if the district enabled it.

A record that a rejected row names counts as present, and so does one whose row was omitted on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.enrollment_lookup import FULL_KEY, to_mask
from roster_etl.engine.changes.observers import LINK, update_observer_enrollments
from roster_etl.engine.changes.shared_ids import IDENTITY
from roster_etl.engine.changes.state import State
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.described_records import match_described
from roster_etl.frames.row_hashes import key_text

REASON = "batch_mode"


@dataclass(frozen=True, kw_only=True)
class _MissingRecords:
    """Records of one table to remove (mask over its rows), and the number of its records in the terms."""

    table: str
    mask: np.ndarray
    current: int

    @property
    def count(self) -> int:
        """The number of records to remove."""
        return int(self.mask.sum())


def remove_missing_records(state: State, *, supplied: frozenset[str], refused_files: bool) -> None:
    """Remove the courses, sections and enrollments of the batch's terms that the upload does not name."""
    options = state.options
    if not (options.get("batch_mode") or options.get("multi_term_batch_mode")):
        return
    if refused_files:
        state.log.warn_upload("incomplete_upload", "A file was refused, so nothing was removed because of this upload.")
        return
    terms = _terms_in_scope(state)
    if not terms:
        state.log.warn_upload("no_terms", "No term was found to clean up, so nothing was removed.")
        return
    unnamed = [_FIND[kind](state, terms) for kind in state.plan.batch_mode_kinds if kind in supplied]
    if not _too_many(state, unnamed):
        for found in unnamed:
            _remove_records(state, found)


def _terms_in_scope(state: State) -> set[str]:
    if state.options.get("multi_term_batch_mode"):
        kind = next(kind for kind in state.plan.kinds if kind.table == "terms")
        named = _stated_ids(state, kind.name, "term_id")
    else:
        named = {state.options["batch_mode_term_id"]} if state.options.get("batch_mode_term_id") else set()
    return {term for term in named if state.table("terms").find_live(term) is not None}


def _stated_ids(state: State, kind: str, name: str) -> set[str]:
    """Return the cells `name` of every row of a kind in this upload, whether applied or rejected."""
    reads = [read for read in state.reads.get(kind, ()) if not read.source.is_retried and name in read.columns]
    return {cell for read in reads for cell in pc.unique(read.columns[name]).to_pylist() if cell is not None}


def _too_many(state: State, missing: list[_MissingRecords]) -> bool:
    limit = state.options.get("change_threshold")
    over = [found for found in missing if limit is not None and found.count * 100 > float(limit) * found.current]
    for found in over:
        message = f"{found.count:,} of {found.current:,} current records would be removed; nothing was."
        state.log.warn_upload("change_threshold_exceeded", message, found.table)
    return bool(over)


def _courses(state: State, terms: set[str]) -> _MissingRecords:
    table = state.table("courses")
    there = _is_in(table.column("term_id"), terms)
    named = _stated_ids(state, "courses", "course_id").union(
        *(_stated_ids(state, kind, "course_id") for kind in _cross_list_kinds(state))
    )
    missing = there & ~_is_in(table.column("course_id"), named)
    return _MissingRecords(table="courses", mask=missing & ~_described(state, "courses", missing), current=int(there.sum()))


def _sections(state: State, terms: set[str]) -> _MissingRecords:
    """Return the missing sections; a section belongs to the term of its home course."""
    table = state.table("sections")
    there = _is_in(table.column("home_course_id"), _courses_in_terms(state, terms))
    named = _stated_ids(state, "sections", "section_id").union(
        *(_stated_ids(state, kind, "section_id") for kind in _cross_list_kinds(state))
    )
    missing = there & ~_is_in(table.column("section_id"), named)
    return _MissingRecords(table="sections", mask=missing & ~_described(state, "sections", missing), current=int(there.sum()))


def _described(state: State, kind: str, missing: np.ndarray) -> np.ndarray:
    """Return which of the `missing` records a row of the kind without an id describes."""
    table, described = state.table(kind), np.zeros(len(missing), dtype=bool)
    places = np.flatnonzero(missing)
    for read in state.reads.get(kind, ()):
        names = [name for name in IDENTITY[kind] if name in read.columns and name in table.columns]
        if read.source.is_retried or not names or table.key[0] not in read.columns:
            continue
        nameless = pc.is_null(read.columns[table.key[0]])
        rows = pa.table({name: read.columns[name] for name in names}).filter(nameless)
        described[places[match_described(rows, table.rows.take(pa.array(places)).select(names))[1]]] = True
    return described


def _enrollments(state: State, terms: set[str]) -> _MissingRecords:
    """Return the missing enrollments, by the term of their current course.

    Enrollments derived from an observer link are excluded: they end with the student's.
    """
    table = state.table("enrollments")
    there = _is_in(table.column("course_id"), _courses_in_terms(state, terms)) & ~to_mask(pc.equal(table.column("cause"), LINK))
    if state.options.get("batch_mode_enrollment_drop_status", "deleted") != "deleted":
        there &= to_mask(pc.equal(table.column("status"), "active"))
    named = np.zeros(len(there), dtype=bool)
    for rows in state.stated_enrollments:
        if rows.column_names == list(FULL_KEY):
            named |= _matches_keys(table.rows, rows, FULL_KEY)
            continue
        with_section = pc.is_valid(combine_chunks(rows.column("section_id")))
        named |= _matches_keys(table.rows, rows.filter(with_section), ("section_id", "user_id"))
        named |= _matches_keys(table.rows, rows.filter(pc.invert(with_section)), ("course_id", "user_id"))
    return _MissingRecords(table="enrollments", mask=there & ~named, current=int(there.sum()))


_FIND = {"courses": _courses, "sections": _sections, "enrollments": _enrollments}


def _cross_list_kinds(state: State) -> list[str]:
    return [kind.name for kind in state.plan.kinds if kind.handler == "cross_lists"]


def _courses_in_terms(state: State, terms: set[str]) -> set[str]:
    courses = state.table("courses")
    return set(courses.column("course_id").filter(pa.array(_is_in(courses.column("term_id"), terms))).to_pylist())


def _is_in(column: pa.Array, values: set[str]) -> np.ndarray:
    return to_mask(pc.is_in(column, value_set=pa.array(sorted(values), pa.string())))


def _matches_keys(table: pa.Table, rows: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    return to_mask(pc.is_in(key_text(table, names), value_set=key_text(rows, names)))


def _remove_records(state: State, found: _MissingRecords) -> None:
    mask = found.mask
    if not mask.any():
        return
    table = state.table(found.table)
    if found.table == "enrollments":
        _end_enrollments(state, mask)
        return
    key = table.key[0]
    gone = table.end_rows(mask, REASON)
    ids = set(combine_chunks(gone.column(key)).to_pylist())
    state.cascade("enrollments", (key,), ids)
    for id_ in sorted(ids) if found.table == "courses" else ():
        state.protected_edits.end_edit("courses", {"course_id": id_}, "status")


def _end_enrollments(state: State, mask: np.ndarray) -> None:
    table, status = state.table("enrollments"), str(state.options.get("batch_mode_enrollment_drop_status") or "deleted")
    rows = table.rows.filter(pa.array(mask))
    if status == "deleted":
        table.end_rows(mask, REASON)
        update_observer_enrollments(state, rows.slice(0, 0), rows)
        return
    words = pa.repeat(pa.scalar(status), rows.num_rows)
    table.update_rows(mask, {"status": words})
    changed = rows.set_column(rows.schema.get_field_index("status"), rows.schema.field("status"), words)
    update_observer_enrollments(state, changed, rows.slice(0, 0))
