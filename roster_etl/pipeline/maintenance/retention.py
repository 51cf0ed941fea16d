"""Retention: delete files after a time, so that a home does not grow without limit.

Belongs here: staged tables, pages in ``reports/`` and dead-lettered messages, by age; all of them can be recreated, or were
reported. Runs of Dagster are deleted by ``orchestration.jobs.nightly_cleanup``. Never deleted: warehouse, archive, manifests,
quarantine, and everything of an open hold. Personal data is removed by ``purge``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime

from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point

_PAGES = ("html", "json", "csv", "data_docs")


@dataclass(frozen=True, kw_only=True)
class RetentionResult:
    """The numbers of deleted items.

    ``frames``, ``reports``: imports whose staged tables or pages were deleted; ``messages``: dead-lettered ones that were never
    sent.
    """

    frames: int
    reports: int
    messages: int


def apply_retention(workspace: Workspace, now: datetime) -> RetentionResult:
    """Delete what is older than the settings in ``[retention]``."""
    kept = workspace.settings.retention
    return RetentionResult(
        frames=_remove_old_frames(workspace, now - kept.max_age("frames")),
        reports=_remove_old_reports(workspace, now - kept.max_age("reports")),
        messages=_discard_old_messages(workspace, now - kept.max_age("outbox")),
    )


def _remove_old_frames(workspace: Workspace, before: datetime) -> int:
    """Delete staged tables of imports that ended before a moment; tables of imports that are not in the ledger are kept."""
    spared, removed = open_holds(workspace), 0
    for district_id, numbers in workspace.frames.imports_by_district().items():
        ended = (
            {row["import_id"]: row["finished_at"] for row in workspace.warehouse.ledger.imports(district_id)} if numbers else {}
        )
        for number in set(numbers) - spared:
            if (at := ended.get(number)) is not None and at < before:
                fault_point("retention.frames")
                workspace.frames.drop(district_id, number)
                removed += 1
    return removed


def _remove_old_reports(workspace: Workspace, before: datetime) -> int:
    """Delete pages of the home that were written before a moment; ``roster-etl report`` writes them again."""
    spared, removed = open_holds(workspace), set()
    for page in (workspace.home / "reports").glob("*/*"):
        number, _, kind = page.name.partition(".")
        is_old = kind in _PAGES and number.isdigit() and page.stat().st_mtime < before.timestamp()
        if is_old and int(number) not in spared:
            fault_point("retention.report")
            shutil.rmtree(page) if page.is_dir() else page.unlink(missing_ok=True)
            removed.add(number)
    return len(removed)


def _discard_old_messages(workspace: Workspace, before: datetime) -> int:
    old = [m for m in workspace.outbox.messages() if m.parked and datetime.fromisoformat(m.created) < before]
    return sum(workspace.outbox.discard(message.id) for message in old)
