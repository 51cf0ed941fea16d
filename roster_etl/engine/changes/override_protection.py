"""Protect stewards' overrides from imports, as far as the options do not let an import change them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.mapping.change_plan import RowKind


@dataclass(frozen=True, kw_only=True)
class Override:
    """An active override. ``key``: by column, without columns that are constant in the whole table."""

    table: str
    key: Mapping[str, str | None]
    field: str
    value: str | None


@dataclass(frozen=True, kw_only=True)
class OverrideChange:
    """An import's change to an override: ``set`` creates one, ``clear`` ends it."""

    op: Literal["set", "clear"]
    table: str
    key: Mapping[str, Any]
    field: str
    value: str | None = None


@dataclass(kw_only=True)
class ProtectedEdits:
    """The active overrides, by table and key, and the changes to them.

    ``is_overridden``: publish the upload's values regardless; ``add``: the upload's changes become overrides; ``clear``:
    overrides of values that the upload sets end (takes precedence over ``add``).
    """

    is_overridden: bool = False
    add: bool = False
    clear: bool = False
    edits: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    changes: list[OverrideChange] = field(default_factory=list)

    @classmethod
    def from_options(cls, overrides: Sequence[Override], options: Mapping[str, Any]) -> ProtectedEdits:
        """Return the active overrides. The options that add or end overrides apply only where the upload takes precedence."""
        ignore = bool(options.get("override_sis_stickiness"))
        made = cls(
            is_overridden=ignore,
            add=ignore and bool(options.get("add_sis_stickiness")) and not options.get("clear_sis_stickiness"),
            clear=ignore and bool(options.get("clear_sis_stickiness")),
        )
        for override in overrides:
            made.edits.setdefault(override.table, {}).setdefault(_key_text(override.key), {})[override.field] = override.value
        return made

    def allowed_values(
        self, kind: RowKind, key: Mapping[str, Any], values: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return those of `values` that a row may change, and record changes to overrides.

        `before`: the current record; a record that never existed has no protected columns.
        """
        mine = self._record_edits(kind.table, key) if before else {}
        if mine and not self.is_overridden:
            stuck = set(mine).union(*(group for group in kind.protected_together if set(mine) & set(group)))
            return {name: value for name, value in values.items() if name not in stuck}
        if self.clear:
            for name in sorted(set(mine) & set(values)):
                self.end_edit(kind.table, key, name)
        if self.add:
            changed = {n: v for n, v in values.items() if v != before.get(n) and n not in key and n != "derived"}
            self.changes += [
                OverrideChange(op="set", table=kind.table, key=key, field=n, value=_edit_text(v)) for n, v in changed.items()
            ]
        return dict(values)

    def is_protected(self, table: str, key: Mapping[str, Any], name: str) -> bool:
        """Return whether an override protects column `name` of a record."""
        return not self.is_overridden and name in self._record_edits(table, key)

    def end_edit(self, table: str, key: Mapping[str, Any], name: str) -> None:
        """End the override of a column."""
        mine = self._record_edits(table, key)
        if name in mine:
            del mine[name]
            self.changes.append(OverrideChange(op="clear", table=table, key=key, field=name))

    def _record_edits(self, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
        of_table = self.edits.get(table)
        return of_table.get(_key_text(key), {}) if of_table else {}

    def rekey(self, table: str, where: Mapping[str, str], now: Mapping[str, str | None]) -> None:
        """Move the overrides of records whose key has the values `where` to the key with the values `now`."""
        edits = self.edits.get(table, {})
        for text in list(edits):
            key = json.loads(text)
            if not where.items() <= key.items() or now.items() <= key.items():
                continue
            fields = edits.pop(text)
            moved = key | now
            edits.setdefault(_key_text(moved), {}).update(fields)
            self.changes += [OverrideChange(op="clear", table=table, key=key, field=name) for name in fields]
            self.changes += [OverrideChange(op="set", table=table, key=moved, field=n, value=v) for n, v in fields.items()]

    def follow_id_change(self, entity: str, old: str, new: str) -> None:
        """Move overrides after an id change, of the record and of records with the id in their keys."""
        for table, column in ID_COLUMNS[entity]:
            self.rekey(table, {column: old}, {column: new})


def _edit_text(value: Any) -> str | None:
    """Return a value as the text of an override."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _key_text(key: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(key.items())), ensure_ascii=False)
