"""The job that archives one settled upload of a delta format, so that it waits for its turn whatever happens to the folder.

``sensors.delta_upload_decisions`` says when an upload has settled, ``pipeline.uploads.pending_uploads`` archives it.
"""

from contextlib import closing
from typing import Any

import dagster as dg

from roster_etl.orchestration.assets.step_context import PRIORITY, redacted_failures, tag_run
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.uploads.pending_uploads import archive_settled_upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError

ARCHIVE_FEED, ARCHIVE_REQUEST, ARCHIVE_PROBLEM = "archive_feed", ".dagster/archive_request", "archive_problem"
"""Tags of its runs: ``district/format``, the arrival, and why the run failed. The queue limits runs with the first."""
_MAX_SECONDS = "3600"  # in which a run is ended, whatever its server does


class ArchiveConfig(dg.Config):
    """The upload to archive: the feed whose landing zone has it, the arrival's name, and the listing that settled."""

    district_id: str
    source: str
    request: str
    listing: str


@dg.op(description="Copies the upload out of the landing zone and archives it, once; password values are blanked.")
def archive_settled(context: dg.OpExecutionContext, config: ArchiveConfig) -> None:
    """Archive the upload of a request, unless it is archived already."""
    with (
        redacted_failures(context),
        closing(Workspace.open_to_write(current_home())) as workspace,
        workspace.run_locks.hold(context.run.run_id),
    ):
        feed = workspace.registry.get(config.district_id).feed(config.source)
        try:
            number = archive_settled_upload(workspace, config.district_id, feed, request=config.request, listing=config.listing)
        except Exception as error:
            tag_run(context, **{ARCHIVE_PROBLEM: error.message if isinstance(error, RosterError) else type(error).__name__})
            raise
    context.log.info("Archived before." if number is None else f"Archived; the upload waits as number {number}.")


@dg.job(
    name="archive_upload",
    executor_def=dg.in_process_executor,
    tags={PRIORITY: "10", "dagster/max_runtime": _MAX_SECONDS},
    description="Archives an upload of changes once it has settled; the sensor then imports it in its turn.",
)
def archive_upload() -> None:
    """Archive one upload."""
    archive_settled()


def archive_run_config(district_id: str, source: str, request: str, listing: str) -> dict[str, Any]:
    """Return the run config that archives one upload."""
    config = {"district_id": district_id, "source": source, "request": request, "listing": listing}
    return {"ops": {archive_settled.name: {"config": config}}}
