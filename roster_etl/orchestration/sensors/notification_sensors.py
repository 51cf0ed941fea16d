"""Notification sensors: flush the outbox; alert on failed and cancelled runs.

Held and rejected imports are failed runs too; the ledger row has the status.
"""

import json
from contextlib import closing
from dataclasses import asdict

import dagster as dg

from roster_etl.orchestration.assets.step_context import DISTRICT, FORMAT, IMPORT
from roster_etl.orchestration.jobs.archive_upload import ARCHIVE_FEED, ARCHIVE_PROBLEM, ARCHIVE_REQUEST
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.lifecycle.crashed_imports import fail_import_of_run
from roster_etl.pipeline.reporting.announce import ReportCursor, flush_outbox, publish_report, report_missed_imports
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.notifications import queue_alert
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError

_SEND_SECONDS = 30.0  # for sending, out of the minute that a tick may take


@dg.sensor(
    name="outbox",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends due mail and alerts, and reports imports whose process crashed before it could.",
)
def outbox_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Queue missed reports, and send due messages."""
    workspace = Workspace.open_to_write(current_home())
    cursor, reported = report_missed_since(workspace, context.cursor)
    if reported:
        context.log.warning("reported imports of crashed processes: %s", ", ".join(map(str, reported)))
    sent = flush_outbox(workspace, seconds=_SEND_SECONDS)
    for problem in sent.problems:
        context.log.warning(problem)
    if sent.parked:
        context.log.error(
            "%d messages are dead-lettered (parked): list them with `roster-etl outbox list`, retry with `roster-etl outbox send`",
            sent.parked,
        )
    waiting = sum(workspace.outbox.counts().values())
    return dg.SensorResult(cursor=cursor, skip_reason=f"{sent.sent} sent, {waiting} in the outbox")


@dg.run_failure_sensor(
    name="failed_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=True,  # runs of the command line have the location name of workspace.yaml, whatever this one's is
    description="Reports imports that were held, rejected or failed, and runs that failed before an import began.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Report the import of a failed run, or the run itself."""
    _notify(context)


@dg.run_status_sensor(
    name="canceled_runs",
    run_status=dg.DagsterRunStatus.CANCELED,
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=True,  # as above
    description="Fails imports whose run was canceled between steps.",
)
def canceled_runs(context: dg.RunStatusSensorContext) -> None:
    """Fail the import of a cancelled run, and report it."""
    _notify(context)


def _notify(context: dg.RunStatusSensorContext) -> None:
    with closing(Workspace.open_to_write(current_home())) as workspace:
        context.log.info(notify_run_failure(workspace, context.dagster_run))


def notify_run_failure(workspace: Workspace, run: dg.DagsterRun) -> str:
    """Report the import of a failed run, after failing it if the run left it running; the run itself, if it opened none.

    Returns: what was done, as text.
    """
    if ARCHIVE_REQUEST in run.tags:
        return _notify_archive_failure(workspace, run)
    number, where = run.tags.get(IMPORT), f"{run.tags.get(DISTRICT, '?')}/{run.tags.get(FORMAT, '?')}"
    if number is not None:
        try:
            fail_import_of_run(workspace, int(number), run.run_id)
            publish_report(workspace, read_import_summary(workspace, int(number)))
        except RosterError as error:
            return f"import {number} could not be reported: {error.message}"
        return f"{where}: import {number} was reported"
    if not {DISTRICT, FORMAT} <= set(run.tags):
        return f"run {run.run_id} is none of an import"
    if run.status is dg.DagsterRunStatus.CANCELED:
        return f"{where}: run {run.run_id} was canceled before an import began"
    queue_alert(
        workspace,
        "failed",
        about=f"run-{run.run_id}",
        text=f"{where}: run {run.run_id} failed before an import began; see its log in the Dagster UI",
    )
    return f"{where}: run {run.run_id} was reported"


def _notify_archive_failure(workspace: Workspace, run: dg.DagsterRun) -> str:
    """Report a run that could not archive an upload, once an upload: the sensor tries again."""
    feed, request = run.tags.get(ARCHIVE_FEED, "?"), run.tags[ARCHIVE_REQUEST]
    problem = run.tags.get(ARCHIVE_PROBLEM) or "see the log of its run in the Dagster UI"
    text = f"{feed}: an upload could not be archived, and is tried again: {problem}"
    queue_alert(workspace, "failed", about=f"archive {request}", text=text)
    return f"{feed}: run {run.run_id} is reported"


def report_missed_since(workspace: Workspace, cursor: str | None) -> tuple[str, list[int]]:
    """Report imports that ended without a report. Returns the next cursor, and their ids."""
    memory = json.loads(cursor) if cursor else None
    before = ReportCursor(last=memory["last"], open=tuple(memory["open"])) if memory else None
    after, reported = report_missed_imports(workspace, before)
    return json.dumps(asdict(after)), reported
