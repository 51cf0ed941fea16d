"""The journal of decisions about a district's feeds: each is a row of the warehouse, and a document in the archive.

The archive is brought in line with the warehouse, so that a rebuild gives the decisions back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import SqlReconciliation

_AT_ONCE = 50


def decision_moment(session: SqlReconciliation, district_id: str) -> datetime:
    """Return when a decision is made whose transaction has locked the comparisons of a district: not before an earlier one.

    Taken again in this order, decisions come to the same.
    """
    last = session.decisions(district_id, newest=1)
    return max([datetime.now(UTC), *(row["decided_at"] for row in last)])


def archive_decisions(workspace: Workspace, district_id: str) -> None:
    """Write the decisions that the archive does not have: a process may have been killed before it did, or the archive was away.

    Reads the newest ones, and earlier ones while some of those are missing.
    """
    missing, before = list[Mapping[str, Any]](), None
    while True:
        with workspace.warehouse.read_reconciliation() as session:
            rows = session.decisions(district_id, newest=_AT_ONCE, before=before)
        unwritten = [row for row in rows if not workspace.archive.has_decision(district_id, row["decision_id"])]
        missing = [*unwritten, *missing]
        if not unwritten or len(rows) < _AT_ONCE:
            break
        before = rows[0]["decision_id"]
    for row in missing:  # the oldest first: where this is broken off, the next call finds the rest
        _write(workspace, district_id, row)


def _write(workspace: Workspace, district_id: str, row: Mapping[str, Any]) -> None:
    """Write a decision, and bring it in line if a purge has changed it since it was read: the purge may not have seen what was written."""
    number = row["decision_id"]
    workspace.archive.write_decision(district_id, number, as_document(row))
    with workspace.warehouse.read_reconciliation() as session:
        now = [one for one in session.decisions(district_id, newest=1, before=number + 1) if one["decision_id"] == number]
    if not now:
        workspace.archive.remove_decision(district_id, number)
    elif now[0] != row:
        workspace.archive.write_decision(district_id, number, as_document(now[0]))


def rewrite_decisions(workspace: Workspace, district_id: str) -> None:
    """Bring all decisions in the archive in line with the warehouse, after a purge."""
    with workspace.warehouse.read_reconciliation() as session:
        documents = {row["decision_id"]: as_document(row) for row in session.decisions(district_id)}
    for number in workspace.archive.decisions(district_id):
        if number not in documents:
            workspace.archive.remove_decision(district_id, number)
    for number, document in documents.items():
        known = workspace.archive.has_decision(district_id, number)
        if not known or workspace.archive.read_decision(district_id, number) != document:
            workspace.archive.write_decision(district_id, number, document)


def as_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision as the archive has it."""
    at: datetime = row["decided_at"]
    return {**row, "decided_at": at.isoformat()}
