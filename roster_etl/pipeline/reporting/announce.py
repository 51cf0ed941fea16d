"""Telling people how an import ended: the report, and what goes out because of it.

Belongs here: doing both for every import, whatever its ending, and never because of one import hurting another; emptying the outbox.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from roster_etl.pipeline.reporting.data_docs import try_data_docs
from roster_etl.pipeline.reporting.import_summary import report_path
from roster_etl.pipeline.reporting.notifications import notify
from roster_etl.pipeline.reporting.report_files import write_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.outbox.outbox import Kind, Round, Send
from roster_etl.store.outbox.smtp import Mailer
from roster_etl.store.outbox.webhook import Webhook

AT_ONCE = 200  # imports that one look takes in


def tell_of(workspace: Workspace, import_id: int) -> Path:
    """Write the report of an import, and queue its mail and alert, each once. Returns the path of the page. Raises UnknownImport.

    Data Docs, where the settings ask for them, come first, so that the report can link to them; an import is not the worse for lacking them.
    """
    if workspace.settings.reports.data_docs:
        try_data_docs(workspace, import_id)
    with workspace.warehouse.read():  # both join it
        page = write_report(workspace, import_id)
        notify(workspace, import_id)
    return page


def tell_anyway(workspace: Workspace, import_id: int, error: BaseException) -> None:
    """Tell of an import that ended because of `error`, which says so where even that cannot be done."""
    try:
        tell_of(workspace, import_id)
    except (RosterError, OSError) as second:
        problem = second.message if isinstance(second, RosterError) else type(second).__name__
        error.add_note(f"No report could be written: {problem}")


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Up to where imports were looked at. ``last``: the highest number; ``open``: lower ones that were running then."""

    last: int
    open: tuple[int, ...] = ()


def tell_untold(workspace: Workspace, before: Looked | None) -> tuple[Looked, list[int]]:
    """Tell of imports that ended without a report: their process was killed before it came to that.

    Args:    before: what the last look returned; None: this is the first, which only takes note of where things stand.
    Returns: what the next look needs, and the imports that were told of.
    """
    warehouse = workspace.warehouse
    if before is None:
        newest = warehouse.imports(limit=1)
        running = [row["import_id"] for row in warehouse.imports(status="running")]
        return Looked(last=newest[0]["import_id"] if newest else 0, open=tuple(sorted(running))), []
    rows = [*(warehouse.import_(number) for number in before.open), *warehouse.imports_after(before.last, AT_ONCE)]
    ended = [row for row in rows if row["status"] != "running"]
    untold = [r["import_id"] for r in ended if not report_path(workspace, r["district_id"], r["import_id"]).exists()]
    for import_id in untold:
        tell_of(workspace, import_id)
    still = tuple(row["import_id"] for row in rows if row["status"] == "running")
    return Looked(last=max([before.last, *(row["import_id"] for row in rows)]), open=still), untold


def send_out(workspace: Workspace, *, everything: bool = False, seconds: float = 30.0) -> Round:
    """Send what is due in the outbox; with `everything`, all that is in it. ``seconds``: no message is begun after that."""
    settings = workspace.settings
    if not (settings.mail.host or settings.alerts.wanted):
        return Round()
    began = time.monotonic()
    with ExitStack() as stack:
        carriers: dict[Kind, Send] = {}
        if settings.mail.host:
            carriers["mail"] = stack.enter_context(Mailer(settings.mail))
        if settings.alerts.wanted:
            carriers["webhook"] = Webhook(settings.alerts)
        enough = lambda: time.monotonic() - began > seconds  # noqa: E731 - it is that short
        return workspace.outbox.send(carriers, datetime.now(UTC), everything=everything, enough=enough)
