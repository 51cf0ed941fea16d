"""``backfill``: import the newest upload of many districts, a bounded number in parallel, with one summary."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from roster_etl.cli import exit_codes
from roster_etl.cli.context import Call
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import FormatOption
from roster_etl.cli.text_tables import TextTable

if TYPE_CHECKING:
    from roster_etl.orchestration.jobs.backfill import BackfillResult


def backfill(
    call: Call,
    district: Annotated[list[str] | None, typer.Option("--district", metavar="ID", help="This district; repeatable.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only feeds whose newest import failed.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every registered district.")] = False,
    format: FormatOption = None,
    at_once: Annotated[int, typer.Option("--at-once", metavar="N", min=1, max=64, help="How many imports run in parallel.")] = 2,
) -> int:
    """Import the newest upload of many districts: the settled one in the landing zone, else the newest archived one."""
    if all_ and district:
        raise UsageError(problem="pass --all or --district, not both")
    if not (all_ or district or failed):
        raise UsageError(problem="specify --district ID, --failed or --all")
    from roster_etl.orchestration.jobs.backfill import backfill_feeds as run_all
    from roster_etl.orchestration.jobs.backfill import select_feeds

    feeds = select_feeds(call.workspace, districts=district or (), source=format, failed=failed)
    with call.progress(len(feeds), "backfill") as progress:
        filled = run_all(call.settings.home, feeds, max_concurrent=at_once, on_result=lambda one: progress(_progress_text(one)))
    _print_results(call, filled)
    return exit_codes.of_backfill(one.status for one in filled)


def _progress_text(result: BackfillResult) -> str:
    return f"{result.district_id}/{result.source} {result.status}"


def _print_results(call: Call, results: tuple[BackfillResult, ...]) -> None:
    from roster_etl.orchestration.jobs.backfill import count_by_status

    counts = count_by_status(results)
    document = {"feeds": len(results), "counts": counts, "imports": [asdict(one) for one in results]}
    rows = [(one.district_id, one.source, one.import_id, one.status, one.message) for one in results]
    table = TextTable(("district", "format", "import", "status", "what happened"), rows)
    total = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    call.show_result(document, *((table, total) if results else ("Nothing to run.",)))
