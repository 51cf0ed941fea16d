"""Clean up after killed processes, and delete staged tables that no step needs any more.

It may run at any time, beside imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphans_under_lock
from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated, refresh_manifest
from roster_etl.pipeline.maintenance.sweep_progress import CleanupProgress, advance, read_progress, unseen_imports, write_progress
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.receipts.compact import compact_outcomes
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files import temp_folders as scratch

RETAINED_IMPORTS = 3
"""Number of a district's newest imports whose staged tables are kept, for a run that resumes from a failed step."""
_MANIFESTS, _OUTCOMES = "manifests", "outcomes"
_AT_ONCE = 500  # imports


@dataclass(frozen=True, kw_only=True)
class HomeCleanupResult:
    """The result of a cleanup.

    ``ended``, ``manifests``: numbers of imports; ``frames``: imports whose staged tables were deleted; ``scratch``: folders;
    ``parts``: incompletely written files of the archive; ``outcomes``: receipts whose outcomes are stored in less space now.
    """

    ended: tuple[int, ...]
    manifests: tuple[int, ...]
    frames: int
    scratch: int
    parts: int
    outcomes: int


def clean_up_home(workspace: Workspace, *, frames: int = RETAINED_IMPORTS, everything: bool = False) -> HomeCleanupResult:
    """Fail imports whose process is dead, refresh outdated manifests, and delete old staged tables and temporary folders.

    Looks at what changed since the last time. Args: everything: look at every import and every file of the archive instead.
    """
    with workspace.import_locks.exclusive():
        ended = fail_orphans_under_lock(workspace)
    fault_point("sweep.ended")
    seen = CleanupProgress() if everything else read_progress(workspace, _MANIFESTS)
    behind = _refresh_manifests(workspace, seen)
    removed = workspace.frames.remove_old_imports(newest=frames, exclude=open_holds(workspace))
    folders = scratch.remove_orphaned_folders(workspace.settings.scratch)
    return HomeCleanupResult(
        ended=tuple(ended),
        manifests=tuple(sorted(behind)),
        frames=removed,
        scratch=folders,
        parts=workspace.archive.remove_partial_files(everywhere=seen.is_first),
        outcomes=_compact_outcomes(workspace, everything=everything),
    )


def _compact_outcomes(workspace: Workspace, *, everything: bool) -> int:
    """Replace the outcomes of receipts that an earlier version stored line by line, until none is left. Returns how many were replaced."""
    if not everything and not read_progress(workspace, _OUTCOMES).is_first:
        return 0
    replaced, is_done = compact_outcomes(workspace)
    if is_done:
        write_progress(workspace, _OUTCOMES, CleanupProgress())
    return replaced


def _refresh_manifests(workspace: Workspace, seen: CleanupProgress) -> list[int]:
    """Refresh the outdated manifests of imports that may have changed since the last time. Returns their numbers.

    Those are newer imports, and older ones that were running, or held, when they were looked at last.
    """
    waiting, behind, rows = open_holds(workspace), [], []
    unseen = unseen_imports(workspace, seen)
    while some := list(islice(unseen, _AT_ONCE)):
        rows += [{name: row[name] for name in ("import_id", "status")} for row in some]
        with workspace.warehouse.read():  # one session for all of them
            outdated = [row["import_id"] for row in some if is_manifest_outdated(workspace, row)]
        for import_id in outdated:
            refresh_manifest(workspace, read_import_summary(workspace, import_id))
        behind += outdated
    open_ = lambda row: row["status"] == "running" or row["import_id"] in waiting  # noqa: E731 - it is that short
    write_progress(workspace, _MANIFESTS, advance(seen, rows, open_))
    return behind
