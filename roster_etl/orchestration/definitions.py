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
from roster_etl.orchestration.io_manager import frames
from roster_etl.orchestration.publish import report_asset, warehouse_assets
from roster_etl.orchestration.raw import file_asset, file_key, upload_asset, upload_key
from roster_etl.orchestration.resources import desk
from roster_etl.orchestration.roster import PLAN, plan_asset, roster_key, table_asset, tables_filled, warehouse_key
from roster_etl.orchestration.sensors import landing_zone
from roster_etl.orchestration.state import state_asset, state_key
from roster_etl.pipeline.map import tables_of
from roster_etl.vendors import Vendor, discover

MODULE, LOCATION = "roster_etl.orchestration.definitions", "roster_etl"  # as in workspace.yaml
VENDORS = tuple(discover().values())


def job_name(format_name: str) -> str:
    """Return the name of the job that imports one format."""
    return f"import_{format_name}"


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


def import_job(vendor: Vendor) -> Any:
    """Return the job that imports one format for one district: its own assets, and of the roster what it fills."""
    keys = [upload_key(vendor), *(file_key(vendor, file.name) for file in vendor.format.files)]
    keys += [state_key(vendor)] if vendor.fold is not None else []
    keys += [key(table) for table in tables_of(vendor) for key in (roster_key, warehouse_key)]
    return dg.define_asset_job(
        job_name(vendor.format.name),
        selection=dg.AssetSelection.assets(*keys, PLAN, REPORT),
        tags={"format": vendor.format.name},
        description=f"One upload of one district in the format {vendor.format.title}, from the landing zone to the published roster.",
    )


JOBS = [import_job(vendor) for vendor in VENDORS]
defs = dg.Definitions(
    assets=assets(),
    jobs=[*JOBS, *decision_jobs()],
    sensors=[landing_zone(JOBS)],
    resources={"desk": desk, "frames": frames},
    executor=dg.in_process_executor,
)


def asset_keys() -> str:
    """Return the keys of all assets, one a line, as the committed snapshot ``tests/orchestration/asset_keys.txt`` has them."""
    keys = sorted(defs.resolve_asset_graph().get_all_asset_keys(), key=lambda key: list(key.path))
    return "".join(f"{key.to_user_string()}\n" for key in keys)
