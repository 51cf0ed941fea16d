"""Telling people how an import ended: the report, and what goes out because of it.

Belongs here: doing both for every import, whatever its ending, and never because of one import hurting another; emptying the outbox.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from roster_etl.pipeline.reporting.data_docs import try_write_data_docs
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary, report_path
from roster_etl.pipeline.reporting.notifications import queue_notifications
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.reporting.report_files import ImportReport, write_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.outbox.outbox import MessageKind, SendResult, Transport
from roster_etl.store.outbox.smtp import Mailer
from roster_etl.store.outbox.webhook import Webhook

MAX_IMPORTS_PER_SCAN = 200  # imports that one look takes in


def publish_report(workspace: Workspace, summary: ImportSummary) -> ImportReport:
    """Write the report of an import, and queue its mail and alert, each once. Returns the report that was written.

    A receipt, where there is a key, and Data Docs, where the settings ask for them, come first, so that the report can link to them; a failure stops neither.
    """
    summary = try_issue_receipts(workspace, summary)
    if workspace.settings.reports.data_docs:
        try_write_data_docs(workspace, summary)
    with workspace.warehouse.read():  # all three join it
        report = write_report(workspace, _as_decided(workspace, summary))
        queue_notifications(workspace, report.document)
    return report


def _as_decided(workspace: Workspace, summary: ImportSummary) -> ImportSummary:
    """Return `summary`, read again if somebody has decided about its hold since: whoever decides rewrites only a report that is there."""
    if summary.status == "held" and workspace.warehouse.hold(summary.import_id) != summary.hold:
        return read_import_summary(workspace, summary.import_id)
    return summary


def try_publish_report(workspace: Workspace, import_id: int, error: BaseException, summary: ImportSummary | None = None) -> None:
    """Report an import that ended because of `error`; a second failure is added to `error` as a note.

    Args: summary: how the import ended; None: it is read from the ledger.
    """
    try:
        publish_report(workspace, summary or read_import_summary(workspace, import_id))
    except (RosterError, OSError) as second:
        problem = second.message if isinstance(second, RosterError) else type(second).__name__
        error.add_note(f"No report could be written: {problem}")


@dataclass(frozen=True, kw_only=True)
class ReportCursor:
    """Up to where imports were looked at. ``last``: the highest number; ``open``: lower ones that were running then."""

    last: int
    open: tuple[int, ...] = ()


def report_missed_imports(workspace: Workspace, cursor: ReportCursor | None) -> tuple[ReportCursor, list[int]]:
    """Tell of imports that ended without a report: their process was killed before it came to that.

    Args:    before: what the last look returned; None: this is the first, which only takes note of where things stand.
    Returns: what the next look needs, and the imports that were told of.
    """
    warehouse = workspace.warehouse
    if cursor is None:
        newest = warehouse.imports(limit=1)
        running = [row["import_id"] for row in warehouse.imports(status="running")]
        return ReportCursor(last=newest[0]["import_id"] if newest else 0, open=tuple(sorted(running))), []
    rows = [*(warehouse.import_(number) for number in cursor.open), *warehouse.imports_after(cursor.last, MAX_IMPORTS_PER_SCAN)]
    ended = [row for row in rows if row["status"] != "running"]
    untold = [r["import_id"] for r in ended if not report_path(workspace, r["district_id"], r["import_id"]).exists()]
    for import_id in untold:
        publish_report(workspace, read_import_summary(workspace, import_id))
    still = tuple(row["import_id"] for row in rows if row["status"] == "running")
    return ReportCursor(last=max([cursor.last, *(row["import_id"] for row in rows)]), open=still), untold


def flush_outbox(workspace: Workspace, *, everything: bool = False, seconds: float = 30.0) -> SendResult:
    """Send what is due in the outbox; with `everything`, all that is in it. ``seconds``: no message is begun after that."""
    settings = workspace.settings
    if not (settings.mail.host or settings.alerts.is_enabled):
        return SendResult()
    began = time.monotonic()
    with ExitStack() as stack:
        carriers: dict[MessageKind, Transport] = {}
        if settings.mail.host:
            carriers["mail"] = stack.enter_context(Mailer(settings.mail))
        if settings.alerts.is_enabled:
            carriers["webhook"] = Webhook(settings.alerts)
        enough = lambda: time.monotonic() - began > seconds  # noqa: E731 - it is that short
        return workspace.outbox.send(carriers, datetime.now(UTC), include_all=everything, should_stop=enough)
