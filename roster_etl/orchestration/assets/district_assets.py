"""The assets of a district: its roster tables as mapped and as published, the plan, and the report, for all formats.

Belongs here: their specs, and the one step that an operator launches with them: it imports the newest upload of each feed that they are about.
Imports show what they made of them by events (``district_events``): a run of a format's job has other partitions.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning import plan as plan_module
from roster_etl.orchestration.assets.asset_keys import (
    PLAN,
    PLANNED,
    REPORT,
    REPORTED,
    file_key,
    filled_tables,
    mapped_from,
    roster_key,
    vendor_key,
    warehouse_key,
)
from roster_etl.orchestration.assets.gate_checks import publishable_spec, suite_specs
from roster_etl.orchestration.assets.metadata import OWNERS, code_references, published_metadata, table_metadata
from roster_etl.orchestration.assets.step_context import RESOURCES
from roster_etl.orchestration.assets.whole_imports import import_newest_uploads
from roster_etl.orchestration.runtime.partitions import DISTRICTS, NO_PARTITION
from roster_etl.pipeline.reporting import report_files
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

STEP = "import_newest_uploads"
_LAUNCHED = "Materializing it imports the newest upload of each feed of the district that fills it."


def district_assets(vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the assets of a district that imports of `vendors` make, and the step that starts such imports."""
    tables = filled_tables(vendors)
    mapped = [_mapped_spec(table, vendors) for table in tables]
    published = [_published_spec(table, vendors) for table in tables]
    suites = [spec for table in tables for spec in suite_specs(roster_key(table), f"canonical/{table}", DISTRICTS)]

    @dg.multi_asset(
        name=STEP,
        specs=[*mapped, _plan_spec(vendors), *published, _report_spec(vendors)],
        check_specs=[*suites, publishable_spec(PLAN)],
        can_subset=True,
        required_resource_keys=RESOURCES,
        description="Imports the newest upload of each feed of a district that fills what was selected, each in a run of its own.",
    )
    def newest_uploads(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        yield from import_newest_uploads(context)

    return newest_uploads


def _mapped_spec(table: str, vendors: Sequence[Vendor]) -> dg.AssetSpec:
    filling = [vendor for vendor in vendors if table in tables_of(vendor)]
    return dg.AssetSpec(
        roster_key(table),
        deps=[_without_partition(key) for vendor in filling for key in mapped_from(vendor, table)],
        partitions_def=DISTRICTS,
        skippable=True,  # no feed of the district may fill it
        group_name="roster",
        kinds={"pyarrow"},
        owners=OWNERS,
        description=f"{TABLES[table].comment}, as mapped from the upload. {_LAUNCHED}",
        metadata=table_metadata(TABLES[table], filling),
    )


def _plan_spec(vendors: Sequence[Vendor]) -> dg.AssetSpec:
    planned = [vendor_key(vendor.format.name, PLANNED) for vendor in vendors]
    return dg.AssetSpec(
        PLAN,
        deps=[*map(_without_partition, [*map(roster_key, filled_tables(vendors)), *_unmapped_files(vendors), *planned])],
        partitions_def=DISTRICTS,
        skippable=True,
        group_name="roster",
        kinds={"pyarrow"},
        owners=OWNERS,
        description="The change plan: versions to open and close, per table and school, and the decision: publish, hold, reject or unchanged. "
        f"{_LAUNCHED}",
        metadata=code_references({"plan": Path(plan_module.__file__)}),
    )


def _unmapped_files(vendors: Sequence[Vendor]) -> Iterator[dg.AssetKey]:
    """Yield the files that no table is mapped from, such as a manifest: their suites, too, are evaluated before the plan."""
    for vendor in vendors:
        mapped = {name for table in tables_of(vendor) for name in files_for(vendor, table)}
        if vendor.change_plan is None:
            yield from (file_key(vendor, file.name) for file in vendor.format.files if file.name not in mapped)


def _published_spec(table: str, vendors: Sequence[Vendor]) -> dg.AssetSpec:
    return dg.AssetSpec(
        warehouse_key(table),
        deps=[PLAN, roster_key(table)],
        partitions_def=DISTRICTS,
        skippable=True,
        group_name="warehouse",
        kinds={"sql"},
        owners=OWNERS,
        description=f"{TABLES[table].comment}: every version, and the current ones as a view. Counts are of one district. {_LAUNCHED}",
        metadata=published_metadata(TABLES[table], [one for one in vendors if table in tables_of(one)]),
    )


def _report_spec(vendors: Sequence[Vendor]) -> dg.AssetSpec:
    reported = [vendor_key(vendor.format.name, REPORTED) for vendor in vendors]
    return dg.AssetSpec(
        REPORT,
        deps=[*map(_without_partition, [*map(warehouse_key, filled_tables(vendors)), *reported])],
        partitions_def=DISTRICTS,
        skippable=True,
        group_name="report",
        kinds={"html"},
        owners=OWNERS,
        description="The report of an import: counts and places of changes, rejected rows and findings, never a cell value. "
        "Materializing it imports the newest upload of each feed of the district.",
        metadata=code_references({"report": Path(report_files.__file__)}),
    )


def _without_partition(key: dg.AssetKey) -> dg.AssetDep:
    """Return a dependency on an asset of another partition set, or on a table that not every district has.

    Dagster would call a plan "unsynced" for each table that was never made for its district.
    """
    return dg.AssetDep(key, partition_mapping=NO_PARTITION)
