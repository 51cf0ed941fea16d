"""``holds``: review what a gate or a threshold stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from roster_etl.cli.call import Call
from roster_etl.cli.ledger import feed_words
from roster_etl.cli.options import By, ImportNumber, MaybeDistrict
from roster_etl.cli.words import BadWords

LeaveOut = Annotated[
    list[str] | None,
    typer.Option("--leave-out", metavar="WHAT", help="Removals to leave out: a table, or school:ID; may be given several times."),
]


def list_(ctx: typer.Context, district: MaybeDistrict = None) -> int:
    """List the holds that wait for a decision."""
    call: Call = ctx.obj
    rows = call.warehouse.holds(district)
    if call.json:
        call.document([_document(row) for row in rows])
    elif rows:
        lines = [
            (r["import_id"], r["district_id"], feed_words(r), f"{r['created_at']:%Y-%m-%d %H:%M:%S}", r["reason"]) for r in rows
        ]
        call.table(("import", "district", "format", "held (UTC)", "reason"), lines)
    else:
        call.print("Nothing is held.")
    return 0


def show(ctx: typer.Context, import_id: ImportNumber, leave_out: LeaveOut = None) -> int:
    """Show why an import is held, and the plan that approving would publish."""
    call: Call = ctx.obj
    from roster_etl.cli.showing import show_hold
    from roster_etl.pipeline.outcome import outcome

    document = outcome(call.workspace, import_id)
    if document["hold"] is None:
        _no_hold(import_id)
    if leave_out:
        document |= _in_part(call, import_id, leave_out, document["hold"])
    show_hold(call, document)
    return 0


def approve(
    ctx: typer.Context,
    import_id: ImportNumber,
    by: By,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="HASH", help="Only if this is still the plan (its first digits do).")
    ] = None,
    leave_out: LeaveOut = None,
) -> int:
    """Publish exactly the plan that was shown, or refuse because the roster has moved on."""
    call: Call = ctx.obj
    row, hold = _open_hold(call, import_id)
    sha256 = str(hold["plan_sha256"])
    if leave_out:
        if plan is None:
            raise BadWords(problem="--leave-out makes another plan: look at it with holds show, and name it with --plan HASH")
        sha256 = _in_part(call, import_id, leave_out, hold)["hold"]["plan_sha256"]
    if plan is not None and not sha256.startswith(plan):
        raise BadWords(problem=f"import {import_id} has another plan; look at it again with `roster-etl holds show {import_id}`")
    from roster_etl.cli.importing import run_and_show
    from roster_etl.pipeline.receive import Order

    order = Order(
        district_id=row["district_id"],
        source=row["source"],
        approves=(import_id, sha256, _name(by)),
        options=row["options"] or {},
        leave_out=tuple(leave_out or ()),
    )
    return run_and_show(call, order)


def discard(ctx: typer.Context, import_id: ImportNumber, by: By) -> int:
    """Discard a held import: the roster stays as it is."""
    call: Call = ctx.obj
    _open_hold(call, import_id)
    from roster_etl.pipeline.manifest import refresh_manifest
    from roster_etl.pipeline.report import rewrite_reports

    call.warehouse.decide_hold(import_id, "discarded", _name(by), datetime.now(UTC))
    refresh_manifest(call.workspace, import_id)
    rewrite_reports(call.workspace, [import_id])
    if call.json:
        from roster_etl.pipeline.outcome import outcome

        call.document(outcome(call.workspace, import_id))
    else:
        call.print(f"import {import_id} is discarded; the roster stays as it is.")
    return 0


def _in_part(call: Call, import_id: int, leave_out: list[str], hold: dict[str, Any]) -> dict[str, Any]:
    """Return what differs in the document of a held import once removals are left out."""
    from roster_etl.pipeline.partial import preview

    _open_hold(call, import_id)
    found = preview(call.workspace, import_id, leave_out)
    still = found["hold"] or {"tables": {}, "schools": []}
    part = {name: still[name] for name in ("tables", "schools")}
    return {
        "changes": found["changes"],
        "plan": found["plan"],
        "plan_sha256": found["plan_sha256"],
        "left_out": list(leave_out),
        "hold": {**hold, **part, "plan_sha256": found["plan_sha256"]},
    }


def _open_hold(call: Call, import_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    row = call.warehouse.import_(import_id)
    hold = call.warehouse.hold(import_id)
    if hold is None or hold["decision"] is not None:
        _no_hold(import_id)
    return row, hold or {}


def _no_hold(import_id: int) -> None:
    from roster_etl.store.warehouse import NoHold

    raise NoHold(import_id=import_id)


def _name(by: str) -> str:
    if not by.strip():
        raise BadWords(problem="--by: the name of the person who decides")
    return by.strip()


def _document(row: dict[str, Any]) -> dict[str, Any]:
    summary = row["summary"] or {}
    names = ("import_id", "district_id", "source", "file_set", "upload_id", "reason", "plan_sha256", "created_at")
    return {**{name: row[name] for name in names}, "changes": summary.get("changes", {})}
