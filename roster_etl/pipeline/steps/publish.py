"""Publish a plan: one transaction, one lock for the district.

Belongs here: handing the warehouse exactly what was planned, with the ledger's entries. Nothing else writes the roster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa

from roster_etl.engine.planning.plan import CLOSES
from roster_etl.engine.planning.rename_detection import TABLE
from roster_etl.frames.arrow import DELETED, REFUSED, flat, to_table
from roster_etl.pipeline.lifecycle.manifest import write_manifest
from roster_etl.pipeline.staging import edits_of, how_compared, leaving_quarantine, released_rows
from roster_etl.pipeline.steps.conclude import approval_entry, conclusion_of, supersede_holds
from roster_etl.pipeline.steps.planned import PLACE, Planned
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import TableChange
from roster_etl.vendors.lineage import tables_of


def publish_import(workspace: Workspace, upload: Upload, planned: Planned, tables: Mapping[str, pd.DataFrame]) -> None:
    """Publish what was planned for `upload`, and end its import as ``published``.

    Raises: RosterMoved: another import was published since the plan was made. ImportNotRunning: the import has ended, or
        another process took it over.
    """
    changes = {name: _change(workspace, upload, name, tables) for name in tables_of(upload.vendor)} | _renamed(workspace, upload)
    summary: dict[str, Any] = {
        "changes": planned.changes,
        "plan": planned.tables,
        "sha256": planned.sha256,
        "plan_base": planned.base,
        "left_out": list(upload.leave_out),
        **({"renames": planned.renames} if planned.renames else {}),
    }
    summary |= {"released": rows} if (rows := released_rows(workspace, upload)) else {}
    summary |= {"compared": how} if (how := how_compared(workspace, upload)) else {}
    summary["headers"] = _headers(workspace, upload)
    if upload.approved_plan:  # what stopped it stays on record
        before = workspace.warehouse.import_(upload.import_id)["summary"] or {}
        summary |= {"hold": before["hold"]} if "hold" in before else {}
    conclusion = replace(
        conclusion_of(workspace, upload, "published", [], summary=summary),
        leaving=leaving_quarantine(workspace, upload),
        edits=edits_of(workspace, upload),
        entries=[approval_entry(upload, summary)] if upload.approved_by else [],
    )
    workspace.warehouse.publish(conclusion, changes, planned.base, approved_by=upload.approved_by)
    write_manifest(workspace, upload)
    supersede_holds(workspace, upload, conclusion.finished_at, published=True)


def _headers(workspace: Workspace, upload: Upload) -> dict[str, list[str]]:
    """Return the columns that published uploads of the feed have had so far, by file: a later one that lacks some is told."""
    known = {name: list(columns) for name, columns in upload.headers.items()}
    for file in upload.format.files:
        if upload.member(file.name):
            judged = workspace.frames.read_json(upload.district_id, upload.import_id, f"judged/{file.name}")
            known[file.name] = sorted({*known.get(file.name, ()), *judged["present"], *judged["extensions"]})
    return known


def planned_of(workspace: Workspace, upload: Upload) -> Planned:
    """Return the plan that was left in staging."""
    return Planned.from_dict(workspace.frames.read_json(upload.district_id, upload.import_id, "plan"))


def _renamed(workspace: Workspace, upload: Upload) -> dict[str, TableChange]:
    """Return the rows of ``id_changes`` that a person's approval of renames opens."""
    place = (upload.district_id, upload.import_id, f"renamed/{TABLE}")
    if not (upload.renames and workspace.frames.exists(*place)):
        return {}
    return {TABLE: TableChange(opens=to_table(workspace.frames.read(*place)), closes=CLOSES.empty_table())}


def _change(workspace: Workspace, upload: Upload, name: str, tables: Mapping[str, pd.DataFrame]) -> TableChange:
    place = (upload.district_id, upload.import_id)

    def opens() -> pa.Table:
        opening = to_table(workspace.frames.read(*place, f"opens/{name}"))
        if PLACE in opening.column_names:
            mapped, places = to_table(tables[name]), flat(opening.column(PLACE))
            opening = mapped if len(places) == mapped.num_rows else mapped.take(places)
        return opening.drop_columns([REFUSED, DELETED])

    return TableChange(opens=opens, closes=to_table(workspace.frames.read(*place, f"closes/{name}")))
