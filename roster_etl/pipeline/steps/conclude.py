"""End an import in the ledger: its findings, its decision, and the manifest beside its archived bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical.ledger import ImportStatus
from roster_etl.engine.validation.validate import QUARANTINE
from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.lifecycle.close_superseded_holds import (
    close_named_holds,
    close_replaced_holds,
    fulfilled_holds,
    refresh_files,
)
from roster_etl.pipeline.lifecycle.crashed_imports import error_summary
from roster_etl.pipeline.lifecycle.hold_races import as_lost_race
from roster_etl.pipeline.lifecycle.manifest import reached_plan, write_manifest
from roster_etl.pipeline.lifecycle.retry_policy import parked_findings
from roster_etl.pipeline.lifecycle.retry_policy import parked_summary as about_tries
from roster_etl.pipeline.reporting.import_summary import ImportSummary, summarize_import
from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.uploads.archived_uploads import is_upload, origin_import
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.suite_format import Severity
from roster_etl.quality import Verdict
from roster_etl.spec.errors import RosterError
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import AuditEntry, Check, Hold, ImportFile, ImportResult, WriteSession

_COMPLETE_STATUSES = ("published", "held")  # only the last two steps set these, so that staging is complete
_CHECKS: tuple[tuple[str, str, tuple[Severity, ...]], ...] = (
    ("suite", "error", ("critical",)),
    ("tolerances", "warn", ("warning", "info")),
)


def conclude_import(
    workspace: Workspace,
    upload: Upload,
    status: ImportStatus,
    findings: Iterable[Finding],
    *,
    summary: Mapping[str, Any] | None = None,
    hold: Hold | None = None,
    error: Exception | None = None,
    set_upload: bool = False,
) -> ImportSummary:
    """End an import in the ledger without publishing, in one transaction. Returns its summary from the ledger.

    Args: error: the cause of a failure. Its class and code are stored; its text only if it is our own class (such texts hold no
        cells). set_upload: also write which upload the import read.
    """
    findings = list(findings)
    about = {**(summary or {}), **({"error": error_summary(error)} if error else {}), **about_tries(findings)}
    conclusion = build_conclusion(workspace, upload, status, findings, summary=about, hold=hold)
    earlier_runs = held_earlier_runs(workspace, upload) if status == "held" else ()
    with workspace.warehouse.write() as tx:
        if set_upload:
            tx.set_upload(upload.import_id, upload.upload_id, received_at=datetime.fromisoformat(upload.received_at))
        tx.conclude(conclusion)
        closed: Sequence[int] = ()
        if status == "held":
            closed = supersede_holds(tx, upload, conclusion.finished_at, earlier_runs=earlier_runs)
        elif status == "unchanged" and (fulfilled := _fulfilled_holds(tx, upload)):
            closed = close_named_holds(tx, fulfilled, upload.import_id, conclusion.finished_at)
        ended = summarize_import(tx, upload.import_id)
        rejected = [] if reached_plan(ended) else tx.ledger.quarantined_rows(upload.import_id).to_pylist()
    write_manifest(workspace, upload, ended, rejected)
    refresh_files(workspace, closed)
    return ended


def supersede_holds(
    tx: WriteSession, upload: Upload, at: datetime, *, published: bool = False, earlier_runs: Iterable[int] = ()
) -> list[int]:
    """Close the holds of the feed that `upload` replaces, as `close_replaced_holds` does. Returns their imports.

    An upload that is held replaces older ones: a rerun of an older upload closes no newer upload's hold. One that is published closes
    every hold, because no plan made before can be approved then.

    Args: earlier_runs: held imports of the same upload (`held_earlier_runs`), whose plans are closed once this one is planned.
    """
    before = None if published else upload.origin_import + 1
    closed = close_replaced_holds(tx, (upload.district_id, upload.source), upload.import_id, at, before=before)
    return closed + close_named_holds(tx, earlier_runs, upload.import_id, at)


def _fulfilled_holds(tx: WriteSession, upload: Upload) -> list[int]:
    """Return the held uploads whose state is the one that `upload` found unchanged."""
    holds = tx.ledger.holds(upload.district_id, upload.source)
    if not holds:
        return []
    last = tx.roster.last_published(upload.district_id, upload.source, file_set=upload.file_set)
    summary = (last or {}).get("summary") or {}
    equal = [(upload.content, upload.settings), (summary.get("content"), summary.get("settings"))]
    before = upload.origin_import + 1
    return fulfilled_holds(holds, equal, before=before, file_set=upload.file_set, source=upload.source)


def held_earlier_runs(workspace: Workspace, upload: Upload) -> list[int]:
    """Return the held imports that are earlier runs of the same upload of changes; their holds last beyond later uploads."""
    if upload.format.mode != "changes" or upload.first_import is None:
        return []
    with workspace.warehouse.read() as session:
        holds = session.ledger.holds(upload.district_id, upload.source)
    numbers = [hold["import_id"] for hold in holds if hold["import_id"] < upload.import_id]
    manifests = {number: workspace.archive.read_manifest(upload.district_id, number) for number in numbers}
    return [n for n, manifest in manifests.items() if is_upload(manifest) and origin_import(manifest) == upload.origin_import]


def fail_import(workspace: Workspace, upload: Upload, error: Exception) -> ImportSummary | None:
    """Record a technical failure in the ledger; an import with an approved hold stays held.

    If the ledger or the archive cannot be written (it may be what failed), a note is added to `error`. The import then stays
    ``running`` until it is resumed or failed as orphaned.

    Returns: the summary of the import from the ledger; None: nothing was written.
    """
    if upload.approved_plan is not None:
        workspace.warehouse.audit_refusal(approval_entry(upload, {}), as_lost_race(workspace, upload.import_id, error))
        return None
    try:
        return conclude_import(workspace, upload, "failed", parked_findings(workspace, upload.import_id, error), error=error)
    except RosterError as second:
        error.add_note(f"The ledger could not be updated: {second.message}")
    except OSError:
        error.add_note("The archive could not be updated.")
    return None


def approval_entry(upload: Upload, summary: Mapping[str, Any]) -> AuditEntry:
    """Build the audit entry of an approval: who approved, what was left out, and how many renames were approved with it."""
    renames = summary.get("renames", {}).get("approved", 0)
    about = {"left_out": list(upload.leave_out)} if upload.leave_out else {}
    return AuditEntry(
        action="approve",
        who=upload.approved_by,
        district_id=upload.district_id,
        source=upload.source,
        import_id=upload.import_id,
        about={**about, **({"renames": renames} if renames else {})},
    )


def build_conclusion(
    workspace: Workspace,
    upload: Upload,
    status: ImportStatus,
    findings: Iterable[Finding],
    *,
    summary: Mapping[str, Any],
    hold: Hold | None = None,
) -> ImportResult:
    """Build the ledger's result of an import from what its steps wrote to staging."""
    staging, complete = staging_of(workspace, upload), status in _COMPLETE_STATUSES
    return ImportResult(
        import_id=upload.import_id,
        status=status,
        finished_at=datetime.now(UTC),
        findings=pa.concat_tables([findings_table(findings), *staging.findings(upload, complete=complete)]),
        rejected_rows=pa.concat_tables([QUARANTINE.empty_table(), *staging.quarantine(upload, complete=complete)]),
        files=_files(staging, upload, complete=complete),
        checks=[check for verdict in staging.verdicts(complete=complete) for check in checks_of(verdict)],
        summary={
            "content": upload.content,
            "settings": upload.settings,
            "came_with": upload.origin_import,
            **({"package": dict(upload.package)} if upload.package else {}),
            **summary,
        },
        hold=hold,
    )


def checks_of(verdict: Verdict) -> list[Check]:
    """Return the two checks of a suite: one for failures that block publishing, one for warnings."""
    return [
        Check(
            name=f"{verdict.name}: {name}",
            passed=not verdict.failures(*severities),
            severity=severity,
            details={"failed": [result.text for result in verdict.failures(*severities)]},
        )
        for name, severity, severities in _CHECKS
    ]


def _files(staging: Staging, upload: Upload, *, complete: bool) -> list[ImportFile]:
    """Return each file of the upload with its counts. Rows rejected while changes were applied count as rejected."""
    refused = staging.changes(upload, complete=complete).refused
    return [
        ImportFile(
            file=member.name,
            kind=member.kind,
            sha256=member.sha256 or None,
            bytes=member.size,
            **_counts(staging, member, refused.get(member.name, 0), complete=complete),
        )
        for member in upload.members
    ]


def _counts(staging: Staging, member: Member, more: int, *, complete: bool) -> dict[str, int]:
    """Return the row counts of one file; all zero if it was not validated.

    Args: more: rows of the file that were rejected after validation.
    """
    if member.kind is None or not (complete or staging.is_validated(member.kind)):
        return {"rows_read": 0, "rows_accepted": 0, "rows_rejected": 0}
    result = staging.file_result(member.kind).files[member.name]
    return {
        "rows_read": result.rows_read,
        "rows_accepted": result.rows_accepted - more,
        "rows_rejected": result.rows_rejected + more,
    }
