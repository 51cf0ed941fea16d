"""The versions that a plan closes, read once for all who look at them: renames, a foreign upload, similar ids.

Belongs here: reading them by why they close. What follows from them is decided by the callers.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.planning.plan import Plan
from roster_etl.frames.arrow import combine_chunks
from roster_etl.store.warehouse import RosterReader


class ClosingVersions:
    """Versions that `plan` closes (``full_schema``), by table; each is read when it is first asked for, and once."""

    def __init__(self, roster: RosterReader, plan: Plan) -> None:
        self._roster, self._plan = roster, plan
        self._read: dict[tuple[str, bool], pa.Table] = {}

    def replaced(self, name: str) -> pa.Table:
        """Return the versions of table `name` that newer ones of the same records replace."""
        return self._versions(name, replaced=True)

    def removed(self, name: str) -> pa.Table:
        """Return the versions of records that the plan removes."""
        return self._versions(name, replaced=False)

    def absent(self, name: str) -> pa.Table:
        """Return the versions of records that are removed because the upload does not have them."""
        closes = self._plan.tables[name].closes
        absent = closes.filter(pc.equal(closes.column("close_reason"), "absent"))
        removed = self.removed(name)
        if removed.num_rows == absent.num_rows:
            return removed
        return removed.filter(pc.is_in(removed.column("version_id"), value_set=combine_chunks(absent.column("version_id"))))

    def _versions(self, name: str, *, replaced: bool) -> pa.Table:
        if (name, replaced) not in self._read:
            closes = self._plan.tables[name].closes
            is_replaced = pc.equal(closes.column("close_reason"), "changed")
            chosen = closes.filter(is_replaced if replaced else pc.invert(is_replaced))
            self._read[name, replaced] = self._roster.versions(name, combine_chunks(chosen.column("version_id")))
        return self._read[name, replaced]
