"""``holds``: review imports that a gate or a threshold stopped."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.history import feed_label
from roster_etl.cli.imports import decide_and_print, import_and_print, report_stale_approval
from roster_etl.cli.options import DecidedBy, DistrictFilter, ImportNumber
from roster_etl.cli.render_import import print_hold
from roster_etl.pipeline.reporting.import_summary import import_published_since, outcome
from roster_etl.pipeline.review import approve as decide
from roster_etl.pipeline.review.approve import (
    ApprovalRequest,
    PlanOutdated,
    require_open_hold,
    validate_approval,
    validate_decider,
)
from roster_etl.pipeline.review.preview_approval import preview_approval
from roster_etl.pipeline.steps.rename_proposals import replace_ids_by_numbers
from roster_etl.store.warehouse import NoHold

LeaveOut = Annotated[
    list[str] | None,
    typer.Option("--leave-out", metavar="WHAT", help="Removals to exclude: a table, or school:ID; repeatable."),
]

Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="WHAT",
        help="ID changes to approve: all, a number of `renames list`, or OLD=NEW; repeatable.",
    ),
]


def list_(call: Call, district: DistrictFilter = None) -> int:
    """List the imports that wait for approval."""
    with call.warehouse.read() as session:
        rows = [{**row, "overtaken_by": import_published_since(session.roster, row)} for row in session.ledger.holds(district)]
    header = ("import", "district", "format", "held (UTC)", "reason", "")
    return call.show_rows([_document(row) for row in rows], header, [_line(row) for row in rows], none="Nothing is held.")


def show(call: Call, import_id: ImportNumber, leave_out: LeaveOut = None, rename: Rename = None) -> int:
    """Show why an import is held, and the plan that approving would publish."""
    document = outcome(call.workspace, import_id)
    if document["hold"] is None:
        raise NoHold(import_id=import_id)
    if leave_out or rename:
        document |= _preview_partial_approval(call, import_id, leave_out or [], rename or [], document["hold"])
    print_hold(call, document)
    return 0


def approve(
    call: Call,
    import_id: ImportNumber,
    by: DecidedBy,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="HASH", help="Only if this is still the hash of the plan (or its first digits)."),
    ] = None,
    leave_out: LeaveOut = None,
    rename: Rename = None,
) -> int:
    """Publish exactly the plan that was shown. Fails if the roster has changed since."""
    from roster_etl.pipeline.reporting.ui_links import APPROVE

    decision = ApprovalRequest(
        import_id=import_id, by=by, plan=plan, leave_out=tuple(leave_out or ()), renames=tuple(rename or ())
    )
    try:
        given = validate_approval(call.workspace, decision)
    except PlanOutdated as error:
        return report_stale_approval(call, import_id, error)
    if given.is_upload:
        return import_and_print(call, given.order())
    return decide_and_print(
        call, APPROVE, {"import_id": import_id, "plan": given.sha256, "by": given.by}, decided_import_id=import_id
    )


def discard(call: Call, import_id: ImportNumber, by: DecidedBy) -> int:
    """Discard a held import. The roster does not change."""
    decide.discard_import(call.workspace, import_id, by)
    text = f"import {import_id} is discarded; the roster stays as it is."
    return call.show_result(outcome(call.workspace, import_id), text)


def undo(call: Call, import_id: ImportNumber, by: DecidedBy) -> int:
    """Roll back an import and all later ones: plan the state before it, as a new import to approve."""
    from roster_etl.pipeline.reporting.ui_links import UNDO

    return decide_and_print(call, UNDO, {"import_id": import_id, "by": validate_decider(by)})


def _preview_partial_approval(
    call: Call, import_id: int, leave_out: list[str], rename: list[str], hold: dict[str, Any]
) -> dict[str, Any]:
    """Return the fields of a held import's document that change with the given exclusions and renames."""
    require_open_hold(call.workspace, import_id)
    renamed = replace_ids_by_numbers(call.workspace, import_id, rename)
    found = preview_approval(call.workspace, import_id, leave_out, renamed)
    still = found["hold"] or {"tables": {}, "schools": []}
    part = {name: still[name] for name in ("tables", "schools")}
    return {
        "changes": found["changes"],
        "plan": found["plan"],
        "plan_sha256": found["plan_sha256"],
        "left_out": list(leave_out),
        "renamed": list(renamed),
        "renames": found["renames"],
        "hold": {**hold, **part, "plan_sha256": found["plan_sha256"]},
    }


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    newer = row["overtaken_by"]
    note = "" if newer is None else f"to be planned anew: import {newer} was published since"
    return (
        row["import_id"],
        row["district_id"],
        feed_label(row),
        f"{row['created_at']:%Y-%m-%d %H:%M:%S}",
        row["reason"],
        note,
    )


def _document(row: dict[str, Any]) -> dict[str, Any]:
    summary = row["summary"] or {}
    names = ("import_id", "district_id", "source", "file_set", "upload_id", "reason", "plan_sha256", "created_at", "overtaken_by")
    return {**{name: row[name] for name in names}, "changes": summary.get("changes", {})}
