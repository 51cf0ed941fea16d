"""Checks of rows against each other: keys, repeated rows of one record, unique columns.

Refused rows take neither keys nor values. Which rows under one id describe another record is decided in ``identity_checks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.change_checks import keep_newest
from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.consistency_checks import check_shared_references
from roster_etl.engine.validation.identity_checks import PublishedRecords, check_identities
from roster_etl.engine.validation.row_rejection import FileState, Mask, RowPositions, same_cells, to_mask
from roster_etl.frames.arrow import combine_chunks, row_codes, shares_code
from roster_etl.spec import RepeatedRows, Unique


def check_keys(
    state: FileState, published: PublishedRecords | None = None, referenced_files: Mapping[str, ReferencedFile] | None = None
) -> None:
    """Rows with one key: those of another record are refused, an exact repeat is dropped; others are refused, or (``repeats``) compared.

    Where rows are changes, each applies: nothing is checked. `published`: what the roster has of the file's records;
    `referenced_files`: files with the same ids (``Identity.shared``), by name.
    """
    if state.file.ordered_changes or len(state.key()) < len(state.file.key):
        return
    judged = int((~state.refused).sum())
    id_conflicts = check_identities(state, published, referenced_files or {})
    check_shared_references(state)
    if state.changes is not None:
        keep_newest(state)
        state.record_check(f"{state.label}: unique", "key", judged, id_conflicts)
        return
    codes = state.key_codes(state.file.key)
    good, gone = ~state.refused & shares_code(codes), state.deleted_mask()
    rows = np.concatenate(
        [np.flatnonzero(good & ~gone), np.flatnonzero(good & gone)]
    )  # a row that deletes shuts out none that does not
    first, repeated = _first_occurrences(codes[rows])
    later, firsts = rows[repeated], rows[first[repeated]]
    if state.file.repeats:
        failing = _check_repeated_rows(state, state.file.repeats, later, firsts, codes)
        state.record_check(f"{state.label}: repeated rows agree", "repeats", judged, id_conflicts + failing)
        return
    exact = same_cells(later, firsts, list(state.columns.values()))
    state.record_check(f"{state.label}: unique", "key", judged, id_conflicts + int((~exact).sum()))
    state.drop_repeats(later[exact])
    _refuse(state, later[~exact], firsts[~exact])


def check_unique(state: FileState, name: str, unique: Unique, published: PublishedRecords | None = None) -> None:
    """Reject or clear repeated values of a unique column: whom the roster has it of keeps it, else the first record; deleted ones have none."""
    values = state.columns[name]
    rows = np.flatnonzero(~state.refused & ~state.deleted_mask() & to_mask(pc.is_valid(values)))
    codes = row_codes([values])[rows]
    first, repeated = _first_occurrences(codes)
    owner = [state.columns[column] for column in (unique.per or state.file.key) if column in state.columns]
    others = ~same_cells(rows[repeated], rows[first[repeated]], owner)
    if not others.any():
        state.record_check(f"{name}: unique", "unique", len(rows), 0)
        return
    contested = np.isin(codes, codes[repeated][others])
    holder = _published_holders(state, name, rows, contested, published)
    ranked = np.argsort(~holder, kind="stable")  # whoever has the value already comes first
    at, _ = _first_occurrences(codes[ranked])
    keeper = np.empty_like(first)
    keeper[ranked] = ranked[at]
    taken = ~same_cells(rows, rows[keeper], owner)
    foreign = rows[taken]  # in the order of the rows, as `rows` is
    state.record_check(f"{name}: unique", "unique", len(rows), len(foreign))
    if len(foreign):
        holders = pa.array(state.numbers[rows[keeper[taken]]]).cast(pa.string())
        message = pc.binary_join_element_wise(f"{name} must be unique, and row ", holders, " has this one, which keeps it.", "")
        state.reject_or_clear(name, state.mask(foreign), "id_taken", message)


def _published_holders(
    state: FileState, name: str, rows: RowPositions, contested: Mask, published: PublishedRecords | None
) -> Mask:
    """Return which of `rows` are of a record that the roster has with this very value; only `contested` ones are looked up."""
    holder, key = np.zeros(len(rows), dtype=bool), state.file.identity_key
    if published is None or name not in published.comparable or not contested.any() or not set(key) <= set(state.columns):
        return holder
    places = pa.array(rows[contested])
    found = published.find(pa.table({column: state.columns[column].take(places) for column in key}))
    own = published.comparable[name](state.columns[name].take(places))
    holder[contested] = to_mask(pc.equal(pc.utf8_lower(own), pc.utf8_lower(combine_chunks(found.column(name)))))
    return holder


def _check_repeated_rows(
    state: FileState, repeats: RepeatedRows, later: RowPositions, firsts: RowPositions, key: RowPositions
) -> int:
    """Further rows of a record: repeats are dropped, those without a value of their own refused; return how many disagree.

    `key`: the key of each row of the file, as a number.
    """
    once = [name for name in state.columns if name not in {*repeats.columns, *state.file.key}]
    rows = _either(state, firsts, later)
    of_records = _codes_of(state, repeats.columns, rows, key)
    again = _exact_repeats(state, rows, of_records)
    state.drop_repeats(again)
    rest = ~np.isin(later, again)
    later, firsts = later[rest], firsts[rest]
    differs = ~same_cells(later, firsts, [state.columns[name] for name in once])
    own = np.zeros(len(later), dtype=bool)
    for names in (repeats.columns, repeats.first_counts):
        codes = of_records if names is repeats.columns else _codes_of(state, names, rows, key)
        own |= _own_value(state, names, later, firsts, (rows, codes))
    _refuse(state, later[differs & ~own], firsts[differs & ~own], "and this one adds nothing of its own")
    fresh = differs & own
    for name in once if fresh.any() else ():
        other = ~same_cells(later[fresh], firsts[fresh], [state.columns[name]])
        message = f"Rows of one {state.label} disagree about {name}; the first row counts."
        state.warn(state.mask(later[fresh][other]), "conflicting_rows", name, message)
        state.copy_cells(name, later[fresh][other], firsts[fresh][other])  # else a second school would be a second role
    return int(differs.sum())


def _codes_of(state: FileState, names: Sequence[str], rows: RowPositions, key: RowPositions) -> RowPositions:
    """Return a number for each of `rows`, equal where the key and the cells in columns `names` are."""
    cells = (state.columns[name].take(pa.array(rows)) for name in names if name in state.columns)
    return row_codes([pa.array(key[rows]), *cells])


def _own_value(
    sheet: FileState, names: Sequence[str], later: RowPositions, firsts: RowPositions, coded: tuple[RowPositions, RowPositions]
) -> Mask:
    """Return which of the `later` rows have cells in columns `names` that no earlier row of their key has.

    `coded`: rows, these and more, and `_codes_of` them.
    """
    present = [sheet.columns[name] for name in names if name in sheet.columns]
    if not present or not len(later):
        return np.zeros(len(later), dtype=bool)
    rows = _either(sheet, firsts, later)
    _, repeated = _first_occurrences(coded[1][np.searchsorted(coded[0], rows)])
    filled = np.logical_or.reduce([to_mask(pc.is_valid(column.take(pa.array(later)))) for column in present])
    return filled & ~repeated[np.searchsorted(rows, later)]


def _refuse(sheet: FileState, later: RowPositions, firsts: RowPositions, why: str = "") -> None:
    """Refuse the `later` rows, each naming the row of its key that stands."""
    if not len(later):
        return
    order = np.argsort(later)
    numbers = pa.array(sheet.numbers[firsts[order]]).cast(pa.string())
    ending = f" has the same {sheet.label}, {why}; that row stands." if why else f" has the same {sheet.label}; that row stands."
    sheet.reject(sheet.mask(later), "duplicate_key", sheet.key_field, pc.binary_join_element_wise("Row ", numbers, ending, ""))


def _either(state: FileState, some: RowPositions, others: RowPositions) -> RowPositions:
    """Return the rows that are in one of two lists, in the order of the file."""
    return np.flatnonzero(state.mask(some) | state.mask(others))


def _exact_repeats(state: FileState, rows: RowPositions, codes: RowPositions) -> RowPositions:
    """Return those of `rows` that repeat an earlier row in every cell, as uploaded too; `codes`: `_codes_of` what tells rows of a record apart."""
    first, repeated = _first_occurrences(codes)
    later, firsts = rows[repeated], rows[first[repeated]]
    return later[same_cells(later, firsts, [*state.columns.values(), *state.original_cells().values()])]


def _first_occurrences(codes: RowPositions) -> tuple[RowPositions, Mask]:
    """Return (for each position, the first with the same code; mask of the positions that are not the first)."""
    places = np.flatnonzero(shares_code(codes))
    firsts, later = np.arange(len(codes)), np.zeros(len(codes), dtype=bool)
    if len(places):
        repeated = pd.Series(codes[places]).duplicated().to_numpy()
        numbers, _ = pd.factorize(codes[places])  # in the order in which they occur
        firsts[places], later[places] = places[np.flatnonzero(~repeated)[numbers]], repeated
    return firsts, later
