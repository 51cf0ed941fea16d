"""Publish a plan in one transaction, under the district's lock.

Belongs here: passing exactly the staged plan to the warehouse, with the ledger's entries. Nothing else writes the roster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from roster_etl.engine.planning.plan import CLOSES
from roster_etl.engine.planning.rename_detection import TABLE
from roster_etl.frames.arrow import DELETED, REFUSED, combine_chunks, keep_freed_memory
from roster_etl.pipeline.lifecycle.close_superseded_holds import refresh_files
from roster_etl.pipeline.lifecycle.manifest import write_manifest
from roster_etl.pipeline.plan_decision import PLACE, PlanDecision
from roster_etl.pipeline.reporting.import_summary import ImportSummary, summarize_import
from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.steps.conclude import approval_entry, build_conclusion, held_earlier_runs, supersede_holds
from roster_etl.pipeline.steps.refused_rise import SUMMARY_KEY, refused_counts
from roster_etl.pipeline.steps.waiting_rows import waiting_rows
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import TableChange
from roster_etl.vendors.lineage import tables_of


def publish_import(workspace: Workspace, upload: Upload, planned: PlanDecision, tables: Mapping[str, pa.Table]) -> ImportSummary:
    """Publish the staged plan of `upload`, and end its import as ``published``. Returns its summary from the ledger.

    Raises: RosterChanged: another import was published since the plan was made. ImportNotRunning: the import has ended, or
        another process took it over.
    """
    keep_freed_memory(upload.largest)
    staging = staging_of(workspace, upload)
    staging.flush()
    changes = {name: _change(staging, name, tables) for name in tables_of(upload.vendor)} | _id_change_rows(staging, upload)
    applied = staging.changes(upload)
    summary: dict[str, Any] = {
        "changes": planned.changes,
        "plan": planned.tables,
        "sha256": planned.sha256,
        "plan_base": planned.base,
        "left_out": list(upload.leave_out),
        **({"renames": planned.renames} if planned.renames else {}),
    }
    summary |= {"released": applied.released} if applied.released else {}
    summary |= {"compared": applied.compared} if applied.compared else {}
    summary["headers"] = _headers(staging, upload)
    summary[SUMMARY_KEY] = {**upload.refused_before, **refused_counts(staging, upload)}
    if upload.approved_plan:  # the reasons of the hold stay on record, and what it closed
        with workspace.warehouse.read() as session:
            before = session.ledger.import_(upload.import_id)["summary"] or {}
        summary |= {name: before[name] for name in ("hold", "closed_holds") if name in before}
    partly = upload.leave_out or upload.renames  # another roster is published than the one to which the rows were applied
    waiting = waiting_rows(upload, *staging.waits(), None if partly else applied.basis) if staging.has_changes() else None
    conclusion = replace(
        build_conclusion(workspace, upload, "published", [], summary=summary),
        released_rows=applied.leaving_quarantine(),
        waiting=waiting,
        edits=applied.edits,
        entries=[approval_entry(upload, summary)] if upload.approved_by else [],
    )
    earlier_runs = held_earlier_runs(workspace, upload)
    with workspace.warehouse.write() as tx:
        tx.publish(conclusion, changes, planned.base, approved_by=upload.approved_by)
        closed = supersede_holds(tx, upload, conclusion.finished_at, published=True, earlier_runs=earlier_runs)
        ended = summarize_import(tx, upload.import_id)
    write_manifest(workspace, upload, ended)
    refresh_files(workspace, closed)
    staging.drop_rows()
    return ended


def _headers(staging: Staging, upload: Upload) -> dict[str, list[str]]:
    """Return the columns of the feed's published uploads so far, by file, so that a later upload that lacks one is reported."""
    known = {name: list(columns) for name, columns in upload.headers.items()}
    for name, result in staging.file_results(upload).items():
        known[name] = sorted({*known.get(name, ()), *result.present, *result.extensions})
    return known


def _id_change_rows(staging: Staging, upload: Upload) -> dict[str, TableChange]:
    """Return the rows of ``id_changes`` that the approved renames open."""
    rows = staging.rename_rows() if upload.renames else None
    return {TABLE: TableChange(opens=rows, closes=CLOSES.empty_table())} if rows else {}


def _change(staging: Staging, name: str, tables: Mapping[str, pa.Table]) -> TableChange:
    def opens() -> tuple[pa.Table, pa.Array | None]:
        opening, places = staging.opens(name), None
        if PLACE in opening.column_names:  # the writer copies the rows once, in its own order
            opening, places = tables[name], combine_chunks(opening.column(PLACE))
        return opening.drop_columns([REFUSED, DELETED]), places

    return TableChange(opens=opens, closes=staging.closes(name))
