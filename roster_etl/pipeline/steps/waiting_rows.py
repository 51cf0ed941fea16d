"""Choose the quarantined rows that an import of a delta format tries again, and record what the rejected ones wait for.

Belongs here: reading them by hashes, and which changes of the roster between two imports count. Which rows are tried is decided by
``engine.changes.retries``, what they wait for by ``engine.changes.awaited``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes import NEXT, WATCHED, ChangeFile, RowReference, texts_of_versions
from roster_etl.frames.arrow import combine_chunks
from roster_etl.pipeline.steps.retry_quarantine import quarantined_rows
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.store.warehouse import OPEN_QUARANTINE, RELEASED_ROWS_SCHEMA, RosterReader, WaitingRows

_CHANGED = (*WATCHED, "id_changes")
_MOST_IMPORTS = 50  # published since: with more of them, all rows are tried again
_DECIDING_EDITS = frozenset({("users", "username"), ("sections", "course_id")})
"""Edits by which rows apply that would be rejected: table and column."""
AWAITS = pa.schema([*RELEASED_ROWS_SCHEMA, ("awaits", pa.int64())])


class FeedQuarantine:
    """The quarantine of an upload's feed (``engine.changes.QuarantineReader``). Rows that wait are read by hashes of what they wait for.

    ``basis``: hash of what decides besides the roster whether rows apply; if the rows were last tried under another one, or nothing is
    recorded, all are loaded at once.
    """

    def __init__(self, roster: RosterReader, upload: Upload, overrides: Sequence[Mapping[str, Any]]) -> None:
        """Load what is due. Args: overrides: the stewards' edits in force."""
        self._roster, self.upload = roster, upload
        self._feed = (upload.district_id, upload.source)
        self._rows: list[pa.Table] = []
        self._sources: list[ChangeFile] = []
        self._places: set[RowReference] = set()
        self.basis = basis_of(upload, overrides)
        self.others_wait = roster.has_quarantine(*self._feed)
        recorded = roster.waits_recorded(*self._feed)
        changed = self._changed_since(recorded["import_id"]) if recorded and recorded["basis"] == self.basis else None
        if self.others_wait and changed is None:
            self.load_all()
        elif changed is not None:
            self.load(changed)

    @property
    def sources(self) -> Sequence[ChangeFile]:
        """The rows that were loaded, validated again."""
        return self._sources

    @property
    def tried(self) -> pa.Table:
        """The places of the rows that were loaded (RELEASED_ROWS_SCHEMA)."""
        places = [rows.select(RELEASED_ROWS_SCHEMA.names) for rows in self._rows]
        return pa.concat_tables([RELEASED_ROWS_SCHEMA.empty_table(), *places])

    def load(self, texts: pa.Array) -> bool:
        """Load the rows that wait for one of `texts`. Returns whether there were further ones."""
        return self._add(self._waiting_for(texts))

    def load_all(self) -> None:
        """Load all rows."""
        self.others_wait = False
        self._add(self._without_loaded(self._roster.open_quarantine(*self._feed)))

    def places_not_loaded(self, texts: pa.Array) -> list[RowReference]:
        """Return the rows that wait for one of `texts` and were not loaded."""
        return _places(self._waiting_for(texts))

    def _waiting_for(self, texts: pa.Array) -> pa.Table:
        """Return the rows that wait for one of `texts`, without those that were loaded."""
        if not self.others_wait or not len(texts):
            return OPEN_QUARANTINE.empty_table()
        return self._without_loaded(self._roster.rows_waiting_for(*self._feed, hash_texts(self._feed, texts)))

    def _without_loaded(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pa.array([place not in self._places for place in _places(rows)], pa.bool_()))

    def _add(self, rows: pa.Table) -> bool:
        if not rows.num_rows:
            return False
        self._rows.append(rows)
        self._places.update(_places(rows))
        in_order = pa.concat_tables(self._rows).sort_by([(name, "ascending") for name in RELEASED_ROWS_SCHEMA.names])
        self._sources = list(quarantined_rows(self.upload, in_order))
        return True

    def _changed_since(self, import_id: int) -> pa.Array | None:
        """Return the texts of what other imports than those of uploads changed after `import_id`; None: too much."""
        later = self._roster.imports_published_after(*self._feed, import_id, _MOST_IMPORTS) if self.others_wait else []
        undone = any(row["kind"] == "undo" for row in later)  # which changes what was known of old, too
        if undone or len(later) == _MOST_IMPORTS:
            return None
        found = [pa.array([], pa.string())]
        for name in _CHANGED if later else ():
            for row in later:
                for versions in self._roster.versions_touched_by(*self._feed, name, row["import_id"]):
                    found += texts_of_versions(name, versions)
        return pc.unique(pa.concat_arrays(found))


def basis_of(upload: Upload, overrides: Sequence[Mapping[str, Any]]) -> str:
    """Return the hash of what decides besides the roster whether the rows of an upload's feed apply."""
    edits = [
        (row["table_name"], row["key"], row["field"], row["value"])
        for row in overrides
        if (row["table_name"], row["field"]) in _DECIDING_EDITS
    ]
    return hashlib.sha256(json.dumps([upload.settings, sorted(edits, key=str)]).encode()).hexdigest()


def hash_texts(feed: tuple[str, str], texts: pa.Array) -> pa.Array:
    """Return the 64-bit hash of each text, within a feed: SipHash with pandas' fixed key."""
    named = pc.binary_join_element_wise("\x1f".join((*feed, "")), texts, "").cast(pa.binary()).to_numpy(zero_copy_only=False)
    hashes = pd.util.hash_array(named, categorize=False) if len(named) else np.zeros(0, np.uint64)
    return pa.array(hashes.view(np.int64))


def waiting_rows(upload: Upload, awaited: pa.Table, tried: pa.Table, basis: str | None) -> WaitingRows:
    """Return what the ledger records. Args: awaited (AWAITED), tried: rows of earlier imports; basis: None forgets what rows wait for."""
    feed = (upload.district_id, upload.source)
    imports = pc.fill_null(awaited.column("import_id"), upload.import_id)
    columns = [
        imports,
        awaited.column("file"),
        awaited.column("row"),
        hash_texts(feed, combine_chunks(awaited.column("awaits"))),
    ]
    (otherwise,) = hash_texts(feed, pa.array([NEXT])).to_pylist()
    hashed = pa.table(columns, schema=AWAITS)
    distinct = hashed.group_by(AWAITS.names).aggregate([]).select(AWAITS.names)
    return WaitingRows(awaited=distinct, tried=tried, otherwise=otherwise, basis=basis)


def _places(rows: pa.Table) -> list[RowReference]:
    return list(zip(*(rows.column(name).to_pylist() for name in RELEASED_ROWS_SCHEMA.names), strict=True))
