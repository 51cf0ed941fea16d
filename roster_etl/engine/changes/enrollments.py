"""Apply rows of enrollments, up to a million: columns at a time, and the last row of a record wins.

Belongs here: applying rows. Does not belong here: resolving their references (``enrollment_lookup``). Single rows are processed
only where their order matters: ``deleted_last_completed`` depends on the user's other enrollments at that point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.enrollment_lookup import EnrollmentRows, resolve_enrollment_rows
from roster_etl.engine.changes.observers import IS_NEW, KEY, ROW_POSITION, is_observed_student, update_observer_enrollments
from roster_etl.engine.changes.state import State
from roster_etl.engine.changes.working_table import WorkingTable, with_row_hash
from roster_etl.frames.arrow import combine_chunks, row_codes
from roster_etl.mapping.change_plan import RowKind

TARGET = TABLES["enrollments"]
VALUES = ("start_at", "end_at", "limit_section_privileges", "status", "cause")
DELETED_LAST_COMPLETED = "deleted_last_completed"


def apply_enrollments(state: State, kind: RowKind) -> None:
    """Apply rows of enrollments, and the resulting changes for observers."""
    if kind.name not in state.reads:
        return
    wanted = resolve_enrollment_rows(state, kind)
    if wanted.row_count:
        table = state.table(kind.table)
        settled = _resolve_statuses(table, wanted)
        update_observer_enrollments(state, *_apply_rows(state, kind, table, wanted, settled))
    state.log.release_rows(wanted.released)


class _RecordIndex:
    """Records of the upload and of the table, under common numbers.

    ``last``: the last row of each record of the upload; ``at``: its position in the table (-1: none); ``known``: its position
    among the rows of the table followed by the deleted ones.
    """

    def __init__(self, table: WorkingTable, incoming: EnrollmentRows) -> None:
        names = [name for name in TARGET.key if name not in table.fixed]
        parts = [[incoming.columns[name], table.column(name), combine_chunks(table.past.column(name))] for name in names]
        codes = row_codes([pa.concat_arrays(part) for part in parts])
        there = table.rows.num_rows
        self.rows, others = codes[: incoming.row_count], codes[incoming.row_count :]
        self.order = np.argsort(self.rows, kind="stable")
        inline = self.rows[self.order]
        self.records = inline[np.r_[True, inline[1:] != inline[:-1]]]
        self.last = self.last_where(np.ones(incoming.row_count, dtype=bool))
        self.at = self._places(others[:there])
        gone = self._places(others[there:])
        self.known = np.where(self.at >= 0, self.at, np.where(gone >= 0, gone + there, -1))

    def last_where(self, mask: np.ndarray) -> np.ndarray:
        """Return, for each record, its last row in `mask` (-1: none)."""
        order = self.order[mask[self.order]]
        found = np.full(len(self.records), -1)
        found[np.searchsorted(self.records, self.rows[order])] = order  # in order: later rows overwrite earlier ones
        return found

    def _places(self, codes: np.ndarray) -> np.ndarray:
        """Return, for each record, its position among `codes` (-1: none)."""
        found = np.full(len(self.records), -1)
        if len(codes):
            at = np.searchsorted(self.records, codes)
            hit = (at < len(self.records)) & (self.records[np.minimum(at, len(self.records) - 1)] == codes)
            found[at[hit]] = np.flatnonzero(hit)
        return found


def _resolve_statuses(table: WorkingTable, incoming: EnrollmentRows) -> np.ndarray:
    """Return each row's status; ``deleted_last_completed`` depends on the user's other enrollments at that point."""
    status = np.asarray(incoming.status.to_pylist(), dtype=object)
    asking = status == DELETED_LAST_COMPLETED
    if not asking.any():
        return status
    names = ("course_id", "user_id", "role", "associated_user_id")
    group = row_codes([pa.concat_arrays([incoming.columns[name], table.column(name)]) for name in names])
    own = row_codes([pa.concat_arrays([incoming.columns[name], table.column(name)]) for name in (*names, "section_id")])
    size = incoming.row_count
    touched = np.isin(group, np.unique(group[:size][asking]))
    live: dict[int, dict[int, bool]] = {}
    for at in np.flatnonzero(touched[size:]) + size:
        live.setdefault(int(group[at]), {})[int(own[at])] = True
    for at in np.flatnonzero(touched[:size]):
        mine = live.setdefault(int(group[at]), {})
        if status[at] == DELETED_LAST_COMPLETED:
            others = any(there for key, there in mine.items() if key != own[at])
            status[at] = "deleted" if others else "completed"
        mine[int(own[at])] = status[at] != "deleted"
    return status


def _apply_rows(
    state: State, kind: RowKind, table: WorkingTable, incoming: EnrollmentRows, status: np.ndarray
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Apply the rows to their records. Returns (records created or changed, records ended, observers' records of the upload)."""
    keys = _RecordIndex(table, incoming)
    at = pa.array(keys.at, mask=keys.at < 0)
    final = status[keys.last]
    values = _values(table, incoming, keys, final)
    _apply_protected_edits(state, kind, table, keys, values, incoming)
    living = final != "deleted"
    ended = ~living & (keys.at >= 0)
    before = {name: table.column(name).take(at) for name in VALUES}
    changed = living & ((keys.at < 0) | np.logical_or.reduce([_differs(values[name], before[name]) for name in VALUES]))
    rows = _rows(table, incoming, keys, at, values, changed)
    followed = is_observed_student(state, *(incoming.columns[name].take(pa.array(keys.last)) for name in ("role", "user_id")))
    heard = _ObserverChanges(keys, status, changed, followed)
    begun, gone = (_rows(table, incoming, keys, at, values, mask) for mask in (heard.begun, heard.gone))
    dropped = incoming.dropped[keys.last]
    reasons = {"deleted": keys.at[ended & ~dropped], "diffed": keys.at[ended & dropped]}
    table.merge_rows(keys.at[changed], rows, {reason: places for reason, places in reasons.items() if len(places)})
    return heard.with_origin(begun, heard.begun), heard.with_origin(gone, heard.gone), _observer_rows(incoming, keys)


class _ObserverChanges:
    """The changes to propagate to observers: ``begun`` and ``gone`` are masks over the records.

    A record that an upload both begins and ends is included, since what its beginning caused ends with it.
    """

    def __init__(self, keys: _RecordIndex, status: np.ndarray, changed: np.ndarray, followed: np.ndarray) -> None:
        living = status != "deleted"
        inline = living[keys.order]
        rows = keys.rows[keys.order]
        first = np.r_[True, rows[1:] != rows[:-1]]
        before = np.r_[False, inline[:-1]]
        before[first] = keys.at >= 0
        turned = np.zeros(len(status), dtype=bool)
        turned[keys.order] = inline != before
        turn = keys.last_where(turned)
        self.turned, self.at = turn >= 0, np.where(turn >= 0, turn, keys.last)
        self.begun = followed & living[keys.last] & (changed | self.turned)
        self.gone = followed & ~living[keys.last] & ((keys.at >= 0) | self.turned)

    def with_origin(self, rows: pa.Table, mask: np.ndarray) -> pa.Table:
        """Return `rows`, those of `mask`, with IS_NEW and the ROW_POSITION of the row that caused the change."""
        return rows.append_column(IS_NEW, pa.array(self.turned[mask])).append_column(ROW_POSITION, pa.array(self.at[mask]))


def _observer_rows(incoming: EnrollmentRows, keys: _RecordIndex) -> pa.Table:
    """Return the observers' enrollments in the upload, with the position of the last row of each."""
    last = pa.array(keys.last)
    own = pa.table({name: incoming.columns[name].take(last) for name in KEY} | {ROW_POSITION: last})
    return own.filter(pc.is_valid(own.column("associated_user_id")))


def _values(table: WorkingTable, incoming: EnrollmentRows, keys: _RecordIndex, final: np.ndarray) -> dict[str, pa.Array]:
    """Return the values of every record: dates of its last row whose file has the column, and values that blank cells keep.

    Values that no row sets stay as they were, also from before the record ended.
    """
    values: dict[str, pa.Array] = {}
    at = pa.array(keys.known, mask=keys.known < 0)
    for name in ("start_at", "end_at"):
        values[name] = _last_values(table, incoming, name, keys.last_where(incoming.present[name]), at)
    one = pc.and_(pc.is_null(values["start_at"]), pc.is_valid(values["end_at"]))
    other = pc.and_(pc.is_valid(values["start_at"]), pc.is_null(values["end_at"]))
    half = pc.or_(one, other)  # dates are applied as a pair only
    for name in ("start_at", "end_at"):
        values[name] = pc.if_else(half, pa.scalar(None, values[name].type), values[name])
    name = "limit_section_privileges"
    said = pc.is_valid(incoming.columns[name]).to_numpy(zero_copy_only=False)
    values[name] = _last_values(table, incoming, name, keys.last_where(said), at)
    values["status"] = pa.array(final, pa.string())
    values["cause"] = pa.nulls(len(keys.records), pa.string())
    return values


def _last_values(table: WorkingTable, incoming: EnrollmentRows, name: str, last: np.ndarray, at: pa.Array) -> pa.Array:
    said = incoming.columns[name].take(pa.array(last, mask=last < 0))
    before = pa.concat_arrays([table.column(name), combine_chunks(table.past.column(name))]).take(at)
    return pc.if_else(pa.array(last >= 0), said, before)


def _apply_protected_edits(
    state: State, kind: RowKind, table: WorkingTable, keys: _RecordIndex, values: dict[str, pa.Array], incoming: EnrollmentRows
) -> None:
    """Restore the values that stewards overrode, or record how the upload changes the overrides."""
    sticky = state.protected_edits
    if not sticky.edits.get(kind.table) and not sticky.add:
        return
    names = [name for name in TARGET.key if name != "user_kind"]
    own = {name: incoming.columns[name].take(pa.array(keys.last)).to_pylist() for name in names}
    lists = {name: values[name].to_pylist() for name in VALUES}
    for number, place in enumerate(keys.at.tolist()):
        key = {name: own[name][number] for name in names}
        before = {name: table.column(name)[place].as_py() for name in VALUES} if place >= 0 else {}
        row: dict[str, Any] = {name: lists[name][number] for name in VALUES if name != "cause"}
        allowed = sticky.allowed_values(kind, key, row, before)
        for name in set(row) - set(allowed):
            lists[name][number] = before.get(name)
    for name in VALUES:
        values[name] = pa.array(lists[name], values[name].type)


def _differs(now: pa.Array, before: pa.Array) -> np.ndarray:
    same = pc.or_(pc.fill_null(pc.equal(now, before), fill_value=False), pc.and_(pc.is_null(now), pc.is_null(before)))
    return ~same.to_numpy(zero_copy_only=False)


def _rows(
    table: WorkingTable,
    incoming: EnrollmentRows,
    keys: _RecordIndex,
    at: pa.Array,
    values: dict[str, pa.Array],
    chosen: np.ndarray,
) -> pa.Table:
    """Return the chosen records as rows of the table."""
    mask = pa.array(chosen)
    last, at = pa.array(keys.last).filter(mask), at.filter(mask)
    columns: dict[str, pa.Array] = {}
    for field in TARGET.arrow_schema:
        if field.name in values:
            columns[field.name] = values[field.name].filter(mask)
        elif field.name in TARGET.key and field.name in incoming.columns:
            columns[field.name] = incoming.columns[field.name].take(last)
        elif field.name in table.fixed:
            columns[field.name] = pa.repeat(pa.scalar(table.fixed[field.name], field.type), len(last))
        else:
            columns[field.name] = table.column(field.name).take(at)
    columns["source_file"] = incoming.files.take(last)
    columns["source_row"] = incoming.numbers.take(last)
    columns["derived"] = pc.fill_null(table.column("derived").take(at), "[]")
    columns["extensions"] = pc.fill_null(table.column("extensions").take(at), "{}")
    return with_row_hash(TARGET, pa.table(columns))
