"""Nightly maintenance: fail orphaned imports, apply retention, and delete old Dagster runs.

Old ticks are deleted by ``retention`` in ``dagster.yaml``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord
from dagster._core.storage.tags import PARTITION_NAME_TAG

from roster_etl.orchestration.assets.step_context import IMPORT
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.run_deletion import (
    READ_EVENTS,
    RunDeletion,
    delete_events_without_run,
    delete_rests_of_deleted_runs,
)
from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.maintenance.cleanup import HomeCleanupResult, clean_up_home
from roster_etl.pipeline.maintenance.retention import RetentionResult, apply_retention
from roster_etl.pipeline.workspace import Workspace

EVENTS_WITHOUT_RUN = timedelta(days=30)
"""Age from which events without a run are deleted, if runs are not deleted earlier: sensors log them whenever something has changed."""
_PAGE_SIZE = 200


@dataclass(frozen=True, kw_only=True)
class CleanupResult:
    """The result of one nightly cleanup."""

    sweep_result: HomeCleanupResult
    retention_result: RetentionResult
    deleted_runs: int

    def metadata(self) -> dict[str, object]:
        """Return the counts as flat metadata."""
        swept = asdict(self.sweep_result)
        return {
            **{f"swept_{k}": len(v) if isinstance(v, tuple) else v for k, v in swept.items()},
            **asdict(self.retention_result),
            "runs": self.deleted_runs,
        }


def run_nightly_cleanup(
    workspace: Workspace, instance: dg.DagsterInstance, now: datetime, *, everything: bool = False
) -> CleanupResult:
    """Fail orphaned imports, and delete what is past its retention. Args: everything: also look at what was looked at before."""
    swept = clean_up_home(workspace, everything=everything)
    gone = apply_retention(workspace, now, everything=everything)
    before = now - workspace.settings.retention.max_age("runs")
    delete_events_without_run(instance, max(before, now - EVENTS_WITHOUT_RUN))
    if everything:
        delete_rests_of_deleted_runs(instance)
    return CleanupResult(
        sweep_result=swept,
        retention_result=gone,
        deleted_runs=delete_old_runs(instance, before, protected_imports=open_holds(workspace)),
    )


def delete_old_runs(instance: dg.DagsterInstance, before: datetime, *, protected_imports: frozenset[int] = frozenset()) -> int:
    """Delete finished runs created before a time, with their events and logs. Returns how many.

    Never deleted, since the UI shows them: the newest run of each job and partition, and every run with the latest
    materialization of an asset's partition. ``protected_imports``: imports whose runs stay.
    """
    newest, deletion, removed = _LatestRuns(instance), RunDeletion(instance), 0
    for record in _finished_runs(instance, before):
        run = record.dagster_run
        if _import_id_of(run) in protected_imports or newest.is_newest(run):
            continue
        logs = instance.all_logs(run.run_id, of_type=READ_EVENTS)
        if newest.has_latest_materialization(run, logs):
            continue
        deletion.delete(run.run_id, logs)
        removed += 1
    return removed


class _LatestRuns:
    """The runs that the UI shows as latest, cached."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._runs: dict[tuple[str, str | None], str] = {}
        self._materialized_by: dict[tuple[dg.AssetKey, str | None], str | None] = {}

    def is_newest(self, run: dg.DagsterRun) -> bool:
        """Return whether no run of the same job and partition was created after it."""
        place = (run.job_name, run.tags.get(PARTITION_NAME_TAG))
        if place not in self._runs:
            tags = {PARTITION_NAME_TAG: place[1]} if place[1] else {}
            found = self._instance.get_runs(dg.RunsFilter(job_name=place[0], tags=tags), limit=1 if place[1] else _PAGE_SIZE)
            alike = (one.run_id for one in found if one.tags.get(PARTITION_NAME_TAG) == place[1])
            self._runs[place] = next(alike, "")  # none: newer runs of the job have another partition
        return self._runs[place] == run.run_id

    def has_latest_materialization(self, run: dg.DagsterRun, logs: Sequence[dg.EventLogEntry]) -> bool:
        """Return whether a run with these events made the latest materialization of an asset, or of its partition."""
        made = [log.asset_materialization for log in logs if log.asset_materialization]
        return any(self._latest_run_id(one.asset_key, one.partition) == run.run_id for one in made)

    def _latest_run_id(self, key: dg.AssetKey, partition: str | None) -> str | None:
        if (key, partition) not in self._materialized_by:
            wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
            records = self._instance.fetch_materializations(wanted, limit=1).records
            self._materialized_by[key, partition] = records[0].run_id if records else None
        return self._materialized_by[key, partition]


def _finished_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[RunRecord]:
    """Yield finished runs, oldest first; the next page is queried before the runs of a page are deleted."""
    wanted = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before)
    page = instance.get_run_records(wanted, limit=_PAGE_SIZE, ascending=True)
    while page:
        following = instance.get_run_records(wanted, limit=_PAGE_SIZE, cursor=page[-1].dagster_run.run_id, ascending=True)
        yield from page
        page = following


def _import_id_of(run: dg.DagsterRun) -> int | None:
    number = run.tags.get(IMPORT, "")
    return int(number) if number.isdigit() else None


@dg.op(description="Fail imports of crashed processes; delete staged tables, reports, messages and runs past their retention.")
def tidy_up(context: dg.OpExecutionContext) -> None:
    """Run the nightly cleanup of this home."""
    workspace = Workspace.open_to_write(current_home())
    try:
        kept = run_nightly_cleanup(workspace, context.instance, datetime.now(UTC))
    finally:
        workspace.close()
    context.log.info("%s", kept.metadata())
    context.add_output_metadata(kept.metadata())


@dg.job(description="Nightly cleanup. docs/operations/housekeeping.md lists what is deleted when, and what never is.")
def housekeeping() -> None:
    """Run the nightly cleanup."""
    tidy_up()


nightly = dg.ScheduleDefinition(
    name="nightly_housekeeping",
    job=housekeeping,
    cron_schedule="23 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Runs the nightly cleanup.",
)
