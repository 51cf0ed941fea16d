"""``renames list`` and ``approve``: review probable ID changes (same person, new ID)."""

from __future__ import annotations

from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.options import DecidedBy, ImportNumber
from roster_etl.cli.render_import import print_import
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.approve import validate_decider
from roster_etl.pipeline.review.renames import approve_published_renames
from roster_etl.pipeline.steps.rename_proposals import ALL, proposals


def list_(ctx: typer.Context, import_id: ImportNumber) -> int:
    """List probable ID changes of an import: people who disappeared, those who may be the same, and what matches."""
    call: Call = ctx.obj
    rows = proposals(call.workspace, import_id).to_pylist()
    header = ("number", "kind", "old id", "new id", "the same")
    lines = [[row[n] for n in ("number", "user_kind", "old_id", "new_id", "by")] for row in rows]
    call.show_rows(rows, header, lines, none="Nothing that looks like a rename is left to be decided.")
    if call.json or not rows:
        return 0
    call.print()
    if call.warehouse.ledger.import_(import_id)["status"] == "held":
        call.print(f"to publish with these renames: look at the plan with roster-etl holds show {import_id} --rename all")
        call.print("or only some of them: --rename NUMBER, repeatable")
    else:
        call.print(f"to say that they are the same: roster-etl renames approve {import_id} --by NAME")
    return 0


def approve(
    ctx: typer.Context,
    import_id: ImportNumber,
    by: DecidedBy,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="WHAT", help="Only this one, by its number or as OLD=NEW; repeatable."),
    ] = None,
) -> int:
    """Approve ID changes of a published import: same person, new ID, one history."""
    call: Call = ctx.obj
    number = approve_published_renames(call.workspace, import_id, validate_decider(by), rename or [ALL])
    print_import(call, outcome(call.workspace, number))
    return 0
