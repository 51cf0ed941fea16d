"""The steps of an import between its files and publishing: all roster tables are mapped, and their publishing is planned.

The steps are the same for all vendors, so factories create them.
"""

from collections.abc import Iterator
from functools import partial
from itertools import starmap
from pathlib import Path

import dagster as dg
import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning import plan as plan_module
from roster_etl.orchestration.assets.asset_keys import (
    MAPPED,
    PLAN,
    PLANNED,
    STATE_NAME,
    file_key,
    file_suites,
    roster_key,
    step_of,
    suites_of,
    vendor_key,
)
from roster_etl.orchestration.assets.district_events import log_check, log_materialization
from roster_etl.orchestration.assets.early_exit import fail_run, finish_unchanged
from roster_etl.orchestration.assets.frame_types import require_table
from roster_etl.orchestration.assets.gate_checks import gate_results, publishable_result, suite_specs
from roster_etl.orchestration.assets.launchpad_links import decision_metadata
from roster_etl.orchestration.assets.lineage_metadata import show_command_metadata
from roster_etl.orchestration.assets.metadata import (
    OWNERS,
    Metadata,
    code_references,
    findings_metadata,
    import_number,
    mapping_references,
    plan_metadata,
    row_count,
)
from roster_etl.orchestration.assets.run_resources import ROSTER, RunContext, mapped_tables
from roster_etl.orchestration.assets.step_context import RESOURCES, import_asset, import_step, tag_run
from roster_etl.orchestration.assets.whole_imports import is_delegated_to_full_imports
from roster_etl.orchestration.runtime.partitions import feed_partitions
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.apply_changes import build_tables
from roster_etl.pipeline.steps.gate import gate_upload
from roster_etl.pipeline.steps.plan import plan_import
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of


def mapped_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of the roster tables that are mapped from an upload of a vendor."""
    format_, files = vendor.format, [file_key(vendor, file.name) for file in vendor.format.files]

    @import_asset(
        vendor,
        vendor_key(format_.name, MAPPED),
        deps=files if vendor.change_plan is None else [vendor_key(format_.name, STATE_NAME)],
        kinds={"pyarrow"},
        description=f"The roster tables that an upload in the format {format_.title} is mapped to. Each is shown as `roster/TABLE` of the district.",
        metadata=mapping_references([vendor]),
    )
    def mapped(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            feed, tables = run_context.roster_snapshot_info(), tables_of(upload.vendor)

            def sources(table: str) -> dict[str, pa.Table]:
                return {file: run_context.read_frame([upload.source, file]) for file in files_for(upload.vendor, table)}

            made = build_tables(run_context.workspace, upload, sources, feed)
            rows = sum(starmap(partial(_stage_table, context, run_context, upload), made))  # a name would keep the table before
            about = {"tables": len(tables), **row_count(rows), **import_number(upload.import_id)}
            yield dg.MaterializeResult(metadata=about, data_version=dg.DataVersion(upload.content))

    return mapped


def _stage_table(context: dg.AssetExecutionContext, run_context: RunContext, upload: Upload, table: str, rows: pa.Table) -> int:
    """Stage the rows of a table, and show it as the district's. Returns their number."""
    require_table(TABLES[table], rows)
    run_context.write_frame([ROSTER, table], rows)
    metadata = {
        **row_count(rows.num_rows),
        **findings_metadata(staging_of(run_context.workspace, upload).table_findings(table)),
        **import_number(upload.import_id),
        "format": upload.source,
        "upload": upload.upload_id,
        **show_command_metadata(upload.import_id),
    }
    log_materialization(context, roster_key(table), metadata, upload.content)
    return int(rows.num_rows)


def planned_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of the decision whether an upload of a vendor may be published.

    Its step evaluates the checks on files and tables too: it is the first step after all of them, so that an import needs one
    request to the Great Expectations process. A step that is retried evaluates them again.
    """
    source, key, partitions = vendor.format.name, _planned_key(vendor), feed_partitions(vendor.format.name)

    @dg.multi_asset(
        name=step_of(source, PLANNED),
        specs=[_planned_spec(vendor)],
        check_specs=[one for asset, suite in file_suites([vendor]).items() for one in suite_specs(asset, suite, partitions)],
        can_subset=True,  # a run may have the files of one file set
        required_resource_keys=RESOURCES,
        allow_arbitrary_check_specs=True,  # the checks are on assets of earlier steps
    )
    def planned(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            run_context.flush()
            verdicts = gate_upload(run_context.workspace, upload)
            files = file_suites([upload.vendor])
            for result in gate_results(suites_of([upload.vendor]), verdicts, _refused_suites(run_context, upload)):
                if result.asset_key in files:
                    yield result
                else:
                    log_check(context, result)
            plan, how = _plan(context, run_context, upload)
            if plan.decision == "publish":
                about = {"decision": plan.decision, **import_number(upload.import_id)}
                yield dg.MaterializeResult(asset_key=key, metadata=about, data_version=dg.DataVersion(plan.sha256))
            else:
                _end_run(context, upload, plan.decision, how)

    return planned


def _planned_key(vendor: Vendor) -> dg.AssetKey:
    return vendor_key(vendor.format.name, PLANNED)


def _planned_spec(vendor: Vendor) -> dg.AssetSpec:
    source = vendor.format.name
    return dg.AssetSpec(
        _planned_key(vendor),
        deps=[vendor_key(source, MAPPED)],
        partitions_def=feed_partitions(source),
        skippable=True,  # no step follows one that is not published
        group_name=source,
        kinds={"pyarrow"},
        owners=OWNERS,
        description="What publishing an upload would change, and whether it may be published. The plan is shown as `roster/plan` of the district.",
        metadata=code_references({"plan": Path(plan_module.__file__)}),
    )


def _plan(context: dg.AssetExecutionContext, run_context: RunContext, upload: Upload) -> tuple[PlanDecision, Metadata]:
    """Plan the import, and show the plan as the district's. Returns it, and how a person decides about it if it is held."""
    tables = mapped_tables(run_context, upload)
    plan, run_context.summary = plan_import(run_context.workspace, upload, tables, run_context.roster_snapshot_info())
    how = decision_metadata(context.run, upload.import_id, plan.sha256) if plan.decision == "held" else {}
    numbers = plan_metadata(plan.tables, plan.decision, plan.sha256)
    metadata = {**numbers, **import_number(upload.import_id), **how, **show_command_metadata(upload.import_id)}
    log_materialization(context, PLAN, metadata, plan.sha256)
    log_check(context, publishable_result(PLAN, plan, _decision_reason(plan, upload.import_id)))
    return plan, how


def _refused_suites(run_context: RunContext, upload: Upload) -> dict[str, str]:
    """Return the suites of files that were rejected as a whole, each with the code of the rejection."""
    results = staging_of(run_context.workspace, upload).file_results(upload)
    return {f"{upload.source}/{name}": found.refused for name, found in results.items() if found.refused}


def _end_run(context: dg.AssetExecutionContext, upload: Upload, decision: str, how: Metadata) -> None:
    """End the run of an import that is not published: as a success if the upload is unchanged. Raises Failure otherwise."""
    run_context: RunContext = context.resources.run_context
    tag_run(context, import_status=decision)
    if decision == "unchanged":
        finish_unchanged(context, upload, run_context.import_summary())
    else:
        fail_run(context, run_context.import_summary(), how)


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
