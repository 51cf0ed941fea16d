"""``open``: the report or the run of an import, in the browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import check_import_id
from roster_etl.pipeline.maintenance.retention import look_again
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.reporting.report_files import report_url, write_report

UI_ADDRESS = "http://127.0.0.1:3000"
"""Where ``dagster dev`` serves the UI unless it is told otherwise."""


def open_(
    call: Call,
    import_id: Annotated[
        int | None, typer.Argument(metavar="[IMPORT]", callback=check_import_id, help="The import's number; default: the newest.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Its run in the Dagster UI instead of its report.")] = False,
    ui: Annotated[
        str,
        typer.Option(
            "--ui",
            metavar="URL",
            envvar="ROSTER_ETL_UI",
            show_envvar=False,
            help="The Dagster UI; default: $ROSTER_ETL_UI, or \\[ui] url.",
        ),
    ] = "",
    only_print: Annotated[bool, typer.Option("--print", help="Print the address, and open nothing.")] = False,
) -> int:
    """Open the report of an import, or its run in the Dagster UI, in the browser; without one the address is printed."""
    summary = read_import_summary(call.workspace, _newest(call) if import_id is None else import_id)
    address = (
        _run_address(call, summary.import_id, ui or call.settings.ui.url or UI_ADDRESS) if run else _report_address(call, summary)
    )
    opened = not (only_print or call.json) and webbrowser.open(address)
    return call.show_result({"import_id": summary.import_id, "url": address, "opened": opened}, address)


def _newest(call: Call) -> int:
    """Return the number of the newest import. Raises UsageError: there is none."""
    rows = call.warehouse.ledger.imports(limit=1)
    if not rows:
        raise UsageError(problem="nothing was imported yet")
    return int(rows[0]["import_id"])


def _run_address(call: Call, import_id: int, ui: str) -> str:
    run_id = call.warehouse.ledger.import_(import_id)["run_id"]
    if not run_id:
        raise UsageError(problem=f"import {import_id} has no run in the Dagster UI")
    return f"{ui.rstrip('/')}/runs/{run_id}"


def _report_address(call: Call, summary: ImportSummary) -> str:
    """Return the address of the report, after it was written again: the nightly cleanup may have deleted it."""
    page = write_report(call.workspace, summary).page
    look_again(call.workspace, summary.import_id)
    return report_url(call.workspace, summary.district_id, summary.import_id) or page.absolute().as_uri()
