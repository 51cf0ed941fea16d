"""Decide which missing records are proven to be removed, and which are kept for lack of evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import flat


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Removals that a person leaves out of a plan: those of whole ``tables``, and those of ``schools`` with all that is theirs."""

    tables: frozenset[str] = frozenset()
    schools: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out."""
        return not (self.tables or self.schools)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """What an upload leaves unknown, so that a missing record is no proof that it is gone.

    ``files``: files of the format that were absent, or of which no row was accepted; ``everything``: some file was
    refused, so that nothing is removed at all; ``evidence``: for each file the cells of its records whose key could not be
    read; ``identity``: (table, file) → the key columns that tell a record of the table, and the columns of the file that they
    are; ``named``: for each file the key cells of rows that were refused, or emptied in part: records that they name stay;
    ``unstated``: (table, file) of which the upload says nothing, because a column is missing that earlier uploads had, and
    the values of the records that this is about (none: all); ``file_of``: which file of the format a ``source_file`` is;
    ``left_out``: what a person chose to keep.
    """

    file_of: Callable[[str], str | None] = lambda name: name
    files: frozenset[str] = frozenset()
    everything: bool = False
    evidence: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    identity: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    named: Mapping[str, pa.Table] = field(default_factory=dict)
    unstated: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)


def _certain(there: pa.Table, gone: pa.Array, table: str, doubt: Doubt) -> pa.Array:
    """Take out of `gone` what came from files that were not read, and what unreadable records may have been about."""
    origin = flat(there.column("source_file"))
    kinds = {name: doubt.file_of(name) for name in pc.unique(origin).to_pylist() if name}
    doubtful = pa.array([name for name, kind in kinds.items() if kind in doubt.files], pa.string())
    gone = pc.and_(gone, pc.invert(pc.is_in(origin, value_set=doubtful)))
    for name, kind in ((name, kind or "") for name, kind in kinds.items()):
        records, identity = doubt.evidence.get(kind, ()), doubt.identity.get((table, kind), {})
        own = pc.equal(origin, name)
        if records and identity:
            gone = pc.and_not(gone, _in_evidence(there, gone, name, tuple(identity), records))
        if identity and kind in doubt.named:
            gone = pc.and_not(gone, pc.and_(own, _is_named(there, identity, doubt.named[kind])))
        if (table, kind) in doubt.unstated:
            gone = pc.and_not(gone, pc.and_(own, _has_values(there, doubt.unstated[table, kind])))
    return gone


def _is_named(there: pa.Table, identity: Mapping[str, str], named: pa.Table) -> pa.Array:
    """Versions whose identifying cells are those of a named row; a cell that the row lacks may be any."""
    hit = np.zeros(there.num_rows, dtype=bool)
    pairs = [(column, source) for column, source in identity.items() if source in named.column_names]
    for size in range(len(pairs), 0, -1):
        for chosen in combinations(pairs, size):
            others = [source for _, source in pairs if source not in {source for _, source in chosen}]
            wanted = named.filter(_given(named, [source for _, source in chosen], others)) if named.num_rows else named
            if wanted.num_rows:
                keys = key_text(wanted, [source for _, source in chosen])
                hit |= pc.is_in(key_text(there, [column for column, _ in chosen]), value_set=keys).to_numpy(zero_copy_only=False)
    return pa.array(hit)


def _given(named: pa.Table, given: Sequence[str], empty: Sequence[str]) -> pa.Array:
    flags = [pc.is_valid(flat(named.column(n))) for n in given] + [pc.is_null(flat(named.column(n))) for n in empty]
    return reduce(pc.and_, flags)


def _has_values(there: pa.Table, values: Mapping[str, object]) -> pa.Array:
    flags = [pc.fill_null(pc.equal(flat(there.column(name)), value), False) for name, value in values.items()]
    return reduce(pc.and_, flags, pa.array(np.ones(there.num_rows, dtype=bool)))


def _in_evidence(
    current: pa.Table, gone: pa.Array, file: str, identity: Sequence[str], records: Sequence[tuple[str, ...]]
) -> pa.Array:
    """Records of `file` whose identifying cells all stand in one of the unreadable `records`."""
    cells = pa.array(sorted({cell for record in records for cell in record}), pa.string())
    possible = pc.and_(gone, pc.equal(flat(current.column("source_file")), file))
    for name in identity:
        possible = pc.and_(possible, pc.is_in(flat(current.column(name)), value_set=cells))
    marked = pc.fill_null(possible, False).to_numpy(zero_copy_only=False).copy()
    sets = [set(record) for record in records]
    places = np.flatnonzero(marked)
    values = zip(*(flat(current.column(name)).take(pa.array(places)).to_pylist() for name in identity), strict=True)
    for place, cells_of_record in zip(places, values, strict=True):
        marked[place] = any(record.issuperset(cells_of_record) for record in sets)
    return pa.array(marked)
