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
from roster_etl.store.warehouse import RosterReader

_TABLE = "id_changes"


class EarlierIdChanges:
    """The ID changes of a feed, as far as they were asked for. Those of an ID are looked up once."""

    def __init__(self, roster: RosterReader, feed: tuple[str, str]) -> None:
        """Read nothing yet."""
        self._roster, self._feed = roster, feed
        self._asked = pa.array([], pa.string())
        self.current = TABLES[_TABLE].full_schema.empty_table()
        """The current versions that were read."""

    def of(self, ids: pa.Array) -> list[IdChange]:
        """Return the changes from or to one of `ids`, in their order, without those that were undone."""
        self._read(ids)
        chosen = _naming(self.current, ids)
        again = chosen.filter(pc.not_equal(chosen.column("extensions"), "{}"))  # the same change, made more than once
        before = self._roster.versions_by_key(*self._feed, _TABLE, again, past=True) if again.num_rows else again
        return list(_in_order(chosen, before.filter(pc.equal(before.column("close_reason"), "changed"))))

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


def _in_order(*versions: pa.Table) -> Iterator[IdChange]:
    rows: list[dict[str, Any]] = [row for table in versions for row in table.to_pylist()]
    for row in sorted(rows, key=lambda row: (row["valid_from_import"], row["source_file"] or "", row["source_row"] or 0)):
        yield IdChange(import_id=row["valid_from_import"], entity=row["entity"], old=row["old_id"], new=row["new_id"])
