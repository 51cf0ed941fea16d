"""Decide whether a plan is published, held, unchanged or rejected.

Belongs here: the one decision of an import, and the findings that explain it. Every hold has a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.thresholds import (
    ExceededThreshold,
    Thresholds,
    exceeded_additions,
    exceeded_thresholds,
    exceeds_removal_limit,
)
from roster_etl.engine.planning.wrong_district import ForeignUpload
from roster_etl.mapping.column_plan import Unpivot
from roster_etl.pipeline.plan_decision import Decision, PlanDecision, decision_of_plan
from roster_etl.pipeline.staging import AppliedChanges, FileResult, staging_of
from roster_etl.pipeline.steps.diff_baseline import UPLOAD_REFUSED as REFUSED_WHOLE
from roster_etl.pipeline.steps.refused_rise import refused_counts, rise_messages
from roster_etl.pipeline.steps.rename_proposals import CODE as RENAME
from roster_etl.pipeline.steps.rename_proposals import Renames
from roster_etl.pipeline.steps.replaced_people import ANOTHER_PERSON
from roster_etl.pipeline.steps.same_records import has_same_records_as_published
from roster_etl.pipeline.uploads.archived_uploads import newer_published_upload
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File
from roster_etl.spec.findings import Finding
from roster_etl.spec.rule_catalog import REFUSED_ROWS


@dataclass(frozen=True)
class Doubts:
    """What indicates that the people are not those of the roster.

    ``foreign_upload``: why the upload does not look like the district's own, or None. ``replaced``: the number of known ids under which
    the upload has other people.
    """

    foreign_upload: ForeignUpload | None = None
    replaced: int = 0


def decide_import(
    workspace: Workspace, upload: Upload, plan: Plan, doubts: Doubts, renames: Renames
) -> tuple[PlanDecision, list[Finding]]:
    """Return the decision on `plan`, with the findings that give the reasons not to publish and the probable renames."""
    planned, findings = _apply_hold_policy(workspace, upload, plan, doubts)
    asks = upload.values["hold_renames"] and renames.proposed.num_rows and not upload.renames and not upload.approved_plan
    if planned.decision == "publish" and asks:
        hold = {"reason": RENAME, "tables": {}, "schools": [], "plan_sha256": plan.sha256}
        planned = decision_of_plan(plan, "held", hold)
    return replace(planned, renames=renames.summary), [*findings, *renames.findings()]


def _apply_hold_policy(workspace: Workspace, upload: Upload, plan: Plan, doubts: Doubts) -> tuple[PlanDecision, list[Finding]]:
    staging = staging_of(workspace, upload)
    results = staging.file_results(upload)
    required = [file for file in upload.format.files if _is_needed(upload, file, results.get(file.name))]
    if required or (upload.format.mode == "changes" and _is_unusable(staging.changes(upload), results)):
        return decision_of_plan(plan, "rejected"), []
    if upload.approved_plan:
        return decision_of_plan(plan, "publish" if plan.sha256 == upload.approved_plan else "held"), _growth_findings(
            plan, upload
        )
    over = exceeded_thresholds(plan, _thresholds(upload))
    failed = [line for verdict in staging.verdicts(complete=True) for line in verdict.failure_lines("critical")]
    failed += _refused_rises(workspace, upload, failed)
    rekeyed = [] if plan.base is None else lost_id_columns(upload, results)
    strange = _strangers(upload, plan, doubts)
    is_state = not upload.has_changes  # delta uploads: the newest counts even if it changes nothing
    stopped = failed or over or rekeyed or strange  # cheap checks first: _is_unchanged may read archived files in full
    if not stopped and is_state and _is_unchanged(workspace, upload, plan):
        return decision_of_plan(plan, "unchanged"), []
    older = _older_upload_findings(workspace, upload)
    if stopped or older:
        planned, findings = _held_result(plan, failed, over)
        why = next((found[0].code for found in (rekeyed, strange, older) if found), None)
        if why and not failed:
            people = {"people": doubts.replaced, "current": plan.tables["users"].current} if why == ANOTHER_PERSON else None
            planned = replace(planned, hold={**(planned.hold or {}), "reason": why, **({"replaced": people} if people else {})})
        return planned, [*rekeyed, *strange, *older, *findings]
    return decision_of_plan(plan, "publish"), _growth_findings(plan, upload)


def _is_needed(upload: Upload, file: File, result: FileResult | None) -> bool:
    """Return whether a file was refused without which nothing is processed."""
    if result is None or not result.refused:
        return False
    stated = upload.format.manifest is not None and result.refused != "empty_file"
    return file.required or stated


def _refused_rises(workspace: Workspace, upload: Upload, failed: list[str]) -> list[str]:
    """Return why the share of refused rows of a file is a sudden one, without files that exceed the gate's limit anyway."""
    now = refused_counts(staging_of(workspace, upload), upload)
    rises = rise_messages(now, upload.refused_before, upload.values, upload.source)
    return [
        text
        for name, text in rises.items()
        if not any(line.startswith(f"{upload.source}/{name}: {REFUSED_ROWS}") for line in failed)
    ]


def replayed_decision(
    upload: Upload, plan: Plan, planned: PlanDecision, findings: list[Finding]
) -> tuple[PlanDecision, list[Finding]]:
    """Return the original decision if the import is a replay, because a person may have made it."""
    if upload.decided is None or planned.decision == upload.decided:
        return planned, findings
    if upload.decided == "publish":
        approved = replace(decision_of_plan(plan, "publish"), renames=planned.renames)
        return approved, [*_growth_findings(plan, upload), *(one for one in findings if one.code == RENAME)]
    hold = {"reason": "replayed", "tables": {}, "schools": []} if upload.decided == "held" else None
    return replace(planned, decision=cast("Decision", upload.decided), hold=hold), findings


def _older_upload_findings(workspace: Workspace, upload: Upload) -> list[Finding]:
    """Return a finding if a newer upload is published: an older upload is published only after a person approved its plan."""
    if upload.first_import is None:  # a new upload, not a rerun
        return []
    feed = (upload.district_id, upload.source, upload.file_set)
    newer = newer_published_upload(workspace, *feed, origin=upload.origin_import, content=upload.content)
    if newer is None:
        return []
    message = f"The upload came with import {upload.origin_import}; that of import {newer}, which is published, came later."
    return [Finding(severity="upload", code="older_upload", message=message)]


def _strangers(upload: Upload, plan: Plan, doubts: Doubts) -> list[Finding]:
    """Return findings about an upload that has other people than the roster: under other ids, or too many of them under known ones."""
    if not (doubts.foreign_upload or doubts.replaced):
        return []
    users, found = plan.tables["users"], []
    if doubts.foreign_upload:
        text = f"{users.absent:,} of {users.current:,} people would be removed, and {users.created:,} are new."
        found.append(Finding(severity="upload", code=doubts.foreign_upload, field="users", message=text))
    if exceeds_removal_limit(doubts.replaced, users.current, _thresholds(upload)):
        share = f"{doubts.replaced:,} of {users.current:,} people ({_pct(doubts.replaced, users.current)} %)"
        text = f"{share} would be replaced by others under their ids."
        found.append(Finding(severity="upload", code=ANOTHER_PERSON, field="users", message=text))
    return found


def _growth_findings(plan: Plan, upload: Upload) -> list[Finding]:
    return [
        Finding(severity="warning", code="many_additions", field=item.table, message=_exceeded_text(item))
        for item in exceeded_additions(plan, _thresholds(upload))
    ]


def _held_result(plan: Plan, failed: list[str], breaches: tuple[ExceededThreshold, ...]) -> tuple[PlanDecision, list[Finding]]:
    findings = [Finding(severity="upload", code="quality_gate_failed", message=f"{line}.") for line in failed]
    findings += [
        Finding(severity="upload", code="change_threshold_exceeded", field=item.table, message=_exceeded_text(item))
        for item in breaches
    ]
    hold = {
        "reason": "quality_gate_failed" if failed else "change_threshold_exceeded",
        "tables": _exceeded_tables(plan, breaches),
        "schools": [
            {
                "table": item.table,
                "school": item.school,
                **({"role": item.role} if item.role else {}),
                item.what: item.records,
                "current": item.current,
                "pct": item.pct,
            }
            for item in breaches
            if item.school is not None
        ],
        "plan_sha256": plan.sha256,
    }
    return decision_of_plan(plan, "held", hold), findings


def _exceeded_tables(plan: Plan, breaches: tuple[ExceededThreshold, ...]) -> dict[str, dict[str, float]]:
    """Return the tables that exceed a threshold as a whole; ``updated`` only where that is the threshold for updates."""
    tables: dict[str, dict[str, float]] = {}
    for item in breaches:
        if item.school is None:
            table = plan.tables[item.table]
            counts = {"deleted": table.absent, "current": table.current, "pct": _pct(table.absent, table.current)}
            updated = {"updated": item.records} if item.what == "updated" else {}
            tables[item.table] = {**counts, **tables.get(item.table, {}), **updated}
    return tables


def _exceeded_text(item: ExceededThreshold) -> str:
    """Return what exceeds a threshold, without the table's name: the finding's field shows it."""
    where = f" of school {item.school}" if item.school else ""
    where += f" with role {item.role}" if item.role else ""
    if item.what == "created":
        return f"{item.records:,} records{where} are new, where there were {item.current:,} ({item.pct} %)."
    what = {"deleted": "removed"}.get(item.what, item.what)
    return f"{item.records:,} of {item.current:,} current records{where} ({item.pct} %) would be {what}."


def _pct(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _thresholds(upload: Upload) -> Thresholds:
    values: dict[str, Any] = upload.values
    return Thresholds(
        delete_pct=values["delete_threshold_pct"],
        delete_min=values["delete_threshold_min"],
        update_pct=values["update_threshold_pct"],
        add_pct=values["add_warning_pct"],
    )


def _is_unchanged(workspace: Workspace, upload: Upload, plan: Plan) -> bool:
    """Return whether the roster is unchanged, or only derived values differ because rows are in another order.

    The second case needs a comparison of the files: an upload with new information can also change derived values alone, such as
    a section's term or a generated login.
    """
    if not plan.has_only_derived_changes or not _same_settings(workspace, upload):
        return False
    return plan.is_empty or has_same_records_as_published(workspace, upload)


def _same_settings(workspace: Workspace, upload: Upload) -> bool:
    last = workspace.warehouse.roster.last_published(upload.district_id, upload.source, file_set=upload.file_set)
    return bool(last) and (last or {}).get("summary", {}).get("settings") == upload.settings


def lost_id_columns(upload: Upload, results: Mapping[str, FileResult]) -> list[Finding]:
    """Return findings about missing columns from which IDs are built: records would get new IDs, which a person has to approve.

    A missing numbered column family changes no ID: it created records of its own, which are kept (`_unstated_records`).
    """
    columns: dict[tuple[str, str], None] = {}
    for mapping in upload.vendor.mappings:
        result = results.get(mapping.source)
        lost = set(result.lost if result else ()) - {step.family for step in mapping.steps if isinstance(step, Unpivot)}
        silent = (
            mapping.unavailable_targets({mapping.source: set(result.present)}, {mapping.source: lost}) if result and lost else ()
        )
        for target, origins in mapping.lineage().items() if lost else ():
            if target in TABLES[mapping.to].key and target not in silent:
                columns |= {(file, column): None for file, column in origins if file == mapping.source and column in lost}
    message = (
        "Ids are made of this column. Earlier uploads had it, and this one does not, or most of it cannot be read: records would get "
        "other ids."
    )
    return [
        Finding(severity="upload", code="missing_column", file=upload.file_name(upload.format.file(f)), field=c, message=message)
        for f, c in columns
    ]


def _is_unusable(applied: AppliedChanges, results: Mapping[str, FileResult]) -> bool:
    """Return whether each file of the upload, or the upload as a whole, was rejected: then no change is applied."""
    refused = (member.refused for result in results.values() for member in result.files.values())
    return applied.compared == REFUSED_WHOLE or all(refused)
