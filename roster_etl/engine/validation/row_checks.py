"""Checks of several cells of one row: dates in their order, columns that are needed together, or stand together elsewhere.

Belongs here: the rules of ``spec.field_rules``. Cells that are broken by themselves were emptied before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.column_checks import Judged
from roster_etl.engine.validation.row_state import Sheet, true
from roster_etl.frames.arrow import REFUSED, flat, one_array, to_table
from roster_etl.spec import AnyOf, Date, FoundTogether, NotBefore, RowRule, Together


def check_rule(sheet: Sheet, rule: RowRule, others: Mapping[str, Judged]) -> None:
    """Check one rule, where the upload has the columns that it is about."""
    match rule:
        case FoundTogether():
            _found_together(sheet, rule, others[rule.file])
        case NotBefore():
            _not_before(sheet, rule)
        case Together():
            _together(sheet, rule)
        case AnyOf():
            _any_of(sheet, rule)


def _found_together(sheet: Sheet, rule: FoundTogether, other: Judged) -> None:
    if not set(rule.columns) <= sheet.columns.keys():
        return
    there = [flat(to_table(other.frame).column(name)) for name in rule.others]
    accepted = pa.array(~one_array(other.frame[REFUSED]).to_numpy(zero_copy_only=False))
    known = _folded([column.filter(accepted) for column in there])
    values = _folded([sheet.columns[name] for name in rule.columns])
    filled = true(pc.is_valid(values)) & ~sheet.refused
    wrong = filled & ~true(pc.is_in(values, value_set=pc.unique(known)))
    sheet.note(f"{', '.join(rule.columns)}: in {rule.file}", "found", int(filled.sum()), int(wrong.sum()))
    sheet.warn(wrong, "not_enrolled", ", ".join(rule.columns), rule.message)


def _folded(columns: list[pa.Array]) -> pa.Array:
    """Return the cells of each row as one text, lower-cased; null where one is empty."""
    return pc.binary_join_element_wise(*(pc.utf8_lower(column) for column in columns), "\x1f", null_handling="emit_null")


def doubt_emptied_records(sheet: Sheet, group: tuple[str, ...]) -> None:
    """A record that some columns of the row make is not gone because all its cells were broken."""
    present = [name for name in group if name in sheet.columns]
    broken = [sheet.emptied[name] for name in present if name in sheet.emptied]
    if broken:
        nothing = np.logical_and.reduce([true(pc.is_null(sheet.columns[name])) for name in present])
        sheet.doubted = sheet.doubted | (nothing & np.logical_or.reduce(broken))


def _not_before(sheet: Sheet, rule: NotBefore) -> None:
    if not {rule.column, rule.other} <= sheet.columns.keys():
        return
    form, other = sheet.file.column(rule.column).form, sheet.file.column(rule.other).form
    assert isinstance(form, Date)
    assert isinstance(other, Date)
    days, others = (
        cell_formats.parse_dates(form, sheet.columns[rule.column]),
        cell_formats.parse_dates(other, sheet.columns[rule.other]),
    )
    wrong = true(pc.less(days, others))
    sheet.note(f"{rule.column}: not before {rule.other}", "not_before", len(wrong), int(wrong.sum()))
    sheet.fail(rule.column, wrong, "bad_date", f"{rule.column} is before {rule.other}.")


def _together(sheet: Sheet, rule: Together) -> None:
    present = [name for name in rule.columns if name in sheet.columns]
    if not present:
        return
    some = np.logical_or.reduce([true(pc.is_valid(sheet.columns[name])) for name in present])
    failing = np.zeros(len(some), dtype=bool)
    for need in rule.need:
        empty = some & true(pc.is_null(sheet.columns[need])) if need in sheet.columns else some
        failing |= empty
        message = f"{need} is needed with {', '.join(rule.columns)}; the group was left empty."
        sheet.warn(empty, "missing_required", need, message)
    sheet.note(f"{', '.join(rule.need)}: together", "together", int(some.sum()), int(failing.sum()))
    for name in present:
        sheet.put(name, failing, None)
    sheet.doubted = sheet.doubted | failing


def _any_of(sheet: Sheet, rule: AnyOf) -> None:
    """A column that the upload lacks is as good as empty."""
    there = [name for name in (*rule.columns, *rule.unless) if name in sheet.columns]
    empty = np.ones(len(sheet.refused), dtype=bool)
    for name in there:
        empty &= true(pc.is_null(sheet.columns[name]))
        if name in sheet.unreadable:
            empty &= ~sheet.unreadable[name]
    sheet.note(f"{', '.join(rule.columns)}: any of", "any_of", len(empty), int(empty.sum()))
    needed = " or ".join(rule.columns)
    sheet.refuse(empty, "missing_required", ", ".join(rule.columns), f"{needed} is required, and the cell is empty.")
