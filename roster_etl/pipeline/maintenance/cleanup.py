"""Tidy up: what killed processes left behind, and frames that no step will ask for any more.

Belongs here: one pass over ledger, archive and staging that may run at any time, beside imports. Personal data that is to go is ``purge``.
"""

from __future__ import annotations

from dataclasses import dataclass

from roster_etl.pipeline.lifecycle.holds import open_holds
from roster_etl.pipeline.lifecycle.import_lifecycle import fail_orphans_under_lock
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated, refresh_manifest
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files import temp_folders as scratch

RETAINED_IMPORTS = 3
"""Imports of a district whose frames stay, for a run that goes on from a failed step."""


@dataclass(frozen=True, kw_only=True)
class HomeCleanupResult:
    """What was done.

    ``ended``, ``manifests``: numbers of imports; ``frames``: imports that lost theirs; ``scratch``: folders; ``parts``: files of the
    archive that were written in part.
    """

    ended: tuple[int, ...]
    manifests: tuple[int, ...]
    frames: int
    scratch: int
    parts: int


def clean_up_home(workspace: Workspace, *, frames: int = RETAINED_IMPORTS) -> HomeCleanupResult:
    """End imports whose process is gone, bring manifests up to the ledger, and remove old frames and temporary folders."""
    with workspace.import_locks.exclusive():
        ended = fail_orphans_under_lock(workspace)
    fault_point("sweep.ended")
    behind = [row["import_id"] for row in workspace.warehouse.imports() if is_manifest_outdated(workspace, row)]
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
