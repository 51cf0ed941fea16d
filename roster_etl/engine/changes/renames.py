"""Ids that change: the record keeps its history, and every record that names it follows.

Belongs here: rows that rename, in their order (chains and swaps through a third id work), and putting new ids into columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import MENTIONS
from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.id_changes import note_change
from roster_etl.engine.changes.state import State
from roster_etl.engine.changes.working_table import Working
from roster_etl.frames.arrow import flat
from roster_etl.mapping.change_plan import RowKind

CLEAR = "<delete>"


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """A record of ``entity`` that had the id ``old`` at the start has ``new`` now. ``origin``: the row that said so."""

    entity: str
    old: str
    new: str
    origin: tuple[str | None, int | None]


@dataclass(kw_only=True)
class _Ids:
    """The ids of one kind of record: id now → id at the start, and integration id → id at the start; and both back."""

    now: dict[str, str]
    now_of: dict[str, str]
    second: dict[str, str]
    second_of: dict[str, str]
    origin: dict[str, tuple[str | None, int | None]]
    second_origin: dict[str, tuple[str | None, int | None]]
    has_second: bool


def rename(state: State, kind: RowKind) -> None:
    """Apply rows that change ids."""
    ids: dict[str, _Ids] = {}

    def apply(row: Row) -> None:
        entity = state.plan.entities.get((row.get("entity") or "").strip().lower())
        if entity is None:
            raise Refused("bad_value", "Expected a type of record that the document names.", about="entity")
        places = [name for name in (entity, "logins" if entity == "users" else None) if name]
        for name in places:
            if name not in ids:
                ids[name] = _ids_of(state.table(name))
        chosen = next((name for name in places if row.get("old_id") in ids[name].now), places[0])
        _rename(state, row, chosen, [ids[name] for name in places], ids[chosen])

    state.each(kind, apply)
    renamed = [
        Renamed(entity=name, old=first, new=now, origin=found.origin[first])
        for name, found in ids.items()
        for now, first in found.now.items()
        if now != first
    ]
    for name, found in ids.items():
        _set_second(state.table(name), found)
    apply_renames(state, renamed, tuple(dict.fromkeys(r.entity for r in renamed)), own=True)


def _rename(state: State, row: Row, entity: str, all_ids: Sequence[_Ids], ids: _Ids) -> None:
    old, new = row.get("old_id"), row.get("new_id")
    old_second, new_second = row.get("old_integration_id"), row.get("new_integration_id")
    first = _named(ids, old, old_second)
    if new is not None and new != old and any(new in other.now for other in all_ids):
        raise Refused("already_exists", "The new id is in use, perhaps by a deleted record.", about="new_id")
    if new_second is not None and not ids.has_second:
        raise Refused("bad_value", "Records of this type have no integration id.", about="new_integration_id")
    holders = [other.second[new_second] for other in all_ids if new_second in other.second] if new_second else []
    if any(holder != first for holder in holders):
        raise Refused("integration_id_taken", "Another record has the new integration id.", about="new_integration_id")
    if new is not None and new != ids.now_of[first]:
        _move(state, row, entity, ids, first, new)
    if new_second is not None:
        ids.second.pop(ids.second_of.pop(first, ""), None)
        if new_second != CLEAR:
            ids.second[new_second], ids.second_of[first] = first, new_second
        ids.second_origin[first] = row.origin


def _move(state: State, row: Row, entity: str, ids: _Ids, first: str, new: str) -> None:
    before = ids.now_of[first]
    del ids.now[before]
    ids.now[new], ids.now_of[first] = first, new
    ids.origin[first] = row.origin
    state.sticky.follow(entity, before, new)
    note_change(state, entity, before, new, row.origin)


def _named(ids: _Ids, old: str | None, old_second: str | None) -> str:
    """Return the record that a row means, by its id at the start. Raises Refused."""
    found = {
        name: index.get(value)
        for name, index, value in (("old_id", ids.now, old), ("old_integration_id", ids.second, old_second))
        if value is not None
    }
    for name, first in found.items():
        if first is None:
            raise Refused("unknown_reference", "No record of this type has this id, or its id was changed already.", about=name)
    if not found:
        raise Refused("missing_required", "An old id is needed.", about="old_id")
    if len(set(found.values())) > 1:
        raise Refused("id_mismatch", "The two old ids name different records.", about="old_id")
    return str(next(iter(found.values())))


def _ids_of(table: Working) -> _Ids:
    """Return the ids of a table, those of deleted records included."""
    has_second = "integration_id" in table.target.names
    live = table.live_values(*(("integration_id",) if has_second else ()))
    dead = flat(table.past.column(table.key[0])).to_pylist()
    second = {row[1]: row[0] for row in live if has_second and row[1] is not None}
    now = {key: key for key in (*dead, *(row[0] for row in live))}
    return _Ids(
        now=now,
        now_of=dict(now),
        second=second,
        second_of={first: value for value, first in second.items()},
        origin={},
        second_origin={},
        has_second=has_second,
    )


def _set_second(table: Working, ids: _Ids) -> None:
    for first, origin in ids.second_origin.items():
        if table.live(first) is not None:
            table.put(first, {"integration_id": ids.second_of.get(first)}, origin)
    table.settle()


def apply_renames(state: State, renamed: Sequence[Renamed], entities: Iterable[str], *, own: bool = False) -> None:
    """Put new ids into every column that names the records; into their own tables' keys too, with `own`."""
    for entity in entities:
        mine = [r for r in renamed if r.entity == entity]
        for table, column in MENTIONS[entity] if mine else ():
            is_key_of_own = table == entity and column in state.table(table).key if table in state.tables else False
            if table in state.tables and (own or not is_key_of_own):
                _remap(state.table(table), column, mine)


def _remap(table: Working, column: str, renamed: Sequence[Renamed]) -> None:
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
    table.change(mask, {column: new.take(places)}, origins.take(places), moved="renamed")
    past = pc.index_in(flat(table.past.column(column)), value_set=old)
    if past.null_count < len(past):
        values = pc.coalesce(new.take(past), flat(table.past.column(column)))
        table.put_past(table.past.set_column(table.past.schema.get_field_index(column), column, values))
