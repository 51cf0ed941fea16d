"""The canonical assets: each roster table as it would be published, and the plan to publish them.

Belongs here: one asset per table, for all formats: a run is of one format, and its step maps that format's files only.
All formats that fill a table are upstream of it in the graph. The step is the same for all tables, so a factory creates them.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import dagster as dg

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.planning import plan as plan_module
from roster_etl.orchestration.assets.changes_asset import upstream_keys
from roster_etl.orchestration.assets.early_exit import REPORT, fail_run, finish_unchanged
from roster_etl.orchestration.assets.frame_types import table_type
from roster_etl.orchestration.assets.gate_checks import gate_results, publishable_result, publishable_spec, suite_specs
from roster_etl.orchestration.assets.launchpad_links import decision_metadata
from roster_etl.orchestration.assets.lineage_metadata import show_command_metadata
from roster_etl.orchestration.assets.metadata import (
    OWNERS,
    Metadata,
    code_references,
    findings_metadata,
    import_number,
    plan_metadata,
    row_count,
    table_metadata,
)
from roster_etl.orchestration.assets.run_resources import RunContext, mapped_tables
from roster_etl.orchestration.assets.step_context import RESOURCES, import_step, tag_run
from roster_etl.orchestration.assets.vendor_assets import file_key
from roster_etl.orchestration.assets.whole_imports import is_delegated_to_full_imports
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.apply_changes import build_table
from roster_etl.pipeline.steps.gate import gate_upload
from roster_etl.pipeline.steps.plan import plan_import
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

PLAN = dg.AssetKey(["roster", "plan"])


def roster_key(table: str) -> dg.AssetKey:
    """Return the key of a mapped table."""
    return dg.AssetKey(["roster", table])


def warehouse_key(table: str) -> dg.AssetKey:
    """Return the key of a published table."""
    return dg.AssetKey(["warehouse", table])


def filled_tables(vendors: Sequence[Vendor]) -> tuple[str, ...]:
    """Return the tables that at least one vendor fills, in publishing order."""
    filled = {table for vendor in vendors for table in tables_of(vendor)}
    return tuple(name for name in TABLES if name in filled)


def table_asset(table: RosterTable, vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the asset of one roster table, before publishing."""
    key, name = roster_key(table.name), table.name
    filling = [vendor for vendor in vendors if name in tables_of(vendor)]

    @dg.asset(
        key=key,
        deps=[key for vendor in filling for key in upstream_keys(vendor, name)],
        partitions_def=DISTRICTS,
        output_required=False,  # as that of a file
        dagster_type=table_type(table),
        io_manager_key="frames",
        group_name="roster",
        kinds={"pyarrow"},
        owners=OWNERS,
        required_resource_keys=RESOURCES,
        description=f"{table.comment}, as mapped from the upload.",
        metadata=table_metadata(table, filling),
    )
    def mapped_table(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[object]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            validated = {file: run_context.read_frame([upload.source, file]) for file in files_for(upload.vendor, name)}
            rows = build_table(run_context.workspace, upload, name, validated, run_context.roster_snapshot_info())
            yield dg.MaterializeResult(
                value=rows,
                data_version=dg.DataVersion(upload.content),
                metadata={
                    **row_count(rows.num_rows),
                    **findings_metadata(staging_of(run_context.workspace, upload).table_findings(name)),
                    **import_number(upload.import_id),
                    "format": upload.source,
                    "upload": upload.upload_id,
                    **show_command_metadata(upload.import_id),
                },
            )

    return mapped_table


def plan_asset(vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the asset of the plan: what publishing would open and close, and whether it may be published.

    Its step evaluates the checks on files and tables too: it is the first step after all of them, so that an import needs one
    request to the Great Expectations process. A step that is retried evaluates them again.
    """

    @dg.multi_asset(
        name="roster__plan",
        specs=[_plan_spec(vendors)],
        check_specs=[
            publishable_spec(PLAN),
            *(s for asset, suite in suites_of(vendors).items() for s in suite_specs(asset, suite)),
        ],
        can_subset=True,  # a run has the files of one vendor, and some of the tables
        required_resource_keys=RESOURCES,
        allow_arbitrary_check_specs=True,  # the checks are on assets of earlier steps
    )
    def plan(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            if PLAN not in context.selected_asset_keys:
                return  # only files were selected: the import is not planned, and ends with the run
            run_context.flush()
            verdicts = gate_upload(run_context.workspace, upload)
            yield from gate_results(suites_of([upload.vendor]), verdicts, _refused_suites(run_context, upload))
            tables = mapped_tables(run_context, upload)
            planned, run_context.summary = plan_import(run_context.workspace, upload, tables, run_context.roster_snapshot_info())
            why = _decision_reason(planned, upload.import_id)
            how = decision_metadata(context.run, upload.import_id, planned.sha256) if planned.decision == "held" else {}
            numbers = plan_metadata(planned.tables, planned.decision, planned.sha256)
            yield dg.MaterializeResult(
                asset_key=PLAN,
                check_results=[publishable_result(PLAN, planned, why)],
                data_version=dg.DataVersion(planned.sha256),
                metadata={**numbers, **import_number(upload.import_id), **how, **show_command_metadata(upload.import_id)},
            )
            if planned.decision != "publish":
                _end_run(context, run_context.import_summary(), planned.decision, how, tables)

    return plan


def _refused_suites(run_context: RunContext, upload: Upload) -> dict[str, str]:
    """Return the suites of files that were rejected as a whole, each with the code of the rejection."""
    results = staging_of(run_context.workspace, upload).file_results(upload)
    return {f"{upload.source}/{name}": found.refused for name, found in results.items() if found.refused}


def _end_run(
    context: dg.AssetExecutionContext, summary: ImportSummary, decision: str, how: Metadata, tables: Iterable[str]
) -> None:
    """End the run of an import that is not published: as a success if the upload is unchanged. Raises Failure otherwise."""
    tag_run(context, import_status=decision)
    if decision == "unchanged":
        finish_unchanged(context, summary, [REPORT, *(warehouse_key(table) for table in tables)])
    else:
        fail_run(context, summary, how)


def _plan_spec(vendors: Sequence[Vendor]) -> dg.AssetSpec:
    return dg.AssetSpec(
        PLAN,
        deps=[*(roster_key(table) for table in filled_tables(vendors)), *_unmapped_files(vendors)],
        partitions_def=DISTRICTS,
        group_name="roster",
        kinds={"pyarrow"},
        owners=OWNERS,
        description="The change plan: versions to open and close, per table and school, and the decision: publish, hold, reject or unchanged.",
        metadata=code_references({"plan": Path(plan_module.__file__)}),
    )


def _unmapped_files(vendors: Sequence[Vendor]) -> Iterator[dg.AssetKey]:
    """Yield the files that no table is mapped from, such as a manifest: their suites, too, are evaluated after them."""
    for vendor in vendors:
        mapped = {name for table in tables_of(vendor) for name in files_for(vendor, table)}
        if vendor.change_plan is None:
            yield from (file_key(vendor, file.name) for file in vendor.format.files if file.name not in mapped)


def suites_of(vendors: Sequence[Vendor]) -> dict[dg.AssetKey, str]:
    """Return the suite of each file of `vendors` and of each table that one of them fills."""
    suites = {
        file_key(vendor, file.name): f"{vendor.format.name}/{file.name}" for vendor in vendors for file in vendor.format.files
    }
    return suites | {roster_key(table): f"canonical/{table}" for table in filled_tables(vendors)}


def _decision_reason(planned: PlanDecision, import_id: int) -> str:
    if planned.decision == "rejected":
        return "a required file was refused; see the findings of the file assets."
    if planned.hold is None:
        return planned.decision
    over = ", ".join(
        f"{name} ({table['deleted']:,} of {table['current']:,} current records would be removed)"
        for name, table in planned.hold["tables"].items()
        if table["deleted"]
    )
    reason = planned.hold["reason"].replace("_", " ")
    return (
        f"{reason}{f': {over}' if over else ''}. Review it with `roster-etl holds show {import_id}`, then approve or discard it. "
        "In the UI, open the links in the metadata of this failure or of roster/plan."
    )
