"""The sensor: every few seconds a look at the landing zones, and a run for each upload that has settled.

Belongs here: what Dagster needs around ``watch``. Runs are asked for one per district and arrival.
"""

import os
import time
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from roster_etl.orchestration.home import current_home
from roster_etl.orchestration.partitions import sync_partitions
from roster_etl.orchestration.steps import DISTRICT, FORMAT
from roster_etl.orchestration.watch import Request, watch
from roster_etl.pipeline.workspace import Workspace

INTERVAL = "ROSTER_ETL_SENSOR_SECONDS"  # for demonstrations and tests; a quiet period of minutes needs no haste


def landing_zone(jobs: Sequence[Any]) -> dg.SensorDefinition:
    """Return the sensor that asks for runs of `jobs`, one a format."""
    by_format = {str(job.tags[FORMAT]): job.name for job in jobs}

    @dg.sensor(
        name="landing_zone",
        jobs=jobs,
        minimum_interval_seconds=int(os.environ.get(INTERVAL, "30")),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks at each district's landing zone, and imports what is complete, new, and has stood still for the quiet period.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        workspace = Workspace.open(current_home())
        added = sync_partitions(context.instance, workspace.registry.ids())
        if added:
            context.log.info("new districts: %s", ", ".join(added))
        tick = watch(workspace, context.cursor, now=time.time(), running=lambda: unfinished(context.instance))
        for note in tick.notes:
            context.log.warning(note)
        context.log.info(tick.summary)
        requests = [run_request(request, by_format[request.source]) for request in tick.requests]
        return dg.SensorResult(run_requests=requests, cursor=tick.cursor, skip_reason=None if requests else tick.summary)

    return look


def run_request(request: Request, job_name: str) -> dg.RunRequest:
    """Return the run that imports what lies in the landing zone, or an upload that was taken in before."""
    what: dict[str, Any] = {"landing": True} if request.arrival is None else {"arrival": request.arrival}
    config = {**what, **({"stale": list(request.stale)} if request.stale else {})}
    return dg.RunRequest(
        run_key=request.key,
        job_name=job_name,
        partition_key=request.district_id,
        run_config={"ops": {f"{request.source}__upload": {"config": config}}},
        tags={DISTRICT: request.district_id, FORMAT: request.source},
    )


def unfinished(instance: dg.DagsterInstance) -> set[tuple[str, str]]:
    """Return the (district, format) pairs that have a run which is queued or at work."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    return {(run.tags[DISTRICT], run.tags[FORMAT]) for run in runs if DISTRICT in run.tags and FORMAT in run.tags}
