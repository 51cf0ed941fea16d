"""Rejected rows whose key names no published record, although their other cells describe one: that record is not removed.

Belongs here: which rows and records are compared, and the note in the findings. The comparison is ``frames.described_records``; that the
record is kept follows from its key, which counts as one of a rejected row (``quarantine.doubtful_keys``).

The key may be empty, mistyped or somebody else's. The row stays rejected: no cell of it is published. An empty key is filled in, so that
rows of other files that name the record are rejected because of this row, and what is joined to it keeps its values.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.identity_checks import PublishedRecords
from roster_etl.engine.validation.row_rejection import FileState, Mask, RowPositions, to_mask
from roster_etl.frames.arrow import combine_chunks, row_codes
from roster_etl.frames.described_records import match_described
from roster_etl.frames.folded_text import fold, folded_text


def find_described_records(state: FileState, published: PublishedRecords | None) -> None:
    """Note in `state` the keys of published records that no row has, and that rejected rows without a known key describe.

    Not for changes: a record that they do not name stays anyway.
    """
    identity, key = state.file.identity, state.file.identity_key
    whole = not state.file.ordered_changes and state.changes is None
    if (
        published is None
        or published.keys is None
        or identity is None
        or not whole
        or not (state.refused.any() or state.raw.damaged)
    ):
        return
    names = [name for name in identity.columns if name in state.columns and name in published.comparable]
    if not names or any(name not in state.columns for name in key):
        return
    known = published.keys()
    present, named = _compare_keys([state.columns[name] for name in key], [combine_chunks(known.column(name)) for name in key])
    rows = np.flatnonzero(state.refused & (~named | state.id_conflicts))
    absent = known.filter(pa.array(~present))
    if not (len(rows) or state.raw.damaged) or not absent.num_rows:
        return
    records, places = published.find(absent).select(names), pa.array(rows)
    cells = pa.table({name: published.comparable[name](state.columns[name].take(places)) for name in names})
    row, record = match_described(pa.concat_tables([cells, _damaged_cells(state, records)]), records)
    state.described = absent.take(pa.array(np.unique(record)))
    readable = row < len(rows)
    _fill_empty_keys(state, key, rows[row[readable]], absent.take(pa.array(record[readable])))
    _explain(state, np.r_[state.numbers[rows], [damage.row for damage in state.raw.damaged]].astype(np.int64)[row])


def _explain(state: FileState, numbers: RowPositions) -> None:
    """Say in the findings what the rows describe; `numbers`: of the rows, once for each record."""
    found, counts = np.unique(numbers, return_counts=True)
    of_one = counts == 1
    for chosen, ending in (
        (of_one, "Its other cells describe a published record that no other row has: that record stays as it is."),
        (~of_one, "Its other cells describe several published records that no other row has: each of them stays as it is."),
    ):
        state.findings.explain_rejections(found[chosen], ending)


def _damaged_cells(state: FileState, records: pa.Table) -> pa.Table:
    """Return, for each damaged record, a cell that some record has in the column: the columns of its own cells are not known."""
    known = {name: set(folded_text(combine_chunks(records.column(name))).to_pylist()) - {None} for name in records.column_names}
    damaged = [[fold(cell) for cell in damage.cells] for damage in state.raw.damaged]
    found = {name: [next((cell for cell in row if cell in values), None) for row in damaged] for name, values in known.items()}
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in found.items()})


def _fill_empty_keys(state: FileState, key: tuple[str, ...], rows: RowPositions, records: pa.Table) -> None:
    """Write the key of the record that a row without any key describes into the row, if it is the only one. The row stays rejected."""
    keyless = np.logical_and.reduce([to_mask(pc.is_null(state.columns[name].take(pa.array(rows)))) for name in key])
    _, starts, counts = np.unique(rows, return_index=True, return_counts=True)
    chosen = starts[(counts == 1) & keyless[starts]]
    for name in key if len(chosen) else ():
        cells = np.full(len(state.refused), -1)
        cells[rows[chosen]] = chosen
        known = combine_chunks(records.column(name)).take(pa.array(cells, mask=cells < 0))
        state.columns[name] = pc.coalesce(state.columns[name], known)


def _compare_keys(own: list[pa.Array], known: list[pa.Array]) -> tuple[Mask, Mask]:
    """Return (which `known` keys some row has, which rows have a known key)."""
    codes = row_codes([pa.concat_arrays([one.cast(pa.string()), other]) for one, other in zip(own, known, strict=True)])
    complete = np.logical_and.reduce([to_mask(pc.is_valid(column)) for column in own])
    rows, records = codes[: len(complete)], codes[len(complete) :]
    return np.isin(records, rows[complete]), complete & np.isin(rows, records)
