"""Decisions of people about differences between feeds: accept, ignore, reopen.

Belongs here: validating a decision and writing it, with its lines in the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from roster_etl.canonical.audit import Action
from roster_etl.canonical.reconciliation import DifferenceDecision
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.warehouse import AuditEntry

Verb = Literal["accept", "ignore", "reopen"]
_DECISIONS: dict[Verb, DifferenceDecision | None] = {"accept": "accepted", "ignore": "ignored", "reopen": None}
_ACTIONS: dict[Verb, Action] = {"accept": "difference_accept", "ignore": "difference_ignore", "reopen": "difference_reopen"}


class UnknownDifference(PermanentError):
    """A number is that of no open difference."""

    code = "unknown_difference"
    template = "{number}: no open difference has this number; `roster-etl reconcile --district ID` lists those that are open"


def decide(workspace: Workspace, verb: Verb, numbers: Sequence[int], *, by: str, reason: str | None = None) -> None:
    """Accept, ignore or reopen differences: all of them, or none. The decision lasts while both sides stay as they are.

    Raises: UnknownDifference.
    """
    with workspace.warehouse.write(directly=True) as tx:
        found = {row["difference_id"]: row for row in tx.reconciliation.differences(numbers)}
        for number in numbers:
            if number not in found or found[number]["closed_at"] is not None:
                raise UnknownDifference(number=number)
        tx.reconciliation.decide_differences(list(found), _DECISIONS[verb], by, datetime.now(UTC), reason)
        for district_id in sorted({row["district_id"] for row in found.values()}):
            own = sorted(number for number, row in found.items() if row["district_id"] == district_id)
            entry = AuditEntry(action=_ACTIONS[verb], who=by, district_id=district_id, about={"differences": own})
            tx.append_audit(entry)
