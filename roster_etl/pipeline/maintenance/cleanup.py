"""Clean up after killed processes, and delete staged tables that no step needs any more.

Belongs here: one pass over ledger, archive and staging that may run at any time, beside imports. Removing personal data is
``purge``.
"""

from __future__ import annotations

from dataclasses import dataclass

from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphans_under_lock
from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated, refresh_manifest
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files import temp_folders as scratch

RETAINED_IMPORTS = 3
"""Number of a district's newest imports whose staged tables are kept, for a run that resumes from a failed step."""


@dataclass(frozen=True, kw_only=True)
class HomeCleanupResult:
    """The result of a cleanup.

    ``ended``, ``manifests``: numbers of imports; ``frames``: imports whose staged tables were deleted; ``scratch``: folders;
    ``parts``: incompletely written files of the archive.
    """

    ended: tuple[int, ...]
    manifests: tuple[int, ...]
    frames: int
    scratch: int
    parts: int


def clean_up_home(workspace: Workspace, *, frames: int = RETAINED_IMPORTS) -> HomeCleanupResult:
    """Fail imports whose process is dead, refresh outdated manifests, and delete old staged tables and temporary folders."""
    with workspace.import_locks.exclusive():
        ended = fail_orphans_under_lock(workspace)
    fault_point("sweep.ended")
    behind = [row["import_id"] for row in workspace.warehouse.ledger.imports() if is_manifest_outdated(workspace, row)]
    for import_id in behind:
        refresh_manifest(workspace, read_import_summary(workspace, import_id))
    removed = workspace.frames.remove_old_imports(newest=frames, exclude=open_holds(workspace))
    folders = scratch.remove_orphaned_folders(workspace.settings.scratch)
    return HomeCleanupResult(
        ended=tuple(ended),
        manifests=tuple(sorted(behind)),
        frames=removed,
        scratch=folders,
        parts=workspace.archive.remove_partial_files(),
    )
