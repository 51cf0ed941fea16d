"""Imports as processes hold them: how one begins, is let go of, and ends where its process was killed.

Belongs here: the ledger's word on them. The locks are ``store.import_locks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.lifecycle.retry_policy import parked_findings, parked_summary
from roster_etl.pipeline.reporting.announce import try_publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.warehouse import ImportNotRunning, ImportResult, UnknownImport


class Abandoned(RetryableError):
    """The process that worked on an import is gone."""

    code = "abandoned"
    template = "its process ended without a word"


def begin_import(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Enter an import, held by this process, and return its number; what a killed process left of the district ends here."""
    with workspace.import_locks.exclusive():
        fail_orphans_under_lock(workspace, district_id)
        return open_claimed_import(workspace, district_id, source, **columns)


def open_claimed_import(workspace: Workspace, district_id: str, source: str, **columns: Any) -> int:
    """Enter an import, held by this process before anybody can see it. The caller has the gate."""
    claimed: list[int] = []

    def claim(number: int) -> None:
        workspace.import_locks.acquire(number, columns.get("run_id"))
        claimed.append(number)

    try:
        return workspace.warehouse.open_import(district_id=district_id, source=source, claim=claim, **columns)
    except BaseException:
        for number in claimed:  # it was rolled back, unless the connection broke in the very commit
            workspace.import_locks.release(number, ended=False)
        raise


def fail_orphans_under_lock(workspace: Workspace, district_id: str | None = None) -> list[int]:
    """End, as ``failed``, the running imports of a district (None: of all) whose process is gone. Returns their numbers.

    What a process did not come to when it was killed right after the end of its import is done as well: the manifest and the report.
    The caller has the gate.
    """
    ended = []
    for import_id, row in orphaned_imports(workspace):
        if district_id not in (None, row["district_id"]):
            continue
        if workspace.import_locks.last_run_of(import_id) in (
            None,
            "",
            row["run_id"],
        ):  # else another run took it up, in another home
            ended += [import_id] if _fail_and_report(workspace, import_id, row) else []
        workspace.import_locks.discard(import_id)
    return ended


def fail_import_of_run(workspace: Workspace, import_id: int, run_id: str) -> bool:
    """End, as ``failed``, an import that its run has left running: the run failed where no step could say so. Returns whether it did.

    Another run may have taken the import up since, and a process of this home may still be at work on it: then it is theirs.
    Raises: UnknownImport.
    """
    row = workspace.warehouse.import_(import_id)
    if row["status"] != "running" or row["run_id"] != run_id or workspace.import_locks.is_locked(import_id):
        return False
    return _fail_and_report(workspace, import_id, row)


def _fail_and_report(workspace: Workspace, import_id: int, row: Mapping[str, Any]) -> bool:
    """End an import if it is running, and do what its process did not come to. Returns whether it was running until now."""
    ended = row["status"] == "running" and fail_running_import(workspace, import_id, Abandoned(), row["summary"])
    summary = read_import_summary(workspace, import_id)
    refresh_manifest(workspace, summary)
    try_publish_report(workspace, import_id, Abandoned(), summary)
    return ended


def fail_orphaned_imports(workspace: Workspace) -> list[int]:
    """End what killed processes of this home left, whatever the district: cheap enough for every tick of a sensor.

    Returns: the imports whose process is gone, those included that had ended before it was killed.
    """
    if not workspace.import_locks.orphaned():
        return []
    with workspace.import_locks.exclusive():
        left = [import_id for import_id, _ in orphaned_imports(workspace)]
        fail_orphans_under_lock(workspace)
    return left


def fail_running_import(workspace: Workspace, import_id: int, error: Exception, summary: Mapping[str, Any] | None = None) -> bool:
    """Write to the ledger that an import failed, unless it has ended otherwise. Returns whether it was running until now."""
    parked = parked_findings(workspace, import_id, error)
    conclusion = ImportResult(
        import_id=import_id,
        status="failed",
        finished_at=datetime.now(UTC),
        findings=findings_table(parked) if parked else None,
        summary={**(summary or {}), "error": error_summary(error), **parked_summary(parked)},
    )
    try:
        workspace.warehouse.conclude(conclusion)
    except ImportNotRunning:
        return False
    return True


def orphaned_imports(workspace: Workspace) -> list[tuple[int, dict[str, Any]]]:
    """Return the imports whose processes are gone, with their rows in the ledger; of those that never were in it the locks are forgotten."""
    found = []
    for import_id in workspace.import_locks.orphaned():
        try:
            found.append((import_id, workspace.warehouse.import_(import_id)))
        except UnknownImport:  # killed before the ledger was sure of it
            workspace.import_locks.discard(import_id)
    return found


def release_import(workspace: Workspace, import_id: int, *, continues_elsewhere: bool = False, ended: bool = False) -> None:
    """Release this process's lock on an import; one that has not ended is left to be ended by the feed's next import.

    Args: goes_on: another process, maybe of another host, does the next step, and nothing is left here. ended: the caller knows that the
        import has ended; otherwise the ledger is asked.
    """
    ended = ended or continues_elsewhere
    with suppress(RosterError):  # the ledger may be what failed
        ended = ended or workspace.warehouse.import_(import_id)["status"] != "running"
    with suppress(RosterError):  # what a failed import left; of any other everything was put before it ended
        workspace.frames.flush()
    workspace.frames.close()
    workspace.import_locks.release(import_id, ended=ended)


def error_summary(error: Exception) -> dict[str, str]:
    """Return class and code of an error, and its text if it is one of ours: a foreign text may hold a cell."""
    code = getattr(error, "code", None)
    message = getattr(error, "message", None)
    return {"class": type(error).__name__, **({"code": code, "message": message} if code and message else {})}
