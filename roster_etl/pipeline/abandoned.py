"""Imports whose process was killed: how they are told from those that are worked on, and how they end.

Belongs here: the ledger's word on them. The locks are ``store.holders``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from roster_etl.pipeline.conclude import error_summary
from roster_etl.pipeline.manifest import refresh_manifest
from roster_etl.pipeline.tell import tell_of
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.warehouse import Conclusion, ImportNotRunning


class Abandoned(RetryableError):
    """The process that worked on an import is gone."""

    code = "abandoned"
    template = "its process ended without a word"


def end_abandoned(workspace: Workspace, district_id: str, source: str) -> list[int]:
    """End, as ``failed``, the running imports of a feed whose process is gone. Returns their numbers."""
    ended = []
    for import_id in workspace.holders.left():
        row = workspace.warehouse.import_(import_id)
        if row["status"] == "running":
            if (row["district_id"], row["source"]) != (district_id, source):
                continue
            if workspace.holders.left_by(import_id) in (None, "", row["run_id"]) and _end(workspace, row):
                ended.append(import_id)
        workspace.holders.forget(import_id)
    return ended


def end_with_run(workspace: Workspace, import_id: int, run_id: str) -> bool:
    """End, as ``failed``, an import that its run has left running: the run failed where no step could say so. Returns whether it did.

    Another run may have taken the import up since, and a process of this home may still be at work on it: then it is theirs.
    Raises: UnknownImport.
    """
    row = workspace.warehouse.import_(import_id)
    if row["status"] != "running" or row["run_id"] != run_id or workspace.holders.held(import_id):
        return False
    return _end(workspace, row)


def _end(workspace: Workspace, row: Mapping[str, Any]) -> bool:
    import_id = int(row["import_id"])
    summary = {**(row["summary"] or {}), "error": error_summary(Abandoned())}
    try:
        workspace.warehouse.conclude(
            Conclusion(import_id=import_id, status="failed", finished_at=datetime.now(UTC), summary=summary)
        )
    except ImportNotRunning:  # it ended at this moment
        return False
    refresh_manifest(workspace, import_id)
    tell_of(workspace, import_id)
    return True


def release(workspace: Workspace, import_id: int, *, goes_on: bool = False) -> None:
    """Work on an import no more; one that has not ended is left to be ended by the feed's next import.

    ``goes_on``: another process, maybe of another host, does the next step, and nothing is left here.
    """
    ended = goes_on
    with suppress(RosterError):  # the ledger may be what failed
        ended = ended or workspace.warehouse.import_(import_id)["status"] != "running"
    workspace.holders.release(import_id, ended=ended)
