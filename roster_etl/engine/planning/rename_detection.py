"""Detect ID changes: match people that a plan would remove with people that it would add, and apply approved renames.

Belongs here: who may be the same person, one to one, and closing their versions as ``renamed`` instead of removing them.
``engine.planning.wrong_district`` detects that many people were renumbered at once. Grain of tables of people: one row per
person. No I/O.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import CLOSES, Plan, TablePlan, count_per_school, plan_hash
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import HASH, hash_numbers, key_text, row_hash

ENTITY, TABLE, RENAMED = "users", "id_changes", "renamed"
PERSON = ("user_kind", "user_id", "first_name", "last_name", "email")
PROPOSALS = pa.schema([("user_kind", pa.string()), ("old_id", pa.string()), ("new_id", pa.string()), ("by", pa.string())])
"""``by``: what is equal besides kind and school: ``birth_date`` (and the names), or ``email``."""

_KEY = ("user_kind", "user_id")
_BY = {"birth_date": ("user_kind", "first_name", "last_name", "birth_date"), "email": ("user_kind", "email")}
_REMOVED = pa.array(["absent", "cascade"], pa.string())


@dataclass(frozen=True, kw_only=True)
class People:
    """A group of people.

    ``persons``: columns PERSON; ``born``: user_kind, user_id, birth_date; ``schools``: user_kind, user_id, organization_id.
    """

    persons: pa.Table
    born: pa.Table
    schools: pa.Table


def propose_renames(removed: People, added: People) -> pa.Table:
    """Return the likely ID changes from `removed` to `added` people (columns PROPOSALS): one to one, at the same school.

    The names and date of birth are equal, or the e-mail address is; case is ignored. An ambiguous match is not proposed.
    """
    before, after = _comparable_people(removed), _comparable_people(added)
    pairs = pa.concat_tables([_pairs(before, after, by) for by in _BY])
    pairs = pairs.group_by(["user_kind", "old_id", "new_id"]).aggregate([("by", "min")]).rename_columns([*PROPOSALS.names])
    alone = pc.and_(_is_unique(pairs, ("user_kind", "old_id")), _is_unique(pairs, ("user_kind", "new_id")))
    found = pairs.filter(alone)
    # A row of id_changes has only the old and the new ID: two kinds of people with the same pair would be ambiguous.
    return found.filter(_is_unique(found, ("old_id", "new_id"))).sort_by([("user_kind", "ascending"), ("old_id", "ascending")])


def id_change_rows(proposals: pa.Table) -> pa.Table:
    """Return the rows of ``id_changes`` for `proposals`, as in a mapped table; the kind of person is an extension."""
    target, count = TABLES[TABLE], proposals.num_rows
    nothing = pa.nulls(count, pa.string())
    kinds = [json.dumps({"user_kind": kind}) for kind in proposals.column("user_kind").to_pylist()]
    rows = pa.table(
        {
            "entity": pa.array([ENTITY] * count, pa.string()),
            "old_id": proposals.column("old_id"),
            "new_id": proposals.column("new_id"),
            "source_file": nothing,
            "source_row": pa.nulls(count, pa.int64()),
            "derived": pa.array(["[]"] * count, pa.string()),
            "extensions": pa.array(kinds, pa.string()),
        }
    )
    return rows.append_column(HASH, row_hash(rows, target))


def apply_renames(
    plan: Plan, renamed: pa.Table, closing_versions: Mapping[str, pa.Table], changes: pa.Table, current: int
) -> Plan:
    """Return `plan` with the removals of `renamed` people (columns PROPOSALS) closed as renamed instead.

    Args: closing_versions: table → the versions that the plan closes, with all columns; changes: rows of ``id_changes`` to open;
          current: the number of current versions of ``id_changes``.
    """
    old = renamed.select(["user_kind", "old_id"]).rename_columns([*_KEY])
    tables = {
        n: _close_as_renamed(table, closing_versions[n], old) if n in closing_versions else table
        for n, table in plan.tables.items()
    }
    if changes.num_rows:
        tables[TABLE] = _id_changes_plan(changes, current)
    return replace(plan, tables=tables, sha256=plan_hash(plan.base, tables))


def _close_as_renamed(table: TablePlan, closing: pa.Table, old: pa.Table) -> TablePlan:
    """Close the versions of `old` people as renamed, and no longer count them as absent."""
    theirs = closing.filter(pc.is_in(key_text(closing, _KEY), value_set=key_text(old, _KEY)))
    ids, reasons = combine_chunks(table.closes.column("version_id")), combine_chunks(table.closes.column("close_reason"))
    mine = pc.and_(pc.is_in(ids, value_set=combine_chunks(theirs.column("version_id"))), pc.is_in(reasons, value_set=_REMOVED))
    absent = pc.and_(mine, pc.equal(reasons, "absent"))
    fewer = count_per_school(
        TABLES[table.table], theirs.filter(pc.is_in(combine_chunks(theirs.column("version_id")), value_set=ids.filter(absent)))
    )
    moved = Counter(reasons.filter(mine).to_pylist())
    counts = Counter(table.reasons) - moved + Counter({RENAMED: moved.total()})
    return replace(
        table,
        closes=pa.table([ids, pc.if_else(mine, RENAMED, reasons)], schema=CLOSES),
        absent=table.absent - moved["absent"],
        reasons={reason: count for reason, count in counts.items() if count},
        schools={name: replace(part, absent=part.absent - fewer.get(name, 0)) for name, part in table.schools.items()},
    )


def _id_changes_plan(changes: pa.Table, current: int) -> TablePlan:
    """Return the plan that opens `changes`, and closes nothing."""
    return TablePlan(
        table=TABLE,
        opens=pa.array(np.arange(changes.num_rows)),
        hashes=np.sort(hash_numbers(changes.column(HASH))),
        closes=CLOSES.empty_table(),
        created=changes.num_rows,
        updated=0,
        deleted=0,
        absent=0,
        current=current,
        counted_updates=0,
        columns={},
        reasons={},
        schools={},
    )


def _comparable_people(people: People) -> pa.Table:
    """Return one row per person and school: all columns as text, IDs unchanged, compared columns in lower case."""
    persons = _as_text(people.persons.select([*PERSON]))
    born = _as_text(people.born.select([*_KEY, "birth_date"]))
    schools = _as_text(people.schools.select([*_KEY, "organization_id"])).group_by([*_KEY, "organization_id"]).aggregate([])
    all_ = persons.join(born, [*_KEY], join_type="left outer").join(schools, [*_KEY], join_type="left outer")
    lowered = {n: pc.utf8_lower(combine_chunks(all_.column(n))) for n in ("first_name", "last_name", "email", "birth_date")}
    return pa.table({n: lowered.get(n, all_.column(n)) for n in all_.column_names})


def _as_text(table: pa.Table) -> pa.Table:
    return pa.table({name: combine_chunks(table.column(name)).cast(pa.string()) for name in table.column_names})


def _pairs(before: pa.Table, after: pa.Table, by: str) -> pa.Table:
    """Return the pairs of people who match at some school, where exactly one matches one."""
    (one, ids), (other, new) = (_match_keys(side, _BY[by]) for side in (before, after))
    place = pc.index_in(one, value_set=other)
    hit = pc.is_valid(place)
    columns = [
        ids.column("user_kind").filter(hit),
        ids.column("user_id").filter(hit),
        new.column("user_id").take(pc.drop_null(place)),
        pa.array([by] * int(pc.sum(hit).as_py() or 0), pa.string()),
    ]
    return pa.table(columns, schema=PROPOSALS)


def _match_keys(people: pa.Table, columns: tuple[str, ...]) -> tuple[pa.Array, pa.Table]:
    """Return match keys and people, without people who lack a compared value or share all of them with somebody."""
    complete = pc.is_valid(combine_chunks(people.column(columns[0])))
    for name in columns[1:]:
        complete = pc.and_(complete, pc.is_valid(combine_chunks(people.column(name))))
    people = people.filter(complete)
    people = people.filter(_is_unique(people, (*columns, "organization_id")))
    return key_text(people, (*columns, "organization_id")), people


def _is_unique(rows: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    """Return which rows are the only ones with their values of `columns`."""
    keys = key_text(rows, columns)
    counts = pc.value_counts(keys)
    return pc.is_in(keys, value_set=counts.field("values").filter(pc.equal(counts.field("counts"), 1)))
