"""The code location: everything that Dagster loads, put together.

Belongs here: the list. Nothing is read, opened or connected when this is imported, and Great Expectations is not imported.
"""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.orchestration.decisions import decision_jobs
from roster_etl.orchestration.endings import REPORT
from roster_etl.orchestration.freshness import fresh_check, freshness_sensor, late_feeds
from roster_etl.orchestration.housekeeping import housekeeping, nightly
from roster_etl.orchestration.io_manager import frames
from roster_etl.orchestration.post import failed_runs, outbox_sensor
from roster_etl.orchestration.publish import report_asset, warehouse_assets
from roster_etl.orchestration.raw import file_asset, file_key, upload_asset, upload_key
from roster_etl.orchestration.resources import desk
from roster_etl.orchestration.roster import PLAN, plan_asset, roster_key, table_asset, tables_filled, warehouse_key
from roster_etl.orchestration.sensors import landing_zone
from roster_etl.orchestration.state import state_asset, state_key
from roster_etl.orchestration.steps import FILE_SET, FORMAT, PRIORITY
from roster_etl.pipeline.map import tables_of
from roster_etl.spec import FileSet
from roster_etl.vendors import Vendor, discover

MODULE, LOCATION = "roster_etl.orchestration.definitions", "roster_etl"  # as in workspace.yaml
VENDORS = tuple(discover().values())


def job_name(format_name: str, file_set: str = "") -> str:
    """Return the name of the job that imports one format, or a set of its files other than the first."""
    further = [found.name for found in discover()[format_name].format.file_sets[1:]]
    return f"import_{format_name}_{file_set}" if file_set in further else f"import_{format_name}"


def assets() -> list[dg.AssetsDefinition]:
    """Return all assets: those of each vendor, the roster's, the warehouse's and the report."""
    with warnings.catch_warnings():
        # Column types and code references are in beta, partitions of checks a preview: the version is pinned, and the tests would notice a change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _assets()


def _assets() -> list[dg.AssetsDefinition]:
    found = [upload_asset(vendor) for vendor in VENDORS]
    found += [file_asset(vendor, file) for vendor in VENDORS for file in vendor.format.files]
    found += [state_asset(vendor) for vendor in VENDORS if vendor.fold is not None]
    found += [table_asset(TABLES[table], VENDORS) for table in tables_filled(VENDORS)]
    return [*found, plan_asset(VENDORS), warehouse_assets(VENDORS), report_asset(VENDORS)]


def checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks that stand apart from their assets' steps: whether each vendor's uploads come in time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # as in `assets`
        return [fresh_check(vendor) for vendor in VENDORS]


def import_job(vendor: Vendor, file_set: FileSet) -> Any:
    """Return the job that imports uploads of one set of a format's files for one district: its assets, and of the roster what it fills."""
    of_set, format_ = vendor.of_set(file_set.name), vendor.format
    keys = [upload_key(vendor), *(file_key(vendor, file.name) for file in of_set.format.files)]
    keys += [state_key(vendor)] if vendor.fold is not None else []
    keys += [key(table) for table in tables_of(of_set) for key in (roster_key, warehouse_key)]
    what = f"the {file_set.name} files of {format_.title}" if file_set.name else f"the format {format_.title}"
    return dg.define_asset_job(
        job_name(format_.name, file_set.name),
        selection=dg.AssetSelection.assets(*keys, PLAN, REPORT) - dg.AssetSelection.checks(*FRESH_CHECKS),
        tags={
            FORMAT: format_.name,
            **({FILE_SET: file_set.name} if file_set.name else {}),
            **({PRIORITY: "1"} if file_set.urgent else {}),
        },
        description=f"One upload of one district in {what}, from the landing zone to the published roster.",
    )


CHECKS = checks()
FRESH_CHECKS = [key for check in CHECKS for key in check.check_keys]  # an import does not ask whether it comes in time
JOBS = [import_job(vendor, file_set) for vendor in VENDORS for file_set in vendor.format.file_sets]
defs = dg.Definitions(
    assets=assets(),
    asset_checks=CHECKS,
    jobs=[*JOBS, *decision_jobs(), late_feeds, housekeeping],
    schedules=[nightly],
    sensors=[landing_zone(JOBS), freshness_sensor, outbox_sensor, failed_runs],
    resources={"desk": desk, "frames": frames},
    executor=dg.in_process_executor,
)


def asset_keys() -> str:
    """Return the keys of all assets, one a line, as the committed snapshot ``tests/orchestration/asset_keys.txt`` has them."""
    keys = sorted(defs.resolve_asset_graph().get_all_asset_keys(), key=lambda key: list(key.path))
    return "".join(f"{key.to_user_string()}\n" for key in keys)
