"""One table while changes are applied: current versions as columns, and the few records that rows touch as objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.engine.changes.awaited import ID_CHANGE, WATCHED
from roster_etl.engine.transform.mapper import ORIGIN
from roster_etl.frames.arrow import CLOSE_REASON, DELETED, REFUSED, combine_chunks
from roster_etl.frames.row_hashes import HASH, key_text, row_hash
from roster_etl.frames.similar_ids import text_skeleton

Key = Any  # the text of a single key column, or the tuple of several
REASONS: Final = ("changed", "deleted", "cascade", "batch_mode", "diffed", "renamed")
_CODES: Final = {reason: number for number, reason in enumerate(REASONS)}
_LIVES: Final = -1


@dataclass(slots=True)
class WorkingRecord:
    """One record. ``at``: its position in the working rows (-1: none); ``origin``: (file, row) of the last change."""

    values: dict[str, Any]
    alive: bool
    at: int
    origin: tuple[str | None, int | None] | None = None
    reason: str = "deleted"


class WorkingTable:
    """A table while changes are applied.

    ``rows``: the new state: business columns, ORIGIN columns, ``row_hash``; ``place``: for each row its position among the
    versions that were current at the start (-1: new); ``dirty``: changed rows; ``ended``: why each of the initial versions ended
    (-1: it did not); ``touched``: the watched columns of records that changed, before and after; ``seen``: (table, key) of records that
    were looked up: one set for all tables of a state.
    """

    def __init__(self, target: RosterTable, current: pa.Table, past: pa.Table | None, fixed: Mapping[str, object]) -> None:
        self.target, self.fixed = target, fixed
        self.columns = (*target.names, *ORIGIN.names, HASH)
        self.original = current.select(self.columns)
        self.rows = self.original
        self.watched = ID_CHANGE if target.name == "id_changes" else WATCHED.get(target.name, ())
        self.touched: list[pa.Table] = []
        self.seen: set[tuple[str, Key]] = set()
        self.place = np.arange(current.num_rows)
        self.dirty = np.zeros(current.num_rows, dtype=bool)
        self.ended = np.full(current.num_rows, _LIVES, dtype=np.int8)
        self.moved = np.zeros(current.num_rows, dtype=np.int8)  # why a version closes whose key has changed
        self.key = tuple(name for name in target.key if name not in fixed)
        self.past = self.rows.slice(0, 0) if past is None else past.select(self.columns)
        self.records: dict[Key, WorkingRecord] = {}
        self._index: dict[Key, int] | None = None
        self._lists: dict[str, dict[str, list[Any]]] = {}
        self._dead: dict[Key, int] | None = None
        self._skeletons: set[str] | None = None

    def find(self, key: Key) -> WorkingRecord | None:
        """Return the record, deleted or not; None: it never existed."""
        self.seen.add((self.target.name, key))
        found = self.records.get(key)
        if found is None:
            found = self._load_record(key)
            if found is not None:
                self.records[key] = found
        return found

    def find_live(self, key: Key) -> WorkingRecord | None:
        """Return the record if it is live."""
        found = self.find(key)
        return found if found is not None and found.alive else None

    def has_similar_key(self, key: Key) -> bool:
        """Return whether a record has a key similar to `key`; for a table with one key column."""
        if not isinstance(key, str):
            return False
        if self._skeletons is None:
            self._skeletons = {text_skeleton(known) for known in (*self.index, *self.records) if isinstance(known, str)}
        return text_skeleton(key) in self._skeletons

    def changed_by(self, key: Key) -> tuple[str | None, int | None] | None:
        """Return the row (file, number) of this upload that changed a record last; None: no row of it did."""
        found = self.records.get(key)
        return found.origin if found is not None else None

    def upsert(self, key: Key, values: Mapping[str, Any], origin: tuple[str | None, int | None]) -> WorkingRecord:
        """Write `values` to a record, creating or restoring it if needed."""
        record = self.find(key)
        if record is None:
            names = self.key if len(self.key) > 1 else (self.key[0],)
            own = dict(zip(names, key if len(self.key) > 1 else (key,), strict=True))
            record = self.records[key] = WorkingRecord(self._empty_values() | own, alive=False, at=-1)
        merged = {**record.values, **values}
        if merged != record.values or not record.alive:
            record.values, record.alive, record.origin = merged, True, origin
        return record

    def end_record(self, key: Key, reason: str, origin: tuple[str | None, int | None]) -> None:
        """End a record; one that never existed counts as deleted from now on."""
        record = self.find(key)
        if record is None:
            self.upsert(key, {}, origin).alive = False
        elif record.alive:
            record.alive, record.reason, record.origin = False, reason, origin

    def rename_record(self, key: Key, new: Key, origin: tuple[str | None, int | None]) -> None:
        """Change the key of a record in a table with a single key column."""
        record = self.records.pop(key)
        record.values, record.origin = record.values | {self.key[0]: new}, origin
        self.records[new] = record
        self.index.pop(key, None)
        if record.at >= 0:
            self.index[new] = record.at
            self.moved[record.at] = _CODES["renamed"]

    def live_values(self, *names: str) -> list[tuple[Any, ...]]:
        """Return the key, and then the columns `names`, of every live record."""
        self.flush()
        keys = self._keys(self.rows)
        return list(zip(keys, *(combine_chunks(self.rows.column(name)).to_pylist() for name in names), strict=True))

    @property
    def index(self) -> dict[Key, int]:
        """Key → position in the working rows."""
        if self._index is None:
            self._index = {key: at for at, key in enumerate(self._keys(self.rows))}
        return self._index

    def _keys(self, rows: pa.Table) -> list[Key]:
        columns = [combine_chunks(rows.column(name)).to_pylist() for name in self.key]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def _load_record(self, key: Key) -> WorkingRecord | None:
        at = self.index.get(key)
        if at is not None:
            return WorkingRecord(self._values("rows", self.rows, at), alive=True, at=at)
        if self._dead is None:
            self._dead = {dead: at for at, dead in enumerate(self._keys(self.past))}
        at = self._dead.get(key)
        return None if at is None else WorkingRecord(self._values("past", self.past, at), alive=False, at=-1)

    def _values(self, which: str, rows: pa.Table, at: int) -> dict[str, Any]:
        lists = self._lists.get(which)
        if lists is None:
            names = (*self.target.names, "derived", "extensions")
            lists = self._lists[which] = {name: combine_chunks(rows.column(name)).to_pylist() for name in names}
        return {name: values[at] for name, values in lists.items()}

    def _empty_values(self) -> dict[str, Any]:
        return dict.fromkeys(self.target.names) | dict(self.fixed) | {"derived": "[]", "extensions": "{}"}

    def _clear_caches(self) -> None:
        self.records = {key: record for key, record in self.records.items() if not record.alive}
        for record in self.records.values():
            record.at, record.origin = -1, None
        self._index = self._skeletons = None
        self._lists = {}

    def flush(self) -> None:
        """Write the touched records back into the columns."""
        touched = [record for record in self.records.values() if record.origin is not None]
        if not touched:
            return
        self._touch_unpublished([record for record in touched if record.at < 0 and not record.alive])
        gone = np.array([record.at for record in touched if record.at >= 0], dtype=np.int64)
        for record in touched:
            if record.at >= 0 and not record.alive and self.place[record.at] >= 0:
                self.ended[self.place[record.at]] = _CODES[record.reason]
        kept = np.ones(self.rows.num_rows, dtype=bool)
        kept[gone] = False
        alive = [record for record in touched if record.alive]
        places = np.array([self.place[r.at] if r.at >= 0 else -1 for r in alive], dtype=np.int64)
        moved = np.array([self.moved[r.at] if r.at >= 0 else 0 for r in alive], dtype=np.int8)
        self.replace_rows(kept, self._records_table(alive), places, moved)

    def _touch_unpublished(self, records: list[WorkingRecord]) -> None:
        """Record that records without a row have changed: they count as deleted from now on."""
        if records and self.watched:
            columns = {name: pa.array([record.values[name] for record in records], pa.string()) for name in self.watched}
            self.touched.append(pa.table(columns, schema=self.rows.select(self.watched).schema))

    def _records_table(self, records: list[WorkingRecord]) -> pa.Table:
        names = (*self.target.names, "derived", "extensions")
        origin = [record.origin or (None, None) for record in records]
        columns = {name: [record.values[name] for record in records] for name in names}
        columns |= {"source_file": [file for file, _ in origin], "source_row": [row for _, row in origin]}
        schema = pa.schema([*self.target.arrow_schema, *ORIGIN])
        return with_row_hash(self.target, pa.table(columns, schema=schema) if records else schema.empty_table())

    def replace_rows(self, kept: np.ndarray, added: pa.Table, positions: np.ndarray, moved: np.ndarray | None = None) -> None:
        """Keep the rows of mask `kept`, and add `added` (as `columns`) as new versions of the records at `positions`."""
        self._clear_caches()
        keep = pa.array(kept)
        if self.watched:
            self.touched += [self.rows.select(self.watched).filter(pa.array(~kept)), added.select(self.watched)]
        self.rows = pa.concat_tables([self.rows.filter(keep), added.select(self.columns)])
        self.place = np.concatenate([self.place[kept], positions])
        self.dirty = np.concatenate([self.dirty[kept], np.ones(added.num_rows, dtype=bool)])
        self.moved = np.concatenate([self.moved[kept], np.zeros(added.num_rows, np.int8) if moved is None else moved])

    def merge_rows(self, at: np.ndarray, added: pa.Table, ended: Mapping[str, np.ndarray]) -> None:
        """Replace the rows at positions `at` (-1: new ones) by `added`, and end rows at the positions in `ended`, by reason."""
        self.flush()
        kept = np.ones(self.rows.num_rows, dtype=bool)
        kept[at[at >= 0]] = False
        places = np.where(at >= 0, self.place[at], -1) if len(self.place) else np.full(len(at), -1)
        moved = np.where(at >= 0, self.moved[at], 0).astype(np.int8) if len(self.place) else np.zeros(len(at), dtype=np.int8)
        for reason, gone in ended.items():
            first = self.place[gone]
            self.ended[first[first >= 0]] = _CODES[reason]
            self._add_to_past(self.rows.take(pa.array(gone)))
            kept[gone] = False
        self.replace_rows(kept, added, places, moved)

    def deleted_ids(self) -> pa.Array:
        """Return the ids of deleted records, of a table with one key column."""
        self.flush()
        noted = [key for key, record in self.records.items() if not record.alive]
        return pa.concat_arrays([combine_chunks(self.past.column(self.key[0])), pa.array(noted, pa.string())])

    def end_rows(self, mask: np.ndarray, reason: str) -> pa.Table:
        """End the records of mask `mask`, and return their rows."""
        self.flush()
        gone = self.rows.filter(pa.array(mask))
        places = self.place[mask]
        self.ended[places[places >= 0]] = _CODES[reason]
        self._add_to_past(gone)
        self.replace_rows(~mask, self.rows.slice(0, 0), np.zeros(0, dtype=np.int64))
        return gone

    def _add_to_past(self, gone: pa.Table) -> None:
        if gone.num_rows:
            again = pc.is_in(key_text(self.past, self.key), value_set=key_text(gone, self.key))
            self.set_past(pa.concat_tables([self.past.filter(pc.invert(again)), gone]))

    def update_rows(
        self, mask: np.ndarray, values: Mapping[str, pa.Array], origin: pa.Table | None = None, *, moved: str | None = None
    ) -> None:
        """Set `values` (one per row) in the rows of `mask`; `moved`: why versions with another key close."""
        self.flush()
        if not mask.any():
            return
        part = self.rows.filter(pa.array(mask))
        origins = {} if origin is None else {name: combine_chunks(origin.column(name)) for name in ("source_file", "source_row")}
        for name, column in (*values.items(), *origins.items()):
            part = part.set_column(part.schema.get_field_index(name), part.schema.field(name), column)
        part = with_row_hash(self.target, part.drop_columns([HASH]))
        reasons = self.moved[mask] if moved is None else np.full(int(mask.sum()), _CODES[moved], dtype=np.int8)
        self.replace_rows(~mask, part, self.place[mask], reasons)

    def set_past(self, past: pa.Table) -> None:
        """Replace the versions of deleted records."""
        self.past = past
        self._dead = None
        self._lists.pop("past", None)

    def column(self, name: str) -> pa.Array:
        """Return one column of the working rows."""
        self.flush()
        return combine_chunks(self.rows.column(name))

    def mapped_table(self) -> pa.Table:
        """Return the rows of the new state and, marked by ``_refused``, ``_deleted`` and ``_close``, the versions to close.

        Of events only the rows that are new or changed: what an upload does not name stays, and was not read.
        """
        self.flush()
        if self.target.holds_events:
            return _mark_closing(
                self.rows.filter(pa.array(self.dirty)), pa.nulls(int(self.dirty.sum()), pa.string())
            ).combine_chunks()
        places, reasons = self._versions_to_close()
        words = pa.array([REASONS[code] for code in reasons], pa.string())
        rows = _mark_closing(self.rows, pa.nulls(self.rows.num_rows, pa.string()))
        return pa.concat_tables([rows, _mark_closing(self.original.take(pa.array(places)), words)]).combine_chunks()

    def _versions_to_close(self) -> tuple[np.ndarray, list[int]]:
        if not self.original.num_rows:
            return np.zeros(0, dtype=np.int64), []
        ended = np.flatnonzero(self.ended != _LIVES)
        made = key_text(self.rows.filter(pa.array(self.dirty)), self.target.key)
        back = pc.is_in(key_text(self.original.take(pa.array(ended)), self.target.key), value_set=made)
        ended = ended[~back.to_numpy(zero_copy_only=False)]  # ended and created again: a change
        again = np.flatnonzero((self.place >= 0) & self.dirty)
        now = key_text(self.rows.take(pa.array(again)), self.target.key)
        then = key_text(self.original.take(pa.array(self.place[again])), self.target.key)
        other = again[pc.not_equal(now, then).to_numpy(zero_copy_only=False)]
        return np.concatenate([ended, self.place[other]]), [*self.ended[ended].tolist(), *self.moved[other].tolist()]


def _mark_closing(rows: pa.Table, reasons: pa.Array) -> pa.Table:
    closes = pc.is_valid(reasons)
    for name, column in ((REFUSED, closes), (DELETED, closes), (CLOSE_REASON, reasons)):
        rows = rows.append_column(name, column)
    return rows


def with_row_hash(target: RosterTable, rows: pa.Table) -> pa.Table:
    """Return `rows` with their row hashes."""
    return rows.append_column(HASH, row_hash(rows, target))
