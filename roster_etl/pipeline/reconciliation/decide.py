"""Decisions of people about differences between feeds: accept, ignore, reopen.

Belongs here: validating a decision and writing it, with its lines in the audit and the journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from roster_etl.canonical.audit import Action
from roster_etl.canonical.reconciliation import DifferenceDecision
from roster_etl.pipeline.reconciliation.decisions import archive_decisions
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import AuditEntry, SqlReconciliationWriter

Verb = Literal["accept", "ignore", "reopen"]
DECISIONS: Mapping[str, DifferenceDecision | None] = {"accept": "accepted", "ignore": "ignored", "reopen": None}
_ACTIONS: dict[Verb, Action] = {"accept": "difference_accept", "ignore": "difference_ignore", "reopen": "difference_reopen"}
_IDENTITY = ("table_name", "kind", "field", "key_a", "key_b")


class UnknownDifference(PermanentError):
    """A number is that of no open difference."""

    code = "unknown_difference"
    template = "{number}: no open difference has this number; `roster-etl reconcile --district ID` lists those that are open"


def decide(workspace: Workspace, verb: Verb, numbers: Sequence[int], *, by: str, reason: str | None = None) -> None:
    """Accept, ignore or reopen differences: all of them, or none. The decision lasts while both sides stay as they are.

    Raises: UnknownDifference.
    """
    at = datetime.now(UTC)
    with workspace.warehouse.write(directly=True) as tx:
        found = {row["difference_id"]: row for row in tx.reconciliation.differences(numbers)}
        for number in numbers:
            if number not in found or found[number]["closed_at"] is not None:
                raise UnknownDifference(number=number)
        tx.reconciliation.decide_differences(list(found), DECISIONS[verb], by, at, reason)
        by_district = defaultdict(list)
        for row in found.values():
            by_district[row["district_id"]].append(row)
        for district_id, rows in sorted(by_district.items()):
            about = [_identity(row) for row in rows]
            decision = {
                "district_id": district_id,
                "verb": verb,
                "about": about,
                "decided_by": by,
                "decided_at": at,
                "reason": reason,
            }
            tx.reconciliation.add_decision(decision)
            own = sorted(row["difference_id"] for row in rows)
            tx.append_audit(AuditEntry(action=_ACTIONS[verb], who=by, district_id=district_id, about={"differences": own}))
        fault_point("people.decide")
    fault_point("people.decided")
    for district_id in by_district:
        archive_decisions(workspace, district_id)
    fault_point("people.archived")


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells an open difference from all others of its time: no value, and not its number, which a rebuild gives anew."""
    return {name: row[name] for name in ("source_a", "source_b", *_IDENTITY)}


def redecide(session: SqlReconciliationWriter, document: Mapping[str, Any]) -> None:
    """Write a decision of the archive to the differences that are open; one that is closed by now needs none."""
    numbers = [row["difference_id"] for row in _named(session, document["district_id"], document["about"])]
    at = datetime.fromisoformat(document["decided_at"])
    session.decide_differences(numbers, DECISIONS[document["verb"]], document["decided_by"], at, document["reason"])


def _named(session: SqlReconciliationWriter, district_id: str, about: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in about:
        pair = (district_id, one["source_a"], one["source_b"])
        found += session.open_differences_of(pair, {name: one[name] for name in _IDENTITY})
    return found
