"""The landing-zone sensor: poll the landing zones every few seconds, and request a run per settled upload.

Belongs here: the Dagster side of ``poll_landing_zones``. Run keys are unique per district and arrival.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from roster_etl.orchestration.assets.step_context import DISTRICT, FILE_SET, FORMAT
from roster_etl.orchestration.assets.vendor_assets import upload_config
from roster_etl.orchestration.jobs.archive_upload import (
    ARCHIVE_FEED,
    ARCHIVE_PROBLEM,
    ARCHIVE_REQUEST,
    archive_run_config,
    archive_upload,
)
from roster_etl.orchestration.jobs.reread_landing import REREAD, reread_landing, reread_run_config
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.partitions import read_partitions, sync_partitions
from roster_etl.orchestration.runtime.rewritten_zones import read_rewritten
from roster_etl.orchestration.sensors.crashed_runs import fail_orphaned_runs
from roster_etl.orchestration.sensors.feed_state_store import InstanceFeedStateStore
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.polling import PollBudget
from roster_etl.orchestration.sensors.steady_clock import SteadyClock
from roster_etl.orchestration.sensors.tick import (
    ARCHIVING,
    REREADING,
    ArchiveRequest,
    ImportRequest,
    RereadRequest,
    RunResults,
    TickLimits,
)
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace

INTERVAL_VARIABLE = "ROSTER_ETL_SENSOR_SECONDS"  # for demonstrations and tests; a quiet period of minutes needs no less


def landing_zone_sensor(jobs: Sequence[Any]) -> dg.SensorDefinition:
    """Return the sensor that requests runs of `jobs`, one job per format or file set."""
    by_set = {(str(job.tags[FORMAT]), str(job.tags.get(FILE_SET, ""))): job.name for job in jobs}

    @dg.sensor(
        name="landing_zone",
        jobs=[*jobs, archive_upload, reread_landing],
        minimum_interval_seconds=int(os.environ.get(INTERVAL_VARIABLE, "30")),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Polls each district's landing zone, and imports uploads that are complete, new, and unchanged for the quiet period.",
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with closing(Workspace.open_to_write(current_home())) as workspace:
            return _evaluate_tick(context, workspace, by_set)

    return evaluate


def _evaluate_tick(
    context: dg.SensorEvaluationContext, workspace: Workspace, jobs: Mapping[tuple[str, str], str]
) -> dg.SensorResult:
    partitions = read_partitions(context.instance)
    if gone := fail_orphaned_runs(workspace, context.instance):
        context.log.warning("imports whose process was killed: %s", ", ".join(map(str, gone)))
    memory, clock = InstanceFeedStateStore(context.instance), SteadyClock(context.cursor)
    landing = workspace.settings.landing
    bounds = TickLimits(poll_budget=PollBudget.for_tick(landing.tick_seconds, landing.tick_looks))
    tick = poll_landing_zones(
        workspace,
        context.cursor,
        state_store=memory,
        clock=clock,
        wall_clock=time.time,
        read_busy_feeds=lambda: busy_feeds(context.instance),
        results=RunResults(
            read_archive_problem=lambda request: archive_problem(context.instance, request),
            read_rewritten=lambda: read_rewritten(context.instance),
        ),
        bounds=bounds,
    )
    if added := sync_partitions(context.instance, partitions, tick.registry):
        context.log.info("new districts: %s", ", ".join(added))
    for note in tick.notes:
        context.log.warning(note)
    context.log.info(tick.summary)
    context.log.info("polled %d of %d feeds; left for the next tick: %d", tick.polled, tick.watched, tick.remaining)
    requests = [run_request(request, jobs[request.source, request.file_set]) for request in tick.requests]
    requests += [archive_run_request(request) for request in tick.archive_requests]
    requests += [reread_run_request(tick.reread_request)] if tick.reread_request else []
    cursor = clock.add_to_cursor(tick.cursor)
    return dg.SensorResult(run_requests=requests, cursor=cursor, skip_reason=None if requests else tick.summary)


def run_request(request: ImportRequest, job_name: str) -> dg.RunRequest:
    """Return the run that imports what lies in the landing zone, or an upload that was taken in before."""
    order = Order(
        district_id=request.district_id,
        source=request.source,
        arrival=request.arrival,
        archived=request.archived,
        stale=request.stale,
        received_at=request.received_at,
    )
    return dg.RunRequest(
        run_key=request.key,
        job_name=job_name,
        partition_key=request.district_id,
        run_config=upload_config(order),
        tags={
            DISTRICT: request.district_id,
            FORMAT: request.source,
            **({FILE_SET: request.file_set} if request.file_set else {}),
        },
    )


def archive_run_request(request: ArchiveRequest) -> dg.RunRequest:
    """Return the run that archives a settled upload. It has no partition: an import of the district does not hold it up."""
    return dg.RunRequest(
        run_key=request.key,
        job_name=archive_upload.name,
        run_config=archive_run_config(request.district_id, request.source, request.request, request.listing),
        tags={ARCHIVE_FEED: f"{request.district_id}/{request.source}", ARCHIVE_REQUEST: request.request},
    )


def reread_run_request(request: RereadRequest) -> dg.RunRequest:
    """Return the run that reads quiet landing zones once more."""
    return dg.RunRequest(
        run_key=request.key, job_name=reread_landing.name, run_config=reread_run_config(map(asdict, request.feeds))
    )


def archive_problem(instance: dg.DagsterInstance, request: str) -> str | None:
    """Return why the last run for a request to archive an upload failed, None if it does not say."""
    newest = instance.get_runs(filters=dg.RunsFilter(tags={ARCHIVE_REQUEST: request}), limit=1)
    return newest[0].tags.get(ARCHIVE_PROBLEM) if newest else None


def busy_feeds(instance: dg.DagsterInstance) -> set[tuple[str, str, str]]:
    """Return the (district, format, file set) of all queued or running runs; ``ARCHIVING`` for one that archives an upload."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    imports = {(run.tags[DISTRICT], run.tags[FORMAT], run.tags.get(FILE_SET, "")) for run in runs if _is_import(run)}
    feeds = (run.tags[ARCHIVE_FEED].partition("/") for run in runs if ARCHIVE_FEED in run.tags)
    rereading = {("", "", REREADING) for run in runs if REREAD in run.tags}
    return imports | {(district_id, source, ARCHIVING) for district_id, _, source in feeds} | rereading


def has_unfinished_run(instance: dg.DagsterInstance) -> bool:
    """Return whether a run of any job is queued or running."""
    return instance.get_runs_count(filters=dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))) > 0


def _is_import(run: dg.DagsterRun) -> bool:
    return {DISTRICT, FORMAT} <= set(run.tags)
