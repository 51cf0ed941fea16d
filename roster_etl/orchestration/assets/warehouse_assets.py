"""The last steps of an import: its plan is published in one transaction, and its report is written.

Belongs here: the only writer of the roster, the assets ``<vendor>/published`` and ``<vendor>/reported``, and what they log of the district's
``warehouse/*`` and ``report``. Nothing is published unless the step of the plan has ended well.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import PLANNED, PUBLISHED, REPORT, REPORTED, vendor_key, warehouse_key
from roster_etl.orchestration.assets.district_events import log_materialization
from roster_etl.orchestration.assets.freshness_checks import log_freshness
from roster_etl.orchestration.assets.launchpad_links import undo_metadata
from roster_etl.orchestration.assets.lineage_metadata import Provenance
from roster_etl.orchestration.assets.metadata import (
    Metadata,
    code_references,
    import_number,
    published_counts,
    report_links,
    report_metadata,
)
from roster_etl.orchestration.assets.reconciliation_asset import log_reconciliation
from roster_etl.orchestration.assets.run_resources import RunContext, mapped_tables
from roster_etl.orchestration.assets.step_context import import_asset, import_step, tag_run
from roster_etl.orchestration.assets.today_asset import log_today
from roster_etl.orchestration.assets.whole_imports import is_delegated_to_full_imports
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.reporting import report_files
from roster_etl.pipeline.reporting.announce import publish_described_report
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps import publish as publish_module
from roster_etl.pipeline.steps.publish import publish_import
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.vendors import Vendor


def published_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of the uploads of a vendor that are published: all tables, by one step."""
    source = vendor.format.name

    @import_asset(
        vendor,
        vendor_key(source, PUBLISHED),
        deps=[vendor_key(source, PLANNED)],
        kinds={"sql"},
        description="The plan of an upload, published in one transaction. Each table is shown as `warehouse/TABLE` of the district.",
        metadata=code_references({"publish": Path(publish_module.__file__)}),
    )
    def published(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            planned = staging_of(run_context.workspace, upload).plan()
            run_context.summary = publish_import(run_context.workspace, upload, planned, mapped_tables(run_context, upload))
            tag_run(context, import_status="published")
            undo = undo_metadata(context.run, upload.import_id)
            _log_tables(context, upload, planned, run_context.summary, undo)
            about = {"tables": len(planned.tables), **import_number(upload.import_id), **undo}
            yield dg.MaterializeResult(metadata=about, data_version=dg.DataVersion(upload.content))

    return published


def _log_tables(
    context: dg.AssetExecutionContext, upload: Upload, planned: PlanDecision, summary: ImportSummary, undo: Metadata
) -> None:
    """Show the published tables as the district's."""
    run_context: RunContext = context.resources.run_context
    provenance = Provenance.read(run_context.workspace, summary)
    report = report_links(run_context.workspace, upload.district_id, upload.import_id)
    for name, table in planned.tables.items():
        metadata = {**published_counts(table, upload.import_id), **provenance.table_metadata(name), **report, **undo}
        log_materialization(context, warehouse_key(name), metadata, upload.content)


def reported_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of the reports of a vendor's uploads: what happened in an import, for people."""
    source = vendor.format.name

    @import_asset(
        vendor,
        vendor_key(source, REPORTED),
        deps=[vendor_key(source, PUBLISHED)],
        kinds={"html"},
        description="The report of an import. It is shown as `report` of the district.",
        metadata=code_references({"report": Path(report_files.__file__)}),
    )
    def reported(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
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
            log_materialization(context, REPORT, about)
            yield dg.MaterializeResult(metadata=import_number(upload.import_id))

    return reported
