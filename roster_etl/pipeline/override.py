"""Stewards' edits: setting and ending them. Each takes effect at once, as an import of its own.

Belongs here: finding the record that is meant, publishing the one version that follows, and the ledger's entry. That imports leave
an edited column alone is seen to where records are made (``pipeline.map``, ``engine.fold``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.engine.edits import RecordEdit, edit_value, with_edits
from roster_etl.engine.map import HASH
from roster_etl.mapping.frames import FINDINGS
from roster_etl.pipeline.abandoned import begin, fail_running, release
from roster_etl.pipeline.manifest import refresh_manifest
from roster_etl.pipeline.map import tables_of
from roster_etl.pipeline.trace import UnknownColumn, UnknownRecord, UnknownTable, roster_table
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.store.faults import fault_point
from roster_etl.store.warehouse import Conclusion, Edit, TableChange
from roster_etl.vendors import vendor

MANIFEST_VERSION = 1
_CARRIED = ("headers",)  # of the summary of the last import: what later uploads are judged against
_UNCHANGED = ("content", "settings")  # with these, the same upload again is unchanged


class NotEdited(PermanentError):
    """No edit of this column is in force."""

    code = "not_edited"
    template = "{table}.{field}: no edit of this record is in force"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What an edit is about: a column of a record of a feed. ``key``: key columns; as many as it takes to name one record."""

    district_id: str
    source: str
    table: str
    key: Mapping[str, str]
    field: str


def set_override(workspace: Workspace, target: Target, value: str | None, by: str) -> int:
    """Set a column by hand; imports leave it alone until the edit ends. Returns the number of the import that did it.

    Raises: UnknownTable, UnknownColumn, UnknownRecord, BadEdit; RosterMoved: another import was published meanwhile.
    """
    table = _table(target)
    edit_value(table, target.field, value)
    before = _record(workspace, table, target)
    key = {name: before.column(name)[0].as_py() for name in table.key}
    after = with_edits(table, before, [RecordEdit(key=key, field=target.field, value=value)])
    edit = Edit(begins=True, table=table.name, key=key_json(key), field=target.field, value=value, by=by)
    return _publish(workspace, target, before, after, edit)


def clear_override(workspace: Workspace, target: Target, by: str) -> int:
    """End an edit: later imports may change the column again. Returns the number of the import that did it.

    Raises: UnknownTable, UnknownColumn; NotEdited: none, or several, are in force.
    """
    table = _table(target)
    wanted = {name: value or None for name, value in target.key.items()}
    found = [
        row
        for row in workspace.warehouse.overrides(target.district_id, target.source)
        if row["table_name"] == table.name and row["field"] == target.field and wanted.items() <= json.loads(row["key"]).items()
    ]
    if len(found) != 1:
        raise NotEdited(table=table.name, field=target.field)
    edit = Edit(begins=False, table=table.name, key=found[0]["key"], field=target.field, by=by)
    nothing = table.full_schema.empty_table()
    return _publish(workspace, target, nothing, nothing, edit)


def key_json(key: Mapping[str, Any]) -> str:
    """Return a key as the ledger writes it."""
    return json.dumps(dict(key), ensure_ascii=False)


def _table(target: Target) -> RosterTable:
    table = roster_table(target.table)
    known = tables_of(vendor(target.source))
    if table.name not in known:
        raise UnknownTable(table=target.table, known=", ".join(known))
    fields = tuple(name for name in table.names if name not in table.key)
    for what, names, allowed in (("key column", target.key, table.key), ("column to set", [target.field], fields)):
        for name in names:
            if name not in allowed:
                raise UnknownColumn(table=table.name, what=what, column=name, known=", ".join(allowed))
    return table


def _record(workspace: Workspace, table: RosterTable, target: Target) -> pa.Table:
    """Return the current version of the one record that the key names."""
    key = {name: value or None for name, value in target.key.items()}
    found = workspace.warehouse.trace(table.name, key, target.district_id, target.source)
    current = found.filter(pc.is_null(found.column("valid_to_import")))
    if current.num_rows != 1:
        problem = "no current record has this key" if not current.num_rows else "several records do; name more key columns"
        raise UnknownRecord(table=table.name, district_id=target.district_id, problem=problem)
    return current


def _publish(workspace: Workspace, target: Target, before: pa.Table, after: pa.Table, edit: Edit) -> int:
    warehouse, now = workspace.warehouse, datetime.now(UTC)
    feed = (target.district_id, target.source)
    file_set = vendor(target.source).set_that_fills(target.table)
    base = warehouse.base(*feed, file_set)
    last: Mapping[str, Any] = (warehouse.last_published(*feed, file_set=file_set) or {}).get("summary") or {}
    import_id = begin(workspace, *feed, kind="override", file_set=file_set, started_at=now, received_at=now)
    is_new = before.column(HASH).to_pylist() != after.column(HASH).to_pylist()
    read_in = {"read_in": _read_in(workspace, before)} if is_new else {}
    carried = {name: last[name] for name in (*_CARRIED, *(_UNCHANGED if edit.begins else ())) if name in last}
    changes = {target.table: {"created": 0, "updated": int(is_new), "deleted": 0}} if is_new else {}
    conclusion = Conclusion(
        import_id=import_id,
        status="published",
        finished_at=now,
        findings=FINDINGS.empty_table(),
        files=[],
        checks=[],
        summary={
            **carried,
            **read_in,
            "changes": changes,
            "edit": {"table": edit.table, "field": edit.field, "begins": edit.begins},
        },
        edits=[edit],
    )
    try:
        fault_point("override.opened")
        _keep_manifest(workspace, target, import_id, edit, now)
        warehouse.publish(conclusion, {target.table: _change(before, after)} if is_new else {}, base)
        fault_point("override.published")
    except RosterError as error:
        fail_running(workspace, import_id, error)
        raise
    finally:
        release(workspace, import_id)
    refresh_manifest(workspace, import_id)
    return import_id


def _read_in(workspace: Workspace, before: pa.Table) -> int:
    """Return the import whose upload the record's row came in: what the edit leaves as it is was read there."""
    opened = int(before.column("valid_from_import")[0].as_py())
    summary = workspace.warehouse.import_(opened)["summary"] or {}
    return int(summary.get("read_in", opened))


def _change(before: pa.Table, after: pa.Table) -> TableChange:
    reasons = pa.array(["overridden"] * before.num_rows, pa.string())
    return TableChange(opens=after, closes=pa.table({"version_id": before.column("version_id"), "close_reason": reasons}))


def _keep_manifest(workspace: Workspace, target: Target, import_id: int, edit: Edit, at: datetime) -> None:
    """Write down in the archive what is needed to do this again, before it is done: whatever ends this process."""
    document = {
        "version": MANIFEST_VERSION,
        "members": [],
        "kind": "override",
        "import_id": import_id,
        "district_id": target.district_id,
        "source": target.source,
        "status": "running",
        "at": at.isoformat(),
        "edit": {n: getattr(edit, n) for n in ("begins", "table", "key", "field", "value", "by")},
    }
    workspace.archive.write_manifest(target.district_id, import_id, document)
