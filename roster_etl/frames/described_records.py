"""Which records the cells of some rows describe, where a key does not name one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.folded_text import folded_text

_MOST_SHARED = 100  # records: a cell that more of them share selects none of them
Places = npt.NDArray[np.int64]


def match_described(rows: pa.Table, records: pa.Table) -> tuple[Places, Places]:
    """Return which rows describe which records, as pairs of positions, in the order of the rows.

    A row describes a record if more of its cells agree than differ, and two agree (one, where the record has no other one). Of several
    such records it describes those that agree best: where these are equally good, each of them, because it may be about any.
    Case and accents do not count, and neither do empty cells.

    Args: rows, records: identifying cells, as text, in columns of the same names.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if not (rows.num_rows and records.num_rows and rows.num_columns):
        return nothing, nothing
    cells = [_codes(combine_chunks(rows.column(name)), combine_chunks(records.column(name))) for name in rows.column_names]
    pairs = np.unique(np.concatenate([_pairs(*of_column) for of_column in cells]))
    if not len(pairs):
        return nothing, nothing
    row, record = np.divmod(pairs, records.num_rows)
    agree, differ, filled = (np.zeros(len(pairs), dtype=np.int64) for _ in range(3))
    for own, theirs in cells:
        one, other = own[row], theirs[record]
        both = (one >= 0) & (other >= 0)
        agree += both & (one == other)
        differ += both & (one != other)
        filled += other >= 0
    score = np.where((agree > differ) & (agree >= np.minimum(2, filled)), agree - differ, 0)
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    best = np.repeat(np.maximum.reduceat(score, starts), np.diff(np.r_[starts, len(row)]))
    chosen = (score > 0) & (score == best)
    return row[chosen], record[chosen]


def _codes(own: pa.Array, theirs: pa.Array) -> tuple[Places, Places]:
    """Return a number for each cell of the two columns, equal for equal texts; -1: empty."""
    texts = folded_text(pa.concat_arrays([own.cast(pa.string()), theirs.cast(pa.string())]))
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    codes = pc.fill_null(texts.dictionary_encode().indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return codes[: len(own)], codes[len(own) :]


def _pairs(own: Places, theirs: Places) -> Places:
    """Return the pairs with equal cells, as row × number of records + record, without cells that very many records share."""
    order = np.argsort(theirs, kind="stable")
    first, last = (np.searchsorted(theirs[order], own, side=side) for side in ("left", "right"))
    counts = np.where((own >= 0) & (last - first <= _MOST_SHARED), last - first, 0)
    rows = np.repeat(np.arange(len(own)), counts)
    steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows * len(theirs) + order[np.repeat(first, counts) + steps]
