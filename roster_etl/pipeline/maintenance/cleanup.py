"""Tidy up: what killed processes left behind, and frames that no step will ask for any more.

Belongs here: one pass over ledger, archive and staging that may run at any time, beside imports. Personal data that is to go is ``purge``.
"""

from __future__ import annotations

from dataclasses import dataclass

from roster_etl.pipeline.lifecycle.holds import open_holds
from roster_etl.pipeline.lifecycle.import_lifecycle import end_abandoned
from roster_etl.pipeline.lifecycle.manifest import is_behind, refresh_manifest
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files import temp_folders as scratch

KEPT_FRAMES = 3
"""Imports of a district whose frames stay, for a run that goes on from a failed step."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What was done.

    ``ended``, ``manifests``: numbers of imports; ``frames``: imports that lost theirs; ``scratch``: folders; ``parts``: files of the
    archive that were written in part.
    """

    ended: tuple[int, ...]
    manifests: tuple[int, ...]
    frames: int
    scratch: int
    parts: int


def sweep(workspace: Workspace, *, frames: int = KEPT_FRAMES) -> Swept:
    """End imports whose process is gone, bring manifests up to the ledger, and remove old frames and temporary folders."""
    with workspace.holders.gate():
        ended = end_abandoned(workspace)
    fault_point("sweep.ended")
    behind = [row["import_id"] for row in workspace.warehouse.imports() if is_behind(workspace, row)]
    for import_id in behind:
        refresh_manifest(workspace, import_id)
    removed = workspace.frames.sweep(keep=frames, spare=open_holds(workspace))
    folders = scratch.sweep(workspace.settings.scratch)
    return Swept(
        ended=tuple(ended), manifests=tuple(sorted(behind)), frames=removed, scratch=folders, parts=workspace.archive.sweep()
    )
