"""Retry policy: an upload that fails repeatedly is parked, so that it does not block its feed.

Belongs here: counting failed attempts in the ledger, and the finding about a parked upload. Does not belong here: requesting the retry
(``orchestration.sensors.poll_decisions``). Rejected and held uploads are never retried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from roster_etl.pipeline.reporting.import_summary import CODE, is_parked
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.spec.findings import Finding


def parked_findings(workspace: Workspace, import_id: int, error: Exception) -> list[Finding]:
    """Return the finding that the upload of a failing import is parked, or nothing if it may be retried.

    It is parked when the last imports of the same bytes, this one included, failed as often in a row as the settings allow. Imports that
    failed before their bytes were read count as the same bytes.
    """
    tries = workspace.settings.imports.tries
    with workspace.warehouse.read() as session:
        row = session.ledger.import_(import_id)
        if row["kind"] != "upload" or isinstance(error, PermanentError):
            return []
        rows = session.ledger.imports(row["district_id"], row["source"], file_set=row["file_set"], limit=tries + 1)
    before = takewhile(lambda other: _is_same_attempt(other, row), (other for other in rows if other["import_id"] < import_id))
    failed = 1 + sum(1 for _ in before)
    if failed < tries:
        return []
    verb = "rerun" if row["upload_id"] else "backfill"  # an upload that was not archived is still in the landing zone
    message = (
        f"It failed {failed} times in a row, and is not tried again by itself until the upload changes. "
        f"`roster-etl {verb} --district {row['district_id']} --format {row['source']}` tries once more."
    )
    return [Finding(severity="upload", code=CODE, message=message)]


def parked_summary(findings: Iterable[Finding]) -> dict[str, bool]:
    """Return the part of an import's summary that marks it as parked."""
    return {CODE: True} if any(finding.code == CODE for finding in findings) else {}


def is_retryable(row: Mapping[str, Any]) -> bool:
    """Return whether a failed import may be retried: it is not parked, and its error is not a permanent one."""
    error = (row["summary"] or {}).get("error") or {}
    return (
        row["kind"] == "upload"
        and row["status"] == "failed"
        and not is_parked(row)
        and error.get("code") not in {kind.code for kind in _kinds(PermanentError)}
    )


def _is_same_attempt(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return row["status"] == "failed" and row["kind"] == "upload" and row["upload_id"] == other["upload_id"]


def _kinds(kind: type[RosterError]) -> Iterable[type[RosterError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
