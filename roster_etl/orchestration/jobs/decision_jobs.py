"""The jobs for decisions in the UI: approve or discard a hold, and request an undo."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import Field

from roster_etl.canonical.audit import Action
from roster_etl.orchestration.assets.asset_keys import PLAN, REPORT, warehouse_key
from roster_etl.orchestration.assets.freshness_checks import newest_materialization
from roster_etl.orchestration.assets.gate_checks import PUBLISHABLE
from roster_etl.orchestration.assets.launchpad_links import decision_metadata, undo_metadata
from roster_etl.orchestration.assets.lineage_metadata import Provenance
from roster_etl.orchestration.assets.metadata import (
    Metadata,
    import_number,
    plan_metadata,
    published_counts,
    report_links,
    report_metadata,
)
from roster_etl.orchestration.assets.step_context import UPLOAD, district_tags, redacted_failures, tag_run
from roster_etl.orchestration.assets.today_asset import log_today
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.pipeline.reporting.announce import publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.report_files import ImportReport
from roster_etl.pipeline.reporting.ui_links import APPROVE, DISCARD, STEP_BY_JOB, UNDO
from roster_etl.pipeline.review.approve import (
    ApprovalRequest,
    apply_approval,
    decision_entry,
    discard_import,
    reject_person_ids,
    validate_approval,
    validate_decider,
)
from roster_etl.pipeline.review.undo import plan_undo
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError

_IMPORT = Field(description="The number of the import.")
_BY = Field(description="Your name, for the ledger and the audit log.")


class DistrictBusy(RetryableError):
    """An import of the district is running; a concurrent decision would make one of the two fail."""

    code = "district_busy"
    template = "district {district_id}: import {import_id} is running; decide after it has ended"


class ApproveConfig(dg.Config):
    """The plan to approve, and the approver."""

    import_id: int = _IMPORT
    plan: str = Field(description="The hash of the plan that you reviewed, or its first digits.")
    by: str = _BY
    leave_out: list[str] = Field(default=[], description="Removals to exclude: tables, or school:ID.")
    rename: list[str] = Field(default=[], description="ID changes to approve: all, or the number of a proposal; never IDs.")


class DiscardConfig(dg.Config):
    """The hold to discard, and who discards it."""

    import_id: int = _IMPORT
    by: str = _BY


class UndoConfig(dg.Config):
    """The import to undo, and who requests it."""

    import_id: int = _IMPORT
    by: str = _BY


def decision_jobs() -> list[dg.JobDefinition]:
    """Return the decision jobs: each has one step, for one import of any district."""
    return [_approve_hold(), _discard_hold(), _undo_import()]


def _approve_hold() -> dg.JobDefinition:
    @dg.op(
        name=STEP_BY_JOB[APPROVE], required_resource_keys={"run_context"}, description="Publish exactly the plan that was shown."
    )
    def approve_hold(context: dg.OpExecutionContext, config: ApproveConfig) -> None:
        with _decision_run(context, config.import_id, "approve", config.by) as workspace:
            reject_person_ids(config.rename)
            decision = ApprovalRequest(
                import_id=config.import_id,
                by=config.by,
                plan=config.plan,
                leave_out=tuple(config.leave_out),
                renames=tuple(config.rename),
            )
            given = validate_approval(workspace, decision)
            report = apply_approval(workspace, given, context.run.run_id, on_progress=context.log.debug)
            _log_published_assets(context, workspace, report, f"approved by {given.by}")

    @dg.job(
        name=APPROVE,
        description="Publish a held import, exactly as its plan was shown. Fails if the roster has changed since.",
    )
    def approve() -> None:
        approve_hold()

    return approve


def _discard_hold() -> dg.JobDefinition:
    @dg.op(name=STEP_BY_JOB[DISCARD], required_resource_keys={"run_context"}, description="Discard the held import.")
    def discard_hold(context: dg.OpExecutionContext, config: DiscardConfig) -> None:
        with _decision_run(context, config.import_id, "discard", config.by) as workspace:
            discard_import(workspace, config.import_id, config.by)
            log_today(context, workspace)

    @dg.job(name=DISCARD, description="Discard a held import. The roster does not change.")
    def discard_() -> None:
        discard_hold()

    return discard_


def _undo_import() -> dg.JobDefinition:
    @dg.op(name=STEP_BY_JOB[UNDO], required_resource_keys={"run_context"}, description="Plan the state before an import.")
    def undo_import(context: dg.OpExecutionContext, config: UndoConfig) -> None:
        with redacted_failures(context):
            workspace: Workspace = context.resources.run_context.workspace
            with workspace.warehouse.attempt(decision_entry(workspace, "undo", config.import_id, config.by)):
                _require_idle_district(context, workspace, config.import_id)
                number = plan_undo(workspace, config.import_id, validate_decider(config.by), run_id=context.run.run_id)
            row = _tag_run_with_import(context, workspace, number)
            _log_report(context, workspace, publish_report(workspace, read_import_summary(workspace, number)))
            if row["status"] == "held":
                metadata = {**_plan_metadata(row), **decision_metadata(context.run, number, row["summary"]["sha256"])}
                _log_materialization(context, PLAN, row, metadata)
                context.log.info("Import %d is the undo of import %d, and waits for approval.", number, config.import_id)

    @dg.job(name=UNDO, description="Roll back: plan the state before an import, as a new import that waits for approval.")
    def undo() -> None:
        undo_import()

    return undo


@contextmanager
def _decision_run(context: dg.OpExecutionContext, import_id: int, action: Action, by: str) -> Iterator[Workspace]:
    """Run a decision in the block, audited, and tag the run with its import as it is afterwards, even if the decision failed."""
    workspace: Workspace = context.resources.run_context.workspace
    with redacted_failures(context), workspace.warehouse.attempt(decision_entry(workspace, action, import_id, by)):
        _require_idle_district(context, workspace, import_id)
        try:
            yield workspace
        finally:
            if _import_exists(workspace, import_id):
                _tag_run_with_import(context, workspace, import_id)


def _require_idle_district(context: dg.OpExecutionContext, workspace: Workspace, import_id: int) -> None:
    """Tag the run with its district, so that no import of it starts. Raises DistrictBusy: one is running already."""
    if not _import_exists(workspace, import_id):
        return
    row = workspace.warehouse.ledger.import_(import_id)
    district_id = row["district_id"]
    tag_run(context, **district_tags(district_id, row["source"]))
    for other in workspace.warehouse.ledger.imports(district_id, status="running"):
        if workspace.import_locks.is_locked(other["import_id"]):
            raise DistrictBusy(district_id=district_id, import_id=other["import_id"])


def _import_exists(workspace: Workspace, import_id: int) -> bool:
    try:
        workspace.warehouse.ledger.import_(import_id)
    except RosterError:
        return False
    return True


def _tag_run_with_import(context: dg.OpExecutionContext, workspace: Workspace, import_id: int) -> dict[str, Any]:
    row = workspace.warehouse.ledger.import_(import_id)
    tag_run(
        context,
        district=row["district_id"],
        format=row["source"],
        **{UPLOAD: row["upload_id"]},
        import_id=import_id,
        import_status=row["status"],
    )
    return row


def _log_published_assets(context: dg.OpExecutionContext, workspace: Workspace, report: ImportReport, decision_note: str) -> None:
    """Log to the district's assets what was published; the check before the writer passes, as a person has decided."""
    row, import_id = report.summary.row, report.summary.import_id
    _log_report(context, workspace, report)
    evaluation = dg.AssetCheckEvaluation(
        asset_key=PLAN,
        check_name=PUBLISHABLE,
        passed=True,
        metadata={"decision": "publish", "decided": decision_note},
        target_materialization_data=newest_materialization(context.instance, PLAN, row["district_id"]),
        partition=row["district_id"],
    )
    context.log_event(evaluation)  # type: ignore[arg-type]  # it is taken, though the signature does not say so
    links = {**report_links(workspace, report.summary.district_id, import_id), **undo_metadata(context.run, import_id)}
    provenance = Provenance.read(workspace, report.summary)
    for name, table in row["summary"]["plan"].items():
        _log_materialization(
            context, warehouse_key(name), row, {**published_counts(table, import_id), **provenance.table_metadata(name), **links}
        )


def _plan_metadata(row: Mapping[str, Any]) -> Metadata:
    return {**plan_metadata(row["summary"]["plan"], row["status"], row["summary"]["sha256"]), **import_number(row["import_id"])}


def _log_report(context: dg.OpExecutionContext, workspace: Workspace, report: ImportReport) -> None:
    _log_materialization(context, REPORT, report.summary.row, report_metadata(workspace, report))
    log_today(context, workspace)


def _log_materialization(context: dg.OpExecutionContext, key: dg.AssetKey, row: Mapping[str, Any], metadata: Metadata) -> None:
    add_partitions(context.instance, row["district_id"])
    context.log_event(dg.AssetMaterialization(key, partition=row["district_id"], metadata=metadata))
