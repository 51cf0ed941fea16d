"""Apply rows of organizations: a tree, with parents before their children."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.state import State, index_integration_ids, next_integration_id, require_values, stated_values
from roster_etl.mapping.change_plan import RowKind

PARENT = "parent_organization_id"


def apply_organizations(state: State, kind: RowKind) -> None:
    """Apply rows of organizations."""
    tree = _Tree(state, kind)
    state.apply_rows(kind, tree.apply)


class _Tree:
    def __init__(self, state: State, kind: RowKind) -> None:
        self.state, self.kind = state, kind
        self.table = state.table(kind.table)
        self.ids = index_integration_ids(self.table)
        self.children = Counter(parent for _, parent in self.table.live_values(PARENT) if parent)
        self._rings: set[str] | None = None
        self.courses = {place for _, place in state.table("courses").live_values("organization_id")}

    def apply(self, row: Row) -> None:
        key = row.get("organization_id")
        record = self.table.find(key)
        require_values(self.kind, row, record)
        if record is None and row.status is None:
            raise RowRejected("missing_required", "A new account needs a status.", about="status")
        if row.status == "deleted":
            self._end(row, key)
            return
        was_alive, before = (record.alive, dict(record.values)) if record else (False, {})
        if record is not None and not was_alive and row.status is None:
            return  # a blank status leaves a deleted account deleted
        values = stated_values(self.kind, row, self.table.target.names)
        self._check_parent(row, key, values.get(PARENT))
        self.ids.check(next_integration_id(values, record), key)
        after = self.state.upsert(self.kind, row, key, values).values
        self.ids.move(before.get("integration_id"), after["integration_id"], key)
        self._count(before.get(PARENT) if was_alive else None, after[PARENT])
        if was_alive and before[PARENT] and after[PARENT] is None:
            message = "The parent is blank, so the account was moved to the root."
            self.state.log.warn_row(self.kind, row, "moved_to_root", message, PARENT)

    def _check_parent(self, row: Row, key: str, parent: str | None) -> None:
        if parent is None:
            return
        self.state.require_clear_id(row, PARENT, self.kind.table)
        above: str | None = parent
        if parent != key and self.table.find(parent) is None and key in self._in_rings():
            raise RowRejected("loop", "The account would be above itself.", about=PARENT)
        if parent != key:
            self.state.require_live_record(row, PARENT, self.kind.table, parent, "deleted_parent")
        while above is not None:
            if above == key:
                raise RowRejected("loop", "The account would be above itself.", about=PARENT)
            found = self.table.find_live(above)
            above = found.values[PARENT] if found else None

    def _in_rings(self) -> set[str]:
        """Return the accounts that rows of the upload put above themselves, through each other."""
        if self._rings is None:
            reads = self.state.reads.get(self.kind.name, ())
            rows = (row for read in reads for row in read.rows() if not row.source.is_retried)
            self._rings = keys_in_cycles({row.get("organization_id"): row.get(PARENT) for row in rows})
        return self._rings

    def _end(self, row: Row, key: str) -> None:
        if self.children[key] or key in self.courses:
            raise RowRejected("has_active_children", "Sub-accounts or courses still belong to the account.")
        record = self.table.find_live(key)
        if self.state.end_record(self.kind, row, key) and record is not None:
            self.ids.move(record.values["integration_id"], None, key)
            self._count(record.values[PARENT], None)

    def _count(self, before: str | None, after: str | None) -> None:
        if before:
            self.children[before] -= 1
        if after:
            self.children[after] += 1


def keys_in_cycles(parents: Mapping[str, str | None]) -> set[str]:
    """Return the keys of `parents` (child → parent) that are above themselves."""
    found: set[str] = set()
    seen: set[str] = set()
    for start in parents:
        path: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in seen and at not in path:
            path[at] = len(path)
            at = parents.get(at)
        if at is not None and at in path:
            found.update(list(path)[path[at] :])
        seen.update(path)
    return found
