"""The job that imports again what failed: a queued run of the format's own job for each failed feed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.origin import JobPythonOrigin
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from pydantic import Field

from roster_etl.orchestration.assets.markdown import LinkCell, markdown_table
from roster_etl.orchestration.assets.step_context import DISTRICT, FILE_SET, FORMAT, district_tags, redacted_failures
from roster_etl.orchestration.jobs.build import definitions_for, job_name
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphaned_imports
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.vendors import vendor

RERUN_FAILED = "rerun_failed"
MISSING = "missing"
STATUSES = ("failed", "held", "rejected", MISSING)


class NoRunQueue(PermanentError):
    """The runs cannot be queued."""

    code = "no_run_queue"
    template = (
        "this Dagster instance has no run queue, or this run was not launched from the UI; in a terminal, "
        "`roster-etl backfill --failed` imports the same feeds"
    )


class UnknownStatus(PermanentError):
    """A status that is not to be imported again."""

    code = "unknown_status"
    template = "statuses: {value!r} is none of {known}"


class RerunConfig(dg.Config):
    """Which feeds are imported again."""

    districts: list[str] = Field(default=[], description="Districts; none: all.")
    formats: list[str] = Field(default=[], description="Formats; none: all.")
    statuses: list[str] = Field(
        default=["failed"],
        description="How the newest import of a feed ended: failed, held or rejected; or missing: it has none yet.",
    )
    dry_run: bool = Field(default=False, description="Only list the feeds.")


@dataclass(frozen=True, kw_only=True)
class FeedToRerun:
    """A feed, or a file set of it, whose newest import did not end well. ``import_id`` None: it has none (``missing``)."""

    district_id: str
    source: str
    file_set: str
    import_id: int | None
    status: str


def feeds_to_rerun(
    workspace: Workspace,
    *,
    districts: Sequence[str] = (),
    formats: Sequence[str] = (),
    statuses: Sequence[str] = ("failed",),
) -> Iterator[FeedToRerun]:
    """Yield the feeds whose newest import has one of `statuses`; an import whose process crashed counts as failed.

    A file set of a format counts as a feed. Paused feeds are left out. Raises: UnknownDistrict, UnknownStatus.
    """
    for status in statuses:
        if status not in STATUSES:
            raise UnknownStatus(value=status, known=", ".join(STATUSES))
    fail_orphaned_imports(workspace)
    now = datetime.now(UTC)
    for district in [workspace.registry.get(one) for one in districts] or workspace.registry.list():
        for feed in district.feeds:
            if (formats and feed.format not in formats) or district.pause_reason(feed.format, now):
                continue
            for file_set in vendor(feed.format).format.file_sets:
                rows = workspace.warehouse.ledger.imports(district.id, feed.format, file_set=file_set.name, limit=1)
                newest: dict[str, Any] = rows[0] if rows else {"import_id": None, "status": MISSING}
                if newest["status"] in statuses:
                    yield FeedToRerun(
                        district_id=district.id,
                        source=feed.format,
                        file_set=file_set.name,
                        import_id=newest["import_id"],
                        status=newest["status"],
                    )


def queue_import(context: dg.OpExecutionContext, feed: FeedToRerun) -> str:
    """Queue a run of the feed's job, which imports its newest upload. Returns the run's id. Raises NoRunQueue."""
    instance, remote, code = context.instance, context.run.remote_job_origin, context.run.job_code_origin
    if remote is None or code is None or not isinstance(instance.run_coordinator, QueuedRunCoordinator):
        raise NoRunQueue
    name = job_name(feed.source, feed.file_set)
    job = definitions_for(feed.source).resolve_job_def(name)
    add_partitions(instance, feed.district_id, feed.source)
    run = instance.create_run_for_job(
        job_def=job,
        tags={**job.run_tags, **district_tags(feed.district_id, feed.source)},
        remote_job_origin=RemoteJobOrigin(remote.repository_origin, name),
        job_code_origin=JobPythonOrigin(name, code.repository_origin),
    )
    instance.report_dagster_event(DagsterEvent.job_enqueue(run), run_id=run.run_id)
    return run.run_id


def unfinished_imports(instance: dg.DagsterInstance) -> set[tuple[str, str, str]]:
    """Return the district, format and file set of each import that is queued or running."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    return {
        (run.tags[DISTRICT], run.tags[FORMAT], run.tags.get(FILE_SET, "")) for run in runs if {DISTRICT, FORMAT} <= set(run.tags)
    }


@dg.op(description="Queues an import of the newest upload for each feed whose newest import failed.")
def rerun_failed_feeds(context: dg.OpExecutionContext, config: RerunConfig) -> None:
    """Queue the imports, and list them in the step's metadata."""
    with redacted_failures(context):
        workspace = Workspace.open_to_write(current_home())
        try:
            chosen = {"districts": config.districts, "formats": config.formats, "statuses": config.statuses}
            feeds = list(feeds_to_rerun(workspace, **chosen))
        finally:
            workspace.close()
        busy = unfinished_imports(context.instance)
        lines: list[tuple[str | LinkCell, ...]] = []
        for feed in feeds:
            place = (feed.district_id, feed.source, feed.file_set)
            if place in busy:
                what: str | LinkCell = "left out: it is queued or running"
            elif config.dry_run:
                what = "would be imported again"
            else:
                run_id = queue_import(context, feed)
                what = LinkCell(run_id[:8], f"/runs/{run_id}")
            lines.append((feed.district_id, feed.source, feed.file_set, f"{feed.import_id or ''} {feed.status}", what))
    context.log.info("%d feeds to import again.", len(lines))
    table = markdown_table(("district", "format", "file set", "newest import", "run"), lines)
    context.add_output_metadata({"feeds": len(lines), **({"imports": table} if lines else {})})


@dg.job(
    name=RERUN_FAILED,
    executor_def=dg.in_process_executor,
    description=(
        "Imports again what failed, for all districts and formats, or those in the config: one queued run of the format's job for each feed. "
        "Each imports the upload that waits, the settled one in the landing zone, or the newest archived one. `dry_run` only lists them."
    ),
)
def rerun_failed() -> None:
    """Import again what failed."""
    rerun_failed_feeds()
