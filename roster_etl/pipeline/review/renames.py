"""Approve detected ID changes after the import that proposed them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from roster_etl.engine.planning.rename_detection import ENTITY, PROPOSALS, TABLE, change_rows
from roster_etl.pipeline.review.manual_import import Ground, carried, ground, publish_by_hand
from roster_etl.pipeline.steps.rename_proposals import ALL, BadRename, chosen, proposals
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import Entry, TableChange


def approve_afterwards(workspace: Workspace, import_id: int, by: str, words: Sequence[str] = (ALL,)) -> int:
    """Say of people whom published import `import_id` removed that they are those who came: their history is one line from now on.

    Returns: the number of the import of kind ``override`` that says it. The versions stay closed as they are.
    Raises:  UnknownImport, BadRename; RosterMoved: another import was published meanwhile.
    """
    entry = Entry(action="renames_approve", who=by, about={"of_import": import_id})
    with workspace.warehouse.attempt(entry):
        return _approved_afterwards(workspace, import_id, by, words, entry)


def say_again(workspace: Workspace, feed: tuple[str, str], told: Mapping[str, Any]) -> int:
    """Say once more what a manifest's ``renames`` tell, and return the number of the import."""
    pairs = [{**pair, "user_kind": json.loads(pair["extensions"])["user_kind"], "by": ""} for pair in told["pairs"]]
    approved = pa.Table.from_pylist(pairs, schema=PROPOSALS)
    entry = Entry(action="renames_approve", who=told["by"], about={"of_import": told["of_import"]})
    return _say(workspace, ground(workspace, feed, ENTITY), change_rows(approved), told["by"], entry)


def _approved_afterwards(workspace: Workspace, import_id: int, by: str, words: Sequence[str], entry: Entry) -> int:
    row = workspace.warehouse.import_(import_id)
    if row["status"] != "published":
        raise BadRename(
            import_id=import_id, problem="it is not published: approve its renames with the plan (holds approve --rename)"
        )
    on = ground(workspace, (row["district_id"], row["source"]), ENTITY)
    approved = chosen(proposals(workspace, import_id), words, import_id)
    if not approved.num_rows:
        raise BadRename(import_id=import_id, problem="nothing is proposed that is not approved already")
    about = {**entry.about, "renames": approved.num_rows}
    return _say(
        workspace, on, change_rows(approved), by, replace(entry, district_id=on.district_id, source=on.source, about=about)
    )


def _say(workspace: Workspace, on: Ground, rows: pa.Table, by: str, entry: Entry) -> int:
    renames = {"approved": rows.num_rows, "of_import": entry.about["of_import"], "by": by}
    nothing = pa.table({"version_id": pa.array([], pa.int64()), "close_reason": pa.array([], pa.string())})
    summary = {
        **carried(on.last),
        "changes": {TABLE: {"created": rows.num_rows, "updated": 0, "deleted": 0}},
        "renames": renames,
        "decided_by": by,
    }
    pairs = rows.select(["entity", "old_id", "new_id", "extensions"]).to_pylist()
    change = TableChange(opens=rows, closes=nothing)
    said = {"renames": {**renames, "pairs": pairs}}
    return publish_by_hand(workspace, on, {TABLE: change}, summary=summary, said=said, entry=entry)
