"""Fail imports and Dagster runs whose worker is dead, so that they stop blocking their district.

Belongs here: ending both, at every tick of the sensor and so at the start of the daemon. A run whose import another home began is
left to that home; one killed before it began an import is left to ``run_monitoring.max_runtime_seconds``.
"""

from __future__ import annotations

import dagster as dg

from roster_etl.orchestration.assets.step_context import DISTRICT, FORMAT
from roster_etl.pipeline.lifecycle.crashed_imports import ProcessCrashed, fail_orphaned_imports
from roster_etl.pipeline.workspace import Workspace

_ACTIVE_STATUSES = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_RECENT_IMPORTS = 5  # the import of a running run is among this many newest ones of its feed


def fail_orphaned_runs(workspace: Workspace, instance: dg.DagsterInstance) -> list[int]:
    """Fail imports of this home whose process is dead, and their runs. Returns the imports."""
    gone = fail_orphaned_imports(workspace)
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_ACTIVE_STATUSES)):
        if workspace.run_locks.is_dead(run.run_id):
            instance.report_run_failed(run, "Its process was killed.")
            workspace.run_locks.discard(run.run_id)
        number = _orphaned_import_id(workspace, run, gone)
        if number is not None:
            instance.report_run_failed(run, f"The process of import {number} was killed; this run ends with it.")
    return gone


def _orphaned_import_id(workspace: Workspace, run: dg.DagsterRun, gone: list[int]) -> int | None:
    """Return the import of a run if it has ended and its process is known to be dead. One that is running was taken over by this run."""
    district_id, source = run.tags.get(DISTRICT), run.tags.get(FORMAT)
    if district_id is None or source is None:
        return None
    for row in workspace.warehouse.ledger.imports(district_id, source, limit=_RECENT_IMPORTS):
        if row["run_id"] != run.run_id or row["status"] == "running":
            continue
        error = (row["summary"] or {}).get("error") or {}
        if row["import_id"] in gone or error.get("code") == ProcessCrashed.code:
            return int(row["import_id"])
    return None
