"""Translate old ids, in retried rows and past versions, to the ids in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.engine.changes.awaited import entities_of
from roster_etl.engine.changes.change_rows import ChangeFile
from roster_etl.engine.changes.state import IdChange, State
from roster_etl.frames.arrow import combine_chunks
from roster_etl.mapping.change_plan import RowKind

CURRENT_IMPORT = sys.maxsize  # the import that is being applied comes after all others
CHANGE_COUNT = "times"


def record_id_change(state: State, entity: str, old: str, new: str, origin: tuple[str | None, int | None]) -> None:
    """Record an id change: in the table, and for rows still to be read. The same change may recur after a reversal."""
    table, key = state.table("id_changes"), (entity, old, new)
    known = table.find_live(key)
    values: dict[str, object] = {"extensions": "{}"}
    if known is not None:
        more = json.loads(known.values["extensions"] or "{}")
        values["extensions"] = json.dumps(more | {CHANGE_COUNT: more.get(CHANGE_COUNT, 1) + 1})
    table.upsert(key, values, origin)
    state.id_changes.append(IdChange(import_id=CURRENT_IMPORT, entity=entity, old=old, new=new))


def current_ids(changes: Sequence[IdChange], entities: Collection[str], ids: pa.Array, since: np.ndarray) -> pa.Array:
    """Return the current ids of `ids` of `entities`.

    Args: changes: in order; since: for each id the first import whose changes count (earlier ones had happened already).
    """
    steps: dict[str, list[tuple[int, IdChange]]] = {}
    for at, change in enumerate(changes):
        if change.entity in entities:
            steps.setdefault(change.old, []).append((at, change))
    hit = pc.is_in(ids, value_set=pa.array(sorted(steps), pa.string())) if steps else None
    if hit is None or not pc.any(hit).as_py():
        return ids
    places = np.flatnonzero(hit.to_numpy(zero_copy_only=False))
    known: dict[tuple[str, int], str] = {}
    now = []
    for pair in zip(ids.take(pa.array(places)).to_pylist(), since[places].tolist(), strict=True):
        if pair not in known:
            known[pair] = _resolve_id(steps, *pair)
        now.append(known[pair])
    return pc.replace_with_mask(ids, hit, pa.array(now, pa.string()))


def _resolve_id(steps: dict[str, list[tuple[int, IdChange]]], id_: str, since: int) -> str:
    """Return the id after all changes from import `since` on, in order."""
    last = -1
    while True:
        found = next(((at, c) for at, c in steps.get(id_, ()) if at > last and c.import_id >= since), None)
        if found is None:
            return id_
        last, id_ = found[0], found[1].new


def rename_retried_rows(changes: Sequence[IdChange], kind: RowKind, source: ChangeFile) -> ChangeFile:
    """Return rows of an earlier import with the current ids of their records."""
    if not changes:
        return source
    rows = source.rows
    for given in kind.columns:
        entities = entities_of(kind, given.to)
        if not entities or given.column not in rows.column_names:
            continue
        since = np.full(rows.num_rows, (source.import_id or 0) + 1)  # an upload's own rows use its own new ids
        cells = current_ids(changes, entities, combine_chunks(rows.column(given.column)).cast(pa.string()), since)
        rows = rows.set_column(rows.column_names.index(given.column), given.column, cells)
    return replace(source, rows=rows)


def rename_past_versions(changes: Sequence[IdChange], name: str, past: pa.Table) -> pa.Table:
    """Return past versions with current ids.

    Changes of the import that closed a version count: renames come first in an import. Of several versions with one id the last
    counts, as versions are ordered by their id.
    """
    since = combine_chunks(past.column("valid_to_import")).to_numpy(zero_copy_only=False)
    for entity, places in ID_COLUMNS.items():
        for table, column in places:
            if table == name:
                ids = current_ids(changes, {entity}, combine_chunks(past.column(column)), since)
                past = past.set_column(past.schema.get_field_index(column), past.schema.field(column), ids)
    return past
