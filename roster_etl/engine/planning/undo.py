"""Plan an undo: which versions to open again and which to close, to restore a feed's roster to its state before an import.

The history is complete, so no removal is uncertain; every version closes as ``undone``. No I/O: the caller passes the versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.planning.plan import (
    CLOSES,
    Plan,
    SchoolPlan,
    TablePlan,
    changed_columns,
    count_per_school,
    match_hashes,
    plan_hash,
)
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import HASH, hash_numbers, key_text

UNDONE = "undone"


@dataclass(frozen=True, kw_only=True)
class ChangesSince:
    """The changes of one table since a point in time.

    - ``ended``: versions, with all columns, that were current then and are not now
    - ``begun``: versions, with all columns, that are current now and were not then
    - ``current``: the number of current versions
    - ``schools``: the same by school, for tables with a school column
    """

    ended: pa.Table
    begun: pa.Table
    current: int
    schools: Mapping[str, int] = field(default_factory=dict)


def make_undo_plan(since: Mapping[str, ChangesSince], *, base: int | None, edits: Sequence[str] = ()) -> Plan:
    """Return the plan that restores the state from which `since` counts the changes, by table.

    A position in ``TablePlan.opens`` is a position in ``ChangesSince.ended``. ``edits``: the effects on stewards' edits, as text;
    they are part of what a person approves.
    """
    tables = {name: _undo_table(TABLES[name], since[name]) for name in TABLES if name in since}
    return Plan(base=base, tables=tables, sha256=plan_hash(base, tables, (UNDONE, *edits)))


def _undo_table(target: RosterTable, since: ChangesSince) -> TablePlan:
    """Plan the undo of one table: open the ended versions again, and close the begun ones."""
    then, now = (hash_numbers(rows.column(HASH)) for rows in (since.ended, since.begun))
    same_then, same_now = match_hashes(then, now)  # changed and changed back: the record is the same as then
    places = np.flatnonzero(~same_then)
    wanted, there = since.ended.take(pa.array(places)), since.begun.filter(pa.array(~same_now))
    place = pc.index_in(key_text(wanted, target.key), value_set=key_text(there, target.key))
    updates, replaced = wanted.filter(pc.is_valid(place)), there.take(pc.drop_null(place))
    gone = there.filter(pc.invert(pc.is_in(key_text(there, target.key), value_set=key_text(wanted, target.key))))
    columns, counted = changed_columns(target, updates, replaced)
    reasons = pa.array([UNDONE] * there.num_rows, pa.string())
    return TablePlan(
        table=target.name,
        opens=pa.array(places),
        hashes=np.sort(then[places]),
        closes=pa.table([combine_chunks(there.column("version_id")), reasons], schema=CLOSES),
        created=wanted.num_rows - updates.num_rows,
        updated=updates.num_rows,
        deleted=gone.num_rows,
        absent=0,
        current=since.current,
        counted_updates=int(counted.sum()),
        columns=columns,
        reasons={UNDONE: gone.num_rows} if gone.num_rows else {},
        schools=_schools(target, since, wanted, updates, updates.filter(pa.array(counted)), gone),
    )


def _schools(
    target: RosterTable, since: ChangesSince, wanted: pa.Table, updates: pa.Table, counted: pa.Table, gone: pa.Table
) -> dict[str, SchoolPlan]:
    opening, updated, changed, deleted = (count_per_school(target, rows) for rows in (wanted, updates, counted, gone))
    return {
        school: SchoolPlan(
            current=since.schools.get(school, 0),
            created=opening.get(school, 0) - updated.get(school, 0),
            updated=updated.get(school, 0),
            counted=changed.get(school, 0),
            deleted=deleted.get(school, 0),
        )
        for school in sorted({*opening, *deleted})
    }
