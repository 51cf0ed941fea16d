"""Checks of files that an upload may send as a whole, or as changes of what was sent before.

Belongs here: the status and the time of a row, what a row that only removes needs, and which of several rows of a record counts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.row_rejection import FileState, Mask, to_mask
from roster_etl.frames.timestamps import parse_timestamps
from roster_etl.spec import RowChanges

_EXACT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"


def exempt_removals(state: FileState) -> None:
    """Exempt rows that remove their record from checks of other cells than the key."""
    if state.file.changes:
        state.exempt = state.deleted_mask()


def check_change_columns(state: FileState) -> None:
    """Tell that status and time are ignored in a whole file, and of times that are written in another way in one of changes."""
    facts = state.file.changes
    if facts is None:
        return
    if state.changes is None:
        _tell_ignored(state, facts)
    else:
        _tell_loose_times(state, facts)


def _tell_ignored(state: FileState, facts: RowChanges) -> None:
    cells = [state.columns[name] for name in (facts.status, facts.modified) if name in state.columns]
    filled = np.logical_or.reduce([to_mask(pc.is_valid(column)) for column in cells]) if cells else np.zeros(0, dtype=bool)
    if not filled.any():
        return
    field = f"{facts.status}, {facts.modified}"
    message = "The columns are blank in a whole file; the values were ignored, but rows that say that their record is gone count."
    if state.strict:
        state.reject(filled, "bad_value", field, "The columns are blank in a whole file.")
    else:
        state.add_finding("warning", "ignored_value", field, int(filled.sum()), message)


def _tell_loose_times(state: FileState, facts: RowChanges) -> None:
    """Tell once of times that are read although the document writes them otherwise."""
    if facts.modified not in state.columns:
        return
    values = state.columns[facts.modified]
    readable = to_mask(pc.is_valid(parse_timestamps(values)))
    loose = readable & ~to_mask(pc.match_substring_regex(values, _EXACT)) & state.change_mask()
    message = "Expected a moment such as 2026-08-01T00:00:00.000Z; it was read."
    if state.strict:
        state.reject(loose, "bad_date", facts.modified, message)
    elif loose.any():
        state.add_finding("warning", "bad_date", facts.modified, int(loose.sum()), message)


def keep_newest(state: FileState) -> None:
    """Of the rows of one record keep the newest: by its time, then changes before what went on, then the later change.

    Rows that are refused take part in nothing. Of a change that is older than what is known, ``stale_row`` tells.
    """
    facts = state.file.changes
    assert facts is not None
    rows = np.flatnonzero(~state.refused)
    codes = state.key_codes(state.file.key)[rows]
    fresh = state.change_mask()[rows]
    place = np.where(fresh, state.numbers[rows], -state.numbers[rows])  # of a whole file the first row counts
    order = np.lexsort((place, fresh, modified_at(state, facts)[rows], codes))
    last = np.r_[codes[order][1:] != codes[order][:-1], True] if len(order) else np.zeros(0, dtype=bool)
    beaten = rows[order[~last]]
    lost: Mask = state.mask(beaten)
    message = "The row is older than what is known of its record, and was not applied."
    state.warn(lost & state.change_mask(), "stale_row", state.key_field, message)
    state.kept[beaten] = False


def modified_at(state: FileState, facts: RowChanges) -> np.ndarray:
    """Return when each row was changed, in microseconds; rows without a time are older than all others."""
    if facts.modified not in state.columns:
        return np.full(len(state.refused), np.iinfo(np.int64).min)
    moments = pc.cast(parse_timestamps(state.columns[facts.modified]), pa.int64())
    return np.asarray(pc.fill_null(moments, np.iinfo(np.int64).min).to_numpy())
