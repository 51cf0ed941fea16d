"""Decisions of people about differences between feeds: accept, ignore, reopen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from roster_etl.canonical.audit import Action
from roster_etl.canonical.reconciliation import DifferenceDecision
from roster_etl.pipeline.reconciliation.decisions import archive_decisions, decision_moment
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import AuditEntry, SqlReconciliationWriter, WriteSession

Verb = Literal["accept", "ignore", "reopen"]
DECISIONS: Mapping[str, DifferenceDecision | None] = {"accept": "accepted", "ignore": "ignored", "reopen": None}
_ACTIONS: dict[Verb, Action] = {"accept": "difference_accept", "ignore": "difference_ignore", "reopen": "difference_reopen"}
_IDENTITY = ("table_name", "kind", "field", "key_a", "key_b")
_IMPORTS = ("import_a", "import_b")
"""The imports that made it so: another difference of the same records, which supersedes it, has others."""


class UnknownDifference(PermanentError):
    """A number is that of no open difference."""

    code = "unknown_difference"
    template = "{number}: no open difference has this number; `roster-etl reconcile --district ID` lists those that are open"


def decide(workspace: Workspace, verb: Verb, numbers: Sequence[int], *, by: str, reason: str | None = None) -> None:
    """Accept, ignore or reopen differences: all of them, or none. The decision lasts while both sides stay as they are.

    Waits for a comparison of the feeds that is writing, and for other decisions. What is decided so already stays as it is, so that a
    call that is repeated decides once.

    Raises: UnknownDifference.
    """
    with workspace.warehouse.write(directly=True) as tx:
        found = _locked(tx.reconciliation, numbers)
        by_district = defaultdict(list)
        for row in found:
            by_district[row["district_id"]].append(row)
        for district_id, rows in sorted(by_district.items()):
            new = [row for row in rows if (row["decision"], row["decided_by"], row["reason"]) != (DECISIONS[verb], by, reason)]
            if new:
                _write(tx, district_id, verb, new, by, reason)
        fault_point("people.decide")
    fault_point("people.decided")
    for district_id in sorted(by_district):
        archive_decisions(workspace, district_id)
    fault_point("people.archived")


def _locked(session: SqlReconciliationWriter, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return open differences, of which no comparison or decision changes anything until the transaction ends. Raises UnknownDifference."""
    for district_id in sorted({row["district_id"] for row in session.differences(numbers)}):
        session.lock(district_id)
    found = {row["difference_id"]: row for row in session.differences(numbers)}  # read again: it may have waited
    for number in numbers:
        if number not in found or found[number]["closed_at"] is not None:
            raise UnknownDifference(number=number)
    return [found[number] for number in sorted(found)]


def _write(
    tx: WriteSession, district_id: str, verb: Verb, rows: Sequence[Mapping[str, Any]], by: str, reason: str | None
) -> None:
    """Write a decision about differences of a district, with its lines in the journal and the audit."""
    at, numbers = decision_moment(tx.reconciliation, district_id), [row["difference_id"] for row in rows]
    tx.reconciliation.decide_differences(numbers, DECISIONS[verb], by, at, reason)
    decision = {"district_id": district_id, "verb": verb, "about": [_identity(row) for row in rows]}
    tx.reconciliation.add_decision({**decision, "decided_by": by, "decided_at": at, "reason": reason})
    tx.append_audit(AuditEntry(action=_ACTIONS[verb], who=by, district_id=district_id, about={"differences": numbers}))


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells a difference from all others: no value, and not its number, which a rebuild gives anew."""
    return {name: row[name] for name in ("source_a", "source_b", *_IDENTITY, *_IMPORTS)}


def redecide(session: SqlReconciliationWriter, document: Mapping[str, Any]) -> None:
    """Write a decision of the archive to its differences, also to one that a comparison closed while it was made."""
    at = datetime.fromisoformat(document["decided_at"])
    numbers = [row["difference_id"] for row in _named(session, document["district_id"], document["about"], at)]
    session.decide_differences(numbers, DECISIONS[document["verb"]], document["decided_by"], at, document["reason"])


def _named(
    session: SqlReconciliationWriter, district_id: str, about: Iterable[Mapping[str, Any]], at: datetime
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in about:
        pair, plain = (district_id, one["source_a"], one["source_b"]), {name: one[name] for name in _IDENTITY}
        made_so = {name: one[name] for name in _IMPORTS if name in one}  # older documents have none
        for identity in ({**plain, **made_so}, plain):  # where a comparison was left out, imports may be others
            if rows := session.open_differences_of(pair, identity) or session.last_closed_difference_of(pair, identity, at):
                found += rows
                break
    return found
