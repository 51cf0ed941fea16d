"""Retention: delete files after a time, so that a home does not grow without limit.

Never deleted: warehouse, archive, manifests, quarantine, and everything of an open hold. Personal data is removed by ``purge``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.maintenance.sweep_progress import (
    CleanupProgress,
    add_pending,
    advance,
    read_progress,
    unseen_imports,
    write_progress,
)
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point

PAGES, REPORT_DATA = "pages", "report_data"
"""The parts of the cleanup that delete pages, and the files of data beside them (``sweep_progress``)."""
_KINDS = {PAGES: ("html", "json", "csv", "data_docs"), REPORT_DATA: ("json", "csv")}


@dataclass(frozen=True, kw_only=True)
class RetentionResult:
    """The numbers of deleted items.

    ``frames``, ``reports``, ``report_data``: imports whose staged tables, pages, or files of data beside a page were deleted;
    ``messages``: dead-lettered ones that were never sent.
    """

    frames: int
    reports: int
    report_data: int
    messages: int


def apply_retention(workspace: Workspace, now: datetime, *, everything: bool = False) -> RetentionResult:
    """Delete what is older than the settings in ``[retention]``.

    Pages are looked for by the ledger: those of imports that became too old since the last time. Args: everything: look at all pages.
    """
    kept = workspace.settings.retention
    return RetentionResult(
        frames=_remove_old_frames(workspace, now - kept.max_age("frames")),
        reports=_remove_old_reports(workspace, PAGES, now - kept.max_age("reports"), everything=everything),
        report_data=_remove_old_reports(workspace, REPORT_DATA, now - kept.max_age("report_data"), everything=everything),
        messages=_discard_old_messages(workspace, now - kept.max_age("outbox")),
    )


def _remove_old_frames(workspace: Workspace, before: datetime) -> int:
    """Delete staged tables of imports that ended before a moment; tables of imports that are not in the ledger are kept."""
    spared, removed = open_holds(workspace), 0
    for district_id, numbers in workspace.frames.imports_by_district().items():
        ended = (
            {row["import_id"]: row["finished_at"] for row in workspace.warehouse.ledger.import_times(numbers)} if numbers else {}
        )
        for number in set(numbers) - spared:
            if (at := ended.get(number)) is not None and at < before:
                fault_point("retention.frames")
                workspace.frames.drop(district_id, number)
                removed += 1
    return removed


def look_again(workspace: Workspace, import_id: int) -> None:
    """Have the cleanup look at the pages of an import that were written again."""
    for part in _KINDS:
        add_pending(workspace, part, import_id)


def _remove_old_reports(workspace: Workspace, part: str, before: datetime, *, everything: bool) -> int:
    """Delete what `part` is about of the home's reports that was written before a moment; ``roster-etl report`` writes it again."""
    seen = CleanupProgress() if everything else read_progress(workspace, part)
    if seen.is_first:
        every = (workspace.home / "reports").glob("*/*")
        removed = _remove_pages(workspace, (page for page in every if _is_page(page, part)), before)
    else:
        candidates = [page for row in _imports_before(workspace, seen, before) for page in _pages_of(workspace, row, part)]
        removed = _remove_pages(workspace, candidates, before)
    rows = list(_imports_before(workspace, seen, before))
    write_progress(workspace, part, advance(seen, rows, lambda row: any(_pages_of(workspace, row, part))))
    return removed


def _imports_before(workspace: Workspace, seen: CleanupProgress, before: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the imports that ended before a moment and were not looked at, and the pending ones."""
    for row in unseen_imports(workspace, seen):
        is_new = row["import_id"] > seen.through
        if is_new and (row["finished_at"] or row["started_at"]) >= before:
            return
        yield {name: row[name] for name in ("import_id", "district_id")}


def _pages_of(workspace: Workspace, row: Mapping[str, Any], part: str) -> list[Path]:
    folder = workspace.home / "reports" / row["district_id"]
    return [page for kind in _KINDS[part] if (page := folder / f"{row['import_id']}.{kind}").exists()]


def _is_page(path: Path, part: str) -> bool:
    number, _, kind = path.name.partition(".")
    return kind in _KINDS[part] and number.isdigit()


def _remove_pages(workspace: Workspace, pages: Iterable[Path], before: datetime) -> int:
    """Delete those of `pages` that were written before a moment, but for those of open holds. Returns the number of their imports."""
    spared, removed = open_holds(workspace), set()
    for page in pages:
        number = page.name.partition(".")[0]
        if page.stat().st_mtime < before.timestamp() and int(number) not in spared:
            fault_point("retention.report")
            shutil.rmtree(page) if page.is_dir() else page.unlink(missing_ok=True)
            removed.add(number)
    return len(removed)


def _discard_old_messages(workspace: Workspace, before: datetime) -> int:
    old = [m for m in workspace.outbox.messages() if m.parked and datetime.fromisoformat(m.created) < before]
    return sum(workspace.outbox.discard(message.id) for message in old)
