"""``imports`` and ``show``: the content of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import print_late_feeds, require_known_district
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DistrictFilter, ImportNumber, check_import_id
from roster_etl.cli.render_import import print_import
from roster_etl.pipeline.reporting.import_summary import outcome

_COLUMNS = (
    "import_id",
    "kind",
    "district_id",
    "source",
    "file_set",
    "upload_id",
    "run_id",
    "status",
    "received_at",
    "started_at",
    "finished_at",
)
_DEFAULT_LIMIT = 30


def imports(
    call: Call,
    district: DistrictFilter = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", callback=check_import_id, help="Only the newest N (default: 30; with --json: all)."),
    ] = None,
) -> int:
    """List imports, newest first, with status and number of changes."""
    if limit is not None and limit < 1:
        raise UsageError(problem="--limit: expected a number of at least 1")
    if district is not None:
        require_known_district(call, district)
    with call.warehouse.read() as session:
        rows = session.ledger.imports(district, limit=limit or (None if call.json else _DEFAULT_LIMIT))
        waiting = {hold["import_id"] for hold in session.ledger.holds(district)}
    header = ("import", "finished (UTC)", "district", "format", "status", "created", "updated", "removed")
    lines = [_table_row(row, waiting) for row in rows]
    call.show_rows([_document(row) for row in rows], header, lines, none="Nothing was imported yet.")
    if rows and not call.json:
        print_late_feeds(call, district)
    return 0


def show(call: Call, import_id: ImportNumber) -> int:
    """Show one import in full: files, changes, findings by cause, checks."""
    print_import(call, outcome(call.workspace, import_id))
    return 0


def _document(row: dict[str, Any]) -> dict[str, Any]:
    summary = row["summary"] or {}
    known = {name: row[name] for name in (*_COLUMNS, "options")}
    return {**known, "changes": summary.get("changes", {}), "parked": bool(summary.get("parked"))}


def _table_row(row: dict[str, Any], open_holds: AbstractSet[int]) -> tuple[object, ...]:
    """Return an import as a row of the list. ``open_holds``: the held imports that can still be decided."""
    counts = tuple(_count_changes(row, what) for what in ("created", "updated", "deleted"))
    finished = f"{row['finished_at']:%Y-%m-%d %H:%M:%S}" if row["finished_at"] else ""
    status = "superseded" if row["status"] == "held" and row["import_id"] not in open_holds else row["status"]
    status = f"{status}, parked" if (row["summary"] or {}).get("parked") else status
    status = f"{status} since {row['started_at']:%Y-%m-%d %H:%M:%S}" if not finished else status
    return (row["import_id"], finished, row["district_id"], feed_label(row), status, *counts)


def feed_label(row: Mapping[str, Any]) -> str:
    """Return the format of an import, with its file set if the format has several."""
    return "/".join(filter(None, (row["source"], row["file_set"])))


def _count_changes(row: dict[str, Any], change: str) -> int | None:
    """Return the number of records with the given `change`; None if nothing was published: a held plan has changed nothing."""
    if row["status"] not in ("published", "unchanged"):
        return None
    return sum(table[change] for table in (row["summary"] or {}).get("changes", {}).values())
