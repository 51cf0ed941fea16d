"""Decisions of stewards about people: two records are one human, or they are not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from roster_etl.canonical.audit import Action
from roster_etl.canonical.people import DECISION, LinkCloseReason, LinkVerdict
from roster_etl.engine.reconcile.person_groups import PersonLink, PersonRecord, components, ordered
from roster_etl.pipeline.reconciliation.decisions import archive_decisions, decision_moment
from roster_etl.pipeline.reconciliation.people import LinkChanges, as_link, changed_links, connected, write_links
from roster_etl.pipeline.reconciliation.reconcile import OneFeed, UnknownFeedName, published_pairs, reconcile
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import AuditEntry, SqlPeople, WriteSession

_LOG = logging.getLogger("roster_etl")
Verb = Literal["link", "unlink"]
_VERDICTS: Mapping[Verb, LinkVerdict] = {"link": "same", "unlink": "apart"}
_REASONS: Mapping[Verb, LinkCloseReason] = {"link": "linked", "unlink": "unlinked"}
_ACTIONS: Mapping[Verb, Action] = {"link": "person_link", "unlink": "person_unlink"}


class UnknownPersonRecord(PermanentError):
    """The roster never had one of the records."""

    code = "unknown_record"
    template = "{district_id} never had the {which} record; expected FEED:KIND:ID, such as clever:student:1001"


class UnknownLink(PermanentError):
    """A number is that of no link that holds."""

    code = "unknown_link"
    template = "{number}: no link that holds has this number; `roster-etl people links --district ID` lists those that do"


class SameRecord(PermanentError):
    """Both records are the same one."""

    code = "one_record"
    template = "both are the same record; name two"


class ConflictingDecision(PermanentError):
    """The decision contradicts other decisions of stewards."""

    code = "decided_otherwise"
    template = "stewards decided otherwise: links {numbers} join records that would be apart; undo one of them first with `people unlink`"


@dataclass(frozen=True, kw_only=True)
class PersonDecision:
    """What is decided about two records of a district."""

    district_id: str
    verb: Verb
    one: PersonRecord
    other: PersonRecord
    by: str
    reason: str | None = None

    @property
    def pair(self) -> tuple[PersonRecord, PersonRecord]:
        """The two records, in the order in which a link has them."""
        return ordered(self.one, self.other)


def linked_records(workspace: Workspace, district_id: str, number: int) -> tuple[PersonRecord, PersonRecord]:
    """Return the records of a link that holds. Raises UnknownLink."""
    with workspace.warehouse.read_people() as session:
        row = session.link(number)
    if row is None or row["district_id"] != district_id or row["valid_to"] is not None or row["verdict"] == "apart":
        raise UnknownLink(number=number)
    return as_link(row).pair


def preview_decision(workspace: Workspace, decision: PersonDecision) -> LinkChanges:
    """Return what a decision would change. Raises UnknownPersonRecord, SameRecord, ConflictingDecision."""
    with workspace.warehouse.read_people() as session:
        return _changes(session, decision)


def decide_people(workspace: Workspace, decision: PersonDecision) -> LinkChanges:
    """Link two records, or decide that they are not one human, which no rule overrules; feeds are then compared again.

    A decision that holds already changes nothing. Raises: UnknownPersonRecord, SameRecord, ConflictingDecision.
    """
    feeds = {"feeds": sorted({record.source for record in decision.pair})}
    entry = AuditEntry(action=_ACTIONS[decision.verb], who=decision.by, district_id=decision.district_id, about=feeds)
    with workspace.warehouse.attempt(entry), workspace.warehouse.write(directly=True) as tx:
        at = _locked_moment(tx, decision.district_id)
        changes = write_decision(tx, decision, at)
        if changes.opened:
            tx.reconciliation.add_decision(_journal_row(decision, at))
            tx.append_audit(entry)
        fault_point("people.decide")
    fault_point("people.decided")
    archive_decisions(workspace, decision.district_id)
    fault_point("people.archived")
    _compare_again(workspace, decision, at)
    return changes


def _locked_moment(tx: WriteSession, district_id: str) -> datetime:
    """Wait until no comparison or other decision of the district is writing; return the moment of a decision that is made now."""
    tx.reconciliation.lock(district_id)
    return decision_moment(tx.reconciliation, district_id)


def write_decision(tx: WriteSession, decision: PersonDecision, at: datetime) -> LinkChanges:
    """Open and close links as a decision says; the next comparison of the feeds is a whole one."""
    district_id = decision.district_id
    tx.reconciliation.lock(district_id)
    changes = _changes(tx.people, decision)
    if changes.opened:
        feeds = sorted({record.source for record in decision.pair})
        newest = max(tx.reconciliation.base_import(district_id, source) or 0 for source in feeds)
        write_links(tx.people, district_id, changes, at=at, import_id=newest)
        if len(feeds) > 1:
            tx.reconciliation.forget_compared(district_id, *feeds)
    return changes


def decision_of(document: Mapping[str, Any]) -> PersonDecision:
    """Return a decision as the archive has it."""
    (about,) = document["about"]
    one, other = (PersonRecord(*(about[side][name] for name in PersonRecord._fields)) for side in ("a", "b"))
    names = ("district_id", "verb", "reason")
    return PersonDecision(one=one, other=other, by=document["decided_by"], **{name: document[name] for name in names})


def _journal_row(decision: PersonDecision, at: datetime) -> dict[str, Any]:
    about = [{side: record._asdict() for side, record in zip("ab", decision.pair, strict=True)}]
    names = ("district_id", "verb", "reason")
    return {**{name: getattr(decision, name) for name in names}, "about": about, "decided_by": decision.by, "decided_at": at}


def _changes(session: SqlPeople, decision: PersonDecision) -> LinkChanges:
    _require_two_known(session, decision)
    known = connected(session, decision.district_id, decision.pair)
    before = next((link for link in known if link.pair == decision.pair), None)
    verdict = _VERDICTS[decision.verb]
    if before is not None and (before.rule, before.verdict) == (DECISION, verdict):
        return LinkChanges(closed={}, opened=())
    a, b = decision.pair
    new = PersonLink(a=a, b=b, rule=DECISION, verdict=verdict, decided_by=decision.by, reason=decision.reason)
    wanted = [*(link for link in known if link is not before), new]
    _require_agreement(wanted)
    closed: dict[int, LinkCloseReason] = {}
    if before is not None and before.number is not None:
        closed[before.number] = _REASONS[decision.verb]
    return changed_links(session, decision.district_id, known, wanted, closed)


def _require_two_known(session: SqlPeople, decision: PersonDecision) -> None:
    if decision.one == decision.other:
        raise SameRecord
    first = session.first_imports(decision.district_id, decision.pair)
    for which, record in (("first", decision.one), ("second", decision.other)):
        if record not in first:
            raise UnknownPersonRecord(district_id=decision.district_id, which=which)


def _require_agreement(links: Sequence[PersonLink]) -> None:
    """Check that no two records that stewards decided apart are joined by links that stewards decided. Raises ConflictingDecision."""
    apart = {link.pair for link in links if link.verdict == "apart"}
    for group in components(link for link in links if link.rule == DECISION and link.verdict == "same"):
        records = {record for link in group for record in link.pair}
        if any(a in records and b in records for a, b in apart):
            numbers = [link.number for link in links if link.rule == DECISION and link.number and set(link.pair) & records]
            raise ConflictingDecision(numbers=", ".join(map(str, numbers)))


def _compare_again(workspace: Workspace, decision: PersonDecision, at: datetime) -> None:
    """Compare the feeds of the records, so that their differences follow the decision. A failure is logged: the next import does it."""
    feeds = sorted({record.source for record in decision.pair})
    if len(feeds) < 2:
        return
    try:
        for pair in published_pairs(workspace, decision.district_id, feeds):
            reconcile(workspace, pair, at=at)
    except (OneFeed, UnknownFeedName):
        return
    except RosterError as error:
        _LOG.warning("the feeds of %s were not compared again: %s", decision.district_id, error.message)
