"""The manifest of an import: all that is needed to run its bytes again, and to tell how it was decided when they were.

Belongs here: what a manifest says, and keeping it true when a person decides later. Replaying manifests is ``pipeline.maintenance.rebuild``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import ArchiveError, RegistryError

MANIFEST_VERSION = 2
Document = dict[str, Any]


def write_manifest(
    workspace: Workspace, upload: Upload, summary: ImportSummary, rejected: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write beside the archived bytes what is needed to run them again, and what the ledger says came of it.

    Args: rejected: the quarantined rows of an import that did not reach a plan (`reached_plan`).
    """
    document = {
        **upload.to_dict(),
        "version": MANIFEST_VERSION,
        "gates": _gates(workspace, upload),
        **_receive_findings(workspace, upload),
        **_ledger_state(summary, rejected),
    }
    workspace.archive.write_manifest(upload.district_id, upload.import_id, document)


def refresh_manifest(workspace: Workspace, summary: ImportSummary) -> None:
    """Update the manifest of an import to what the ledger says of it; one that has none gets one."""
    row, details = summary.row, summary.details
    try:
        document = workspace.archive.read_manifest(summary.district_id, summary.import_id)
    except ArchiveError:
        document = _minimal_manifest(row)
    ended = _read_ledger_state(workspace, summary, settled=bool(document.get("settled")))
    if "left_out" in details:  # a person approved in part, and the process was killed at that moment
        document["leave_out"] = details["left_out"]
    if row["kind"] == "upload" and (numbers := details.get("renames", {}).get("numbers")):  # or approved renames
        document["renames"] = [str(number) for number in numbers]
    workspace.archive.write_manifest(summary.district_id, summary.import_id, {**document, **ended})


def finalize_manifest(workspace: Workspace, district_id: str, import_id: int, **changes: Any) -> None:
    """Let a manifest tell all that the ledger does, so that its import is not walked again; `changes` replace parts of it."""
    before = workspace.archive.read_manifest(district_id, import_id)
    kept = {name: value for name, value in before.items() if name not in ("edit", "renames")}  # keys, cells and ids of people
    document = {**kept, "settled": True, "door": [], "unkept": {}, **changes}
    ended = _read_ledger_state(workspace, read_import_summary(workspace, import_id), settled=True)
    workspace.archive.write_manifest(district_id, import_id, {**document, **ended})


def _minimal_manifest(row: Mapping[str, Any]) -> Document:
    """Return the manifest of an import whose process was killed before it knew its upload."""
    upload = Upload(
        import_id=row["import_id"],
        district_id=row["district_id"],
        source=row["source"],
        upload_id=row["upload_id"] or "",
        run_id=row["run_id"],
        received_at=(row["received_at"] or row["started_at"]).isoformat(),
        options=row["options"] or {},
        settings="",
        content="",
        members=(),
    )
    return {**upload.to_dict(), "version": MANIFEST_VERSION, "gates": [], "door": [], "unkept": {}}


def _gates(workspace: Workspace, upload: Upload) -> list[Document]:
    with suppress(RegistryError):  # taken out of the registry while the import went on
        gates = workspace.registry.get(upload.district_id).feed(upload.source).gates
        return [{**asdict(gate), "date": gate.date.isoformat()} for gate in gates]
    return []


def _receive_findings(workspace: Workspace, upload: Upload) -> Document:
    """Return what was found before any row was read: bytes alone do not tell it, and some were not kept."""
    found, unarchived = staging_of(workspace, upload).receive_findings(upload)
    return {"door": found.to_pylist(), "unkept": {name: table.to_pylist() for name, table in unarchived.items()}}


def reached_plan(summary: ImportSummary) -> bool:
    """Return whether an import ended with a plan, so that running its bytes again finds what it found."""
    return "plan" in summary.details and summary.status not in ("failed", "running")


def _read_ledger_state(workspace: Workspace, summary: ImportSummary, *, settled: bool = False) -> Document:
    if reached_plan(summary) and not settled:
        return _ledger_state(summary)
    with workspace.warehouse.read() as session:
        rejected = session.ledger.quarantined_rows(summary.import_id).to_pylist()
    return _ledger_state(summary, rejected, settled=settled)


def _ledger_state(summary: ImportSummary, rejected: Sequence[Mapping[str, Any]] = (), *, settled: bool = False) -> Document:
    """Return what the ledger says. Of an import that did not reach a plan also what was found, which bytes do not tell."""
    walked = reached_plan(summary) and not settled
    document: Document = {
        "status": summary.status,
        "walked": walked,
        "ledger": {name: _plain(value) for name, value in summary.row.items()},
        "files": summary.files,
        "checks": summary.checks,
        "hold": {name: _plain(value) for name, value in (summary.hold or {}).items()} or None,
    }
    if not walked:
        document["findings"] = summary.findings
        document["rejected"] = list(rejected)
    return document


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def is_manifest_outdated(workspace: Workspace, row: Document) -> bool:
    """Return whether the manifest of an import that has ended does not say what the ledger's `row` says."""
    if row["status"] == "running":
        return False
    try:
        document = workspace.archive.read_manifest(row["district_id"], row["import_id"])
    except ArchiveError:
        return True
    hold = workspace.warehouse.ledger.hold(row["import_id"])
    decided = (document.get("hold") or {}).get("decision")
    return document.get("status") != row["status"] or (hold is not None and hold["decision"] != decided)
