"""Checks of cells that must agree with others: in their row, in other rows of the file, or in rows of other files.

Belongs here: the rules of the kind ``agree`` (``spec.rule_catalog``). Most of them warn: the documents state
them, and real uploads often violate them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.list_checks import drop_shared_items, drop_unknown_items, items_of
from roster_etl.engine.validation.row_rejection import FileState, Mask, to_mask
from roster_etl.frames.arrow import REFUSED, combine_chunks, row_codes
from roster_etl.spec import AllowedOnlyWhere, AtMostOne, ListOf, ReferencedRecordType, SameLength, SelfReference, WithinPeriods
from roster_etl.spec.rule_catalog import agreement_name

_NO_END = 99_999_999
Agreement = SameLength | SelfReference | ReferencedRecordType | AtMostOne | AllowedOnlyWhere | WithinPeriods


def check_agreement(state: FileState, rule: Agreement, referenced_files: Mapping[str, ReferencedFile]) -> None:
    """Check one rule, if the upload has its columns."""
    if not set(rule.columns) <= state.columns.keys():
        return
    match rule:
        case SameLength():
            _check_same_length(state, rule)
        case SelfReference():
            _check_self_reference(state, rule)
        case ReferencedRecordType():
            _check_type(state, rule, referenced_files[rule.file])
        case AtMostOne():
            _check_only_one(state, rule)
        case AllowedOnlyWhere():
            _check_only_where(state, rule)
        case WithinPeriods():
            _check_within(state, rule, referenced_files)


def _check_same_length(state: FileState, rule: SameLength) -> None:
    sizes = [pc.count_substring(state.columns[name], ",") for name in rule.columns]
    both = to_mask(pc.and_(*(pc.is_valid(size) for size in sizes)))
    wrong = to_mask(pc.not_equal(*sizes))
    _record(state, rule, both, wrong)
    names = ", ".join(rule.columns)
    state.warn_or_reject_if_strict(wrong, "list_mismatch", names, f"The lists of {names} have different lengths; both were kept.")


def _check_self_reference(state: FileState, rule: SelfReference) -> None:
    accepted = ~state.refused & ~state.deleted_mask()
    known = state.columns[rule.key].filter(pa.array(accepted))
    if isinstance(state.file.column(rule.column).cell_format, ListOf):
        deleted = state.columns[rule.key].filter(pa.array(state.deleted_mask()))
        rejected = state.columns[rule.key].filter(pa.array(state.refused))
        where = f"{rule.key} of the file"
        drop_unknown_items(state, rule.column, known, agreement_name(rule), where, gone=deleted, rejected=rejected)
        return
    values = state.columns[rule.column]
    filled = to_mask(pc.is_valid(values))
    wrong = filled & ~to_mask(pc.is_in(values, value_set=known)) & ~state.deleted_mask()
    _record(state, rule, filled, wrong)
    message = f"No accepted row of the file has this {rule.key}."
    rejected = to_mask(pc.is_in(values, value_set=pc.drop_null(state.columns[rule.key].filter(pa.array(state.refused)))))
    state.reject_or_clear(rule.column, wrong, "unknown_reference", message, unsure=wrong & rejected)
    if not rule.loops:
        state.reject(
            _rows_in_cycles(state, rule), "loop", rule.column, f"Following {rule.column} leads back to the record itself."
        )


def check_shared_references(state: FileState) -> None:
    """Refuse, or leave out, references to rows of the same file whose id several records claim: it is not clear which is meant."""
    if not state.id_conflicts.any():
        return
    for rule in state.file.rules:
        if isinstance(rule, SelfReference) and set(rule.columns) <= state.columns.keys():
            shared = pc.unique(state.columns[rule.key].filter(pa.array(state.id_conflicts)))
            _leave_out_shared(state, rule, shared)


def _leave_out_shared(state: FileState, rule: SelfReference, shared: pa.Array) -> None:
    if isinstance(state.file.column(rule.column).cell_format, ListOf):
        drop_shared_items(state, rule.column, frozenset(shared.to_pylist()), f"{rule.key} of the file")
        return
    ambiguous = to_mask(pc.is_in(state.columns[rule.column], value_set=shared)) & ~state.deleted_mask() & ~state.refused
    message = f"Rows of the file that describe different records have this {rule.key}, so it is not clear which is meant."
    state.reject_or_clear(rule.column, ambiguous, "unknown_reference", message, unsure=ambiguous)


def _rows_in_cycles(state: FileState, rule: SelfReference) -> Mask:
    """Return the rows that belong to a cycle, or whose ancestors do."""
    keys, parents = state.columns[rule.key], state.columns[rule.column]
    up = pc.fill_null(pc.index_in(parents, value_set=keys), -1).to_numpy().astype(np.int64)
    up[to_mask(pc.is_null(parents))] = -1
    up[~pc.is_valid(keys).to_numpy(zero_copy_only=False)] = -1
    reached, size = up.copy(), 1
    while size <= len(up):  # each round doubles the number of steps up
        reached = np.where(reached >= 0, reached[np.maximum(reached, 0)], -1)
        size *= 2
    frontier = np.unique(reached[reached >= 0])  # all of these lie on loops: only loops go on for ever
    in_cycle = np.zeros(len(up), dtype=bool)
    while len(frontier) and not in_cycle[frontier].all():
        in_cycle[frontier] = True
        frontier = up[frontier]
    return in_cycle


def _check_type(state: FileState, rule: ReferencedRecordType, target: ReferencedFile) -> None:
    rows = target.rows.select([rule.key, rule.type_column])
    rows = rows.filter(pc.invert(target.rows.column(REFUSED)))
    keys, types = combine_chunks(rows.column(rule.key)), combine_chunks(rows.column(rule.type_column))
    found = (
        types.take(pc.index_in(state.columns[rule.column], value_set=keys))
        if len(keys)
        else pa.nulls(len(state.refused), pa.string())
    )
    filled = to_mask(pc.is_valid(found))
    wrong = filled & ~to_mask(pc.is_in(pc.utf8_lower(found), value_set=pa.array([word.lower() for word in rule.expected])))
    _record(state, rule, filled, wrong)
    message = f"The referenced record in {target.file_name} must have type {' or '.join(rule.expected)}; the value was kept."
    state.warn(wrong & ~state.exempt, "type_mismatch", rule.column, message)


def _check_only_one(state: FileState, rule: AtMostOne) -> None:
    chosen = ~state.refused & ~state.deleted_mask() & state.kept
    for column, value in rule.where:
        chosen &= to_mask(pc.equal(pc.utf8_lower(state.columns[column]), value))
    rows = np.flatnonzero(chosen)
    groups = row_codes([state.columns[name] for name in rule.by])[rows]
    begin, end = _day_numbers(state, rule.begin, 0), _day_numbers(state, rule.end, _NO_END)
    order = np.lexsort((begin[rows], groups))
    ordered, group = rows[order], groups[order]
    wrong = np.zeros(len(state.refused), dtype=bool)
    again = np.flatnonzero(group[1:] == group[:-1]) + 1
    for at in again:  # rare: only where a group has several
        before = ordered[at - 1]
        if begin[ordered[at]] < end[before]:
            wrong[[before, ordered[at]]] = True
    _record(state, rule, chosen, wrong)
    names = " ".join(f"{column}={value}" for column, value in rule.where)
    message = f"Several rows of one {', '.join(rule.by)} have {names} in overlapping periods; all were kept as given."
    state.warn(wrong, "several_primary", rule.where[-1][0], message)


def _day_numbers(state: FileState, name: str | None, missing: int) -> np.ndarray:
    """Return dates as numbers, YYYYMMDD; `missing` for an empty cell, and where there is no such column."""
    if name is None or name not in state.columns or state.columns[name].null_count == len(state.refused):
        return np.full(len(state.refused), missing)
    digits = pc.cast(pc.replace_substring(state.columns[name], "-", ""), pa.int64())
    return np.asarray(pc.fill_null(digits, missing).to_numpy(zero_copy_only=False))


def _check_only_where(state: FileState, rule: AllowedOnlyWhere) -> None:
    allowed = to_mask(pc.is_in(pc.utf8_lower(state.columns[rule.of]), value_set=pa.array([v.lower() for v in rule.values])))
    filled = to_mask(pc.is_valid(state.columns[rule.column]))
    wrong = filled & ~allowed & to_mask(pc.is_valid(state.columns[rule.of]))
    _record(state, rule, filled, wrong)
    message = f"{rule.column} has a meaning only where {rule.of} is {' or '.join(rule.values)}; it was ignored."
    state.add_findings("info", "ignored_value", wrong, rule.column, message)
    state.set_cells(rule.column, wrong, None)


def _check_within(state: FileState, rule: WithinPeriods, referenced_files: Mapping[str, ReferencedFile]) -> None:
    begin, end = state.columns[rule.begin], state.columns[rule.end]
    if begin.null_count == len(begin) and end.null_count == len(end):
        nothing = np.zeros(len(begin), dtype=bool)
        _record(state, rule, nothing, nothing)
        return
    owners, periods = referenced_files[rule.file].rows, referenced_files[rule.period_file].rows
    period_dates = {
        key: (start, finish)
        for key, start, finish in _texts(periods, rule.period_key, rule.start, rule.finish)
        if start and finish
    }
    owner_dates: dict[str, tuple[str, str]] = {}
    for key, listed in _texts(owners, rule.key, rule.periods):
        of_owner = [period_dates[item] for item in items_of(listed or "") if item in period_dates]
        if key and of_owner:
            owner_dates[key] = (min(start for start, _ in of_owner), max(finish for _, finish in of_owner))
    encoded = state.columns[rule.column].dictionary_encode()
    first, last = (
        pa.array([owner_dates.get(key, (None, None))[side] for key in encoded.dictionary.to_pylist()], pa.string()).take(
            encoded.indices
        )
        for side in (0, 1)
    )
    wrong = to_mask(pc.less(begin, first)) | to_mask(pc.greater(end, last)) | to_mask(pc.greater(begin, last))
    wrong &= ~state.refused & ~state.deleted_mask()
    _record(state, rule, to_mask(pc.or_(pc.is_valid(begin), pc.is_valid(end))), wrong)
    message = f"The dates lie outside the periods that the record of {rule.column} has; they were kept as given."
    state.warn(wrong, "outside_term", f"{rule.begin}, {rule.end}", message)


def _texts(rows: pa.Table, *names: str) -> list[tuple[str | None, ...]]:
    rows = rows.select([n for n in (*names, REFUSED) if n in rows.column_names])
    rows = rows.filter(pc.invert(rows.column(REFUSED)))
    absent = [None] * rows.num_rows
    return list(zip(*(rows.column(n).to_pylist() if n in rows.column_names else absent for n in names), strict=True))


def _record(state: FileState, rule: Agreement, checked: Mask, failing: Mask) -> None:
    state.record_check(agreement_name(rule), "agree", int(checked.sum()), int(failing.sum()))
