"""Compute the change plan of an import, stage it for the writer, and end an import that does not publish (``hold_policy``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from roster_etl.engine.planning.plan import Plan, make_plan
from roster_etl.frames.arrow import findings_table, release_memory
from roster_etl.pipeline.plan_decision import PLACE, PlanChanged, PlanDecision
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.check_wrong_district import check_foreign_upload
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.pipeline.steps.collect_removal_evidence import collect_removal_evidence
from roster_etl.pipeline.steps.conclude import conclude_import
from roster_etl.pipeline.steps.hold_policy import Doubts, decide_import, replayed_decision
from roster_etl.pipeline.steps.rename_proposals import apply_approved_renames, detect_renames
from roster_etl.pipeline.steps.replaced_people import replaced_people_findings
from roster_etl.pipeline.steps.replaced_sections import replaced_sections_findings
from roster_etl.pipeline.steps.roster_snapshot_info import RosterSnapshotInfo
from roster_etl.pipeline.steps.similar_ids import similar_id_findings
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import Hold, RosterReader
from roster_etl.vendors.lineage import tables_of


def plan_import(
    workspace: Workspace, upload: Upload, tables: Mapping[str, pa.Table], feed: RosterSnapshotInfo
) -> tuple[PlanDecision, ImportSummary | None]:
    """Compare the mapped `tables` with the roster and decide. An import that does not publish is ended in the ledger here.

    Returns: the plan with its decision, and the summary of an import that ended here (None: it is to be published).
    Raises: PlanChanged: the import executes an approved plan, and the roster has changed since.
    """
    fault_point("plan.begin")
    with workspace.warehouse.read() as session:  # the functions below use this session
        plan = compute_plan(workspace, session.roster, upload, tables, feed)
        release_memory()
        fault_point("plan.made")
        closing = ClosingVersions(session.roster, plan)
        renames = detect_renames(workspace, upload, plan, tables, closing)
        plan = apply_approved_renames(workspace, upload, plan, renames)
        looks = check_foreign_upload(workspace, upload, plan, tables, closing)
        replaced = replaced_people_findings(session.roster, upload, plan, tables, closing)
        decided = decide_import(workspace, upload, plan, Doubts(looks, len(replaced)), renames)
        planned, findings = replayed_decision(upload, plan, *decided)
        findings = [*findings, *replaced, *replaced_sections_findings(plan, tables, closing)]
        findings += similar_id_findings(session.roster, upload, plan, tables, closing)
    if upload.approved_plan and planned.decision != "publish":
        raise PlanChanged(import_id=upload.import_id, district_id=upload.district_id)
    staging = staging_of(workspace, upload)
    staging.write_plan(planned)
    if planned.decision == "publish":
        staging.write_plan_findings(findings_table(findings))
        _stage_plan(workspace, upload, plan)
        fault_point("plan.done")
        return planned, None
    staging.flush()
    ended = conclude_import(workspace, upload, planned.decision, findings, summary=_summary(planned), hold=_hold(planned))
    fault_point("plan.done")
    return planned, ended


def _summary(planned: PlanDecision) -> dict[str, Any]:
    """Return what the ledger keeps of a plan that publishes nothing now."""
    return {
        "changes": {} if planned.decision in ("rejected", "unchanged") else planned.changes,
        "plan": planned.tables,
        "sha256": planned.sha256,
        "plan_base": planned.base,
        **({"renames": planned.renames} if planned.renames else {}),
        **(
            {"hold": {name: planned.hold[name] for name in ("tables", "schools", "replaced") if name in planned.hold}}
            if planned.hold is not None
            else {}
        ),
    }


def compute_plan(
    workspace: Workspace, roster: RosterReader, upload: Upload, tables: Mapping[str, pa.Table], feed: RosterSnapshotInfo
) -> Plan:
    """Compute what publishing `tables` would open and close now."""
    return make_plan(
        tables,
        {name: _CurrentVersions(roster, upload, name) for name in tables},
        base=feed.base,
        evidence=collect_removal_evidence(workspace, upload),
    )


@dataclass(frozen=True)
class _CurrentVersions:
    """The current versions of one table of the upload's feed (implements engine.planning.plan.CurrentTable)."""

    roster: RosterReader
    upload: Upload
    name: str

    def hashes(self) -> pa.Table:
        return self.roster.current_hashes(self.upload.district_id, self.upload.source, self.name)

    def rows(self, version_ids: pa.Array) -> pa.Table:
        return self.roster.versions(self.name, version_ids)

    def count_by_school(self) -> dict[str, int]:
        return self.roster.current_by_school(self.upload.district_id, self.upload.source, self.name)

    def versions_by_key(self, keys: pa.Table) -> pa.Table:
        return self.roster.versions_by_key(self.upload.district_id, self.upload.source, self.name, keys)

    def count(self) -> int:
        return self.roster.count_current(self.upload.district_id, self.upload.source, self.name)


def _hold(planned: PlanDecision) -> Hold | None:
    if planned.hold is None:
        return None
    return Hold(reason=planned.hold["reason"], plan_sha256=planned.sha256, created_at=datetime.now(UTC))


# ---- staging for the writer


def _stage_plan(workspace: Workspace, upload: Upload, plan: Plan) -> None:
    """Stage which rows open (the rows, or their positions in the mapped table) and which versions close."""
    staging = staging_of(workspace, upload)
    for name in tables_of(upload.vendor):
        table = plan.tables[name]
        opens = pa.table({PLACE: table.opens}) if table.rows is None else table.rows
        staging.write_table_change(name, opens=opens, closes=table.closes)
