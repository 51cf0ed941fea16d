"""Retention: what is let go after its time, so that a home does not grow for ever. Everything here can be made again, or was told.

Belongs here: frames, pages in ``reports/`` and messages that were parked, by age. Runs of Dagster are ``orchestration.jobs.nightly_cleanup``.
Never touched: warehouse, archive, manifests, quarantine, and whatever belongs to a hold that is open. Personal data is ``purge``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime

from roster_etl.pipeline.lifecycle.holds import open_holds
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point

_PAGES = ("html", "json", "csv", "data_docs")


@dataclass(frozen=True, kw_only=True)
class RetentionResult:
    """What was removed. ``frames``, ``reports``: imports that lost theirs; ``messages``: parked ones that nobody sent."""

    frames: int
    reports: int
    messages: int


def apply_retention(workspace: Workspace, now: datetime) -> RetentionResult:
    """Remove what is older than ``[retention]`` says."""
    kept = workspace.settings.retention
    return RetentionResult(
        frames=_remove_old_frames(workspace, now - kept.max_age("frames")),
        reports=_remove_old_reports(workspace, now - kept.max_age("reports")),
        messages=_discard_old_messages(workspace, now - kept.max_age("outbox")),
    )


def _remove_old_frames(workspace: Workspace, before: datetime) -> int:
    """Remove frames of imports that ended before a moment; of those that the ledger does not know nothing is said."""
    spared, removed = open_holds(workspace), 0
    for district_id, numbers in workspace.frames.imports_by_district().items():
        ended = {row["import_id"]: row["finished_at"] for row in workspace.warehouse.imports(district_id)} if numbers else {}
        for number in set(numbers) - spared:
            if (at := ended.get(number)) is not None and at < before:
                fault_point("retention.frames")
                workspace.frames.drop(district_id, number)
                removed += 1
    return removed


def _remove_old_reports(workspace: Workspace, before: datetime) -> int:
    """Remove pages of the home that were written before a moment; ``roster-etl report`` writes them again."""
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
