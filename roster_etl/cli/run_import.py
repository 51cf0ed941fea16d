"""Run an import for the command line: the only interface between the commands and the Dagster run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from roster_etl.cli.context import Call
from roster_etl.cli.errors import Failure, failure_of
from roster_etl.pipeline.lifecycle.hold_races import as_lost_race
from roster_etl.pipeline.reporting.announce import flush_outbox, publish_report
from roster_etl.pipeline.reporting.import_summary import ImportSummary, import_document, outcome, read_import_summary
from roster_etl.pipeline.uploads.expected_change import expects_change
from roster_etl.pipeline.uploads.file_sets import resolve_file_set
from roster_etl.pipeline.uploads.order import Order
from roster_etl.spec.errors import PermanentError
from roster_etl.store.warehouse import ImportResult

_RECENT_IMPORTS = 50  # limit of imports of a feed that others may begin during this one
_SEND_SECONDS = 10.0
"""Seconds after which no further message is sent: the person at the prompt waits for it, and the rest is sent later."""


class RunFailedBetweenSteps(PermanentError):
    """A run failed outside the steps of its import."""

    code = "run_broken"
    template = "the run of import {import_id} broke between its steps; see its log in the Dagster UI"


def run_order(call: Call, order: Order) -> tuple[dict[str, Any], Failure | None]:
    """Run the import of `order`, showing its progress.

    Returns: the document of its import, and the failure after it was opened, if any.
    Raises: the error, if it occurred before an import was opened in the ledger.
    """
    order = resolve_file_set(call.workspace, order)
    changes = expects_change(call.workspace, order)
    from roster_etl.orchestration.jobs.in_process_runs import count_run_steps, execute_import

    begun: list[str] = []
    try:
        what = "/".join(filter(None, (order.district_id, order.source, order.file_set)))
        with call.progress(count_run_steps(order), what) as progress:
            done = execute_import(
                call.settings.home, order, receive_first=changes is False, on_step=progress, on_start=begun.append
            )
        failure, summary = _failure_between_steps(call, done.summary or read_import_summary(call.workspace, done.import_id))
        return import_document(call.workspace, summary), failure
    except Exception as error:
        found = order.approves[0] if order.approves else _find_opened_import(call, order, begun)
        if found is None:
            raise
        publish_report(call.workspace, read_import_summary(call.workspace, found))
        failure = failure_of(as_lost_race(call.workspace, found, error) if order.approves else error)
        call.log(f"roster-etl: {failure.message}")
        return outcome(call.workspace, found), failure
    finally:
        for problem in flush_outbox(call.workspace, seconds=_SEND_SECONDS).problems:
            call.log(f"roster-etl: not sent yet: {problem}; `roster-etl outbox list` shows undelivered messages")


def _failure_between_steps(call: Call, summary: ImportSummary) -> tuple[Failure | None, ImportSummary]:
    """Return the failure between the steps of an import, which no step could raise (None: none), and its summary.

    An import that its run left as running is ended, because the run could not write to the ledger.
    """
    if summary.status not in ("running", "failed"):
        return None, summary
    import_id = summary.import_id
    failure = failure_of(RunFailedBetweenSteps(import_id=import_id))
    about = {"error": {"class": RunFailedBetweenSteps.__name__, "code": failure.code, "message": failure.message}}
    if summary.status == "running":
        with call.workspace.warehouse.write() as tx:
            tx.conclude(ImportResult(import_id=import_id, status="failed", finished_at=datetime.now(UTC), summary=about))
        summary = read_import_summary(call.workspace, import_id)
        publish_report(call.workspace, summary)
    else:
        known = {**about["error"], **(summary.details.get("error") or {})}
        failure = replace(failure, code=known["code"], message=known["message"])
    call.log(f"roster-etl: {failure.message}")
    return failure, summary


def _find_opened_import(call: Call, order: Order, run_ids: Sequence[str]) -> int | None:
    """Return the import that the run opened; others may have been opened since."""
    found = call.workspace.warehouse.ledger.imports(order.district_id, order.source, limit=_RECENT_IMPORTS) if run_ids else []
    return next((row["import_id"] for row in found if row["run_id"] in run_ids), None)
