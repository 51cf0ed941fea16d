"""The plan: which versions publishing an upload would open and close, compared with the current roster.

Belongs here: desired state − current state = plan, the reasons to keep a record that the upload lacks, and the plan's hash.
``engine.planning.thresholds`` decides which plans are too large. Grain: one row per version that opens or closes. No I/O: the
caller passes the current rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import CASCADES, REFERENCES
from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.planning.person_schools import (
    PERSON,
    PERSON_TABLES,
    PersonSchools,
    SchoolUpdates,
    current_people,
    people_of,
)
from roster_etl.engine.planning.removal_evidence import Exclusions, RemovalEvidence, without_uncertain
from roster_etl.frames.arrow import CLOSE_REASON, DELETED, REFUSED, combine_chunks
from roster_etl.frames.prefetch import prefetch
from roster_etl.frames.row_hashes import HASH, hash_numbers, key_text

# Close reasons of records that were absent from an upload which was requested to be complete.
EXPLICIT_REMOVALS = pa.array(["batch_mode", "diffed"], pa.string())
CLOSES = pa.schema([("version_id", pa.int64()), ("close_reason", pa.string())])
_INLINE_ROWS_DIVISOR = 8  # a plan holds the rows to open if they are at most an eighth of their table


class CurrentTable(Protocol):
    """Read access to the current versions of one table and feed. Each method reads only what is needed."""

    def hashes(self) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version."""

    def rows(self, version_ids: pa.Array) -> pa.Table:
        """Return these versions, with all columns."""

    def count_by_school(self) -> Mapping[str, int]:
        """Return the number of current versions by school, for tables with a school column."""

    def versions_by_key(self, keys: pa.Table) -> pa.Table:
        """Return the current versions, with all columns, of the records whose key columns are in `keys`."""

    def count(self) -> int:
        """Return the number of current versions."""


@dataclass(frozen=True, kw_only=True)
class SchoolPlan:
    """The planned changes of one school's records in a table, in records.

    ``current``: records that the school has; ``absent``: those of ``deleted`` that are absent from the upload; ``counted``:
    those of ``updated`` that change more than derived columns. A record that moves counts for its new school.
    """

    current: int = 0
    created: int = 0
    updated: int = 0
    counted: int = 0
    deleted: int = 0
    absent: int = 0


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """The planned changes of one table.

    - ``opens``: positions in the mapped table (int64) of the rows to open, created and updated ones
    - ``rows``: these rows themselves, if they are few
    - ``hashes``: their row hashes, sorted
    - ``closes``: versions to close, columns CLOSES
    - ``deleted``: number of records to remove
    - ``absent``: those of ``deleted`` that are absent from the upload; the others are deleted by a row, or by cascade
    - ``reasons``: close reason → number of records to remove
    - ``columns``: column → number of updates that change it
    - ``schools``: the schools with changes, for tables with a school column
    - ``person_updates``: the updates by school and role of the people, for tables of people without a school column
    """

    table: str
    opens: pa.Array
    hashes: np.ndarray
    closes: pa.Table
    created: int
    updated: int
    deleted: int
    absent: int
    current: int
    counted_updates: int
    columns: Mapping[str, int]
    reasons: Mapping[str, int]
    schools: Mapping[str, SchoolPlan]
    rows: pa.Table | None = None
    person_updates: tuple[SchoolUpdates, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no version would open or close."""
        return not (len(self.opens) or self.closes.num_rows)

    def rows_to_open(self, mapped: Callable[[], pa.Table]) -> pa.Table:
        """Return the rows to open; `mapped` is called only if they are many."""
        return mapped().take(self.opens) if self.rows is None else self.rows


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What publishing would do to the state that import ``base`` left. ``sha256`` identifies exactly this plan."""

    base: int | None
    tables: Mapping[str, TablePlan]
    sha256: str

    @property
    def is_empty(self) -> bool:
        """Whether no version would open or close in any table."""
        return all(table.is_empty for table in self.tables.values())

    @property
    def has_only_derived_changes(self) -> bool:
        """Whether only derived values would change; a new order of rows can cause that too (contacts are numbered)."""
        return all(not (t.created or t.deleted or t.counted_updates) for t in self.tables.values())

    def changes(self) -> dict[str, dict[str, int]]:
        """Return created, updated and deleted records by table."""
        return {n: {"created": t.created, "updated": t.updated, "deleted": t.deleted} for n, t in self.tables.items()}


def make_plan(
    mapped: Mapping[str, pa.Table], current: Mapping[str, CurrentTable], *, base: int | None, evidence: RemovalEvidence
) -> Plan:
    """Compare the desired state (`mapped`, by table; may load a table on access) with the `current` state."""
    names = [name for name in TABLES if name in mapped]
    drafts: dict[str, _Draft] = {}
    order = _children_first(names)
    loaded = prefetch(mapped[name] for name in order)  # holds two tables in memory: this one and the next
    hashes = prefetch(None if TABLES[name].holds_events else current[name].hashes() for name in order)
    for name, rows, known in zip(order, loaded, hashes, strict=True):
        drafts[name] = (
            _draft_events(TABLES[name], rows, current[name])
            if known is None
            else _draft_table(TABLES[name], rows, known, current[name], evidence, drafts)
        )
    people = PersonSchools(mapped, drafts["user_roles"].differing_versions() if "user_roles" in drafts else None)
    tables: dict[str, TablePlan] = {}
    closed: dict[str, pa.Table] = {}
    stated: dict[str, pa.Table] = {}  # records deleted by a row, or by cascade from one: their absence is no omission
    for name in names:  # parents before the tables that refer to them
        draft = drafts[name]
        follows = _refers_to_closed(name, draft.absent, stated)
        draft, following = replace(draft, absent=draft.absent.filter(pc.invert(follows))), draft.absent.filter(follows)
        draft = _as_changed(draft) if name in evidence.stated else draft
        orphans = draft.remaining.filter(_refers_to_closed(name, draft.remaining, closed))
        stated[name] = pa.concat_tables([draft.deleted, following, orphans.filter(_refers_to_closed(name, orphans, stated))])
        cascade = pa.concat_tables([following, orphans])
        closed[name] = pa.concat_tables([draft.deleted, draft.absent, cascade])
        tables[name] = _make_table_plan(draft, cascade, people, mapped)
    return Plan(base=base, tables=tables, sha256=plan_hash(base, tables))


def _as_changed(draft: _Draft) -> _Draft:
    """Return `draft` for a table of which the upload has changes only: a record that no row gives any more has become another one."""
    reasons = pa.concat_arrays([draft.deleted_reasons, pa.repeat("changed", draft.absent.num_rows)])
    deleted = pa.concat_tables([draft.deleted, draft.absent])
    return replace(draft, deleted=deleted, deleted_reasons=reasons, absent=draft.absent.slice(0, 0))


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """A table's plan before the cascade: records that are kept so far may still lose the record that they refer to.

    - ``opens``: positions in the mapped table; ``rows``: these rows, if they are few
    - ``updates``, ``replaced``: new rows and the versions that they replace, in the same order
    - ``deleted``: versions of records that a row deletes
    - ``replaced_reasons``, ``deleted_reasons``: why these versions close
    - ``absent``: versions of records that are absent from the upload
    - ``remaining``: versions that stay although no accepted row has them
    - ``excluded``: those of ``remaining`` that a person excluded from removal
    - ``elsewhere``: those of ``remaining`` that only rejected rows of other files than their own name
    - ``opening_by_school``: school → number of rows to open
    - ``current_by_school``: returns school → number of current versions
    """

    target: RosterTable
    opens: np.ndarray
    hashes: np.ndarray
    created: int
    current: int
    opening_by_school: Mapping[str, int]
    current_by_school: Callable[[], Mapping[str, int]]
    updates: pa.Table
    replaced: pa.Table
    replaced_reasons: pa.Array
    deleted: pa.Table
    deleted_reasons: pa.Array
    absent: pa.Table
    remaining: pa.Table
    excluded: pa.Table
    elsewhere: pa.Table
    rows: pa.Table | None = None

    def anchors(self) -> pa.Table:
        """Return the versions that keep what they refer to in their own file: one damaged row may hold both."""
        others = pc.is_in(self.remaining.column("version_id"), value_set=combine_chunks(self.elsewhere.column("version_id")))
        return self.remaining.filter(pc.invert(others))

    def differing_versions(self) -> pa.Table:
        """Return the current versions that no accepted row equals."""
        return pa.concat_tables([self.replaced, self.deleted, self.absent, self.remaining])


def _children_first(names: Sequence[str]) -> list[str]:
    """Return `names` with every table before those that it refers to; tables of people's details come directly before users."""
    backwards = list(reversed(names))
    personal = [name for name in backwards if _parents(name) == {"users"} and TABLES[name].school_column is None]
    others = [name for name in backwards if name not in personal]
    place = others.index("users") if "users" in others else len(others)
    return [*others[:place], *personal, *others[place:]]


def _parents(name: str) -> set[str]:
    return {reference.parent for reference in REFERENCES if reference.table == name}


def _draft_table(
    target: RosterTable,
    mapped: pa.Table,
    known: pa.Table,
    current: CurrentTable,
    evidence: RemovalEvidence,
    drafts: Mapping[str, _Draft],
) -> _Draft:
    """Plan one table without cascades. `drafts` must have the tables that refer to it."""
    refused = combine_chunks(mapped.column(REFUSED)).to_numpy(zero_copy_only=False)
    numbers, there = _find_differences(mapped, np.flatnonzero(~refused), known, current)
    schools = mapped.select([target.school_column] if target.school_column else [])
    opening = count_per_school(target, schools.take(pa.array(numbers)))
    having = _count_current_by_school(target, schools.filter(pa.array(~refused)) if known.num_rows else there, opening, there)
    nothing = there.slice(0, 0)
    draft = _Draft(
        target=target,
        opens=numbers,
        hashes=np.sort(hash_numbers(mapped.column(HASH))[numbers]),
        created=len(numbers),
        current=known.num_rows,
        opening_by_school=opening,
        current_by_school=lambda: having,
        updates=mapped.schema.empty_table(),
        replaced=nothing,
        replaced_reasons=pa.array([], pa.string()),
        deleted=nothing,
        deleted_reasons=pa.array([], pa.string()),
        absent=nothing,
        remaining=nothing,
        excluded=nothing,
        elsewhere=nothing,
    )
    return (
        _compare_versions(draft, mapped, mapped.filter(pa.array(refused)), there, evidence, drafts) if known.num_rows else draft
    )


def _compare_versions(
    draft: _Draft,
    mapped: pa.Table,
    refused: pa.Table,
    versions: pa.Table,
    evidence: RemovalEvidence,
    drafts: Mapping[str, _Draft],
) -> _Draft:
    """Return `draft` completed with the changes of `versions`, the current versions that no accepted row equals."""
    target, accepted = draft.target, mapped.take(pa.array(draft.opens))
    place = pc.index_in(key_text(accepted, target.key), value_set=key_text(versions, target.key))
    updates = accepted.filter(pc.is_valid(place))
    missing = pc.invert(pc.is_in(key_text(versions, target.key), value_set=key_text(accepted, target.key)))
    stated = _stated_close_reasons(target, versions, mapped)
    deleted = pc.and_(missing, pc.is_valid(stated))
    absent = pc.and_not(missing, deleted)
    gone = _proven_removed(target, versions, absent, refused, evidence, drafts)
    elsewhere = _only_elsewhere(target, versions, pc.and_not(absent, gone), refused, evidence, drafts)
    kept = pc.and_(pc.or_(deleted, gone), _is_excluded(target, versions, evidence.exclusions, drafts))
    deleted, gone = pc.and_not(deleted, kept), pc.and_not(gone, kept)
    return replace(
        draft,
        created=accepted.num_rows - updates.num_rows,
        updates=updates,
        replaced=versions.take(pc.drop_null(place)),
        replaced_reasons=pc.fill_null(stated.take(pc.drop_null(place)), "changed"),
        deleted=versions.filter(deleted),
        deleted_reasons=stated.filter(deleted),
        absent=versions.filter(gone),
        remaining=versions.filter(pc.and_not(missing, pc.or_(deleted, gone))),
        excluded=versions.filter(kept),
        elsewhere=versions.filter(elsewhere),
        rows=accepted if accepted.num_rows * _INLINE_ROWS_DIVISOR <= mapped.num_rows else None,
    )


def _find_differences(
    mapped: pa.Table, accepted: np.ndarray, known: pa.Table, current: CurrentTable
) -> tuple[np.ndarray, pa.Table]:
    """Return the positions among `accepted` that equal no current version, and the versions that no accepted row equals."""
    same, same_there = match_hashes(hash_numbers(mapped.column(HASH))[accepted], hash_numbers(known.column(HASH)))
    return accepted[~same], current.rows(pa.array(combine_chunks(known.column("version_id")).to_numpy()[~same_there]))


def _count_current_by_school(
    target: RosterTable, accepted: pa.Table, opening: Mapping[str, int], versions: pa.Table
) -> Counter[str]:
    """Return the number of current versions by school: `accepted` rows that need not open, and `versions` that differ.

    Computed here because a database needs a hundred times as long: it would read every current version.
    """
    return Counter(count_per_school(target, accepted)) - Counter(opening) + Counter(count_per_school(target, versions))


def _draft_events(target: RosterTable, mapped: pa.Table, current: CurrentTable) -> _Draft:
    """Plan a table of events: new rows are added, and an event that is absent from the upload is never removed.

    Only current versions of the upload's own records are read, because events accumulate over the year.
    """
    accepted = mapped.filter(pc.invert(mapped.column(REFUSED)))
    numbers = np.flatnonzero(~combine_chunks(mapped.column(REFUSED)).to_numpy(zero_copy_only=False))
    there = current.versions_by_key(accepted.select(list(target.key)))
    place = pc.index_in(key_text(accepted, target.key), value_set=key_text(there, target.key))
    known = pc.is_valid(place).to_numpy(zero_copy_only=False)
    before = combine_chunks(there.column(HASH)).take(place)
    same = pc.fill_null(pc.equal(combine_chunks(accepted.column(HASH)), before), False).to_numpy(zero_copy_only=False)
    again = pa.array(known & ~same)
    return _Draft(
        target=target,
        opens=numbers[~same],
        hashes=np.sort(hash_numbers(accepted.column(HASH))[~same]),
        created=int((~known).sum()),
        current=current.count(),
        opening_by_school=count_per_school(target, accepted.filter(pa.array(~same))),
        current_by_school=current.count_by_school,
        updates=accepted.filter(again),
        replaced=there.take(place.filter(again)),
        replaced_reasons=pa.repeat("changed", int((known & ~same).sum())),
        deleted=there.slice(0, 0),
        deleted_reasons=pa.array([], pa.string()),
        absent=there.slice(0, 0),
        remaining=there.slice(0, 0),
        excluded=there.slice(0, 0),
        elsewhere=there.slice(0, 0),
    )


def _make_table_plan(draft: _Draft, cascade: pa.Table, people: PersonSchools, mapped: Mapping[str, pa.Table]) -> TablePlan:
    """Return the final plan of a table; `cascade`: versions that close with the record that they refer to."""
    columns, counted = changed_columns(draft.target, draft.updates, draft.replaced)
    unnamed = draft.deleted.filter(pc.is_in(draft.deleted_reasons, value_set=EXPLICIT_REMOVALS))
    absent = pa.concat_tables([draft.absent, unnamed])
    reasons = Counter(draft.deleted_reasons.to_pylist()) + Counter(absent=draft.absent.num_rows, cascade=cascade.num_rows)
    return TablePlan(
        table=draft.target.name,
        opens=pa.array(draft.opens),
        rows=draft.rows,
        hashes=draft.hashes,
        closes=_versions_to_close(
            (draft.replaced, draft.replaced_reasons),
            (draft.deleted, draft.deleted_reasons),
            (draft.absent, "absent"),
            (cascade, "cascade"),
        ),
        created=draft.created,
        updated=draft.updates.num_rows,
        deleted=draft.deleted.num_rows + draft.absent.num_rows + cascade.num_rows,
        absent=absent.num_rows,
        current=draft.current,
        counted_updates=int(counted.sum()),
        columns=columns,
        reasons={reason: count for reason, count in reasons.items() if count},
        schools=_by_school(
            draft,
            absent,
            pa.concat_tables([draft.deleted, draft.absent, cascade]),
            draft.updates.filter(pa.array(counted)),
        ),
        person_updates=_person_updates(draft, counted, people, mapped),
    )


def _person_updates(
    draft: _Draft, counted: np.ndarray, people: PersonSchools, mapped: Mapping[str, pa.Table]
) -> tuple[SchoolUpdates, ...]:
    """Return the updates by school of the people; none for tables with a school column, and where nothing counts.

    A record that is absent while its person gets a new one has become that one: ids of contacts are made of their cells.
    """
    name = draft.target.name
    if name not in PERSON_TABLES:
        return ()
    updated = people_of(draft.updates.filter(pa.array(counted)), _replaced_details(draft, mapped))
    if not updated.num_rows:
        return ()
    current = current_people(mapped[name], draft.opens, draft.differing_versions())
    return people.updates_by_school(updated, current)


def _replaced_details(draft: _Draft, mapped: Mapping[str, pa.Table]) -> pa.Table:
    """Return the absent versions whose people get new records in the table."""
    if not (draft.absent.num_rows and draft.created) or set(draft.target.key) == set(PERSON):
        return draft.absent.slice(0, 0)
    opened = mapped[draft.target.name].take(pa.array(draft.opens)) if draft.rows is None else draft.rows
    known = pc.is_in(key_text(opened, draft.target.key), value_set=key_text(draft.replaced, draft.target.key))
    created = key_text(opened.filter(pc.invert(known)), PERSON)
    return draft.absent.filter(pc.is_in(key_text(draft.absent, PERSON), value_set=created))


def _refers_to_closed(name: str, versions: pa.Table, closed: Mapping[str, pa.Table]) -> pa.Array:
    """Return which `versions` of table `name` refer to a record that closes, and therefore close with it."""
    lost = np.zeros(versions.num_rows, dtype=bool)
    for reference in CASCADES:
        if reference.table == name and reference.parent in closed and versions.num_rows:
            named = key_text(closed[reference.parent], reference.parent_columns)
            lost |= pc.is_in(key_text(versions, reference.columns), value_set=named).to_numpy(zero_copy_only=False)
    return pa.array(lost)


def _stated_close_reasons(target: RosterTable, versions: pa.Table, mapped: pa.Table) -> pa.Array:
    """Return the close reason of each version that the upload states (null for the others)."""
    rows = mapped.filter(mapped.column(DELETED))
    if CLOSE_REASON not in rows.column_names:
        said = _matches_keys(target, versions, rows)
        return pc.if_else(said, pa.scalar("deleted"), pa.scalar(None, pa.string()))
    place = pc.index_in(key_text(versions, target.key), value_set=key_text(rows, target.key))
    return combine_chunks(rows.column(CLOSE_REASON)).take(place)


def _matches_keys(target: RosterTable, versions: pa.Table, rows: pa.Table) -> pa.Array:
    """Return which versions belong to a record that one of `rows` names; an empty key cell of a row matches any value.

    A row without any id names nothing.
    """
    needed = [name for name in target.key if name not in target.optional_key]
    hit = np.zeros(versions.num_rows, dtype=bool)
    empty = [combine_chunks(rows.column(name)).is_null().to_numpy(zero_copy_only=False) for name in needed]
    patterns = np.sum([flags.astype(np.int64) << at for at, flags in enumerate(empty)], axis=0, dtype=np.int64)
    for pattern in np.unique(patterns) if rows.num_rows else ():
        names = [name for name in target.key if name in target.optional_key or not pattern >> needed.index(name) & 1]
        if any(name in needed and name.endswith("_id") for name in names):
            chosen = rows.filter(pa.array(patterns == pattern))
            hit |= pc.is_in(key_text(versions, names), value_set=key_text(chosen, names)).to_numpy(zero_copy_only=False)
    return pa.array(hit)


def match_hashes(wanted: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows of `wanted` already exist, and which of `current` are wanted, by their hashes.

    The hash covers the key. A hash that occurs twice on one side counts as no match: such rows are compared by key.
    """
    ours, theirs = _sorted_hashes(wanted), _sorted_hashes(current)
    return _is_among(ours, theirs), _is_among(theirs, ours)


@dataclass(frozen=True)
class _SortedHashes:
    """Hashes in their order: ``order`` has their positions, and ``single`` says which ones occur once."""

    order: np.ndarray
    hashes: np.ndarray
    single: np.ndarray


def _sorted_hashes(hashes: np.ndarray) -> _SortedHashes:
    order = np.argsort(hashes)
    ordered = hashes[order]
    repeated = np.r_[False, ordered[1:] == ordered[:-1], False]
    return _SortedHashes(order, ordered, ~(repeated[:-1] | repeated[1:])[: len(ordered)])


def _is_among(some: _SortedHashes, others: _SortedHashes) -> np.ndarray:
    """Return which of the hashes occur once on both sides. Searching in sorted order takes a third of the time of a hash table."""
    found = np.zeros(len(some.hashes), dtype=bool)
    if len(found) and len(others.hashes):
        place = np.minimum(np.searchsorted(others.hashes, some.hashes), len(others.hashes) - 1)
        found[some.order] = (others.hashes[place] == some.hashes) & some.single & others.single[place]
    return found


def _versions_to_close(*reasons: tuple[pa.Table, pa.Array | str]) -> pa.Table:
    """Return the versions to close with their reasons: one reason for all rows of a table, or one per row."""
    versions = pa.concat_arrays([combine_chunks(rows.column("version_id")) for rows, _ in reasons])
    words = [pa.repeat(pa.scalar(why), rows.num_rows) if isinstance(why, str) else why for rows, why in reasons]
    return pa.table([versions, pa.concat_arrays([word.cast(pa.string()) for word in words])], schema=CLOSES)


def _proven_removed(
    target: RosterTable,
    versions: pa.Table,
    missing: pa.Array,
    seen: pa.Table,
    evidence: RemovalEvidence,
    drafts: Mapping[str, _Draft],
) -> pa.Array:
    """Return which `versions` belong to records that the upload proves to be removed."""
    if evidence.has_refused_file:
        return pa.array(np.zeros(versions.num_rows, dtype=bool))
    gone = pc.and_not(missing, _matches_keys(target, versions, seen))
    return _without_kept_parents(target, versions, without_uncertain(versions, gone, target.name, evidence), drafts)


def _only_elsewhere(
    target: RosterTable,
    versions: pa.Table,
    remaining: pa.Array,
    seen: pa.Table,
    evidence: RemovalEvidence,
    drafts: Mapping[str, _Draft],
) -> pa.Array:
    """Return which `remaining` versions would be removed but for rejected rows of other files than their own.

    Such a row says nothing about the file that has no such record any more: it does not keep the records that this file had beside it.
    """
    nothing = pa.array(np.zeros(versions.num_rows, dtype=bool))
    kinds = {name: evidence.file_of(name) for name in pc.unique(combine_chunks(seen.column("source_file"))).to_pylist() if name}
    found = nothing
    for file in pc.unique(combine_chunks(versions.column("source_file")).filter(remaining)).to_pylist():
        own = [name for name, kind in kinds.items() if kind == evidence.file_of(file or "")]
        if len(own) < len(kinds):
            rows = seen.filter(pc.is_in(seen.column("source_file"), value_set=pa.array(own, pa.string())))
            of_file = pc.and_(remaining, pc.equal(combine_chunks(versions.column("source_file")), file))
            found = pc.or_(found, _proven_removed(target, versions, of_file, rows, evidence, drafts))
    return pc.fill_null(found, False)


def _without_kept_parents(target: RosterTable, versions: pa.Table, removed: pa.Array, drafts: Mapping[str, _Draft]) -> pa.Array:
    """Keep a record if a kept record of the same file refers to it: one damaged row may hold both."""
    for reference in REFERENCES:
        if reference.parent == target.name and reference.table in drafts and drafts[reference.table].remaining.num_rows:
            named = key_text(drafts[reference.table].anchors(), (*reference.columns, "source_file"))
            removed = pc.and_not(
                removed, pc.is_in(key_text(versions, (*reference.parent_columns, "source_file")), value_set=named)
            )
    return removed


def _is_excluded(target: RosterTable, versions: pa.Table, exclusions: Exclusions, drafts: Mapping[str, _Draft]) -> pa.Array:
    """Return the versions that a person excludes: by table, by school, the records that those refer to, and their dependents."""
    kept = np.full(versions.num_rows, target.name in exclusions.tables)
    if exclusions.is_empty:
        return pa.array(kept)
    school = "organization_id" if target.name == "organizations" else target.school_column
    if school and exclusions.schools:
        chosen = pa.array(sorted(exclusions.schools), pa.string())
        kept |= pc.is_in(combine_chunks(versions.column(school)), value_set=chosen).to_numpy(zero_copy_only=False)
    people = [reference for reference in REFERENCES if reference.parent == "users"]
    own = next((reference for reference in people if reference.table == target.name), None)
    for reference in REFERENCES:
        child = drafts.get(reference.table)
        if child is None or not child.excluded.num_rows:
            continue
        named = key_text(child.excluded, reference.columns)
        if reference.parent == target.name:
            kept |= pc.is_in(key_text(versions, reference.parent_columns), value_set=named).to_numpy(zero_copy_only=False)
        elif own and target.school_column is None and reference in people:
            kept |= pc.is_in(key_text(versions, own.columns), value_set=named).to_numpy(zero_copy_only=False)
    return pa.array(kept)


def changed_columns(target: RosterTable, updates: pa.Table, before: pa.Table) -> tuple[dict[str, int], np.ndarray]:
    """Return (column → number of updates that change it, which updates change more than derived columns).

    Args: updates, before: the same records in the same order.
    """
    derived_now, derived_then = (combine_chunks(t.column("derived")) for t in (updates, before))
    counts: dict[str, int] = {}
    counted = np.zeros(updates.num_rows, dtype=bool)
    for name in (*(n for n in target.names if n not in target.key), "extensions"):
        one, other = combine_chunks(updates.column(name)), combine_chunks(before.column(name))
        same = pc.or_(pc.fill_null(pc.equal(one, other.cast(one.type)), False), pc.and_(pc.is_null(one), pc.is_null(other)))
        differs = ~same.to_numpy(zero_copy_only=False)
        if differs.any():
            counts[name] = int(differs.sum())
            made = pc.or_(_lists(derived_now, name), _lists(derived_then, name)).to_numpy(zero_copy_only=False)
            counted |= differs & ~made
    return counts, counted


def _lists(derived: pa.Array, name: str) -> pa.Array:
    return pc.match_substring(derived, f'"{name}"')


def _by_school(draft: _Draft, absent_rows: pa.Table, removed: pa.Table, counted: pa.Table) -> dict[str, SchoolPlan]:
    """Return the planned changes by school; `counted`: the updates that change more than derived columns."""
    target = draft.target
    updated, absent, deleted = (count_per_school(target, rows) for rows in (draft.updates, absent_rows, removed))
    named = sorted({*draft.opening_by_school, *updated, *deleted})
    counts = draft.current_by_school() if named and draft.current else {}
    changed = count_per_school(target, counted)
    return {
        school: SchoolPlan(
            current=counts.get(school, 0),
            created=draft.opening_by_school.get(school, 0) - updated.get(school, 0),
            updated=updated.get(school, 0),
            counted=changed.get(school, 0),
            deleted=deleted.get(school, 0),
            absent=absent.get(school, 0),
        )
        for school in named
    }


def count_per_school(target: RosterTable, rows: pa.Table) -> dict[str, int]:
    """Return the number of `rows` per school; empty for tables without a school column."""
    if target.school_column is None or not rows.num_rows:
        return {}
    counts = pc.value_counts(pc.drop_null(combine_chunks(rows.column(target.school_column)))).to_pylist()
    return {count["values"]: count["counts"] for count in counts}


def plan_hash(base: int | None, tables: Mapping[str, TablePlan], extra_lines: Sequence[str] = ()) -> str:
    """Return the hash that identifies a plan. ``extra_lines``: further effects of it, as text that is deterministic."""
    digest = hashlib.sha256(f"base {base}\n".encode())
    digest.update("".join(f"{line}\n" for line in extra_lines).encode())
    for name, table in tables.items():
        digest.update(f"{name} {len(table.opens)} {table.closes.num_rows}\n".encode())
        digest.update(table.hashes.tobytes())
        closes = table.closes.sort_by("version_id")
        digest.update(combine_chunks(closes.column("version_id")).to_numpy().tobytes())
        digest.update("\n".join(combine_chunks(closes.column("close_reason")).to_pylist()).encode())
    return digest.hexdigest()
