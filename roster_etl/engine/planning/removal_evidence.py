"""Decide which missing records are proven to be removed, and which are kept for lack of evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """Removals that a person excludes from a plan: those of whole ``tables``, and those of ``schools`` with all their records."""

    tables: frozenset[str] = frozenset()
    schools: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is excluded."""
        return not (self.tables or self.schools)


@dataclass(frozen=True, kw_only=True)
class RemovalEvidence:
    """Reasons not to treat "absent from the upload" as "removed".

    - ``file_of``: ``source_file`` → the file of the format
    - ``files``: files of the format that were absent, or of which no row was accepted
    - ``has_refused_file``: some file was rejected, so nothing is removed
    - ``unidentified_records``: file → the cells of its records whose key could not be read
    - ``identity``: (table, file) → the key columns that identify a record of the table, with their source columns in the file
    - ``doubtful_keys``: file → the key cells of rows that were rejected or partly emptied; the records that they name stay
    - ``unavailable_records``: (table, file) that the upload cannot report on, because a column of earlier uploads is missing, and
      the values of the records concerned (none: all)
    - ``stated``: tables of which the upload has changes only: a record that no row gives any more has become another one
    - ``exclusions``: what a person chose to keep
    """

    file_of: Callable[[str], str | None] = lambda name: name
    files: frozenset[str] = frozenset()
    has_refused_file: bool = False
    unidentified_records: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    identity: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    doubtful_keys: Mapping[str, pa.Table] = field(default_factory=dict)
    unavailable_records: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()
    exclusions: Exclusions = field(default_factory=Exclusions)


def without_uncertain(versions: pa.Table, removed: pa.Array, table: str, evidence: RemovalEvidence) -> pa.Array:
    """Remove from `removed` the records of files that were not read, and records that an unreadable row may have been about."""
    origin = combine_chunks(versions.column("source_file"))
    kinds = {name: evidence.file_of(name) for name in pc.unique(origin).to_pylist() if name}
    doubtful = pa.array([name for name, kind in kinds.items() if kind in evidence.files], pa.string())
    removed = pc.and_(removed, pc.invert(pc.is_in(origin, value_set=doubtful)))
    for name, kind in ((name, kind or "") for name, kind in kinds.items()):
        records, identity = evidence.unidentified_records.get(kind, ()), evidence.identity.get((table, kind), {})
        own = pc.equal(origin, name)
        if records and identity:
            removed = pc.and_not(removed, _matches_unidentified_records(versions, removed, name, tuple(identity), records))
        if identity and kind in evidence.doubtful_keys:
            removed = pc.and_not(removed, pc.and_(own, _matches_doubtful_keys(versions, identity, evidence.doubtful_keys[kind])))
        if (table, kind) in evidence.unavailable_records:
            removed = pc.and_not(removed, pc.and_(own, _has_values(versions, evidence.unavailable_records[table, kind])))
    return removed


def _matches_doubtful_keys(versions: pa.Table, identity: Mapping[str, str], doubtful_keys: pa.Table) -> pa.Array:
    """Return which versions have the identifying cells of a doubtful row; an empty cell of the row matches any value."""
    hit = np.zeros(versions.num_rows, dtype=bool)
    pairs = [(column, source) for column, source in identity.items() if source in doubtful_keys.column_names]
    for size in range(len(pairs), 0, -1):
        for chosen in combinations(pairs, size):
            others = [source for _, source in pairs if source not in {source for _, source in chosen}]
            wanted = (
                doubtful_keys.filter(has_cells(doubtful_keys, [source for _, source in chosen], others))
                if doubtful_keys.num_rows
                else doubtful_keys
            )
            if wanted.num_rows:
                keys = key_text(wanted, [source for _, source in chosen])
                hit |= pc.is_in(key_text(versions, [column for column, _ in chosen]), value_set=keys).to_numpy(
                    zero_copy_only=False
                )
    return pa.array(hit)


def has_cells(rows: pa.Table, given: Sequence[str], empty: Sequence[str]) -> pa.Array:
    """Return which rows have a value in all columns `given`, and in none of `empty`."""
    flags = [pc.is_valid(combine_chunks(rows.column(n))) for n in given] + [
        pc.is_null(combine_chunks(rows.column(n))) for n in empty
    ]
    return reduce(pc.and_, flags)


def _has_values(versions: pa.Table, values: Mapping[str, object]) -> pa.Array:
    flags = [pc.fill_null(pc.equal(combine_chunks(versions.column(name)), value), False) for name, value in values.items()]
    return reduce(pc.and_, flags, pa.array(np.ones(versions.num_rows, dtype=bool)))


def _matches_unidentified_records(
    current: pa.Table, removed: pa.Array, file: str, identity: Sequence[str], records: Sequence[tuple[str, ...]]
) -> pa.Array:
    """Return which records of `file` have all their identifying cells in one of the unreadable `records`."""
    cells = pa.array(sorted({cell for record in records for cell in record}), pa.string())
    possible = pc.and_(removed, pc.equal(combine_chunks(current.column("source_file")), file))
    for name in identity:
        possible = pc.and_(possible, pc.is_in(combine_chunks(current.column(name)), value_set=cells))
    marked = pc.fill_null(possible, False).to_numpy(zero_copy_only=False).copy()
    sets = [set(record) for record in records]
    places = np.flatnonzero(marked)
    values = zip(*(combine_chunks(current.column(name)).take(pa.array(places)).to_pylist() for name in identity), strict=True)
    for place, cells_of_record in zip(places, values, strict=True):
        marked[place] = any(record.issuperset(cells_of_record) for record in sets)
    return pa.array(marked)
