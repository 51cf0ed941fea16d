"""How often an upload was tried: one that fails again and again is parked, so that it neither blocks nor wears out anything.

Belongs here: counting in the ledger, and what is said of an upload that is parked. Asking for another try is ``orchestration.sensors.import_requests``; an
upload that is rejected or held was read, and is not tried again anyway.
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
    """Return the finding that the upload of import `import_id`, which fails because of `error`, is parked; none: it may be tried again.

    It is parked when so many imports of the same bytes (or of bytes that nobody came to know) have failed in a row as the settings allow,
    this one included.
    """
    tries = workspace.settings.imports.tries
    row = workspace.warehouse.import_(import_id)
    if row["kind"] != "upload" or isinstance(error, PermanentError):
        return []
    rows = workspace.warehouse.imports(row["district_id"], row["source"], file_set=row["file_set"], limit=tries + 1)
    before = takewhile(lambda other: _is_same_attempt(other, row), (other for other in rows if other["import_id"] < import_id))
    failed = 1 + sum(1 for _ in before)
    if failed < tries:
        return []
    verb = "rerun" if row["upload_id"] else "backfill"  # what was never taken in still lies in the landing zone
    message = (
        f"It failed {failed} times in a row, and is not tried again by itself until the upload changes. "
        f"`roster-etl {verb} --district {row['district_id']} --format {row['source']}` tries once more."
    )
    return [Finding(severity="upload", code=CODE, message=message)]


def parked_summary(findings: Iterable[Finding]) -> dict[str, bool]:
    """Return what the ledger keeps of `findings` in an import's summary."""
    return {CODE: True} if any(finding.code == CODE for finding in findings) else {}


def is_retryable(row: Mapping[str, Any]) -> bool:
    """Return whether an import failed for a reason that may pass by itself, and is not parked: anything but an error that a person must mend."""
    error = (row["summary"] or {}).get("error") or {}
    return (
        row["kind"] == "upload"
        and row["status"] == "failed"
        and not is_parked(row)
        and error.get("code") not in _permanent_codes()
    )


def _is_same_attempt(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return row["status"] == "failed" and row["kind"] == "upload" and row["upload_id"] == other["upload_id"]


def _permanent_codes() -> set[str]:
    return {kind.code for kind in _kinds(PermanentError)}


def _kinds(kind: type[RosterError]) -> Iterable[type[RosterError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
