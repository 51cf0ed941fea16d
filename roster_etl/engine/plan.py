"""The plan: what publishing an upload would open and close, compared with what is there.

Belongs here: desired state − current state = plan, why a record is kept although the upload does not have it, the
thresholds, the plan's hash. Grain: one row a version that opens or closes. No I/O: current rows are handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import REFERENCES
from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.map import HASH, key_text
from roster_etl.mapping.frames import REFUSED, flat
from roster_etl.mapping.hashes import hash_numbers

CLOSES = pa.schema([("version_id", pa.int64()), ("close_reason", pa.string())])


class CurrentTable(Protocol):
    """What is current of one table, for one feed; asked for no more than is needed."""

    def hashes(self) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version."""

    def rows(self, version_ids: pa.Array) -> pa.Table:
        """Return these versions, whole."""

    def schools(self) -> Mapping[str, int]:
        """Return the number of current versions by school, where records belong to a school."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """What an upload leaves unknown, so that a missing record is no proof that it is gone.

    ``files``: files of the format that were absent, or of which no row was accepted; ``everything``: some file was
    refused, so that nothing is removed at all; ``evidence``: for each file the cells of its records whose key could not be
    read; ``identity``: (table, file) → the key columns that must be found among those cells; ``file_of``: which file of
    the format a ``source_file`` is, by its name as uploaded.
    """

    file_of: Callable[[str], str | None] = lambda name: name
    files: frozenset[str] = frozenset()
    everything: bool = False
    evidence: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    identity: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """What would happen to one table.

    ``opens``: places in the mapped table (int64) of the rows to open, created and updated ones; ``hashes``: their row
    hashes, sorted; ``closes``: CLOSES; ``columns``: how many updates change each column; ``schools``: school → (current,
    deleted), where records belong to a school.
    """

    table: str
    opens: pa.Array
    hashes: np.ndarray
    closes: pa.Table
    created: int
    updated: int
    deleted: int
    current: int
    counted_updates: int
    columns: Mapping[str, int]
    schools: Mapping[str, tuple[int, int]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would open or close."""
        return not (len(self.opens) or self.closes.num_rows)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What publishing would do, against the state that import ``base`` left. ``sha256`` names exactly this plan."""

    base: int | None
    tables: Mapping[str, TablePlan]
    sha256: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing would open or close anywhere."""
        return all(table.is_empty for table in self.tables.values())

    def changes(self) -> dict[str, dict[str, int]]:
        """Return created, updated and deleted records by table."""
        return {n: {"created": t.created, "updated": t.updated, "deleted": t.deleted} for n, t in self.tables.items()}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """When a plan is held: shares in percent, numbers in records."""

    delete_pct: float
    delete_min: int
    update_pct: float


@dataclass(frozen=True, kw_only=True)
class Exceeded:
    """A threshold that a plan exceeds; ``school`` None: the whole table."""

    table: str
    what: str
    school: str | None
    records: int
    current: int

    @property
    def pct(self) -> float:
        """The share in percent, one decimal."""
        return round(100 * self.records / self.current, 1) if self.current else 100.0


def make_plan(mapped: Mapping[str, pa.Table], current: Mapping[str, CurrentTable], *, base: int | None, doubt: Doubt) -> Plan:
    """Compare the state that an upload wants (`mapped`, by table; may load a table when asked) with the `current` one."""
    plans: dict[str, TablePlan] = {}
    kept: dict[str, list[pa.Table]] = {}
    for name in reversed([name for name in TABLES if name in mapped]):  # children before what they refer to
        plans[name] = _plan_table(TABLES[name], mapped[name], current[name], doubt, kept)  # one table in memory
    ordered = {name: plans[name] for name in TABLES if name in plans}
    return Plan(base=base, tables=ordered, sha256=_sha256(base, ordered))


def exceeded(plan: Plan, thresholds: Thresholds) -> tuple[Exceeded, ...]:
    """Return the thresholds that `plan` exceeds, by table and by school. A first load exceeds none."""
    found: list[Exceeded] = []
    for name, table in plan.tables.items():
        if not table.current:
            continue
        if _too_many(table.deleted, table.current, thresholds.delete_pct, thresholds.delete_min) or (
            name == "organizations" and table.deleted and thresholds.delete_pct < 100
        ):
            found.append(Exceeded(table=name, what="deleted", school=None, records=table.deleted, current=table.current))
        if _too_many(table.counted_updates, table.current, thresholds.update_pct, thresholds.delete_min):
            found.append(Exceeded(table=name, what="updated", school=None, records=table.counted_updates, current=table.current))
        for school, (count, deleted) in table.schools.items():
            if _too_many(deleted, count, thresholds.delete_pct, thresholds.delete_min):
                found.append(Exceeded(table=name, what="deleted", school=school, records=deleted, current=count))
    return tuple(found)


def _too_many(records: int, current: int, pct: float, least: int) -> bool:
    return pct < 100 and records >= max(least, 1) and records * 100 > pct * current


def _plan_table(
    target: RosterTable, mapped: pa.Table, current: CurrentTable, doubt: Doubt, kept: dict[str, list[pa.Table]]
) -> TablePlan:
    refused = flat(mapped.column(REFUSED)).to_numpy(zero_copy_only=False)
    numbers = np.flatnonzero(~refused)
    known = current.hashes()
    if not known.num_rows:
        return _first_load(target, mapped, numbers)
    same, same_there = _same(hash_numbers(mapped.column(HASH))[numbers], hash_numbers(known.column(HASH)))
    numbers = numbers[~same]
    there = current.rows(pa.array(flat(known.column("version_id")).to_numpy()[~same_there]))
    accepted = mapped.take(pa.array(numbers))
    place = pc.index_in(key_text(accepted, target.key), value_set=key_text(there, target.key))
    replaced, is_new = there.take(pc.drop_null(place)), pc.is_null(place)
    updates = accepted.filter(pc.invert(is_new))
    gone = _gone(target, there, accepted, mapped.filter(pa.array(refused)), doubt, kept)
    columns, counted = _changed_columns(target, updates, replaced)
    return TablePlan(
        table=target.name,
        opens=pa.array(numbers),
        hashes=np.sort(hash_numbers(accepted.column(HASH))),
        closes=_closes(replaced, there.filter(gone)),
        created=accepted.num_rows - updates.num_rows,
        updated=updates.num_rows,
        deleted=pc.sum(gone).as_py() or 0,
        current=known.num_rows,
        counted_updates=counted,
        columns=columns,
        schools=_by_school(target, there.filter(gone), current),
    )


def _same(wanted: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the wanted rows are there already, and which of those there are wanted, by their hashes.

    The hash covers the key. A hash that stands twice on one side settles nothing: such rows are compared by key.
    """
    shared = np.intersect1d(_single(wanted), _single(there), assume_unique=True)
    values = pa.array(shared)
    return tuple(pc.is_in(pa.array(side), value_set=values).to_numpy(zero_copy_only=False) for side in (wanted, there))


def _single(hashes: np.ndarray) -> np.ndarray:
    values, counts = np.unique(hashes, return_counts=True)
    return values if len(values) == len(hashes) else values[counts == 1]


def _closes(replaced: pa.Table, gone: pa.Table) -> pa.Table:
    reasons = ["changed"] * replaced.num_rows + ["absent"] * gone.num_rows
    versions = pa.concat_arrays([flat(rows.column("version_id")) for rows in (replaced, gone)])
    return pa.table([versions, pa.array(reasons, pa.string())], schema=CLOSES)


def _first_load(target: RosterTable, mapped: pa.Table, numbers: np.ndarray) -> TablePlan:
    return TablePlan(
        table=target.name,
        opens=pa.array(numbers),
        hashes=np.sort(hash_numbers(mapped.column(HASH))[numbers]),
        closes=CLOSES.empty_table(),
        created=len(numbers),
        updated=0,
        deleted=0,
        current=0,
        counted_updates=0,
        columns={},
        schools={},
    )


def _gone(
    target: RosterTable, there: pa.Table, accepted: pa.Table, seen: pa.Table, doubt: Doubt, kept: dict[str, list[pa.Table]]
) -> pa.Array:
    """Which of the versions `there` are of records that the upload proves to be gone; the others are noted as kept."""
    keys = key_text(there, target.key)
    missing = pc.invert(pc.is_in(keys, value_set=key_text(accepted, target.key)))
    gone = pc.and_(missing, pc.invert(pc.is_in(keys, value_set=key_text(seen, target.key))))
    if doubt.everything or target.event:
        gone = pa.array(np.zeros(there.num_rows, dtype=bool))
    gone = _keep_parents(target, there, _certain(target, there, gone, doubt), kept)
    stays = there.filter(pc.and_(missing, pc.invert(gone)))
    if stays.num_rows:
        kept.setdefault(target.name, []).append(stays)
    return gone


def _certain(target: RosterTable, there: pa.Table, gone: pa.Array, doubt: Doubt) -> pa.Array:
    """Take out of `gone` what came from files that were not read, and what unreadable records may have been about."""
    origin = flat(there.column("source_file"))
    kinds = {name: doubt.file_of(name) for name in pc.unique(origin).to_pylist() if name}
    doubtful = pa.array([name for name, kind in kinds.items() if kind in doubt.files], pa.string())
    gone = pc.and_(gone, pc.invert(pc.is_in(origin, value_set=doubtful)))
    for name, kind in kinds.items():
        records, identity = doubt.evidence.get(kind or "", ()), doubt.identity.get((target.name, kind or ""), ())
        if records and identity:
            gone = pc.and_(gone, pc.invert(_in_evidence(there, gone, name, identity, records)))
    return gone


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


def _keep_parents(target: RosterTable, current: pa.Table, gone: pa.Array, kept: Mapping[str, list[pa.Table]]) -> pa.Array:
    """A record that a kept one refers to is kept too, so that nothing dangles."""
    for reference in REFERENCES:
        if reference.parent != target.name:
            continue
        for rows in kept.get(reference.table, ()):
            named = key_text(rows, reference.columns)
            gone = pc.and_(gone, pc.invert(pc.is_in(key_text(current, reference.parent_columns), value_set=named)))
    return gone


def _changed_columns(target: RosterTable, updates: pa.Table, before: pa.Table) -> tuple[dict[str, int], int]:
    """Return (column → number of updates that change it, number of updates that change more than derived columns).

    Args: updates, before: the same records in the same order.
    """
    derived_now, derived_then = (flat(t.column("derived")) for t in (updates, before))
    counts: dict[str, int] = {}
    counted = np.zeros(updates.num_rows, dtype=bool)
    for name in (*(n for n in target.names if n not in target.key), "extensions"):
        one, other = flat(updates.column(name)), flat(before.column(name))
        same = pc.or_(pc.fill_null(pc.equal(one, other.cast(one.type)), False), pc.and_(pc.is_null(one), pc.is_null(other)))
        differs = ~same.to_numpy(zero_copy_only=False)
        if differs.any():
            counts[name] = int(differs.sum())
            made = pc.or_(_lists(derived_now, name), _lists(derived_then, name)).to_numpy(zero_copy_only=False)
            counted |= differs & ~made
    return counts, int(counted.sum())


def _lists(derived: pa.Array, name: str) -> pa.Array:
    return pc.match_substring(derived, f'"{name}"')


def _by_school(target: RosterTable, gone: pa.Table, current: CurrentTable) -> dict[str, tuple[int, int]]:
    if target.has_school is None or not gone.num_rows:
        return {}
    deleted = pc.value_counts(pc.drop_null(flat(gone.column(target.has_school)))).to_pylist()
    counts = current.schools()
    return {found["values"]: (counts[found["values"]], found["counts"]) for found in deleted}


def _sha256(base: int | None, tables: Mapping[str, TablePlan]) -> str:
    digest = hashlib.sha256(f"base {base}\n".encode())
    for name, table in tables.items():
        digest.update(f"{name} {len(table.opens)} {table.closes.num_rows}\n".encode())
        digest.update(table.hashes.tobytes())
        closes = table.closes.sort_by("version_id")
        digest.update(flat(closes.column("version_id")).to_numpy().tobytes())
        digest.update("\n".join(flat(closes.column("close_reason")).to_pylist()).encode())
    return digest.hexdigest()
