"""The sensor that sends rosters: after each publish, or by a destination's own cron line.

Belongs here: the Dagster side of ``due_exports``. Run keys are unique per publish or time, so nothing is requested twice.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from roster_etl.orchestration.jobs.send_rosters import ATTEMPT, DESTINATIONS, send_rosters, send_run_config
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.sensors.due_exports import DueExport, DueExports, find_due_exports, names_of
from roster_etl.orchestration.sensors.export_retries import find_retries
from roster_etl.orchestration.sensors.landing_sensor import INTERVAL_VARIABLE
from roster_etl.pipeline.workspace import Workspace


def export_sensor(loaded: Sequence[str]) -> dg.SensorDefinition:
    """Return the sensor that requests runs of ``send_rosters``. ``loaded``: names of destinations that are shown as assets."""

    @dg.sensor(
        name="exports",
        job=send_rosters,
        minimum_interval_seconds=int(os.environ.get(INTERVAL_VARIABLE, "60")),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the roster of a district to its destinations after each publish, or by their cron lines. "
        "A server that cannot be reached is tried again after 5 and 15 minutes, 1 and 4 hours.",
    )
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with closing(Workspace.open_to_write(current_home())) as workspace:
            districts = workspace.registry.with_destinations()
            failed = partial(find_retries, context.instance)
            found = find_due_exports(workspace, context.cursor, datetime.now(UTC), districts, failed)
            names = names_of(districts)
            workspace.registry.save_destination_names(names)
        for problem in found.bad_cron:
            context.log.warning("%s: its `when` is no cron line, so it is never sent", problem)
        if missing := sorted(set(names) - set(loaded)):
            context.log.info("sent, but shown as assets only after the code location is reloaded: %s", ", ".join(missing))
        requests = [run_request(one) for one in found.due]
        return dg.SensorResult(run_requests=requests, cursor=found.cursor, skip_reason=None if requests else summary(found))

    return evaluate


def run_request(due: DueExport) -> dg.RunRequest:
    """Return the run that sends to the destinations of a district; the partition's tag keeps it apart from the district's imports."""
    return dg.RunRequest(
        run_key=due.key,
        run_config=send_run_config(due.district_id, list(due.names), due.attempt),
        tags={
            PARTITION_NAME_TAG: due.district_id,
            DESTINATIONS: ",".join(due.names)[:200],
            **({ATTEMPT: str(due.attempt)} if due.attempt > 1 else {}),
        },
    )


def summary(found: DueExports) -> str:
    """Return why a tick requested nothing."""
    if not found.destinations:
        return "No district has a destination."
    bad = f" No cron line, never sent: {', '.join(found.bad_cron[:5])}." if found.bad_cron else ""
    retries = f" Runs that will be tried again: {found.retries:,}." if found.retries else ""
    return f"Nothing to send to {found.destinations:,} destinations.{retries}{bad}"
