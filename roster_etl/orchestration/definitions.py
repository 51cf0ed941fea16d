"""The code location: everything that Dagster loads, for all formats.

Belongs here: the list. When this is imported, the index of destinations is read, and nothing else is read, opened or connected;
Great Expectations is not imported.
"""

from __future__ import annotations

from roster_etl.orchestration.assets.export_assets import export_asset, export_key
from roster_etl.orchestration.assets.labels import label_assets, loaded_owners
from roster_etl.orchestration.jobs.archive_upload import archive_upload
from roster_etl.orchestration.jobs.build import build_definitions, check_keys, checks, import_jobs
from roster_etl.orchestration.jobs.decision_jobs import decision_jobs
from roster_etl.orchestration.jobs.in_process_runs import import_runner
from roster_etl.orchestration.jobs.nightly_cleanup import housekeeping, nightly
from roster_etl.orchestration.jobs.reread_landing import reread_landing
from roster_etl.orchestration.jobs.rerun_failed import rerun_failed
from roster_etl.orchestration.jobs.send_rosters import send_rosters
from roster_etl.orchestration.jobs.trace_record import trace_record_job
from roster_etl.orchestration.runtime.executors import executor
from roster_etl.orchestration.runtime.forkserver import enable_forkserver
from roster_etl.orchestration.runtime.migration_scripts import cache_migration_scripts
from roster_etl.orchestration.sensors.export_sensor import export_sensor
from roster_etl.orchestration.sensors.freshness_sensor import freshness_sensor, late_feeds
from roster_etl.orchestration.sensors.landing_sensor import landing_zone_sensor
from roster_etl.orchestration.sensors.notification_sensors import canceled_runs, failed_runs, outbox_sensor
from roster_etl.orchestration.sensors.today_sensor import today_sensor
from roster_etl.spec.errors import RosterError
from roster_etl.store.default_home import default_home
from roster_etl.store.registry.registry import open_registry
from roster_etl.store.settings import Settings
from roster_etl.vendors import discover_vendors


def _destination_names() -> tuple[str, ...]:
    """Return the names in the registry's index; none if there is no home yet, or it cannot be read: each run and tick says why.

    A destination that was added later is sent all the same; its asset appears when the code location is reloaded.
    """
    try:
        return open_registry(Settings.load(default_home())).destination_names()
    except (RosterError, OSError, UnicodeDecodeError):
        return ()


VENDORS = tuple(discover_vendors().values())
CHECKS = checks(VENDORS)
FRESHNESS_CHECK_KEYS = check_keys(CHECKS)
JOBS = import_jobs(VENDORS, CHECKS)
DESTINATIONS = _destination_names()
defs = label_assets(
    build_definitions(
        VENDORS,
        CHECKS,
        [
            *JOBS,
            *decision_jobs(),
            rerun_failed,
            trace_record_job,
            archive_upload,
            reread_landing,
            send_rosters,
            late_feeds,
            housekeeping,
        ],
        [
            landing_zone_sensor(JOBS),
            export_sensor(DESTINATIONS),
            freshness_sensor,
            today_sensor,
            outbox_sensor,
            failed_runs,
            canceled_runs,
        ],
        [nightly],
        executor=executor(),
        exports=[export_asset(name, VENDORS) for name in DESTINATIONS],
        import_runner=import_runner,
    ),
    VENDORS,
    loaded_owners(),
)
enable_forkserver()
cache_migration_scripts()


def asset_keys() -> str:
    """Return the keys of all assets, one a line, as the committed snapshot ``tests/orchestration/asset_keys.txt`` has them.

    Exports are left out: which there are depends on the home.
    """
    every = defs.resolve_asset_graph().get_all_asset_keys() - {export_key(name) for name in DESTINATIONS}
    keys = sorted(every, key=lambda key: list(key.path))
    return "".join(f"{key.to_user_string()}\n" for key in keys)
