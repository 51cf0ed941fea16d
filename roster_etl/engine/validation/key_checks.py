"""Checks of rows against each other: keys, repeated rows of one record, unique columns.

Belongs here: when two rows are about one record, and which of them applies. Rejected rows claim neither keys nor unique values.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.row_state import FileState, Mask, RowPositions, same_cells, to_mask
from roster_etl.frames.arrow import row_codes
from roster_etl.spec import RepeatedRows, Unique


def check_keys(state: FileState) -> None:
    """Check rows with the same key: exact repeats are dropped; others are rejected, or (``repeats``) compared by column.

    In a delta format every row applies: nothing is checked.
    """
    if state.file.in_order or len(state.key()) < len(state.file.key):
        return
    good = np.flatnonzero(~state.refused)
    first, repeated = _first_occurrences(row_codes(state.key())[good])
    later, firsts = good[repeated], good[first[repeated]]
    if state.file.repeats:
        _check_repeated_rows(state, state.file.repeats, good, later, firsts)
        return
    exact = same_cells(later, firsts, list(state.columns.values()))
    state.record_check(f"{state.label}: unique", "key", len(good), int((~exact).sum()))
    state.drop_repeats(later[exact])
    message = f"An earlier row has the same {state.label}; the first one stands."
    state.refuse(state.mask(later[~exact]), "duplicate_key", state.key_field, message)


def check_unique(state: FileState, name: str, unique: Unique) -> None:
    """Reject or clear repeated values of a unique column: the first record keeps the value; deleted records have none."""
    values = state.columns[name]
    rows = np.flatnonzero(~state.refused & ~state.deleted_mask() & to_mask(pc.is_valid(values)))
    owner = [state.columns[column] for column in (unique.per or state.file.key) if column in state.columns]
    owners = row_codes(owner)[rows]
    first, repeated = _first_occurrences(row_codes([values])[rows])
    foreign = rows[repeated][owners[repeated] != owners[first[repeated]]]
    state.record_check(f"{name}: unique", "unique", len(rows), len(foreign))
    state.refuse_or_clear(name, state.mask(foreign), "id_taken", f"{name} must be unique, and an earlier record has this one.")


def _check_repeated_rows(
    state: FileState, repeats: RepeatedRows, good: RowPositions, later: RowPositions, firsts: RowPositions
) -> None:
    once = [name for name in state.columns if name not in {*repeats.columns, *state.file.key}]
    agree = same_cells(later, firsts, [state.columns[name] for name in once])
    state.record_check(f"{state.label}: repeated rows agree", "repeats", len(good), int((~agree).sum()))
    again = _exact_repeats(state, repeats, np.union1d(firsts, later))
    state.drop_repeats(again)
    fresh = ~np.isin(later, again) & ~agree
    for name in once if fresh.any() else ():
        differs = ~same_cells(later[fresh], firsts[fresh], [state.columns[name]])
        message = f"Rows of one {state.label} disagree about {name}; the first row counts."
        state.warn(state.mask(later[fresh][differs]), "conflicting_rows", name, message)
        state.copy_cells(name, later[fresh][differs], firsts[fresh][differs])  # else a second school would mean a second role


def _exact_repeats(state: FileState, repeats: RepeatedRows, rows: RowPositions) -> RowPositions:
    """Return those of `rows`, which share their keys with others, that repeat an earlier row in every cell, as uploaded too."""
    telling = [state.columns[name] for name in (*state.file.key, *repeats.columns) if name in state.columns]
    first, repeated = _first_occurrences(row_codes([column.take(pa.array(rows)) for column in telling]))
    later, firsts = rows[repeated], rows[first[repeated]]
    return later[same_cells(later, firsts, [*state.columns.values(), *state.original_cells().values()])]


def _first_occurrences(codes: RowPositions) -> tuple[RowPositions, Mask]:
    """Return (for each position, the first with the same code; mask of the positions that are not the first)."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    firsts = first[inverse]
    return firsts, firsts != np.arange(len(codes))
