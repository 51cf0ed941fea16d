"""The enrollments of two feeds that may match otherwise than when they were compared last, then and now.

Enrollments match by place (section, or default section of a course) and user. So one of them matches otherwise only if an enrollment of the
other feed has the same place and user, then or now, and either of the two changed, or a place or a user matches otherwise. Of a user or a
section that matches otherwise it is enough to read all enrollments in one feed: each of the other feed's that it concerns shares place and
user with one of these.

Belongs here: that search. Users, sections and courses are matched by ``changed_records``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from roster_etl.engine.reconcile.outcomes import Sides
from roster_etl.engine.reconcile.rosters import Ids, RosterPair, ids_in_a, record_ids, user_of
from roster_etl.pipeline.reconciliation.changed_records import ChangedRecords
from roster_etl.pipeline.reconciliation.feed_records import text_values
from roster_etl.store.warehouse.roster_read import Place, WantedEnrollments, place_of

Seat = tuple[Place, str]
"""A place, as `place_of` has it, and a user, as `record_ids` has them."""


class ChangedEnrollments:
    """The enrollments that are touched by what changed."""

    def __init__(self, records: ChangedRecords) -> None:
        self._records = records
        self._mapped: tuple[list[Ids], list[tuple[dict[Place, Place], dict[str, str]]]] | None = None
        self._read()

    def rows(self, side: int, time: int) -> pa.Table:
        """Return the touched enrollments of one side, then (0) or now (1)."""
        feed = self._records.feeds[side]
        rows = (feed.before("enrollments"), feed.now("enrollments"))[time]
        seats = seats_of(rows)
        touched = self._touched[side]
        return rows.filter(pa.array([seat in touched for seat in seats], pa.bool_()))

    def _read(self) -> None:
        """Read what is touched, and how its users, sections and courses match."""
        feeds = self._records.feeds
        changed = [set(seats_of(feed.changed("enrollments"))) for feed in feeds]
        self._ensure(changed)
        shared = self._in_a(0, changed[0]) | self._in_a(1, changed[1])
        moved = self._of_rematched(changed)
        self._ensure(moved)
        shared |= self._in_a(0, moved[0]) | self._in_a(1, moved[1])
        own = [self._own(at, shared) for at in (0, 1)]
        for feed, seats in zip(feeds, own, strict=True):
            feed.read_enrollments(WantedEnrollments(seats=[(place, user_of(user)) for place, user in seats]))
        self._touched = [changed[at] | own[at] | moved[at] for at in (0, 1)]
        self._ensure(self._touched)

    def _of_rematched(self, changed: Sequence[set[Seat]]) -> list[set[Seat]]:
        """Read the seats of users in one feed, and of places in one feed, that match otherwise; return them by feed."""
        by_user, by_place = self._feed_by_user(changed), 1
        users = {*self._records.rematched["users"][by_user]}
        sections, courses = (self._records.rematched[table][by_place] for table in ("sections", "courses"))
        feeds = self._records.feeds
        feeds[by_user].read_enrollments(WantedEnrollments(users=[user_of(one) for one in users]))
        feeds[by_place].read_enrollments(WantedEnrollments(sections=sections, courses=courses))
        places = {*(place_of(one, None) for one in sections), *(place_of(None, one) for one in courses)}
        found: list[set[Seat]] = [set(), set()]
        found[by_user] |= {seat for seat in self._seats_read(by_user) if seat[1] in users}
        found[by_place] |= {seat for seat in self._seats_read(by_place) if seat[0] in places}
        return found

    def _feed_by_user(self, changed: Sequence[set[Seat]]) -> int:
        """Return the feed in which all enrollments of a user are read: one whose users are found by an index, if there is one."""
        users = {*self._records.rematched["users"][0], *(user for _, user in changed[0])}
        return int({user_of(one)[0] for one in users} != {"user"})

    def _seats_read(self, side: int) -> Iterator[Seat]:
        return (seat for rows in self._records.feeds[side].both("enrollments") for seat in seats_of(rows))

    def _ensure(self, seats: Iterable[set[Seat]]) -> None:
        """Match the users and the places of seats of each side, then and now."""
        sides = list(seats)
        self._records.ensure_partners("users", _sides({user for _, user in side} for side in sides))
        for at, table in enumerate(("sections", "courses")):
            ids = _sides({one for place, _ in side if (one := place[at]) is not None} for side in sides)
            self._records.ensure_partners(table, ids)

    def _in_a(self, side: int, seats: Collection[Seat]) -> set[Seat]:
        """Return seats of one side as feed A has them, then and now; those that it does not have are left out."""
        if side == 0 or not seats:
            return set(seats)
        return {seat for ids in self._places_and_users() for seat in _mapped(ids, seats)}

    def _own(self, side: int, seats: Collection[Seat]) -> set[Seat]:
        """Return seats of feed A as one side has them, then and now."""
        if side == 0 or not seats:
            return set(seats)
        inverse = [
            ({a: b for b, a in places.items()}, {a: b for b, a in users.items()}) for places, users in self._places_and_users()
        ]
        return {seat for ids in inverse for seat in _mapped(ids, seats)}

    def _places_and_users(self) -> list[tuple[dict[Place, Place], dict[str, str]]]:
        """Return the places and the users of B that are matched, then and now: each with that of A."""
        pairs = self._records.before, self._records.now
        matched = [pair.ids[table] for pair in pairs for table in ("users", "sections", "courses")]
        if self._mapped is None or any(one is not other for one, other in zip(self._mapped[0], matched, strict=True)):
            self._mapped = matched, [_places_and_users(pair) for pair in pairs]
        return self._mapped[1]


def seats_of(rows: pa.Table) -> list[Seat]:
    """Return the place and the user of each enrollment."""
    places = map(place_of, text_values(rows, "section_id"), text_values(rows, "course_id"))
    return list(zip(places, record_ids(rows, "users").tolist(), strict=True))


def _sides(both: Iterable[set[str]]) -> Sides:
    a, b = both
    return a, b


def _places_and_users(pair: RosterPair) -> tuple[dict[Place, Place], dict[str, str]]:
    """Return the places and the users of B that are matched: each with that of A."""
    sections = {place_of(b, None): place_of(a, None) for b, a in ids_in_a(pair, "sections").items()}
    default = {place_of(None, b): place_of(None, a) for b, a in ids_in_a(pair, "courses").items()}
    return sections | default, ids_in_a(pair, "users")


def _mapped(ids: tuple[Mapping[Place, Place], Mapping[str, str]], seats: Iterable[Seat]) -> Iterator[Seat]:
    places, users = ids
    return ((places[place], users[user]) for place, user in seats if place in places and user in users)
