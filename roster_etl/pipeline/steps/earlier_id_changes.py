"""Read the ID changes of earlier imports that an upload of changes is about: those of the IDs that its rows name.

Belongs here: reading them, each once. Does not belong here: which IDs rows name (``engine.changes.named_ids``), following the changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import IdChange
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.store.warehouse import RosterReader

_TABLE, _BEGAN = "id_changes", "valid_from_import"


class EarlierIdChanges:
    """The ID changes of a feed, as far as they were asked for. Those of an ID are looked up once."""

    def __init__(self, roster: RosterReader, feed: tuple[str, str]) -> None:
        """Read nothing but which imports were undone."""
        self._roster, self._feed = roster, feed
        self.reverted = roster.reverted_imports(*feed)
        """The imports that were undone, and the undos."""
        self._asked = pa.array([], pa.string())
        self.current = TABLES[_TABLE].full_schema.empty_table()
        """The current versions that were read."""

    def of(self, ids: pa.Array) -> list[IdChange]:
        """Return the changes from or to one of `ids`, in their order, without those that were undone.

        A change counts from the import that made it, not from an undo that brought it back.
        """
        self._read(ids)
        chosen, reverted = _naming(self.current, ids), pa.array(self.reverted, pa.int64())
        by_undo = pc.is_in(chosen.column(_BEGAN), value_set=reverted)
        again = chosen.filter(
            pc.or_(by_undo, pc.not_equal(chosen.column("extensions"), "{}"))
        )  # the same change, made more than once
        before = self._roster.versions_by_key(*self._feed, _TABLE, again, past=True) if again.num_rows else again
        every = pa.concat_tables([chosen, before])
        made = every.filter(pc.invert(pc.is_in(every.column(_BEGAN), value_set=reverted)))
        return list(_in_order(pa.concat_tables([made, _without(chosen, made)])))

    def _read(self, ids: pa.Array) -> None:
        """Read the changes of those of `ids` that were not asked for before."""
        asked = ids.filter(pc.invert(pc.is_in(ids, value_set=self._asked)))
        if not len(asked):
            return
        self._asked = pa.concat_arrays([self._asked, asked])
        found = self._roster.id_changes_of(*self._feed, asked)
        known = pc.is_in(found.column("version_id"), value_set=combine_chunks(self.current.column("version_id")))
        self.current = pa.concat_tables([self.current, found.filter(pc.invert(known))])


def _naming(changes: pa.Table, ids: pa.Array) -> pa.Table:
    old, new = (pc.is_in(changes.column(name), value_set=ids) for name in ("old_id", "new_id"))
    return changes.filter(pc.or_(old, new))


def _without(changes: pa.Table, others: pa.Table) -> pa.Table:
    """Return `changes` that are not among `others`: the version of the import that made one may be purged."""
    key = TABLES[_TABLE].key
    return changes.filter(pc.invert(pc.is_in(key_text(changes, key), value_set=key_text(others, key))))


def _in_order(versions: pa.Table) -> Iterator[IdChange]:
    rows: list[dict[str, Any]] = versions.to_pylist()
    for row in sorted(rows, key=lambda row: (row[_BEGAN], row["source_file"] or "", row["source_row"] or 0)):
        yield IdChange(import_id=row[_BEGAN], entity=row["entity"], old=row["old_id"], new=row["new_id"])
