"""End a run whose import does not publish: held, rejected, unchanged.

Belongs here: the run's log, tags and state in these cases, and the report, which is written all the same.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined]

from roster_etl.orchestration.assets.asset_keys import REPORT, STAGES, vendor_key
from roster_etl.orchestration.assets.district_events import log_materialization
from roster_etl.orchestration.assets.freshness_checks import RunLog, log_freshness, newest_materialization
from roster_etl.orchestration.assets.import_selections import import_keys
from roster_etl.orchestration.assets.metadata import Metadata, import_number, report_metadata
from roster_etl.orchestration.assets.run_resources import RunContext
from roster_etl.orchestration.assets.step_context import BACKFILL, tag_import
from roster_etl.orchestration.assets.today_asset import log_today
from roster_etl.pipeline.reporting.announce import publish_described_report
from roster_etl.pipeline.reporting.hold_text import stopped_text
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace

_UNCHANGED_PAUSE_SECONDS = 10.0  # such an import takes a fifth of a second, and the roster is the same after it


def finish_if_already_ended(context: dg.AssetExecutionContext, upload: Upload) -> bool:
    """Finish the run if receiving already ended the import (unchanged or rejected); returns True if so.

    Raises: dg.Failure: the upload was rejected.
    """
    tag_import(context, upload, upload.ended or "running")
    if upload.ended == "unchanged":
        finish_unchanged(context, upload, _summary(context))
    elif upload.ended is not None:
        fail_run(context, _summary(context))
    return upload.ended is not None


def _summary(context: dg.AssetExecutionContext) -> ImportSummary:
    run_context: RunContext = context.resources.run_context
    return run_context.import_summary()


def finish_unchanged(context: dg.AssetExecutionContext, upload: Upload, summary: ImportSummary) -> None:
    """Log that the roster is up to date, and in a backfill materialize what the import would have made, as it counts nothing else."""
    run_context: RunContext = context.resources.run_context
    context.log.info(unchanged_text(summary))
    run_context.summary = report_unchanged(context, run_context.workspace, summary)
    if BACKFILL in context.run.tags:
        for key in sorted(import_keys(upload.source, upload.file_set) - {REPORT}):
            log_materialization(context, key, {**import_number(summary.import_id), "unchanged": True})


def unchanged_text(summary: ImportSummary) -> str:
    """Return the line for the log of a run whose upload is unchanged."""
    return f"Import {summary.import_id}: unchanged, the roster was published from this upload under these settings already."


def report_unchanged(log: RunLog, workspace: Workspace, summary: ImportSummary) -> ImportSummary:
    """Publish the report of an unchanged import, and log it and the feed's freshness. Returns the summary that the report has."""
    report, about = publish_described_report(workspace, summary, partial(report_metadata, workspace))
    log_materialization(log, REPORT, about)
    _log_stages_once(log, summary)
    log_freshness(log, workspace, summary.district_id, summary.source)
    log_today(log, workspace, pause=_UNCHANGED_PAUSE_SECONDS)
    return report.summary


def _log_stages_once(log: RunLog, summary: ImportSummary) -> None:
    """Materialize the assets after a format's files, if nothing did: the upload was published by a version that did not have them."""
    keys = [vendor_key(summary.source, stage) for stage in STAGES]
    if newest_materialization(log.instance, keys[-1], log.partition_key) is None:
        for key in keys:
            log_materialization(log, key, {**import_number(summary.import_id), "unchanged": True})


class ImportStopped(DagsterUserCodeProcessError, dg.Failure):
    """An import that is held or rejected, by decision and not by an error: a failure without a stack trace.

    Dagster shows of a `DagsterUserCodeProcessError` the error that it carries, and of any other the place where it was raised.
    """

    def __init__(self, text: str, metadata: Metadata) -> None:
        shown = SerializableErrorInfo(message=text, stack=[], cls_name=None)
        super().__init__(text, metadata, False, user_code_process_error_infos=[shown])  # type: ignore[no-untyped-call]


def fail_run(context: dg.AssetExecutionContext, summary: ImportSummary, instructions: Metadata | None = None) -> NoReturn:
    """End the run as failed, so that the partition is red until a person or a newer upload resolves it.

    Args: instructions: metadata with links to what resolves it.
    Raises: ImportStopped: always, without retries, because a retry changes nothing.
    """
    run_context: RunContext = context.resources.run_context
    report, about = publish_described_report(run_context.workspace, summary, partial(report_metadata, run_context.workspace))
    run_context.summary = report.summary
    log_materialization(context, REPORT, about)
    log_freshness(context, run_context.workspace, summary.district_id, summary.source)
    log_today(context, run_context.workspace)
    metadata = {**(instructions or {}), **about, "report": dg.MetadataValue.path(str(report.page))}
    raise ImportStopped(stopped_text(report.summary), metadata)
