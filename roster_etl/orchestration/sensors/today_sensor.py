"""The sensor that refreshes `operations/today` and the index of the reports.

An event is logged only when something changed.
"""

from contextlib import closing

import dagster as dg

from roster_etl.orchestration.assets.today_asset import TODAY, today_digest, today_event
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.reporting.status_page import refresh_index
from roster_etl.pipeline.workspace import Workspace


@dg.sensor(
    name="operations_today",
    asset_selection=[TODAY],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Refreshes the asset `operations/today` and the page `reports/index.html`: how every feed stands. Starts no run.",
)
def today_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Write the page, and log the asset if anything changed since the last event."""
    with closing(Workspace.open_to_write(current_home())) as workspace:
        status = refresh_index(workspace)
        digest = today_digest(status)
        origin = context.code_location_origin
        events = [] if digest == context.cursor else [today_event(workspace, status, origin.location_name if origin else "")]
    return dg.SensorResult(asset_events=events, cursor=digest, skip_reason=status.summary)
