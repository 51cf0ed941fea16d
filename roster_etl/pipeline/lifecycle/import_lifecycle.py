"""Imports as processes hold them: how one begins, is let go of, and ends where its process was killed.

Belongs here: the ledger's word on them. The locks are ``store.import_locks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from roster_etl.frames.arrow import FINDINGS, findings_frame, to_table
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.lifecycle.retry_policy import about, parking
from roster_etl.pipeline.reporting.announce import tell_anyway
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.warehouse import Conclusion, ImportNotRunning, UnknownImport


class Abandoned(RetryableError):
    """The process that worked on an import is gone."""

    code = "abandoned"
    template = "its process ended without a word"


def begin(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Enter an import, held by this process, and return its number; what a killed process left of the district ends here."""
    with workspace.holders.gate():
        end_abandoned(workspace, district_id)
        return opened(workspace, district_id, source, **columns)


def opened(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Enter an import, held by this process before anybody can see it. The caller has the gate."""
    claimed: list[int] = []

    def claim(number: int) -> None:
        workspace.holders.take(number, columns.get("run_id"))
        claimed.append(number)

    try:
        return workspace.warehouse.open_import(district_id=district_id, source=source, claim=claim, **columns)
    except BaseException:
        for number in claimed:  # it was rolled back, unless the connection broke in the very commit
            workspace.holders.release(number, ended=False)
        raise


def end_abandoned(workspace: Workspace, district_id: str | None = None) -> list[int]:
    """End, as ``failed``, the running imports of a district (None: of all) whose process is gone. Returns their numbers.

    What a process did not come to when it was killed right after the end of its import is done as well: the manifest and the report.
    The caller has the gate.
    """
    ended = []
    for import_id, row in left_rows(workspace):
        if district_id not in (None, row["district_id"]):
            continue
        if workspace.holders.left_by(import_id) in (None, "", row["run_id"]):  # else another run took it up, in another home
            ended += [import_id] if _end(workspace, import_id, row) else []
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
    return _end(workspace, import_id, row)


def _end(workspace: Workspace, import_id: int, row: Mapping[str, Any]) -> bool:
    """End an import if it is running, and do what its process did not come to. Returns whether it was running until now."""
    ended = row["status"] == "running" and fail_running(workspace, import_id, Abandoned(), row["summary"])
    refresh_manifest(workspace, import_id)
    tell_anyway(workspace, import_id, Abandoned())
    return ended


def end_left(workspace: Workspace) -> list[int]:
    """End what killed processes of this home left, whatever the district: cheap enough for every tick of a sensor.

    Returns: the imports whose process is gone, those included that had ended before it was killed.
    """
    if not workspace.holders.left():
        return []
    with workspace.holders.gate():
        left = [import_id for import_id, _ in left_rows(workspace)]
        end_abandoned(workspace)
    return left


def fail_running(workspace: Workspace, import_id: int, error: Exception, summary: Mapping[str, Any] | None = None) -> bool:
    """Write to the ledger that an import failed, unless it has ended otherwise. Returns whether it was running until now."""
    parked = parking(workspace, import_id, error)
    conclusion = Conclusion(
        import_id=import_id,
        status="failed",
        finished_at=datetime.now(UTC),
        findings=to_table(findings_frame(parked)).cast(FINDINGS) if parked else None,
        summary={**(summary or {}), "error": error_summary(error), **about(parked)},
    )
    try:
        workspace.warehouse.conclude(conclusion)
    except ImportNotRunning:
        return False
    return True


def left_rows(workspace: Workspace) -> list[tuple[int, dict[str, Any]]]:
    """Return the imports whose processes are gone, with their rows in the ledger; of those that never were in it the locks are forgotten."""
    found = []
    for import_id in workspace.holders.left():
        try:
            found.append((import_id, workspace.warehouse.import_(import_id)))
        except UnknownImport:  # killed before the ledger was sure of it
            workspace.holders.forget(import_id)
    return found


def release(workspace: Workspace, import_id: int, *, goes_on: bool = False) -> None:
    """Work on an import no more; one that has not ended is left to be ended by the feed's next import.

    ``goes_on``: another process, maybe of another host, does the next step, and nothing is left here.
    """
    ended = goes_on
    with suppress(RosterError):  # the ledger may be what failed
        ended = ended or workspace.warehouse.import_(import_id)["status"] != "running"
    workspace.holders.release(import_id, ended=ended)


def error_summary(error: Exception) -> dict[str, str]:
    """Return class and code of an error, and its text if it is one of ours: a foreign text may hold a cell."""
    code = getattr(error, "code", None)
    message = getattr(error, "message", None)
    return {"class": type(error).__name__, **({"code": code, "message": message} if code and message else {})}
