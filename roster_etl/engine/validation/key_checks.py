"""Checks of rows against each other: keys, repeated rows of one record, unique columns.

Belongs here: what makes two rows one record, and which of them stands. Refused rows take neither keys nor values.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.row_state import Mask, Places, Sheet, same_cells, true
from roster_etl.frames.arrow import row_codes
from roster_etl.spec import Repeats, Unique


def check_keys(sheet: Sheet) -> None:
    """Rows with one key: an exact repeat is dropped; others are refused, or (``repeats``) compared column by column.

    Where rows are changes, each applies: nothing is checked.
    """
    if sheet.file.in_order or len(sheet.key()) < len(sheet.file.key):
        return
    good = np.flatnonzero(~sheet.refused)
    first, repeated = _first_of(row_codes(sheet.key())[good])
    later, firsts = good[repeated], good[first[repeated]]
    if sheet.file.repeats:
        _repeated_rows(sheet, sheet.file.repeats, good, later, firsts)
        return
    exact = same_cells(later, firsts, list(sheet.columns.values()))
    sheet.note(f"{sheet.label}: unique", "key", len(good), int((~exact).sum()))
    sheet.drop(later[exact])
    message = f"An earlier row has the same {sheet.label}; the first one stands."
    sheet.refuse(sheet.mask(later[~exact]), "duplicate_key", sheet.key_field, message)


def check_unique(sheet: Sheet, name: str, unique: Unique) -> None:
    """A value of column `name` belongs to the first record that has it; one that is deleted has none."""
    values = sheet.columns[name]
    rows = np.flatnonzero(~sheet.refused & ~sheet.deleted() & true(pc.is_valid(values)))
    owner = [sheet.columns[column] for column in (unique.per or sheet.file.key) if column in sheet.columns]
    owners = row_codes(owner)[rows]
    first, repeated = _first_of(row_codes([values])[rows])
    foreign = rows[repeated][owners[repeated] != owners[first[repeated]]]
    sheet.note(f"{name}: unique", "unique", len(rows), len(foreign))
    sheet.fail(name, sheet.mask(foreign), "id_taken", f"{name} must be unique, and an earlier record has this one.")


def _repeated_rows(sheet: Sheet, repeats: Repeats, good: Places, later: Places, firsts: Places) -> None:
    once = [name for name in sheet.columns if name not in {*repeats.columns, *sheet.file.key}]
    agree = same_cells(later, firsts, [sheet.columns[name] for name in once])
    sheet.note(f"{sheet.label}: repeated rows agree", "repeats", len(good), int((~agree).sum()))
    again = _exact_repeats(sheet, repeats, np.union1d(firsts, later))
    sheet.drop(again)
    fresh = ~np.isin(later, again) & ~agree
    for name in once if fresh.any() else ():
        differs = ~same_cells(later[fresh], firsts[fresh], [sheet.columns[name]])
        message = f"Rows of one {sheet.label} disagree about {name}; the first row counts."
        sheet.warn(sheet.mask(later[fresh][differs]), "conflicting_rows", name, message)
        sheet.copy(name, later[fresh][differs], firsts[fresh][differs])  # else a second school would be a second role


def _exact_repeats(sheet: Sheet, repeats: Repeats, rows: Places) -> Places:
    """Of `rows`, which share their keys with others: those that an earlier one repeats in every cell, as sent too."""
    telling = [sheet.columns[name] for name in (*sheet.file.key, *repeats.columns) if name in sheet.columns]
    first, repeated = _first_of(row_codes([column.take(pa.array(rows)) for column in telling]))
    later, firsts = rows[repeated], rows[first[repeated]]
    return later[same_cells(later, firsts, [*sheet.columns.values(), *sheet.sent().values()])]


def _first_of(codes: Places) -> tuple[Places, Mask]:
    """Return (for each place, the first place with the same code; mask of the places that are not the first)."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    firsts = first[inverse]
    return firsts, firsts != np.arange(len(codes))
