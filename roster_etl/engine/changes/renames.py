"""Apply rows that change ids: the record keeps its history, and every reference to it is updated.

Belongs here: such rows in order (chains and swaps through a third id work), and updating ids in columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.id_changes import record_id_change
from roster_etl.engine.changes.state import State
from roster_etl.engine.changes.working_table import WorkingTable
from roster_etl.frames.arrow import combine_chunks
from roster_etl.mapping.change_plan import RowKind

CLEAR = "<delete>"


@dataclass(frozen=True, kw_only=True)
class RenamedRecord:
    """A record of ``entity`` whose id was ``old`` at the start and is ``new`` now. ``origin``: the row that changed it."""

    entity: str
    old: str
    new: str
    origin: tuple[str | None, int | None]


@dataclass(kw_only=True)
class _IdIndex:
    """The ids of one kind of record: current id → id at the start, integration id → id at the start, and both inverses."""

    original_by_id: dict[str, str]
    id_by_original: dict[str, str]
    original_by_integration_id: dict[str, str]
    integration_id_by_original: dict[str, str]
    origin: dict[str, tuple[str | None, int | None]]
    integration_id_origin: dict[str, tuple[str | None, int | None]]
    has_integration_id: bool


def apply_id_changes(state: State, kind: RowKind) -> None:
    """Apply rows that change ids."""
    ids: dict[str, _IdIndex] = {}

    def apply(row: Row) -> None:
        entity = state.plan.entities.get((row.get("entity") or "").strip().lower())
        if entity is None:
            raise RowRejected("bad_value", "Expected a type of record that the document names.", about="entity")
        places = [name for name in (entity, "logins" if entity == "users" else None) if name]
        for name in places:
            if name not in ids:
                ids[name] = _index_ids(state.table(name))
        chosen = next((name for name in places if row.get("old_id") in ids[name].original_by_id), places[0])
        _apply_id_change(state, row, chosen, [ids[name] for name in places], ids[chosen])

    state.apply_rows(kind, apply)
    renamed = [
        RenamedRecord(entity=name, old=first, new=now, origin=found.origin[first])
        for name, found in ids.items()
        for now, first in found.original_by_id.items()
        if now != first
    ]
    for name, found in ids.items():
        _write_integration_ids(state.table(name), found)
    rename_references(state, renamed, tuple(dict.fromkeys(r.entity for r in renamed)), include_own_keys=True)


def _apply_id_change(state: State, row: Row, entity: str, all_ids: Sequence[_IdIndex], ids: _IdIndex) -> None:
    old, new = row.get("old_id"), row.get("new_id")
    old_second, new_second = row.get("old_integration_id"), row.get("new_integration_id")
    first = _find_original_id(ids, old, old_second)
    if new is not None and new != old and any(new in other.original_by_id for other in all_ids):
        raise RowRejected("already_exists", "The new id is in use, perhaps by a deleted record.", about="new_id")
    if new_second is not None and not ids.has_integration_id:
        raise RowRejected("bad_value", "Records of this type have no integration id.", about="new_integration_id")
    holders = (
        [other.original_by_integration_id[new_second] for other in all_ids if new_second in other.original_by_integration_id]
        if new_second
        else []
    )
    if any(holder != first for holder in holders):
        raise RowRejected("integration_id_taken", "Another record has the new integration id.", about="new_integration_id")
    if new is not None and new != ids.id_by_original[first]:
        _move_id(state, row, entity, ids, first, new)
    if new_second is not None:
        ids.original_by_integration_id.pop(ids.integration_id_by_original.pop(first, ""), None)
        if new_second != CLEAR:
            ids.original_by_integration_id[new_second], ids.integration_id_by_original[first] = first, new_second
        ids.integration_id_origin[first] = row.origin


def _move_id(state: State, row: Row, entity: str, ids: _IdIndex, first: str, new: str) -> None:
    before = ids.id_by_original[first]
    del ids.original_by_id[before]
    ids.original_by_id[new], ids.id_by_original[first] = first, new
    ids.origin[first] = row.origin
    state.protected_edits.follow_id_change(entity, before, new)
    record_id_change(state, entity, before, new, row.origin)


def _find_original_id(ids: _IdIndex, old: str | None, old_second: str | None) -> str:
    """Return the record that a row names, by its id at the start. Raises RowRejected."""
    found = {
        name: index.get(value)
        for name, index, value in (
            ("old_id", ids.original_by_id, old),
            ("old_integration_id", ids.original_by_integration_id, old_second),
        )
        if value is not None
    }
    for name, first in found.items():
        if first is None:
            raise RowRejected(
                "unknown_reference", "No record of this type has this id, or its id was changed already.", about=name
            )
    if not found:
        raise RowRejected("missing_required", "An old id is needed.", about="old_id")
    if len(set(found.values())) > 1:
        raise RowRejected("id_mismatch", "The two old ids name different records.", about="old_id")
    return str(next(iter(found.values())))


def _index_ids(table: WorkingTable) -> _IdIndex:
    """Return the ids of a table, including those of deleted records."""
    has_second = "integration_id" in table.target.names
    live = table.live_values(*(("integration_id",) if has_second else ()))
    dead = combine_chunks(table.past.column(table.key[0])).to_pylist()
    second = {row[1]: row[0] for row in live if has_second and row[1] is not None}
    now = {key: key for key in (*dead, *(row[0] for row in live))}
    return _IdIndex(
        original_by_id=now,
        id_by_original=dict(now),
        original_by_integration_id=second,
        integration_id_by_original={first: value for value, first in second.items()},
        origin={},
        integration_id_origin={},
        has_integration_id=has_second,
    )


def _write_integration_ids(table: WorkingTable, ids: _IdIndex) -> None:
    for first, origin in ids.integration_id_origin.items():
        if table.find_live(first) is not None:
            table.upsert(first, {"integration_id": ids.integration_id_by_original.get(first)}, origin)
    table.flush()


def rename_references(
    state: State, renamed: Sequence[RenamedRecord], entities: Iterable[str], *, include_own_keys: bool = False
) -> None:
    """Update every column that refers to the records; with `include_own_keys`, also the keys of their own tables."""
    for entity in entities:
        mine = [r for r in renamed if r.entity == entity]
        for table, column in ID_COLUMNS[entity] if mine else ():
            is_key_of_own = table == entity and column in state.table(table).key if table in state.tables else False
            if table in state.tables and (include_own_keys or not is_key_of_own):
                _remap_column(state.table(table), column, mine)


def _remap_column(table: WorkingTable, column: str, renamed: Sequence[RenamedRecord]) -> None:
    old, new = (pa.array([getattr(r, name) for r in renamed], pa.string()) for name in ("old", "new"))
    origins = pa.table(
        {
            "source_file": pa.array([r.origin[0] for r in renamed], pa.string()),
            "source_row": pa.array([r.origin[1] for r in renamed], pa.int64()),
        }
    )
    place = pc.index_in(table.column(column), value_set=old)
    hit = pc.is_valid(place)
    places = pc.drop_null(place)
    mask = hit.to_numpy(zero_copy_only=False)
    table.update_rows(mask, {column: new.take(places)}, origins.take(places), moved="renamed")
    past = pc.index_in(combine_chunks(table.past.column(column)), value_set=old)
    if past.null_count < len(past):
        values = pc.coalesce(new.take(past), combine_chunks(table.past.column(column)))
        table.set_past(table.past.set_column(table.past.schema.get_field_index(column), column, values))
