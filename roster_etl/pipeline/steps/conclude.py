"""End an import in the ledger: what was found, how it was decided, and the manifest beside its bytes.

Belongs here: gathering what the steps left in staging into one conclusion. Publishing is in ``pipeline.steps.publish``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical.ledger import ImportStatus
from roster_etl.engine.validation.validate import QUARANTINE
from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.lifecycle.holds import as_lost_race
from roster_etl.pipeline.lifecycle.import_lifecycle import error_summary
from roster_etl.pipeline.lifecycle.manifest import reached_plan, write_manifest
from roster_etl.pipeline.lifecycle.retry_policy import parked_findings
from roster_etl.pipeline.lifecycle.retry_policy import parked_summary as about_tries
from roster_etl.pipeline.lifecycle.superseded import close_older_holds, refresh_files
from roster_etl.pipeline.reporting.import_summary import ImportSummary, summarize_import
from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.uploads.archived_uploads import is_upload, origin_import
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.suite_format import Severity
from roster_etl.quality import Verdict
from roster_etl.spec.errors import RosterError
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import AuditEntry, Check, Hold, ImportFile, ImportResult, ImportWriter

_COMPLETE_STATUSES = ("published", "held")  # no import ends so before its last step but one
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
    """Write to the ledger that an import ended without publishing, in one transaction. Returns what the ledger says of it now.

    Args: error: what made it fail; its class and code are kept, its text only if it is one of ours (those hold no cells). set_upload:
        write which upload the import read, too.
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
        if status in ("unchanged", "held", "rejected"):
            closed = supersede_holds(tx, upload, conclusion.finished_at, earlier_runs=earlier_runs)
        ended = summarize_import(tx, upload.import_id)
        rejected = [] if reached_plan(ended) else tx.ledger.quarantined(upload.import_id).to_pylist()
    write_manifest(workspace, upload, ended, rejected)
    refresh_files(workspace, closed)
    return ended


def supersede_holds(
    tx: ImportWriter, upload: Upload, at: datetime, *, published: bool = False, earlier_runs: Iterable[int] = ()
) -> list[int]:
    """Close the holds of the feed that are older than `upload`, as `close_older_holds` does. Returns their imports.

    An older upload that was run again closes no newer one's hold, unless it was published: no plan before that can be approved then.

    Args: earlier_runs: held imports of the same upload (`held_earlier_runs`), whose plans are over once this one is planned.
    """
    before = None if published else upload.origin_import + 1
    closed = close_older_holds(tx, (upload.district_id, upload.source), upload.import_id, at, before=before)
    for number in earlier_runs:
        hold = tx.ledger.hold(number)
        if hold is not None and hold["decision"] is None:  # a person may have decided since it was found
            tx.decide_hold(number, "superseded", f"import {upload.import_id}", at)
            closed.append(number)
    return closed


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
    """Record a technical failure; an approved hold stays held.

    Where the ledger cannot be written (it may be what failed), a note of `error` says so; the import stays ``running`` until it is resumed
    or swept.

    Returns: what the ledger says of the import now; None: nothing was written.
    """
    if upload.approved_plan is not None:
        workspace.warehouse.refused(approval_entry(upload, {}), as_lost_race(workspace, upload.import_id, error))
        return None
    try:
        return conclude_import(workspace, upload, "failed", parked_findings(workspace, upload.import_id, error), error=error)
    except RosterError as second:
        error.add_note(f"The ledger could not be told of it: {second.message}")
    except OSError:
        error.add_note("The archive could not be told of it.")
    return None


def approval_entry(upload: Upload, summary: Mapping[str, Any]) -> AuditEntry:
    """Return the audit's line of who approved a held upload: what was left out, and how many renames were approved with it."""
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
    """Return all that the ledger is to know of an import, gathered from what its steps left in staging."""
    staging, whole = staging_of(workspace, upload), status in _COMPLETE_STATUSES
    return ImportResult(
        import_id=upload.import_id,
        status=status,
        finished_at=datetime.now(UTC),
        findings=pa.concat_tables([findings_table(findings), *staging.findings(upload, whole=whole)]),
        rejected_rows=pa.concat_tables([QUARANTINE.empty_table(), *staging.quarantine(upload, whole=whole)]),
        files=_files(staging, upload, whole=whole),
        checks=[check for verdict in staging.verdicts(whole=whole) for check in checks_of(verdict)],
        summary={"content": upload.content, "settings": upload.settings, "came_with": upload.origin_import, **summary},
        hold=hold,
    )


def checks_of(verdict: Verdict) -> list[Check]:
    """Return the two checks that a suite is shown as: what stops publishing, and what only warns."""
    return [
        Check(
            name=f"{verdict.name}: {name}",
            passed=not verdict.failures(*severities),
            severity=severity,
            details={"failed": [result.text for result in verdict.failures(*severities)]},
        )
        for name, severity, severities in _CHECKS
    ]


def _files(staging: Staging, upload: Upload, *, whole: bool) -> list[ImportFile]:
    """Return each file of the upload with its counts; rows that applying changes refused count as rejected."""
    refused = staging.changes(upload, whole=whole).refused
    return [
        ImportFile(
            file=member.name,
            kind=member.kind,
            sha256=member.sha256,
            bytes=member.size,
            **_counts(staging, member, refused.get(member.name, 0), whole=whole),
        )
        for member in upload.members
    ]


def _counts(staging: Staging, member: Member, more: int, *, whole: bool) -> dict[str, int]:
    """Return the counts of one file, `more` of its rows rejected after it was validated; zeros: it was not validated."""
    if member.kind is None or not (whole or staging.is_judged(member.kind)):
        return {"rows_read": 0, "rows_accepted": 0, "rows_rejected": 0}
    result = staging.judged(member.kind).files[member.name]
    return {
        "rows_read": result.rows_read,
        "rows_accepted": result.rows_accepted - more,
        "rows_rejected": result.rows_rejected + more,
    }
