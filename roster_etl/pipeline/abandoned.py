"""Imports whose process was killed: how they are told from those that are worked on, and how they end.

Belongs here: the ledger's word on them. The locks are ``store.holders``.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

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
            summary = {**(row["summary"] or {}), "error": error_summary(Abandoned())}
            conclusion = Conclusion(import_id=import_id, status="failed", finished_at=datetime.now(UTC), summary=summary)
            with suppress(ImportNotRunning):  # resumed, and ended, at this moment
                workspace.warehouse.conclude(conclusion)
                refresh_manifest(workspace, import_id)
                tell_of(workspace, import_id)
                ended.append(import_id)
        workspace.holders.forget(import_id)
    return ended


def release(workspace: Workspace, import_id: int) -> None:
    """Work on an import no more; one that has not ended is left to be ended by the feed's next import."""
    ended = False
    with suppress(RosterError):  # the ledger may be what failed
        ended = workspace.warehouse.import_(import_id)["status"] != "running"
    workspace.holders.release(import_id, ended=ended)
