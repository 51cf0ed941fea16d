"""All steps of one import, as plain functions in one process.

Belongs here: the order of the steps. The partitioned Dagster job walks the same steps one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.reporting.announce import publish_report, try_publish_report
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.reporting.report_files import ImportReport
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.apply_changes import apply_upload_changes, build_tables
from roster_etl.pipeline.steps.conclude import fail_import
from roster_etl.pipeline.steps.gate import gate_upload
from roster_etl.pipeline.steps.plan import plan_import
from roster_etl.pipeline.steps.publish import publish_import
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.steps.roster_snapshot_info import read_roster_snapshot_info
from roster_etl.pipeline.steps.validate import references_of, validate_member
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

ProgressCallback = Callable[[str], None]
"""Called with the name of each finished step."""


def import_upload(workspace: Workspace, order: Order, on_progress: ProgressCallback = lambda _: None) -> int:
    """Import one upload and return its import id; the ledger has its status.

    Raises: what failed; the import is then in the ledger as ``failed``.
    """
    return import_and_report(workspace, order, on_progress).summary.import_id


@on_one_connection
def import_and_report(workspace: Workspace, order: Order, on_progress: ProgressCallback = lambda _: None) -> ImportReport:
    """Import one upload as `import_upload` does. Returns the report that was written of it."""
    received = receive_upload(workspace, order)
    upload, summary = received.upload, received.summary
    try:
        on_progress("received")
        if summary is None:
            _, summary = run_steps(workspace, upload, on_progress)
    except Exception as error:
        summary = fail_import(workspace, upload, error)
        try_publish_report(workspace, upload.import_id, error, summary)
        raise
    finally:
        release_import(workspace, upload.import_id, ended=summary is not None)
    return publish_report(workspace, summary)


def count_steps(vendor: Vendor) -> int:
    """Return the largest number of steps that `run_steps` and receiving report."""
    return len(vendor.format.files) + len(tables_of(vendor)) + (4 if vendor.change_plan else 3)


def run_steps(
    workspace: Workspace, upload: Upload, on_progress: ProgressCallback = lambda _: None
) -> tuple[PlanDecision, ImportSummary]:
    """Run the steps after receiving: validate, map, gate, plan, publish. Returns the plan, and what the ledger says of the import now."""
    staging = staging_of(workspace, upload)
    validated: dict[str, pa.Table] = {}
    for file in upload.format.files:
        validated[file.name] = validate_member(
            workspace, upload, file.name, {name: validated[name] for name in references_of(file, upload.format)}
        )
        on_progress(f"validated {file.name}")
    feed = read_roster_snapshot_info(workspace, upload)
    if upload.vendor.change_plan is not None:
        apply_upload_changes(workspace, upload, validated, feed)
        validated.clear()
        on_progress("applied changes")

    def sources(table: str) -> dict[str, pa.Table]:
        return {name: validated[name] for name in files_for(upload.vendor, table)}

    for table, rows in build_tables(workspace, upload, sources, feed):
        staging.write_table(table, rows)
        del rows
        on_progress(f"mapped {table}")
    validated.clear()
    gate_upload(workspace, upload)
    tables = staging.tables(tables_of(upload.vendor))
    planned, summary = plan_import(workspace, upload, tables, feed)
    on_progress("planned")
    if summary is None:
        summary = publish_import(workspace, upload, planned, tables)
        on_progress("done")
    return planned, summary
