"""Rows that share an id and describe different people, sections or schools: which of them the id stands for.

Belongs here: comparing rows under one id with each other and with the published record. What follows for rows that describe the
same record is decided in ``key_checks``; what follows for rows that refer to the id, in ``column_checks``.

The rule, for each id whose rows contradict each other in ``File.identity``:

- the roster knows the id: the rows that agree with the published record stand; where none agrees in all cells, those that agree in
  most, and in more cells than they contradict. Where such rows contradict each other, or there are none, no row stands, and the
  published record stays as it is.
- the roster does not know the id: the first row that applies stands.

Rows that were refused for another reason are compared, too: a broken row of the known person still shows that the other row is of
somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.row_rejection import FileState, Mask, RowPositions, to_mask
from roster_etl.frames.arrow import row_codes
from roster_etl.spec import Date

KNOWN = "_known"  # of a published record that was looked up: the roster has it (bool)
_MOST = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class PublishedRecords:
    """What the roster has of the records of a file.

    ``find``: ids (the columns of the file's identity key, one row each) → for each of them ``_known`` and the published values of
    identity columns, as text. ``comparable``: identity column → cells of the file as text that compares with the published value.
    """

    find: Callable[[pa.Table], pa.Table]
    comparable: Mapping[str, Callable[[pa.Array], pa.Array]]


@dataclass(frozen=True)
class _Claims:
    """Rows that share an id with another row, id by id, in the order of the file.

    ``places``: positions in the sheet; ``starts``: where each id begins; ``ids``: number of the id of each row.
    """

    places: RowPositions
    starts: RowPositions
    ids: RowPositions

    def only(self, chosen: Mask) -> _Claims:
        """Return the claims on the `chosen` ids (one flag an id)."""
        kept = chosen[self.ids]
        return _claims_of(self.places[kept], self.ids[kept])


def check_identity(sheet: FileState, published: PublishedRecords | None) -> int:
    """Refuse (``duplicate_key``) rows that describe another record than the one that their id stands for; return how many."""
    identity, key = sheet.file.identity, sheet.file.identity_key
    columns = [name for name in identity.columns if name in sheet.columns] if identity else []
    if not columns or any(name not in sheet.columns for name in key):
        return 0
    claims = _claims([sheet.columns[name] for name in key])
    raw = [_codes(sheet.columns[name].take(pa.array(claims.places))) for name in columns]
    claims = claims.only(_split(claims, raw) | _with_broken(sheet, claims))
    cells = [_comparable(sheet, name, claims.places) for name in columns]
    disputed = _split(claims, cells)
    open_to_doubt = disputed | _with_broken(sheet, claims)
    if not open_to_doubt.any():
        return 0
    kept = open_to_doubt[claims.ids]
    return _decide(
        sheet, claims.only(open_to_doubt), np.array([column[kept] for column in cells]), disputed[open_to_doubt], published
    )


def _decide(
    sheet: FileState, claims: _Claims, cells: npt.NDArray[np.int64], disputed: Mask, published: PublishedRecords | None
) -> int:
    """Say which rows of each id stand, and refuse the others.

    Args: cells: one line an identity column, one code a row; disputed: ids whose rows contradict each other.
    """
    places, ids, starts = claims.places, claims.ids, claims.starts
    good = ~sheet.refused[places]
    lead = _first(claims, np.where(good, np.where(sheet.deleted_mask()[places], 1, 0), 2))
    standing, fits = cells[:, lead], np.ones(len(places), dtype=bool)
    open_ids = np.zeros(len(starts), dtype=bool)  # ids that no row stands for
    known = np.zeros(len(starts), dtype=bool)
    if published is not None:
        known, chosen, fits = _agreeing(sheet, claims, published)
        known &= disputed | _any(claims, chosen)
        split, merged = _merged(claims, cells, chosen)
        standing = np.where(known, merged, standing)
        open_ids = known & (split | ~_any(claims, chosen))
        lead = np.where(known & ~open_ids, _first(claims, np.where(chosen, np.where(good, 0, 1), 2)), lead)
    own = standing[:, ids]
    agrees = ((cells == own) | (cells < 0) | (own < 0)).all(axis=0) & fits & ~open_ids[ids]
    wrong = good & ~agrees
    stands = _any(claims, good & agrees)
    sheet.strangers[places[~agrees & stands[ids]]] = True
    _refuse(sheet, claims, wrong, np.where(open_ids, -1, lead), known)
    return int(wrong.sum())


def _refuse(sheet: FileState, claims: _Claims, wrong: Mask, lead: RowPositions, known: Mask) -> None:
    """Refuse the `wrong` claims, each naming the row that stands, or another one where none does (`lead` -1)."""
    at = np.flatnonzero(wrong)
    if not len(at):
        return
    first = claims.starts[claims.ids[at]]
    of_lead = lead[claims.ids[at]]
    named = np.where(of_lead >= 0, of_lead, np.where(first == at, first + 1, first))
    label = " + ".join(sheet.file.identity_key)
    endings = np.where(
        of_lead < 0,
        "no row agrees with the published record, which stays as it is.",
        np.where(known[claims.ids[at]], "that row agrees with the published record, and stands.", "that row stands."),
    )
    numbers = pa.array(sheet.numbers[claims.places[named]]).cast(pa.string())
    messages = pc.binary_join_element_wise(
        "Row ", numbers, f" has the same {label} and describes another record; ", pa.array(endings.tolist()), ""
    )
    order = np.argsort(claims.places[at])
    field = ", ".join(sheet.file.identity_key)
    sheet.reject(sheet.mask(claims.places[at]), "duplicate_key", field, messages.take(pa.array(order)))


def _with_broken(sheet: FileState, claims: _Claims) -> Mask:
    """Return the ids of which some row was refused and another was not: its empty cells may hide a contradiction."""
    refused = sheet.refused[claims.places]
    return _any(claims, refused) & _any(claims, ~refused)


def _agreeing(sheet: FileState, claims: _Claims, published: PublishedRecords) -> tuple[Mask, Mask, Mask]:
    """Return (which ids the roster knows, which claims agree best with it, which ones do not contradict where some agree wholly)."""
    first = pa.array(claims.places[claims.starts])
    found = published.find(pa.table({name: sheet.columns[name].take(first) for name in sheet.file.identity_key}))
    agree, contradict = np.zeros(len(claims.places), dtype=np.int64), np.zeros(len(claims.places), dtype=np.int64)
    for name, comparable in published.comparable.items():
        if name not in sheet.columns:
            continue
        cells = pc.utf8_lower(comparable(sheet.columns[name].take(pa.array(claims.places))))
        same = pc.equal(cells, pc.utf8_lower(found.column(name).combine_chunks()).take(pa.array(claims.ids)))
        agree += to_mask(same)
        contradict += to_mask(pc.invert(same))
    known = to_mask(found.column(KNOWN).combine_chunks())
    whole = (contradict == 0) & (agree > 0)
    some_whole = _any(claims, whole)
    score = np.where(some_whole[claims.ids], np.where(whole, 1, -1), agree - contradict)
    best = np.maximum.reduceat(score, claims.starts)[claims.ids]
    chosen = known[claims.ids] & (score == best) & (best > 0)
    return known, chosen, whole | ~(known & some_whole)[claims.ids]


def _merged(claims: _Claims, cells: npt.NDArray[np.int64], chosen: Mask) -> tuple[Mask, npt.NDArray[np.int64]]:
    """Return (ids whose `chosen` claims contradict each other, what these say in each identity column)."""
    of_chosen = np.where(chosen, cells, -1)
    split = _split(claims, list(of_chosen))
    return split, np.maximum.reduceat(of_chosen, claims.starts, axis=1)


# ---- claims


def _claims(key: Sequence[pa.Array]) -> _Claims:
    """Return the rows that share a complete key with another row."""
    rows = np.flatnonzero(np.logical_and.reduce([to_mask(pc.is_valid(column)) for column in key]))
    codes = row_codes(key)[rows]
    order = np.argsort(codes, kind="stable")
    claims = _claims_of(rows[order], codes[order])
    counts = np.diff(np.r_[claims.starts, len(claims.places)])
    return claims.only(counts > 1)


def _claims_of(places: RowPositions, codes: RowPositions) -> _Claims:
    """Return claims of rows that are sorted by `codes`."""
    begins = np.r_[True, codes[1:] != codes[:-1]] if len(codes) else np.zeros(0, dtype=bool)
    return _Claims(places, np.flatnonzero(begins), np.cumsum(begins) - 1)


def _split(claims: _Claims, columns: Sequence[npt.NDArray[np.int64]]) -> Mask:
    """Return the ids whose rows have different values in one of `columns`; -1 is no value."""
    split = np.zeros(len(claims.starts), dtype=bool)
    if not len(claims.starts):
        return split
    for codes in columns:
        low = np.minimum.reduceat(np.where(codes < 0, _MOST, codes), claims.starts)
        split |= low < np.maximum.reduceat(codes, claims.starts)
    return split


def _first(claims: _Claims, rank: RowPositions) -> RowPositions:
    """Return, for each id, the first of its claims with the lowest `rank`."""
    size = len(claims.places)
    return np.minimum.reduceat(rank * size + np.arange(size), claims.starts) % size


def _any(claims: _Claims, flags: Mask) -> Mask:
    if not len(claims.starts):
        return np.zeros(0, dtype=bool)
    return np.logical_or.reduceat(flags, claims.starts)


def _codes(column: pa.Array) -> npt.NDArray[np.int64]:
    indices = column.dictionary_encode().indices
    return np.asarray(pc.fill_null(indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False))


def _comparable(sheet: FileState, name: str, places: RowPositions) -> npt.NDArray[np.int64]:
    """Return one code a cell: dates compare as dates, other cells without regard to case."""
    cells = sheet.columns[name].take(pa.array(places))
    form = sheet.header.columns[name].cell_format
    return _codes(cell_formats.parse_dates(form, cells) if isinstance(form, Date) else pc.utf8_lower(cells))
