"""The asset of delta formats: an upload applied to the district's current state (``engine.changes``), once for all tables."""

from collections.abc import Iterator

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import STATE_NAME, file_key, vendor_key
from roster_etl.orchestration.assets.metadata import code_references, findings_metadata, import_number
from roster_etl.orchestration.assets.step_context import import_asset, import_step
from roster_etl.orchestration.assets.whole_imports import is_delegated_to_full_imports
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.apply_changes import apply_upload_changes
from roster_etl.vendors import Vendor


def state_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of a district's state after a delta upload."""
    files = [file.name for file in vendor.format.files]

    @import_asset(
        vendor,
        vendor_key(vendor.format.name, STATE_NAME),
        deps=[file_key(vendor, name) for name in files],
        kinds={"pyarrow"},
        description=f"The district's current {vendor.format.title} records with the changes of an upload applied.",
        metadata=code_references({"rows": vendor.folder() / "change_rules.py"}),
    )
    def state(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            validated = {name: run_context.read_frame([upload.source, name]) for name in files}
            rows = apply_upload_changes(run_context.workspace, upload, validated, run_context.roster_snapshot_info())
            yield dg.MaterializeResult(
                data_version=dg.DataVersion(upload.content),
                metadata={
                    **rows,
                    **findings_metadata(staging_of(run_context.workspace, upload).changes_findings()),
                    **import_number(upload.import_id),
                },
            )

    return state
