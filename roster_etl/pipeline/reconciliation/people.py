"""Links between records of people: what a comparison of two feeds opens and closes, and what stewards decide.

Belongs here: bringing the links up to date in one transaction. How records are joined is ``engine.reconcile.person_groups``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roster_etl.canonical.people import DECISION, LinkCloseReason
from roster_etl.engine.reconcile.person_groups import (
    DefaultPersonIds,
    PersonLink,
    PersonRecord,
    UserIdChange,
    components,
    join,
    same_feed_conflicts,
    with_person_id,
)
from roster_etl.engine.reconcile.rosters import DecidedPeople, User
from roster_etl.store.warehouse import SqlPeople, SqlPeopleWriter

Named = tuple[User, User, str]
"""Kind and ID of a user of feed A, of a user of feed B, and the rule that names the two."""


def decided_people(session: SqlPeople, pair: tuple[str, str, str]) -> DecidedPeople:
    """Return what stewards decided about people of two feeds."""
    links = [as_link(row) for row in session.decided_links(*pair)]
    by_verdict = {
        verdict: [
            ((link.a.user_kind, link.a.user_id), (link.b.user_kind, link.b.user_id)) for link in links if link.verdict == verdict
        ]
        for verdict in ("same", "apart")
    }
    return DecidedPeople(same=by_verdict["same"], apart=by_verdict["apart"])


def as_link(row: Mapping[str, Any]) -> PersonLink:
    """Return a row of the table of links."""
    a, b = (PersonRecord(*(row[f"{name}_{side}"] for name in ("source", "user_kind", "user_id"))) for side in ("a", "b"))
    names = ("rule", "verdict", "person_id", "decided_by", "reason")
    return PersonLink(a=a, b=b, number=row["link_id"], **{name: row[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class LinkChanges:
    """What a comparison, or a decision, does to the links: those that close, by reason, and those that open."""

    closed: Mapping[int, LinkCloseReason]
    opened: Sequence[PersonLink]


def update_links(
    session: SqlPeopleWriter,
    pair: tuple[str, str, str],
    named: Iterable[Named],
    *,
    at: datetime,
    import_id: int,
    touched: Collection[PersonRecord] | None = None,
) -> LinkChanges:
    """Open and close links as the rules name people of two feeds now.

    A link that no rule names any more is closed if both records are current; if one has left, it stays.
    Args: named: the pairs that rules name. touched: records to which that is limited; None: all of the two feeds.
    """
    district_id, source_a, source_b = pair
    now = {(PersonRecord(source_a, *a), PersonRecord(source_b, *b)): rule for a, b, rule in named}
    if touched is None:
        known = [as_link(row) for row in session.links(district_id)]
    else:
        known = connected(session, district_id, [*touched, *(record for two in now for record in two)])
    between = [link for link in known if (link.a.source, link.b.source) == (source_a, source_b) and link.rule != DECISION]
    if touched is not None:
        between = [link for link in between if link.a in touched or link.b in touched]
    dropped = _not_named(session, district_id, between, now)
    compared = {link.number for link in between}
    kept = [
        link
        for link in known
        if link.number not in dropped and (link.number not in compared or now.get(link.pair, link.rule) == link.rule)
    ]
    open_pairs = {link.pair for link in kept if link.verdict != "apart"}
    new = [PersonLink(a=a, b=b, rule=rule) for (a, b), rule in now.items() if (a, b) not in open_pairs]
    changes = changed_links(session, district_id, known, [*kept, *new], dropped)
    write_links(session, district_id, changes, at=at, import_id=import_id)
    return changes


def _not_named(
    session: SqlPeople, district_id: str, links: Sequence[PersonLink], now: Mapping[tuple[PersonRecord, PersonRecord], str]
) -> dict[int, LinkCloseReason]:
    """Return the numbers of links that no rule names any more, although both records are current."""
    stale = [link for link in links if link.pair not in now]
    current = session.current_users(district_id, {record for link in stale for record in link.pair})
    return {link.number: "not_named" for link in stale if link.number is not None and link.a in current and link.b in current}


def connected(session: SqlPeople, district_id: str, records: Iterable[PersonRecord]) -> list[PersonLink]:
    """Return the links that hold of `records`, of the records that these name, and so on."""
    found: dict[int, PersonLink] = {}
    seen: set[PersonRecord] = set()
    ahead = set(records)
    while ahead:
        seen |= ahead
        fresh = {row["link_id"]: as_link(row) for row in session.open_links_of(district_id, ahead)}
        found |= fresh
        ahead = {record for link in fresh.values() for record in link.pair} - seen
    return [found[number] for number in sorted(found)]


def same_person(session: SqlPeople, district_id: str, user: User) -> list[PersonRecord]:
    """Return the other records that links say are the person of a user, whichever feeds have the user, by kind and ID."""
    own = {PersonRecord(source, *user) for source in session.sources(district_id)}
    joined = (link for link in connected(session, district_id, own) if link.verdict == "same")
    groups = ({record for link in group for record in link.pair} for group in components(joined))
    return sorted({record for group in groups if group & own for record in group} - own)


def changed_links(
    session: SqlPeople,
    district_id: str,
    known: Sequence[PersonLink],
    wanted: Sequence[PersonLink],
    closed: Mapping[int, LinkCloseReason],
) -> LinkChanges:
    """Return what must open and close so that the links `known` become the people that the links `wanted` join."""
    joined = [link for link in wanted if link.verdict != "apart"]
    apart = {link.pair for link in wanted if link.verdict == "apart"}
    crowded = same_feed_conflicts(joined)
    gone = crowded - session.current_users(district_id, crowded)
    own = own_ids(session, district_id)
    people = list(join(joined, apart, gone, own))
    unnamed = {record for person in people if person.person_id is None for record in person.records}
    first = {PersonRecord(*record): number for record, number in session.first_imports(district_id, unnamed).items()}
    desired = [link for person in people for link in with_person_id(person, first, own)]
    desired += [link for link in wanted if link.verdict == "apart"]
    says = {link.identity for link in desired}
    held = {link.identity for link in known if link.number not in closed}
    replaced: dict[int, LinkCloseReason] = {
        link.number: "superseded" for link in known if link.number is not None and link.identity not in says
    }
    opened = sorted((link for link in desired if link.identity not in held), key=lambda link: link.pair)
    return LinkChanges(closed={**replaced, **closed}, opened=opened)


def own_ids(session: SqlPeople, district_id: str, *, without: User | None = None) -> DefaultPersonIds:
    """Return the IDs that the records of a district have as people of their own; `without` the ID changes of a user, by kind and ID."""
    changes = {}
    for source in session.sources(district_id):
        rows = session.id_changes(district_id, source)
        changes[source] = [
            UserIdChange(old=old, new=new, user_kind=json.loads(extensions or "{}").get("user_kind"), import_id=number)
            for old, new, extensions, number in rows
            if without is None or without[1] not in (old, new)
        ]
    return DefaultPersonIds(district_id, changes)


def write_links(session: SqlPeopleWriter, district_id: str, changes: LinkChanges, *, at: datetime, import_id: int) -> None:
    """Close and open links."""
    for reason in sorted(set(changes.closed.values())):
        session.close_links(sorted(n for n, why in changes.closed.items() if why == reason), reason, at, import_id)
    session.add_links(district_id, [{**_row(link), "valid_from": at, "valid_from_import": import_id} for link in changes.opened])


def _row(link: PersonLink) -> dict[str, Any]:
    sides = {
        f"{name}_{side}": getattr(record, name)
        for side, record in (("a", link.a), ("b", link.b))
        for name in ("source", "user_kind", "user_id")
    }
    return {**sides, **{name: getattr(link, name) for name in ("person_id", "verdict", "rule", "decided_by", "reason")}}
