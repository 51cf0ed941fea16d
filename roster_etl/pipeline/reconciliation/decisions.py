"""The journal of decisions about a district's feeds: each is a row of the warehouse, and a document in the archive.

Belongs here: bringing the archive in line with the warehouse, so that a rebuild gives the decisions back. What a decision does is in
``decide`` and ``decide_people``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roster_etl.pipeline.workspace import Workspace

_NEWEST = 50  # decisions whose documents are looked for: a process that was killed has left out the last one


def archive_decisions(workspace: Workspace, district_id: str) -> None:
    """Write the newest decisions that the archive does not have: a process may have been killed before it did."""
    with workspace.warehouse.read_reconciliation() as session:
        rows = session.decisions(district_id, newest=_NEWEST)
    for row in rows:
        if not workspace.archive.has_decision(district_id, row["decision_id"]):
            workspace.archive.write_decision(district_id, row["decision_id"], as_document(row))


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
