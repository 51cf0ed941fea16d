"""Write the report of an ended import, queue its notifications, and send the outbox.

Belongs here: doing so for every ending, also for imports whose process crashed. One import's error never affects another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from roster_etl.pipeline.reconciliation.reconcile import try_reconcile_published
from roster_etl.pipeline.reporting.data_docs import try_write_data_docs
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary, report_path
from roster_etl.pipeline.reporting.notifications import queue_notifications
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.reporting.report_files import ImportReport, write_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.outbox.openlineage import OpenLineageSender
from roster_etl.store.outbox.outbox import MessageKind, SendResult, Transport
from roster_etl.store.outbox.smtp import Mailer
from roster_etl.store.outbox.webhook import Webhook

MAX_IMPORTS_PER_SCAN = 200  # imports that one sensor tick reads


_T = TypeVar("_T")


def publish_report(workspace: Workspace, summary: ImportSummary) -> ImportReport:
    """Publish the report of an import as `publish_described_report` does, and return it."""
    return publish_described_report(workspace, summary, lambda _: None)[0]


def publish_described_report(
    workspace: Workspace, summary: ImportSummary, describe: Callable[[ImportReport], _T]
) -> tuple[ImportReport, _T]:
    """Write the report of an import, and queue its mail and alert, each once.

    Returns: the report that was written, and what `describe` makes of it in the same read session.

    A receipt, where there is a key, and Data Docs, where the settings ask for them, come first, so that the report can link to them; a failure stops neither.
    """
    summary = try_issue_receipts(workspace, summary)
    if summary.status in ("published", "unchanged"):  # unchanged: the process may have been killed before it compared
        try_reconcile_published(workspace, summary.district_id, summary.source)
    if workspace.settings.reports.data_docs:
        try_write_data_docs(workspace, summary)
    with workspace.warehouse.read():  # all queries below use this session
        report = write_report(workspace, _as_decided(workspace, summary))
        queue_notifications(workspace, report.document)
        return report, describe(report)


def _as_decided(workspace: Workspace, summary: ImportSummary) -> ImportSummary:
    """Return `summary`, read again if its hold was decided since: a decision rewrites only an existing report."""
    if summary.status == "held" and workspace.warehouse.ledger.hold(summary.import_id) != summary.hold:
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
    """The imports that were scanned. ``last``: the highest id; ``open``: lower ones that were running then."""

    last: int
    open: tuple[int, ...] = ()


def report_missed_imports(workspace: Workspace, cursor: ReportCursor | None) -> tuple[ReportCursor, list[int]]:
    """Report imports that ended without a report: their process crashed before it wrote one.

    Args:    cursor: that of the last scan; None: this is the first, which only returns a cursor.
    Returns: the cursor for the next scan, and the imports that were reported.
    """
    with workspace.warehouse.read() as session:
        if cursor is None:
            newest = session.ledger.imports(limit=1)
            running = [row["import_id"] for row in session.ledger.imports(status="running")]
            return ReportCursor(last=newest[0]["import_id"] if newest else 0, open=tuple(sorted(running))), []
        rows = [session.ledger.import_(number) for number in cursor.open]
        rows += session.ledger.imports_after(cursor.last, MAX_IMPORTS_PER_SCAN)
    ended = [row for row in rows if row["status"] != "running"]
    unreported = [r["import_id"] for r in ended if not report_path(workspace, r["district_id"], r["import_id"]).exists()]
    for import_id in unreported:
        publish_report(workspace, read_import_summary(workspace, import_id))
    still = tuple(row["import_id"] for row in rows if row["status"] == "running")
    return ReportCursor(last=max([cursor.last, *(row["import_id"] for row in rows)]), open=still), unreported


def flush_outbox(workspace: Workspace, *, everything: bool = False, seconds: float = 30.0) -> SendResult:
    """Send the due messages of the outbox; with `everything`, all. ``seconds``: no message is started after that."""
    settings = workspace.settings
    if not (settings.mail.host or settings.alerts.is_enabled or settings.openlineage.url):
        return SendResult()
    began = time.monotonic()
    with ExitStack() as stack:
        transports: dict[MessageKind, Transport] = {}
        if settings.mail.host:
            transports["mail"] = stack.enter_context(Mailer(settings.mail))
        if settings.alerts.is_enabled:
            transports["webhook"] = Webhook(settings.alerts)
        if settings.openlineage.url:
            transports["openlineage"] = OpenLineageSender(settings.openlineage)
        is_over = lambda: time.monotonic() - began > seconds  # noqa: E731 - it is that short
        return workspace.outbox.send(transports, datetime.now(UTC), include_all=everything, should_stop=is_over)
