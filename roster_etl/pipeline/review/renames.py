"""Approve detected ID changes after the import that proposed them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from roster_etl.engine.planning.rename_detection import ENTITY, PROPOSALS, TABLE, id_change_rows
from roster_etl.pipeline.review.manual_import import RosterBase, carry_over_summary, publish_manual_import, roster_base
from roster_etl.pipeline.steps.rename_proposals import ALL, BadRename, proposals, select_proposals
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import AuditEntry, TableChange


def approve_published_renames(workspace: Workspace, import_id: int, by: str, selectors: Sequence[str] = (ALL,)) -> int:
    """Approve renames of published import `import_id`: the history of the old ID continues under the new one.

    Returns: the number of the new import of kind ``override``. The versions stay closed as they are.
    Raises:  UnknownImport, BadRename; RosterChanged: another import was published meanwhile.
    """
    entry = AuditEntry(action="renames_approve", who=by, about={"of_import": import_id})
    with workspace.warehouse.attempt(entry):
        return _approve_selected(workspace, import_id, by, selectors, entry)


def reapply_renames(workspace: Workspace, feed: tuple[str, str], manifest_renames: Mapping[str, Any]) -> int:
    """Approve the renames in a manifest's ``renames`` again, and return the number of the import."""
    pairs = [{**pair, "user_kind": json.loads(pair["extensions"])["user_kind"], "by": ""} for pair in manifest_renames["pairs"]]
    approved = pa.Table.from_pylist(pairs, schema=PROPOSALS)
    entry = AuditEntry(action="renames_approve", who=manifest_renames["by"], about={"of_import": manifest_renames["of_import"]})
    return _publish_renames(
        workspace, roster_base(workspace, feed, ENTITY), id_change_rows(approved), manifest_renames["by"], entry
    )


def _approve_selected(workspace: Workspace, import_id: int, by: str, selectors: Sequence[str], entry: AuditEntry) -> int:
    row = workspace.warehouse.ledger.import_(import_id)
    if row["status"] != "published":
        raise BadRename(
            import_id=import_id, problem="it is not published: approve its renames with the plan (holds approve --rename)"
        )
    on = roster_base(workspace, (row["district_id"], row["source"]), ENTITY)
    approved = select_proposals(proposals(workspace, import_id), selectors, import_id)
    if not approved.num_rows:
        raise BadRename(import_id=import_id, problem="nothing is proposed that is not approved already")
    about = {**entry.about, "renames": approved.num_rows}
    return _publish_renames(
        workspace, on, id_change_rows(approved), by, replace(entry, district_id=on.district_id, source=on.source, about=about)
    )


def _publish_renames(workspace: Workspace, basis: RosterBase, rows: pa.Table, by: str, entry: AuditEntry) -> int:
    renames = {"approved": rows.num_rows, "of_import": entry.about["of_import"], "by": by}
    nothing = pa.table({"version_id": pa.array([], pa.int64()), "close_reason": pa.array([], pa.string())})
    summary = {
        **carry_over_summary(basis.last),
        "changes": {TABLE: {"created": rows.num_rows, "updated": 0, "deleted": 0}},
        "renames": renames,
        "decided_by": by,
    }
    pairs = rows.select(["entity", "old_id", "new_id", "extensions"]).to_pylist()
    change = TableChange(opens=rows, closes=nothing)
    said = {"renames": {**renames, "pairs": pairs}}
    return publish_manual_import(workspace, basis, {TABLE: change}, summary=summary, manifest_fields=said, entry=entry)
