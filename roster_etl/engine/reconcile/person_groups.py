"""Which records are one human: join the pairs that rules and stewards name, find contradictions, and give each person an ID.

Belongs here: joining in memory. Which pairs a rule names is ``matching``; which links open and close is the pipeline's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID, uuid5

from roster_etl.canonical.people import DECISION, LinkVerdict

_PEOPLE = UUID("6f0d8b3e-4a0c-5d5e-9a57-1d6b0c2f7a11")  # the namespace of person IDs
_SEPARATOR = "\x1f"
_NEVER = 2**63


class PersonRecord(NamedTuple):
    """One record of a person: feed, kind of user, ID."""

    source: str
    user_kind: str
    user_id: str


@dataclass(frozen=True, kw_only=True)
class PersonLink:
    """Two records with what is known of them; ``a`` sorts before ``b``.

    ``person_id``: the person that both are, where the verdict is ``same``; ``number``: of the link that is open, None: a new one.
    """

    a: PersonRecord
    b: PersonRecord
    rule: str
    verdict: LinkVerdict = "same"
    person_id: str | None = None
    number: int | None = None
    decided_by: str | None = None
    reason: str | None = None

    @property
    def pair(self) -> tuple[PersonRecord, PersonRecord]:
        """The two records."""
        return self.a, self.b

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two links the same one."""
        return self.a, self.b, self.rule, self.verdict, self.person_id


def ordered(one: PersonRecord, other: PersonRecord) -> tuple[PersonRecord, PersonRecord]:
    """Return two records in the order in which a link has them."""
    return (one, other) if one < other else (other, one)


class UserIdChange(NamedTuple):
    """A user's ID that a feed changed. ``user_kind``: None: of any kind."""

    old: str
    new: str
    user_kind: str | None
    import_id: int


class DefaultPersonIds:
    """The ID that each record has as a person of its own: the same after an ID change, since it is that of the first ID."""

    def __init__(self, district_id: str, changes: Mapping[str, Sequence[UserIdChange]]) -> None:
        """Args: changes: feed → its current ID changes of users."""
        self._district_id = district_id
        self._to: dict[tuple[str, str], list[UserIdChange]] = defaultdict(list)
        self._from: dict[tuple[str, str], list[UserIdChange]] = defaultdict(list)
        for source, rows in changes.items():
            for change in rows:
                self._to[source, change.new].append(change)
                self._from[source, change.old].append(change)

    def __getitem__(self, record: PersonRecord) -> str:
        """Return the ID of a record as a person of its own."""
        text = _SEPARATOR.join((self._district_id, record.source, record.user_kind, self._first_id(record)))
        return str(uuid5(_PEOPLE, text))

    def _first_id(self, record: PersonRecord) -> str:
        """Return the first ID of a record; one that was given to somebody else after an ID change is not the one before."""
        left = self._changes(self._from, record, record.user_id)
        came = self._changes(self._to, record, record.user_id)
        if left and max(change.import_id for change in left) > max((change.import_id for change in came), default=0):
            return f"{_escaped(record.user_id)}{_SEPARATOR}{max(change.import_id for change in left)}"
        chain, at, seen = list[UserIdChange](), record.user_id, {record.user_id}
        while came := self._changes(self._to, record, at):
            newest = max(came, key=lambda change: change.import_id)
            chain.append(newest)
            at = newest.old
            if at in seen:
                break
            seen.add(at)
        return _escaped(min(chain, key=lambda change: change.import_id).old if chain else record.user_id)

    @staticmethod
    def _changes(of: Mapping[tuple[str, str], list[UserIdChange]], record: PersonRecord, user_id: str) -> list[UserIdChange]:
        found = of.get((record.source, user_id), ())
        return [change for change in found if change.user_kind in (None, record.user_kind)]


def _escaped(user_id: str) -> str:
    """Return an ID with each separator twice, so that no ID is read as another one with an import."""
    return user_id.replace(_SEPARATOR, 2 * _SEPARATOR)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Records that are one human, or two decided apart that are not joined. ``person_id``: None: it is that of the earliest record."""

    links: Sequence[PersonLink]
    records: frozenset[PersonRecord]
    person_id: str | None


def components(links: Iterable[PersonLink]) -> list[list[PersonLink]]:
    """Return the links in groups that share records."""
    of = _Sets()
    listed = list(links)
    for link in listed:
        of.join(link.a, link.b)
    groups: dict[PersonRecord, list[PersonLink]] = defaultdict(list)
    for link in listed:
        groups[of.root(link.a)].append(link)
    return list(groups.values())


def same_feed_conflicts(links: Iterable[PersonLink]) -> set[PersonRecord]:
    """Return the records that are joined with another record of the same feed: both may be current only by decision."""
    found: set[PersonRecord] = set()
    for group in components(links):
        for records in _by_feed(group).values():
            found |= records if len(records) > 1 else set()
    return found


def join(
    links: Iterable[PersonLink],
    apart: Collection[tuple[PersonRecord, PersonRecord]],
    gone: Collection[PersonRecord],
    own: DefaultPersonIds,
) -> Iterator[Person]:
    """Yield the people that `links` join; links of rules that contradict each other get the verdict ``contradiction``.

    Rules contradict where they would join two current records of one feed, or two that a steward decided apart. The links that a
    steward decided stay. A person keeps the ID of the oldest open link, as long as the record that it is from is linked.

    Args: links: of whole groups, verdicts ``same`` and ``contradiction``; gone: records that are not current.
    """
    kept_apart: dict[PersonRecord, set[PersonRecord]] = defaultdict(set)
    for a, b in apart:
        kept_apart[a].add(b)
    for group in components(links):
        decided = [link for link in group if link.rule == DECISION]
        named = [link for link in group if link.rule != DECISION]
        if not _contradicts(group, decided, kept_apart, gone):
            yield _person([replace(link, verdict="same") for link in group], own)
            continue
        refused = [replace(link, verdict="contradiction", person_id=None) for link in named]
        yield Person(links=refused, records=frozenset(), person_id=None)
        for one in components(decided):
            yield _person(one, own)


def with_person_id(person: Person, first_import: Mapping[PersonRecord, int], own: DefaultPersonIds) -> list[PersonLink]:
    """Return the links of a person with the ID; where it is None, that of the record that was known first.

    Args: first_import: the import that opened the first version of each record; one whose versions are purged has none.
    """
    if not person.records:
        return list(person.links)
    found = person.person_id or own[min(person.records, key=lambda record: (first_import.get(record, _NEVER), record))]
    return [replace(link, person_id=found) for link in person.links]


def _person(links: Sequence[PersonLink], own: DefaultPersonIds) -> Person:
    records = frozenset(record for link in links for record in link.pair)
    open_ = sorted((link.number, link.person_id) for link in links if link.number is not None and link.person_id is not None)
    if open_:
        owned = {own[record] for record in records}
        kept = next((person_id for _, person_id in open_ if person_id in owned), None)
        return Person(links=links, records=records, person_id=kept)
    return Person(links=links, records=records, person_id=None)


def _contradicts(
    group: Sequence[PersonLink],
    decided: Sequence[PersonLink],
    apart: Mapping[PersonRecord, Collection[PersonRecord]],
    gone: Collection[PersonRecord],
) -> bool:
    of = _Sets()
    for link in decided:
        of.join(link.a, link.b)
    for records in _by_feed(group).values():
        if len({of.root(record) for record in records if record not in gone}) > 1:
            return True
    joined = {record for link in group for record in link.pair}
    return any(b in joined and of.root(a) != of.root(b) for a in joined for b in apart.get(a, ()))


def _by_feed(group: Iterable[PersonLink]) -> dict[str, set[PersonRecord]]:
    found: dict[str, set[PersonRecord]] = defaultdict(set)
    for link in group:
        for record in link.pair:
            found[record.source].add(record)
    return found


class _Sets:
    """Disjoint sets of records."""

    def __init__(self) -> None:
        self._parent: dict[PersonRecord, PersonRecord] = {}

    def root(self, record: PersonRecord) -> PersonRecord:
        at = record
        while (parent := self._parent.get(at, at)) != at:
            at = parent
        while (parent := self._parent.get(record, record)) != at:
            self._parent[record] = at
            record = parent
        return at

    def join(self, one: PersonRecord, other: PersonRecord) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first
