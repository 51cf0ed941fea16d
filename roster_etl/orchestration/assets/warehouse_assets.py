"""The published assets: every warehouse table, written by one op in one transaction, and the report of the import.

Belongs here: the only writer of the roster. It runs only after the check ``publishable`` has passed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.orchestration.assets.early_exit import REPORT
from roster_etl.orchestration.assets.frame_types import NOTHING
from roster_etl.orchestration.assets.freshness_checks import log_freshness
from roster_etl.orchestration.assets.launchpad_links import undo_metadata
from roster_etl.orchestration.assets.lineage_metadata import Provenance
from roster_etl.orchestration.assets.metadata import (
    OWNERS,
    Metadata,
    code_references,
    published_counts,
    published_metadata,
    report_links,
    report_metadata,
)
from roster_etl.orchestration.assets.reconciliation_asset import log_reconciliation
from roster_etl.orchestration.assets.roster_assets import PLAN, filled_tables, roster_key, warehouse_key
from roster_etl.orchestration.assets.run_resources import RunContext, mapped_tables
from roster_etl.orchestration.assets.step_context import RESOURCES, import_step, tag_run
from roster_etl.orchestration.assets.today_asset import log_today
from roster_etl.orchestration.assets.whole_imports import is_delegated_to_full_imports
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.reporting import report_files
from roster_etl.pipeline.reporting.announce import publish_described_report
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.publish import publish_import
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import tables_of


def warehouse_assets(vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the assets of all published tables, which one op writes."""
    specs = [
        dg.AssetSpec(
            warehouse_key(table),
            deps=[PLAN, roster_key(table)],
            partitions_def=DISTRICTS,
            skippable=True,  # no table is written if it has no change, or if the format does not fill it
            group_name="warehouse",
            kinds={"sql"},
            owners=OWNERS,
            description=f"{TABLES[table].comment}: every version, and the current ones as a view. Counts are of one district.",
            metadata=published_metadata(TABLES[table], [one for one in vendors if table in tables_of(one)]),
        )
        for table in filled_tables(vendors)
    ]

    @dg.multi_asset(name="warehouse", specs=specs, can_subset=True, required_resource_keys=RESOURCES)
    def warehouse(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            planned = staging_of(run_context.workspace, upload).plan()
            if planned.decision != "publish":
                return
            run_context.summary = publish_import(run_context.workspace, upload, planned, mapped_tables(run_context, upload))
            tag_run(context, import_status="published")
            yield from _materialize_tables(context, upload, planned, run_context.summary)

    return warehouse


def report_asset(vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the asset of the report: what happened in an import, for people."""

    @dg.asset(
        key=REPORT,
        deps=[warehouse_key(table) for table in filled_tables(vendors)],
        partitions_def=DISTRICTS,
        output_required=False,  # as that of a file
        dagster_type=NOTHING,
        group_name="report",
        kinds={"html"},
        owners=OWNERS,
        required_resource_keys=RESOURCES,
        description="The report of an import: counts and places of changes, rejected rows and findings, never a cell value.",
        metadata=code_references({"report": Path(report_files.__file__)}),
    )
    def report(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            workspace = run_context.workspace

            def describe(written: report_files.ImportReport) -> Metadata:
                log_freshness(context, workspace, upload.district_id, upload.source)
                log_reconciliation(context, workspace, written.summary, written.differences)
                log_today(context, workspace)
                return report_metadata(workspace, written)

            written, about = publish_described_report(workspace, run_context.import_summary(), describe)
            run_context.summary = written.summary
            yield dg.MaterializeResult(metadata=about)

    return report


def _materialize_tables(
    context: dg.AssetExecutionContext, upload: Upload, planned: PlanDecision, summary: ImportSummary
) -> Iterator[dg.MaterializeResult[None]]:
    run_context: RunContext = context.resources.run_context
    undo, provenance = undo_metadata(context.run, upload.import_id), Provenance.read(run_context.workspace, summary)
    report = report_links(run_context.workspace, upload.district_id, upload.import_id)
    for name, table in planned.tables.items():
        if warehouse_key(name) in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=warehouse_key(name),
                data_version=dg.DataVersion(upload.content),
                metadata={**published_counts(table, upload.import_id), **provenance.table_metadata(name), **report, **undo},
            )
