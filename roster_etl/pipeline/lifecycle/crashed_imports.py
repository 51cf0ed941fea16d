"""Fail imports: those whose process crashed or was killed, and those that ended in an error outside of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.lifecycle.retry_policy import parked_findings, parked_summary
from roster_etl.pipeline.reporting.announce import try_publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError
from roster_etl.store.warehouse import ImportNotRunning, ImportResult, UnknownImport


class ProcessCrashed(RetryableError):
    """The process that ran an import ended without finishing it."""

    code = "abandoned"
    template = "the process that ran the import crashed or was killed"


def fail_orphans_under_lock(workspace: Workspace, district_id: str | None = None) -> list[int]:
    """Fail the running imports of a district (None: of all) whose process crashed, and return their numbers.

    If the process crashed right after its import ended, the manifest and the report are written. The caller holds the exclusive lock.
    """
    ended = []
    for import_id, row in orphaned_imports(workspace):
        if district_id not in (None, row["district_id"]):
            continue
        if workspace.import_locks.last_run_of(import_id) in (
            None,
            "",
            row["run_id"],
        ):  # else another run continues it, in another home
            ended += [import_id] if _fail_and_report(workspace, import_id, row) else []
        workspace.import_locks.discard(import_id)
    return ended


def fail_import_of_run(workspace: Workspace, import_id: int, run_id: str) -> bool:
    """Fail an import that its failed run left running, and return whether it was failed.

    It is not failed if another run has continued it since, or if a process of this home still works on it. Raises: UnknownImport.
    """
    row = workspace.warehouse.ledger.import_(import_id)
    if row["status"] != "running" or row["run_id"] != run_id or workspace.import_locks.is_locked(import_id):
        return False
    return _fail_and_report(workspace, import_id, row)


def fail_orphaned_imports(workspace: Workspace) -> list[int]:
    """Fail the running imports of this home whose process crashed, in all districts. Cheap enough for every sensor tick.

    Returns: the imports whose process is gone, including those that had ended before.
    """
    if not workspace.import_locks.orphaned():
        return []
    with workspace.import_locks.exclusive():
        left = [import_id for import_id, _ in orphaned_imports(workspace)]
        fail_orphans_under_lock(workspace)
    return left


def orphaned_imports(workspace: Workspace) -> list[tuple[int, dict[str, Any]]]:
    """Return the imports whose process is gone, with their ledger rows. Discards locks of imports that are not in the ledger."""
    found = []
    for import_id in workspace.import_locks.orphaned():
        try:
            found.append((import_id, workspace.warehouse.ledger.import_(import_id)))
        except UnknownImport:  # killed before the row was committed
            workspace.import_locks.discard(import_id)
    return found


def _fail_and_report(workspace: Workspace, import_id: int, row: Mapping[str, Any]) -> bool:
    """Fail an import if it is running, write its manifest and report, and return whether it was running."""
    ended = row["status"] == "running" and fail_running_import(workspace, import_id, ProcessCrashed(), row["summary"])
    summary = read_import_summary(workspace, import_id)
    refresh_manifest(workspace, summary)
    try_publish_report(workspace, import_id, ProcessCrashed(), summary)
    return ended


def fail_running_import(workspace: Workspace, import_id: int, error: Exception, summary: Mapping[str, Any] | None = None) -> bool:
    """Write to the ledger that a running import failed, and return whether it was running."""
    parked = parked_findings(workspace, import_id, error)
    conclusion = ImportResult(
        import_id=import_id,
        status="failed",
        finished_at=datetime.now(UTC),
        findings=findings_table(parked) if parked else None,
        summary={**(summary or {}), "error": error_summary(error), **parked_summary(parked)},
    )
    try:
        with workspace.warehouse.write() as tx:
            tx.conclude(conclusion)
    except ImportNotRunning:
        return False
    return True


def error_summary(error: Exception) -> dict[str, str]:
    """Return class and code of an error, and the message of a RosterError: another library's message may hold a cell."""
    code = getattr(error, "code", None)
    message = getattr(error, "message", None)
    return {"class": type(error).__name__, **({"code": code, "message": message} if code and message else {})}
