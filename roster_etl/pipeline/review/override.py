"""Set and clear overrides (stewards' edits); each takes effect immediately, as an import of its own.

Imports keep an edited column where records are created (``pipeline.steps.map_tables``, ``engine.changes``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.audit import Action
from roster_etl.canonical.references import referenced_table
from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.transform.overrides import BadEdit, RecordEdit, apply_edits, validate_edit_value
from roster_etl.frames.row_hashes import HASH
from roster_etl.pipeline.lineage.source_imports import row_name, source_import
from roster_etl.pipeline.lineage.trace import UnknownColumn, UnknownRecord, UnknownTable, require_one_record, roster_table
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.review.cleared_edits import SourceValue, source_value
from roster_etl.pipeline.review.derived_values import sections_after, with_derived, with_own_value
from roster_etl.pipeline.review.manual_import import RosterBase, carry_over_summary, publish_manual_import, roster_base
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.similar_names import suggestion
from roster_etl.store.warehouse import AuditEntry, Edit, TableChange
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import tables_of

_CARRIED_OVER_KEYS = ("headers",)  # parts of the last summary with which later uploads are compared
_UNCHANGED = ("content", "settings")  # with these, the same upload again is unchanged


class NotEdited(PermanentError):
    """No edit of this column is in force."""

    code = "not_edited"
    template = "{table}.{field}: no edit of this record is in force"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The target of an edit: a column of a record of a feed. ``key``: enough key columns to identify exactly one record."""

    district_id: str
    source: str
    table: str
    key: Mapping[str, str]
    field: str


@on_one_connection
def set_override(workspace: Workspace, target: Target, value: str | None, by: str) -> int:
    """Set a column by hand; imports keep the value until the edit is cleared. Returns the number of the new import.

    Raises: UnknownTable, UnknownColumn, UnknownRecord; BadEdit: no upload could have the value; RosterChanged: another import was
    published meanwhile.
    """
    with workspace.warehouse.attempt(_entry(target, by, begins=True)):
        table = _table(target)
        value = validate_edit_value(table, target.field, value)
        on = _roster_base(workspace, target)
        _ensure_reference_exists(workspace, table, target, value)
        return _publish_set(workspace, table, target, value, by, on)


def reapply_override(workspace: Workspace, target: Target, value: str | None, by: str) -> int:
    """Set a column as in an earlier edit, without the validation of new edits."""
    table = _table(target)
    return _publish_set(workspace, table, target, value, by, _roster_base(workspace, target))


def _publish_set(workspace: Workspace, table: RosterTable, target: Target, value: str | None, by: str, basis: RosterBase) -> int:
    before = _record(workspace, table, target)
    key = {name: before.column(name)[0].as_py() for name in table.key}
    after = apply_edits(table, before, [RecordEdit(key=key, field=target.field, value=value)])
    feed = (target.district_id, target.source)
    after = with_derived(workspace, feed, table, after, target.field)
    sections = sections_after(workspace, feed, table.name, before, after, target.field)
    edit = Edit(begins=True, table=table.name, key=key_json(key), field=target.field, value=value, by=by)
    return _publish_edit(workspace, target, basis, before, after, edit, sections)


@on_one_connection
def clear_override(workspace: Workspace, target: Target, by: str) -> int:
    """Clear an edit: the column has its own value again, at once where that is known (``cleared_edits``), else with the next upload.

    Returns: the number of the new import.

    Raises: UnknownTable, UnknownColumn; NotEdited: none, or several, are in force; RosterChanged: another import was published
        meanwhile.
    """
    with workspace.warehouse.attempt(_entry(target, by, begins=False)):
        return _publish_clear(workspace, target, by)


def reclear_override(workspace: Workspace, target: Target, restored: SourceValue | None, by: str) -> int:
    """Clear an edit as it was cleared before. `restored`: the value that the column got; None: it kept the edited one."""
    return _publish_clear(workspace, target, by, lambda *_: restored)


def _publish_clear(workspace: Workspace, target: Target, by: str, find: Callable[..., SourceValue | None] = source_value) -> int:
    table = _table(target)
    on = _roster_base(workspace, target)
    wanted = {name: value or None for name, value in target.key.items()}
    found = [
        row
        for row in workspace.warehouse.roster.overrides(target.district_id, target.source)
        if row["table_name"] == table.name and row["field"] == target.field and wanted.items() <= json.loads(row["key"]).items()
    ]
    if len(found) != 1:
        raise NotEdited(table=table.name, field=target.field)
    edit = Edit(begins=False, table=table.name, key=found[0]["key"], field=target.field, by=by)
    feed = (target.district_id, target.source)
    before = _current(workspace, table, target, json.loads(found[0]["key"]))
    restored = find(workspace, feed, table, found[0], before) if before.num_rows == 1 else None
    if restored is None:
        nothing = table.full_schema.empty_table()
        return _publish_edit(workspace, target, on, nothing, nothing, edit)
    after = with_own_value(workspace, feed, table, before, target.field, restored)
    sections = sections_after(workspace, feed, table.name, before, after, target.field)
    return _publish_edit(workspace, target, on, before, after, edit, sections, restored)


def _entry(target: Target, by: str | None, *, begins: bool) -> AuditEntry:
    """Build the audit entry of an edit, with the column, but neither the record nor the value."""
    about = {"table": target.table, "field": target.field}
    action: Action = "override_set" if begins else "override_clear"
    return AuditEntry(action=action, who=by, district_id=target.district_id, source=target.source, about=about)


def key_json(key: Mapping[str, Any]) -> str:
    """Return a key as JSON, as the ledger stores it."""
    return json.dumps(dict(key), ensure_ascii=False)


def _table(target: Target) -> RosterTable:
    table = roster_table(target.table)
    known = tables_of(vendor(target.source))
    if table.name not in known:
        raise UnknownTable(table=target.table, hint=suggestion(target.table, known, "the tables"))
    fields = tuple(name for name in table.names if name not in table.key)
    for what, names, allowed in (("key column", target.key, table.key), ("column to set", [target.field], fields)):
        for name in names:
            if name not in allowed:
                raise UnknownColumn(table=table.name, what=what, column=name, hint=suggestion(name, allowed, "it has"))
    return table


def _record(workspace: Workspace, table: RosterTable, target: Target) -> pa.Table:
    """Return the current version of the one record that has the key."""
    current = _current(workspace, table, target, {name: value or None for name, value in target.key.items()})
    if not current.num_rows:
        raise UnknownRecord(table=table.name, district_id=target.district_id, problem="no current record has this key")
    require_one_record(table, target.district_id, current, {"source": target.source, **target.key})
    return current


def _current(workspace: Workspace, table: RosterTable, target: Target, key: Mapping[str, str | None]) -> pa.Table:
    found = workspace.warehouse.roster.trace(table.name, key, target.district_id, target.source)
    return found.filter(pc.is_null(found.column("valid_to_import")))


def _ensure_reference_exists(workspace: Workspace, table: RosterTable, target: Target, value: str | None) -> None:
    """Check that the roster has the record to which the new value refers, if the format has such records. Raises BadEdit."""
    parent, columns = referenced_table(table.name, target.field) or ("", {})
    if value is None or parent not in tables_of(vendor(target.source)):
        return
    row = {**_record(workspace, table, target).to_pylist()[0], target.field: value}
    wanted = {there: row[own] for own, there in columns.items()}
    found = workspace.warehouse.roster.trace(parent, wanted, target.district_id, target.source)
    if not pc.any(pc.is_null(found.column("valid_to_import"))).as_py():
        raise BadEdit(table=table.name, field=target.field, expected=f"the id of a current record of {parent}")


def _publish_edit(  # noqa: PLR0917 - what is published, and the edit that it follows from
    workspace: Workspace,
    target: Target,
    basis: RosterBase,
    before: pa.Table,
    after: pa.Table,
    edit: Edit,
    sections: tuple[pa.Table, pa.Table] | None = None,
    restored: SourceValue | None = None,
) -> int:
    feed, table = (target.district_id, target.source), _table(target)
    is_new = before.column(HASH).to_pylist() != after.column(HASH).to_pylist()
    pairs = {target.table: (before, after)} if is_new else {}
    pairs |= {"sections": sections} if sections else {}
    changes = {name: _change(*pair) for name, pair in pairs.items()}
    summary = {
        **carry_over_summary(basis.last, (*_CARRIED_OVER_KEYS, *(_UNCHANGED if edit.begins else ()))),
        **(
            {"read_in": (restored and restored.read_in) or _source_import(workspace, feed, table, before.to_pylist()[0])}
            if is_new
            else {}
        ),
        **({"read_in_by_row": _read_in_by_row(workspace, feed, sections[0])} if sections else {}),
        "changes": {name: {"created": 0, "updated": new.num_rows, "deleted": 0} for name, (_, new) in pairs.items()},
        "edit": {"table": edit.table, "field": edit.field, "begins": edit.begins},
    }
    said: dict[str, Any] = {name: getattr(edit, name) for name in ("begins", "table", "key", "field", "value", "by")}
    if restored is not None:
        said["restored"] = asdict(restored)
    return publish_manual_import(
        workspace,
        basis,
        changes,
        summary=summary,
        manifest_fields={"edit": said},
        entry=_entry(target, edit.by, begins=edit.begins),
        edits=[edit],
    )


def _roster_base(workspace: Workspace, target: Target) -> RosterBase:
    return roster_base(workspace, (target.district_id, target.source), target.table)


def _source_import(workspace: Workspace, feed: tuple[str, str], table: RosterTable, version: Mapping[str, Any]) -> int:
    """Return the import whose upload had the record's row, from which the unedited columns are."""
    key = {name: version[name] for name in table.key}
    return source_import(
        workspace.warehouse.ledger.import_, version, lambda: workspace.warehouse.roster.trace(table.name, key, *feed).to_pylist()
    )


def _read_in_by_row(workspace: Workspace, feed: tuple[str, str], sections: pa.Table) -> dict[str, int]:
    """Return the import in which the row of each version of a section was read, by file and row."""
    return {
        row_name(row["source_file"], row["source_row"]): _source_import(workspace, feed, TABLES["sections"], row)
        for row in sections.to_pylist()
    }


def _change(before: pa.Table, after: pa.Table) -> TableChange:
    reasons = pa.array(["overridden"] * before.num_rows, pa.string())
    return TableChange(opens=after, closes=pa.table({"version_id": before.column("version_id"), "close_reason": reasons}))
