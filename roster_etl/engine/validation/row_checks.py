"""Checks of several cells of one row: order of dates, columns needed together, combinations that must exist elsewhere.

Belongs here: the rules of ``spec.field_rules``. Cells that are invalid by themselves have been cleared before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.consistency_checks import check_agreement
from roster_etl.engine.validation.row_rejection import FileState, to_mask
from roster_etl.frames.arrow import REFUSED, combine_chunks
from roster_etl.spec import CompositeReference, Date, NotBefore, RequireAnyOf, RequiredTogether, RowRule


def check_rule(state: FileState, rule: RowRule, referenced_files: Mapping[str, ReferencedFile]) -> None:
    """Check one rule, if the upload has its columns."""
    match rule:
        case CompositeReference():
            _check_found_together(state, rule, referenced_files[rule.file])
        case NotBefore():
            _check_not_before(state, rule)
        case RequiredTogether():
            _check_together(state, rule)
        case RequireAnyOf():
            _check_any_of(state, rule)
        case _:
            check_agreement(state, rule, referenced_files)


def _check_found_together(state: FileState, rule: CompositeReference, referenced_file: ReferencedFile) -> None:
    if not set(rule.columns) <= state.columns.keys():
        return
    there = [combine_chunks(referenced_file.rows.column(name)) for name in rule.other_columns]
    accepted = pc.invert(combine_chunks(referenced_file.rows.column(REFUSED)))
    known = _join_lowercase([column.filter(accepted) for column in there])
    values = _join_lowercase([state.columns[name] for name in rule.columns])
    filled = to_mask(pc.is_valid(values)) & ~state.refused
    wrong = filled & ~to_mask(pc.is_in(values, value_set=pc.unique(known)))
    state.record_check(f"{', '.join(rule.columns)}: in {rule.file}", "found", int(filled.sum()), int(wrong.sum()))
    state.warn(wrong, "not_enrolled", ", ".join(rule.columns), rule.message)


def _join_lowercase(columns: list[pa.Array]) -> pa.Array:
    """Return the cells of each row as one lower-cased text; null if one is empty."""
    return pc.binary_join_element_wise(*(pc.utf8_lower(column) for column in columns), "\x1f", null_handling="emit_null")


def mark_doubtful_records(state: FileState, group: tuple[str, ...]) -> None:
    """Mark records formed by a group of columns as doubtful where invalid cells emptied the group: that proves no removal."""
    present = [name for name in group if name in state.columns]
    broken = [state.emptied[name] for name in present if name in state.emptied]
    if broken:
        nothing = np.logical_and.reduce([to_mask(pc.is_null(state.columns[name])) for name in present])
        state.doubted = state.doubted | (nothing & np.logical_or.reduce(broken))


def _check_not_before(state: FileState, rule: NotBefore) -> None:
    if not {rule.column, rule.other} <= state.columns.keys():
        return
    form, other = state.file.column(rule.column).cell_format, state.file.column(rule.other).cell_format
    assert isinstance(form, Date)
    assert isinstance(other, Date)
    days, others = (
        cell_formats.parse_dates(form, state.columns[rule.column]),
        cell_formats.parse_dates(other, state.columns[rule.other]),
    )
    wrong = to_mask(pc.less(days, others))
    state.record_check(f"{rule.column}: not before {rule.other}", "not_before", len(wrong), int(wrong.sum()))
    state.reject_or_clear(rule.column, wrong, "bad_date", f"{rule.column} is before {rule.other}.")
    if rule.clear_both:
        state.set_cells(rule.other, wrong, None)


def _check_together(state: FileState, rule: RequiredTogether) -> None:
    present = [name for name in rule.columns if name in state.columns]
    if not present:
        return
    some = np.logical_or.reduce([to_mask(pc.is_valid(state.columns[name])) for name in present])
    failing = np.zeros(len(some), dtype=bool)
    for need in rule.required:
        empty = some & to_mask(pc.is_null(state.columns[need])) if need in state.columns else some
        failing |= empty
        message = f"{need} is needed with {', '.join(rule.columns)}; the group was left empty."
        state.warn(empty, "missing_required", need, message)
    state.record_check(f"{', '.join(rule.required)}: together", "together", int(some.sum()), int(failing.sum()))
    for name in present:
        state.set_cells(name, failing, None)
    state.doubted = state.doubted | failing


def _check_any_of(state: FileState, rule: RequireAnyOf) -> None:
    """Check that at least one column has a value; an absent column counts as empty."""
    there = [name for name in (*rule.columns, *rule.unless) if name in state.columns]
    empty = np.ones(len(state.refused), dtype=bool)
    for name in there:
        empty &= to_mask(pc.is_null(state.columns[name]))
        if name in state.unreadable:
            empty &= ~state.unreadable[name]
    state.record_check(f"{', '.join(rule.columns)}: any of", "any_of", len(empty), int(empty.sum()))
    needed = " or ".join(rule.columns)
    state.reject(empty, "missing_required", ", ".join(rule.columns), f"{needed} is required, and the cell is empty.")
