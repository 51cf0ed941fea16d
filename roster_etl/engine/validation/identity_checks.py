"""Rows that share an id and describe different people, sections or schools: which of them the id stands for.

Belongs here: comparing rows under one id with each other and with the published record. What follows for rows that describe the
same record is decided in ``key_checks``; what follows for rows that refer to the id, in ``column_checks``.

The rule, for each id whose rows contradict each other in ``File.identity``:

- the roster knows the id: the rows that agree with the published record stand; where none agrees in all cells, those that agree in
  most, and in more cells than they contradict. Where such rows contradict each other, or there are none, no row stands, and the
  published record stays as it is.
- the roster does not know the id: the first row that applies stands.

Rows of another file that describes the same records (``Identity.shared``) take part, but only rows of the file at hand are refused:
the other file does the same with its own. Of records that a row has beside its own (``File.parts``) always one row stands.
In a file of changes only the rows of changes are compared, and one that renames its record describes no other one.

Rows that were refused for another reason are compared, too: a broken row of the known person still shows that the other row is of
somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.column_checks import ReferencedFile
from roster_etl.engine.validation.row_rejection import FileState, Mask, RowPositions, to_mask
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks, row_codes, shares_code
from roster_etl.frames.folded_text import folded_text
from roster_etl.spec import Date, Identity

KNOWN = "_known"  # of a published record that was looked up: the roster has it (bool)
_MOST = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class PublishedRecords:
    """What the roster has of the records of a file.

    ``find``: ids (the columns of the file's identity key, one row each) → for each of them ``_known`` and the published values of
    identity columns, as text. ``keys``: the ids of all records that the roster has from this file; None: they are no keys there, as systems
    may make them anew. ``comparable``: identity column → cells of the file as text that compares with the published value.
    ``parts``: key of an identity in ``File.parts`` → what the roster has of these records.
    """

    find: Callable[[pa.Table], pa.Table]
    keys: Callable[[], pa.Table] | None
    comparable: Mapping[str, Callable[[pa.Array], pa.Array]]
    parts: Mapping[tuple[str, ...], PublishedRecords] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Pool:
    """The rows that are compared: those of the file at hand (``own``), and those of another one with the same ids.

    ``whole``: the identity is that of the rows themselves. ``renames``: rows may rename their record.
    """

    sheet: FileState
    columns: Mapping[str, pa.Array]
    key: tuple[str, ...]
    own: Mask
    counted: Mask
    refused: Mask
    deleted: Mask
    numbers: RowPositions
    other_file: str
    whole: bool
    renames: bool

    def in_sheet(self, places: RowPositions) -> RowPositions:
        """Return the positions in the sheet of own rows."""
        return (np.cumsum(self.own) - 1)[places]

    def contradict(self, differing: Mask) -> Mask:
        """Return which columns of `differing` (one line an identity column) are those of two records."""
        both = differing[0] & differing[1:].any(axis=0) if self.renames else differing.any(axis=0)
        return np.asarray(both, dtype=bool)


@dataclass(frozen=True)
class _Claims:
    """Rows that share an id with another row, id by id, in the order of the file.

    ``places``: positions in the pool; ``starts``: where each id begins; ``ids``: number of the id of each row.
    """

    places: RowPositions
    starts: RowPositions
    ids: RowPositions

    def only(self, chosen: Mask) -> _Claims:
        """Return the claims on the `chosen` ids (one flag an id)."""
        kept = chosen[self.ids]
        return _claims_of(self.places[kept], self.ids[kept])


def check_identities(sheet: FileState, published: PublishedRecords | None, referenced_files: Mapping[str, ReferencedFile]) -> int:
    """Refuse (``duplicate_key``) rows that describe another record than the one that their id stands for; return how many."""
    identity, parts = sheet.file.identity, published.parts if published else {}
    found = 0
    if identity:
        other = referenced_files.get(identity.shared.file) if identity.shared else None
        found = _check(sheet, identity, published, other)
    return found + sum(_check(sheet, part, parts.get(part.key)) for part in sheet.file.parts)


def _check(sheet: FileState, identity: Identity, published: PublishedRecords | None, other: ReferencedFile | None = None) -> int:
    columns = [name for name in identity.columns if name in sheet.columns]
    key = identity.key or sheet.file.key
    renames = sheet.changes is not None
    if not columns or any(name not in sheet.columns for name in key) or (renames and columns[0] != identity.columns[0]):
        return 0
    pool = _pool(sheet, identity, (*key, *columns), other)
    claims = _claims(pool, key)
    claims = claims.only(_any(claims, pool.own[claims.places]))
    raw = [_codes(pool.columns[name].take(pa.array(claims.places))) for name in columns]
    claims = claims.only(_split(claims, raw).any(axis=0) | _with_broken(pool, claims))
    cells = np.array([_comparable(pool, name, claims.places) for name in columns])
    disputed = pool.contradict(_split(claims, cells))
    open_to_doubt = disputed | _with_broken(pool, claims)
    if not open_to_doubt.any():
        return 0
    kept = open_to_doubt[claims.ids]
    return _decide(pool, claims.only(open_to_doubt), cells[:, kept], disputed[open_to_doubt], (columns, published))


def _pool(sheet: FileState, identity: Identity, names: Sequence[str], other: ReferencedFile | None) -> _Pool:
    """Return the rows of the sheet, and of the file with the same ids where the upload has it, in the order in which they count."""
    every, gone = np.ones(len(sheet.refused), dtype=bool), sheet.deleted_mask()
    counted = every if sheet.changes is None else sheet.change_mask() & ~gone
    rows: dict[str, Any] = {"own": every, "counted": counted, "refused": sheet.refused, "deleted": gone, "numbers": sheet.numbers}
    columns = {name: sheet.columns[name] for name in names}
    shared = identity.shared
    if shared is not None and other is not None and other.rows.num_rows:
        there = dict(shared.columns)
        none, every = np.zeros(other.rows.num_rows, dtype=bool), np.ones(other.rows.num_rows, dtype=bool)
        foreign: dict[str, Any] = {"own": none, "counted": every, "deleted": none}
        foreign |= {"refused": to_mask(combine_chunks(other.rows.column(REFUSED)))}
        foreign |= {"numbers": combine_chunks(other.rows.column(ROW)).to_numpy()}
        rows = {name: np.concatenate(_ordered(mine, foreign[name], shared.first)) for name, mine in rows.items()}
        cells = {name: _cells(other.rows, there[name]) for name in columns}
        columns = {name: pa.concat_arrays(_ordered(mine, cells[name], shared.first)) for name, mine in columns.items()}
    return _Pool(
        sheet=sheet,
        columns=columns,
        key=identity.key or sheet.file.key,
        other_file=other.file_name if other else "",
        whole=identity is sheet.file.identity,
        renames=sheet.changes is not None,
        **rows,
    )


def _ordered(own: Any, other: Any, other_first: bool) -> list[Any]:  # noqa: FBT001 - which of two comes first
    return [other, own] if other_first else [own, other]


def _cells(rows: pa.Table, name: str) -> pa.Array:
    return combine_chunks(rows.column(name)) if name in rows.column_names else pa.nulls(rows.num_rows, pa.string())


def _decide(
    pool: _Pool,
    claims: _Claims,
    cells: npt.NDArray[np.int64],
    disputed: Mask,
    beside: tuple[Sequence[str], PublishedRecords | None],
) -> int:
    """Say which rows of each id stand, and refuse the others.

    Args: cells: one line an identity column, one code a row; disputed: ids whose rows contradict each other; beside: the identity
          columns, and what the roster has.
    """
    places, ids, starts = claims.places, claims.ids, claims.starts
    good = ~pool.refused[places]
    lead = _first(claims, np.where(good, np.where(pool.deleted[places], 1, 0), 2))
    standing, fits = cells[:, lead], np.ones(len(places), dtype=bool)
    open_ids = np.zeros(len(starts), dtype=bool)  # ids that no row stands for
    known = np.zeros(len(starts), dtype=bool)
    columns, published = beside
    if published is not None:
        known, chosen, fits = _agreeing(pool, claims, columns, published)
        known &= disputed | _any(claims, chosen)
        split, merged = _merged(pool, claims, cells, chosen)
        open_ids = known & (split | ~_any(claims, chosen))
        if not pool.whole:  # the record beside the row's own; the row is not refused for want of another one
            fits |= open_ids[ids]
            known, open_ids = known & ~open_ids, np.zeros(len(starts), dtype=bool)
        standing = np.where(known, merged, standing)
        lead = np.where(known & ~open_ids, _first(claims, np.where(chosen, np.where(good, 0, 1), 2)), lead)
    own = standing[:, ids]
    agrees = ~pool.contradict((cells != own) & (cells >= 0) & (own >= 0)) & fits & ~open_ids[ids]
    wrong = good & ~agrees & pool.own[places]
    stands = _any(claims, good & agrees)
    if pool.whole:
        pool.sheet.id_conflicts[pool.in_sheet(places[~agrees & stands[ids] & pool.own[places]])] = True
    _refuse(pool, claims, wrong, np.where(open_ids, -1, lead), known)
    return int(wrong.sum())


def _refuse(pool: _Pool, claims: _Claims, wrong: Mask, lead: RowPositions, known: Mask) -> None:
    """Refuse the `wrong` claims, each naming the row that stands, or another one where none does (`lead` -1)."""
    at = np.flatnonzero(wrong)
    if not len(at):
        return
    first = claims.starts[claims.ids[at]]
    of_lead = lead[claims.ids[at]]
    named = claims.places[np.where(of_lead >= 0, of_lead, np.where(first == at, first + 1, first))]
    endings = np.where(
        of_lead < 0,
        "no row agrees with the published record, which stays as it is.",
        np.where(known[claims.ids[at]], "that row agrees with the published record, and stands.", "that row stands."),
    )
    numbers = pa.array(pool.numbers[named]).cast(pa.string())
    where = np.where(pool.own[named], "", f" of {pool.other_file}")
    shares = f" has the same {' + '.join(pool.key)} and describes another record; "
    messages = pc.binary_join_element_wise("Row ", numbers, pa.array(where.tolist()), shares, pa.array(endings.tolist()), "")
    rows = pool.in_sheet(claims.places[at])
    order = np.argsort(rows)
    pool.sheet.reject(pool.sheet.mask(rows), "duplicate_key", ", ".join(pool.key), messages.take(pa.array(order)))


def _with_broken(pool: _Pool, claims: _Claims) -> Mask:
    """Return the ids of which some row was refused and another was not: its empty cells may hide a contradiction."""
    refused = pool.refused[claims.places]
    return _any(claims, refused) & _any(claims, ~refused)


def _agreeing(pool: _Pool, claims: _Claims, columns: Sequence[str], published: PublishedRecords) -> tuple[Mask, Mask, Mask]:
    """Return (which ids the roster knows, which claims agree best with it, which ones do not contradict where some agree wholly)."""
    first = pa.array(claims.places[claims.starts])
    found = published.find(pa.table({name: pool.columns[name].take(first) for name in pool.key}))
    agree = np.zeros(len(claims.places), dtype=np.int64)
    differing = np.zeros((len(columns), len(claims.places)), dtype=bool)
    for line, name in enumerate(columns):
        if name not in published.comparable:
            continue
        cells = folded_text(published.comparable[name](pool.columns[name].take(pa.array(claims.places))))
        same = pc.equal(cells, folded_text(found.column(name).combine_chunks()).take(pa.array(claims.ids)))
        agree += to_mask(same)
        differing[line] = to_mask(pc.invert(same))
    known = to_mask(found.column(KNOWN).combine_chunks())
    whole = ~pool.contradict(differing) & (agree > 0)
    some_whole = _any(claims, whole)
    score = np.where(some_whole[claims.ids], np.where(whole, 1, -1), agree - differing.sum(axis=0))
    best = np.maximum.reduceat(score, claims.starts)[claims.ids]
    chosen = known[claims.ids] & (score == best) & (best > 0)
    return known, chosen, whole | ~(known & some_whole)[claims.ids]


def _merged(pool: _Pool, claims: _Claims, cells: npt.NDArray[np.int64], chosen: Mask) -> tuple[Mask, npt.NDArray[np.int64]]:
    """Return (ids whose `chosen` claims contradict each other, what these say in each identity column)."""
    of_chosen = np.where(chosen, cells, -1)
    return pool.contradict(_split(claims, of_chosen)), np.maximum.reduceat(of_chosen, claims.starts, axis=1)


# ---- claims


def _claims(pool: _Pool, key: Sequence[str]) -> _Claims:
    """Return the counted rows that share a complete key with another one."""
    columns = [pool.columns[name] for name in key]
    rows = np.flatnonzero(np.logical_and.reduce([pool.counted, *(to_mask(pc.is_valid(column)) for column in columns)]))
    alone = columns[0] is pool.sheet.columns[key[0]]  # without rows of another file
    codes = pool.sheet.key_codes(key) if alone else row_codes(columns)
    codes = codes if len(rows) == len(codes) else codes[rows]
    shared = shares_code(codes)
    rows, codes = rows[shared], codes[shared]
    order = np.argsort(codes, kind="stable")
    return _claims_of(rows[order], codes[order])


def _claims_of(places: RowPositions, codes: RowPositions) -> _Claims:
    """Return claims of rows that are sorted by `codes`."""
    begins = np.r_[True, codes[1:] != codes[:-1]] if len(codes) else np.zeros(0, dtype=bool)
    return _Claims(places, np.flatnonzero(begins), np.cumsum(begins) - 1)


def _split(claims: _Claims, columns: Sequence[npt.NDArray[np.int64]] | npt.NDArray[np.int64]) -> Mask:
    """Return, by column, the ids whose rows have different values there; -1 is no value."""
    split = np.zeros((len(columns), len(claims.starts)), dtype=bool)
    for line, codes in enumerate(columns if len(claims.starts) else ()):
        low = np.minimum.reduceat(np.where(codes < 0, _MOST, codes), claims.starts)
        split[line] = low < np.maximum.reduceat(codes, claims.starts)
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


def _comparable(pool: _Pool, name: str, places: RowPositions) -> npt.NDArray[np.int64]:
    """Return one code a cell: dates compare as dates, other cells without regard to case and accents."""
    cells = pool.columns[name].take(pa.array(places))
    form = pool.sheet.header.columns[name].cell_format
    return _codes(cell_formats.parse_dates(form, cells) if isinstance(form, Date) else folded_text(cells))
