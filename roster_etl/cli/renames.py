"""``renames list`` and ``approve``: review probable ID changes (same person, new ID)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.options import DecidedBy, ImportNumber, check_import_id
from roster_etl.cli.render_import import print_import
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.approve import validate_decider
from roster_etl.pipeline.review.renames import approve_published_renames
from roster_etl.pipeline.steps.rename_proposals import ALL, proposals


def list_(
    call: Call,
    import_id: Annotated[
        int | None,
        typer.Argument(
            metavar="[IMPORT]", callback=check_import_id, help="The import's number; default: which imports have some."
        ),
    ] = None,
) -> int:
    """List probable ID changes of an import: people who disappeared, those who may be the same, and what matches."""
    if import_id is None:
        return _list_imports(call)
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


def _list_imports(call: Call) -> int:
    """List the held imports, and the newest published one of each feed, that have undecided ID changes."""
    with call.warehouse.read() as session:
        rows = list(session.ledger.holds(None))
        for district in call.registry.scan().districts:
            for feed in district.feeds:
                rows += session.ledger.imports(district.id, feed.format, "published", limit=1)
    found = [(row["import_id"], row["district_id"], row["source"], number) for row in rows if (number := _undecided(row))]
    documents = [dict(zip(("import_id", "district_id", "source", "undecided"), line, strict=True)) for line in found]
    header = ("import", "district", "format", "possible renames")
    return call.show_rows(documents, header, found, none="No import has ID changes to decide.")


def _undecided(row: Mapping[str, Any]) -> int:
    renames = (row["summary"] or {}).get("renames") or {}
    return int(renames.get("proposed", 0)) - int(renames.get("approved", 0))


def approve(
    call: Call,
    import_id: ImportNumber,
    by: DecidedBy,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="WHAT", help="Only this one, by its number or as OLD=NEW; repeatable."),
    ] = None,
) -> int:
    """Approve ID changes of a published import: same person, new ID, one history."""
    number = approve_published_renames(call.workspace, import_id, validate_decider(by), rename or [ALL])
    print_import(call, outcome(call.workspace, number))
    return 0
