"""Context of every step of an import: find the import to which it belongs, and record how it ended.

Belongs here: tags of runs, the ledger entry of a failure, and errors in the form for Dagster: without a cell.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from roster_etl.orchestration.assets.frame_types import NOTHING
from roster_etl.orchestration.assets.freshness_checks import log_freshness
from roster_etl.orchestration.assets.metadata import OWNERS
from roster_etl.orchestration.assets.run_resources import RunContext
from roster_etl.orchestration.assets.today_asset import log_today
from roster_etl.orchestration.runtime.current_home import record_error
from roster_etl.orchestration.runtime.partitions import feed_partitions
from roster_etl.pipeline.reporting.announce import try_publish_report
from roster_etl.pipeline.staging import Staging
from roster_etl.pipeline.steps.conclude import fail_import
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.vendors import Vendor

DISTRICT, FORMAT, IMPORT, STATUS = "district", "format", "import_id", "import_status"
UPLOAD = ".dagster/upload_id"
"""A hash. Dagster's UI does not show tags that begin so; they can be filtered by."""
FILE_SET = "file_set"
RESOURCES = {"run_context", "import_runner"}
"""What every step of an import needs."""
BACKFILL, PRIORITY = "dagster/backfill", "dagster/priority"


Context = dg.AssetExecutionContext | dg.OpExecutionContext


class Interrupted(RetryableError):
    """The run was stopped during a step."""

    code = "interrupted"
    template = "import {import_id}: the run was stopped; nothing was published"


def import_asset(
    vendor: Vendor, key: dg.AssetKey, *, dagster_type: dg.DagsterType = NOTHING, **about: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the decorator of an asset that a step of an import of `vendor` makes.

    No output is required: a run of fewer assets than an import has leaves them to a whole import.
    """
    source = vendor.format.name
    return dg.asset(
        key=key,
        partitions_def=feed_partitions(source),
        output_required=False,
        dagster_type=dagster_type,
        group_name=source,
        owners=OWNERS,
        required_resource_keys=RESOURCES,
        **about,
    )


@contextmanager
def import_step(context: dg.AssetExecutionContext) -> Iterator[tuple[RunContext, Upload]]:
    """Run a step on the run's import; an error ends the import as ``failed`` and is reported without a cell.

    Raises: dg.Failure.
    """
    run_context: RunContext = context.resources.run_context
    with redacted_failures(context):
        upload = run_context.upload or run_context.begin_upload(_resume_upload(context, run_context))
        try:
            yield run_context, upload
            if run_context.separate_steps:
                run_context.workspace.frames.flush()
        except dg.Failure:
            raise
        except dg.DagsterExecutionInterruptedError:
            _fail_import(context, run_context, upload, Interrupted(import_id=upload.import_id))
            raise
        except Exception as error:
            _fail_import(context, run_context, upload, error)
            raise


@contextmanager
def redacted_failures(context: Context) -> Iterator[None]:
    """Convert an error to a failure that Dagster may show: our own texts hold no cells, other libraries' texts might."""
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 - Dagster would print the text of any, and it may hold a cell
        record_error(error)
        raise redacted_failure(error) from None


def redacted_failure(error: Exception) -> dg.Failure:
    """Return `error` as a failure of a step: its text if the class is ours, else its class and where it was raised."""
    if isinstance(error, RosterError):
        return dg.Failure(error.message, metadata={"code": error.code}, allow_retries=isinstance(error, RetryableError))
    places = "".join(traceback.format_tb(error.__traceback__))
    description = f"{type(error).__name__}; its text is not shown, as it may hold a cell. Where it was raised: see metadata."
    return dg.Failure(description, metadata={"traceback": dg.MetadataValue.md(f"```\n{places}```")}, allow_retries=True)


def tag_run(context: Context, **tags: object) -> None:
    """Add tags to the run; a tag that is None is left out."""
    context.instance.add_run_tags(context.run.run_id, {name: str(value) for name, value in tags.items() if value is not None})


def district_tags(district_id: str, source: str) -> dict[str, str]:
    """Return the tags of a run for one feed; by the partition's tag the queue runs one run of a district at a time."""
    return {PARTITION_NAME_TAG: district_id, DISTRICT: district_id, FORMAT: source}


def tag_import(context: dg.AssetExecutionContext, upload: Upload, status: str) -> None:
    """Tag the run with its import and its status."""
    tag_run(context, **import_tags(upload, status))


def import_tags(upload: Upload, status: str) -> dict[str, str]:
    """Return the tags of the run of an import."""
    about = {
        DISTRICT: upload.district_id,
        FORMAT: upload.source,
        FILE_SET: upload.file_set,
        UPLOAD: upload.upload_id,
        IMPORT: str(upload.import_id),
        STATUS: status,
    }
    return {name: text for name, text in about.items() if text}


def _resume_upload(context: dg.AssetExecutionContext, run_context: RunContext) -> Upload:
    """Return the upload of the import that this run continues: its own, or that of the run that it resumes."""
    district_id = context.partition_key
    workspace = run_context.workspace
    upload = Staging(workspace.frames, district_id, int(context.run.tags[IMPORT])).upload()
    row = workspace.warehouse.ledger.import_(upload.import_id)
    with workspace.import_locks.exclusive():
        workspace.import_locks.acquire(
            upload.import_id, context.run.run_id
        )  # before the ledger has it as running: else a killed run's import would never be ended
        if row["run_id"] != context.run.run_id:
            with workspace.warehouse.write() as tx:
                tx.resume(upload.import_id, context.run.run_id)
    if row["run_id"] != context.run.run_id:
        tag_import(context, upload, "running")
        context.log.info("Import %d goes on where it stopped.", upload.import_id)
    return upload


def _fail_import(context: dg.AssetExecutionContext, run_context: RunContext, upload: Upload, error: Exception) -> None:
    summary = None
    with suppress(RosterError):  # the import may have ended already, or belong to another run by now
        summary = fail_import(run_context.workspace, upload, error)
    tag_run(context, import_status="held" if upload.approved_plan else "failed")
    try_publish_report(run_context.workspace, upload.import_id, error, summary)
    with suppress(RosterError):
        log_freshness(context, run_context.workspace, upload.district_id, upload.source)
        log_today(context, run_context.workspace)
