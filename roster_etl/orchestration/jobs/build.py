"""Build the Dagster definitions for some formats: all for the code location, one for a run's own process.

Nothing is read, opened or connected, and Great Expectations is not imported.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import dagster as dg

from roster_etl.orchestration.assets.changes_asset import state_asset
from roster_etl.orchestration.assets.district_assets import district_assets
from roster_etl.orchestration.assets.freshness_checks import freshness_check
from roster_etl.orchestration.assets.import_selections import vendor_keys
from roster_etl.orchestration.assets.reconciliation_asset import reconciliation_asset, reconciliation_checks
from roster_etl.orchestration.assets.roster_assets import mapped_asset, planned_asset
from roster_etl.orchestration.assets.run_resources import frame_io_manager, run_context_resource
from roster_etl.orchestration.assets.step_context import FILE_SET, FORMAT, PRIORITY
from roster_etl.orchestration.assets.today_asset import today_asset
from roster_etl.orchestration.assets.vendor_assets import file_asset, upload_asset
from roster_etl.orchestration.assets.warehouse_assets import published_asset, reported_asset
from roster_etl.orchestration.jobs.decision_jobs import decision_jobs
from roster_etl.spec import FileSet
from roster_etl.vendors import Vendor, discover_vendors, vendor


def job_name(format_name: str, file_set: str = "") -> str:
    """Return the name of the job that imports one format, or one of its file sets other than the first."""
    further = [found.name for found in discover_vendors()[format_name].format.file_sets[1:]]
    return f"import_{format_name}_{file_set}" if file_set in further else f"import_{format_name}"


def assets(vendors: Sequence[Vendor]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return all assets but exports: of each of `vendors`, the roster, the warehouse, the report, reconciliation, and the status of all feeds."""
    with warnings.catch_warnings():
        # Column types and code references are in beta, partitions of checks a preview. The version is pinned, and the tests
        # would notice a change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [*_assets(vendors), reconciliation_asset(vendors)]


def _assets(vendors: Sequence[Vendor]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    found = [upload_asset(vendor) for vendor in vendors]
    found += [file_asset(vendor, file) for vendor in vendors for file in vendor.format.files]
    found += [state_asset(vendor) for vendor in vendors if vendor.change_plan is not None]
    found += [step(vendor) for vendor in vendors for step in (mapped_asset, planned_asset, published_asset, reported_asset)]
    return [*found, district_assets(vendors), today_asset()]


def checks(vendors: Sequence[Vendor]) -> list[dg.AssetChecksDefinition]:
    """Return the checks that do not run in an asset's step: the freshness of each vendor's uploads, and reconciliation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # as in `assets`
        return [*(freshness_check(vendor) for vendor in vendors), reconciliation_checks()]


def import_job(vendor: Vendor, file_set: FileSet, excluded_checks: Sequence[dg.AssetCheckKey]) -> Any:
    """Return the job that imports one district's uploads of a file set, up to the report.

    Args: excluded_checks: checks of these assets that an import does not run.
    """
    format_ = vendor.format
    what = f"the {file_set.name} files of {format_.title}" if file_set.name else f"the format {format_.title}"
    return dg.define_asset_job(
        job_name(format_.name, file_set.name),
        selection=dg.AssetSelection.assets(*vendor_keys(format_.name, file_set.name))
        - dg.AssetSelection.checks(*excluded_checks),
        tags={
            FORMAT: format_.name,
            **({FILE_SET: file_set.name} if file_set.name else {}),
            **({PRIORITY: "1"} if file_set.urgent else {}),
        },
        description=f"One upload of one district in {what}, from the landing zone to the published roster.",
    )


def import_jobs(vendors: Sequence[Vendor], freshness_checks: Sequence[dg.AssetChecksDefinition]) -> list[Any]:
    """Return the import jobs of `vendors`, one per file set; they do not run `freshness_checks`."""
    others = check_keys(freshness_checks)
    return [import_job(vendor, file_set, others) for vendor in vendors for file_set in vendor.format.file_sets]


def check_keys(checks: Sequence[dg.AssetChecksDefinition]) -> list[dg.AssetCheckKey]:
    """Return the keys of all `checks`."""
    return [key for check in checks for key in check.check_keys]


def build_definitions(
    vendors: Sequence[Vendor],
    freshness_checks: Sequence[dg.AssetChecksDefinition],
    jobs: Sequence[Any],
    sensors: Sequence[dg.SensorDefinition] = (),
    schedules: Sequence[dg.ScheduleDefinition] = (),
    *,
    executor: dg.ExecutorDefinition = dg.in_process_executor,
    exports: Sequence[dg.AssetsDefinition] = (),
    import_runner: dg.ResourceDefinition | None = None,
) -> dg.Definitions:
    """Return the definitions for `vendors`, with the given checks, jobs, sensors and schedules.

    Args: executor: runs the steps; exports: the assets of destinations. import_runner: imports whole
        uploads for runs of other assets than those of one import; None: no run needs it, since each is of one import.
    """
    return dg.Definitions(
        assets=[*assets(vendors), *exports],
        asset_checks=freshness_checks,
        resources={
            "run_context": run_context_resource,
            "frames": frame_io_manager,
            "import_runner": import_runner or dg.ResourceDefinition.none_resource(),
        },
        executor=executor,
        jobs=jobs,
        sensors=sensors,
        schedules=schedules,
    )


@cache
def definitions_for(name: str) -> dg.Definitions:
    """Return the definitions to import one upload in format `name`: built a tenth of a second faster than all."""
    vendors = (vendor(name),)
    fresh = checks(vendors)
    return build_definitions(vendors, fresh, import_jobs(vendors, fresh))


@cache
def decision_definitions() -> dg.Definitions:
    """Return the definitions to run a decision job."""
    return dg.Definitions(jobs=decision_jobs(), resources={"run_context": run_context_resource}, executor=dg.in_process_executor)
