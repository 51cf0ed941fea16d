"""The enrollments of two feeds that may match otherwise than when they were compared last, then and now.

Enrollments match by place (section, or default section of a course) and user. So one of them matches otherwise only if an enrollment of the
other feed has the same place and user, then or now, and either of the two changed, or a place or a user matches otherwise. Of a user or a
section that matches otherwise it is enough to read all enrollments in one feed: each of the other feed's that it concerns shares place and
user with one of these.

Belongs here: that search. Users, sections and courses are matched by ``changed_records``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import pyarrow as pa

from roster_etl.engine.reconcile.outcomes import Sides
from roster_etl.engine.reconcile.rosters import RosterPair, ids_in_a, record_ids, user_of
from roster_etl.pipeline.reconciliation.changed_records import ChangedRecords
from roster_etl.pipeline.reconciliation.feed_records import text_values
from roster_etl.store.warehouse.roster_read import Place, WantedEnrollments, place_of

Seat = tuple[Place, str]
"""A place, as `place_of` has it, and a user, as `record_ids` has them."""


class ChangedEnrollments:
    """The enrollments that are touched by what changed."""

    def __init__(self, records: ChangedRecords) -> None:
        self._records = records
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
        whole = self._whole_side(changed[0])
        feeds[whole].read_enrollments(self._rematched(whole, self._own(whole, shared)))
        moved = self._of_rematched(whole)
        self._ensure([moved, set()] if whole == 0 else [set(), moved])
        shared |= self._in_a(whole, moved)
        other = 1 - whole
        feeds[other].read_enrollments(WantedEnrollments(seats=_as_wanted(self._own(other, shared))))
        self._touched = [changed[at] | self._own(at, shared) | (moved if at == whole else set()) for at in (0, 1)]
        self._ensure(self._touched)

    def _whole_side(self, changed: Iterable[Seat]) -> int:
        """Return in which feed all enrollments of a user or section are read: not in A, if those are found by user."""
        users = {*self._records.rematched["users"][0], *(user for _, user in changed)}
        return int({user_of(one)[0] for one in users} == {"user"})

    def _rematched(self, side: int, seats: Iterable[Seat]) -> WantedEnrollments:
        users, sections, courses = (self._records.rematched[table][side] for table in ("users", "sections", "courses"))
        return WantedEnrollments(
            users=[user_of(one) for one in users], sections=sections, courses=courses, seats=_as_wanted(seats)
        )

    def _of_rematched(self, side: int) -> set[Seat]:
        """Return the seats of users and places that match otherwise, of those that were read."""
        users, sections, courses = (self._records.rematched[table][side] for table in ("users", "sections", "courses"))
        places = {*(place_of(one, None) for one in sections), *(place_of(None, one) for one in courses)}
        seats = {seat for rows in self._records.feeds[side].both("enrollments") for seat in seats_of(rows)}
        return {(place, user) for place, user in seats if place in places or user in users}

    def _ensure(self, seats: Iterable[set[Seat]]) -> None:
        """Match the users and the places of seats of each side, then and now."""
        sides = list(seats)
        self._records.ensure("users", _sides({user for _, user in side} for side in sides))
        for at, table in enumerate(("sections", "courses")):
            self._records.ensure(table, _sides({one for place, _ in side if (one := place[at]) is not None} for side in sides))
        for table in ("users", "sections", "courses"):
            self._records.outcomes(table)

    def _in_a(self, side: int, seats: Collection[Seat]) -> set[Seat]:
        """Return seats of one side as feed A has them, then and now; those that it does not have are left out."""
        return set(seats) if side == 0 else {seat for pair in self._pairs for seat in _mapped(_places_and_users(pair), seats)}

    def _own(self, side: int, seats: Collection[Seat]) -> set[Seat]:
        """Return seats of feed A as one side has them, then and now."""
        if side == 0:
            return set(seats)
        both = (_places_and_users(pair) for pair in self._pairs)
        inverse = (({a: b for b, a in places.items()}, {a: b for b, a in users.items()}) for places, users in both)
        return {seat for ids in inverse for seat in _mapped(ids, seats)}

    @property
    def _pairs(self) -> tuple[RosterPair, RosterPair]:
        return self._records.before, self._records.now


def seats_of(rows: pa.Table) -> list[Seat]:
    """Return the place and the user of each enrollment."""
    places = map(place_of, text_values(rows, "section_id"), text_values(rows, "course_id"))
    return list(zip(places, record_ids(rows, "users").tolist(), strict=True))


def _as_wanted(seats: Iterable[Seat]) -> list[tuple[Place, tuple[str, str]]]:
    return [(place, user_of(user)) for place, user in seats]


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
