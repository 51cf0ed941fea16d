"""Which records of two feeds may match otherwise than when they were compared last, and how they match then and now.

A rule matches only where one record on each side has a value, so a record that changes can part two others, or bring them together. Two
facts keep that small. Whether a rule names a record depends on the records that share its value, and on what the rules before made of
those: so reading backwards, from the last rule to the first, all that share a value gives exact outcomes for some records. And an outcome
can change only if a record that shares a value did: so the records around each change are looked at, until none has another outcome.

Belongs here: that search. How records are read is ``feed_records``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa

from roster_etl.canonical.references import referenced_table
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.outcomes import Sides, TableOutcomes, differing, rematched, table_outcomes
from roster_etl.engine.reconcile.rosters import (
    HELPERS,
    WITHIN_SCHOOL,
    DecidedPeople,
    Ids,
    Names,
    RosterPair,
    ids_in_a,
    record_ids,
    user_of,
    user_text,
)
from roster_etl.pipeline.reconciliation.feed_records import FeedRecords, Value, unique_texts
from roster_etl.pipeline.reconciliation.lasting_matches import LastingMatches

WHOLE = ("organizations", "terms")
"""Tables of few records, which are read and compared as a whole."""
_UNSURE = "user"
"""The kind of user that does not say whether somebody is a student."""


class ChangedRecords:
    """The records of two feeds around what changed, table by table, parents first."""

    def __init__(
        self,
        feeds: tuple[FeedRecords, FeedRecords],
        rules: Names,
        compared: Names,
        people: tuple[DecidedPeople, Sides],
        lasting: LastingMatches,
    ) -> None:
        """Args: people: what stewards decided, and users who are looked at whatever changed."""
        self.feeds, self._rules, self._compared, self._lasting = feeds, rules, compared, lasting
        decided, self._also = people
        self._decided = decided
        self._neighbours = _decided_neighbours(decided)
        self.before, self.now = RosterPair({}, {}), RosterPair({}, {})
        self._outcomes: dict[str, tuple[TableOutcomes, TableOutcomes]] = {}
        self._matched: dict[str, tuple[Ids, Ids]] = {}
        self._stale: set[str] = set()
        self._exact: dict[str, Sides] = {}
        self._sizes: dict[str, list[int]] = {}
        self.touched: dict[str, Sides] = {}
        self.rematched: dict[str, Sides] = {}

    def find(self, table: str) -> None:
        """Find the records of a table with another content, outcome or parent: `touched`; with another partner: `rematched`."""
        if table in WHOLE:
            for feed in self.feeds:
                feed.read_all(table)
        changed = joined(self._changed(table), self._referring(table, self.rematched))
        self.touched[table] = self.rematched[table] = set(), set()
        if table not in WHOLE and not any(changed):
            return
        touched = self._settle(table, changed)
        before, now = self.outcomes(table)
        if table == "organizations":
            self.feeds[1].schools = ids_in_a(self.now, table)
        self.rematched[table] = rematched(before, now, touched)
        own = self._referring(table, {table: self.rematched[table]})
        if not _within(own, touched):
            touched = self._settle(table, joined(touched, own))
            before, now = self.outcomes(table)
        self.touched[table] = joined(touched, joined(before.partners(touched), now.partners(touched)))

    def ensure_partners(self, table: str, ids: Sides) -> None:
        """Have `ids` of both pairs say with which record each with `ids` is matched, then and now. All `touched` must have been found."""
        exact = self._exact.get(table, (set(), set()))
        self._lasting.look_up(table, (ids[0] - exact[0], ids[1] - exact[1]), self.touched[table])
        known = self._lasting.of(table)
        self.ensure(table, (ids[0] - known[0].keys(), ids[1] - known[1].keys()))
        self.outcomes(table)
        for pair, matched in zip((self.before, self.now), self._matched[table], strict=True):
            pair.ids[table] = self._lasting.added_to(table, matched)

    def ensure(self, table: str, ids: Sides) -> None:
        """Read what decides how records with `ids` match, then and now."""
        exact = self._exact.get(table, (set(), set()))
        if not _within(ids, exact) or not self.is_read(table):
            self._close(table, (ids[0] - exact[0], ids[1] - exact[1]))
            self._exact[table] = joined(exact, ids)
            self._stale.add(table)

    def is_read(self, table: str) -> bool:
        """Return whether records of a table were read."""
        return table in self._outcomes or table in self._stale

    def outcomes(self, table: str) -> tuple[TableOutcomes, TableOutcomes]:
        """Return how what was read of a table matched then, and matches now. The outcomes of ensured records are exact."""
        sizes = [feed.now(table).num_rows for feed in self.feeds]
        if table in self._stale or sizes != self._sizes[table]:  # courses are also read for their sections
            self._match(table)
            self._stale.discard(table)
            self._sizes[table] = sizes
        return self._outcomes[table]

    # ---- what changed

    def _changed(self, table: str) -> Sides:
        a, b = (set(record_ids(feed.changed(table), table)) for feed in self.feeds)
        if table == "users":
            for feed, side, also in zip(self.feeds, (a, b), self._also, strict=True):
                side.update(_users_of_changed_roles(feed), also)
        if table == "sections":  # the number of its course is part of a rule
            for feed, side in zip(self.feeds, (a, b), strict=True):
                courses = set(record_ids(feed.changed("courses"), "courses"))
                side.update(_found(feed, table, "course_id", courses))
        return a, b

    def _referring(self, table: str, moved: Mapping[str, Sides]) -> Sides:
        """Return the records that refer, in a compared column, to records that match otherwise."""
        found: Sides = (set(), set())
        for column in self._compared.get(table, ()):
            reference = referenced_table(table, column)
            if reference is None or reference[0] not in moved:
                continue
            for feed, side, ids in zip(self.feeds, found, moved[reference[0]], strict=True):
                side.update(_found(feed, table, column, ids))
        return found

    def _settle(self, table: str, changed: Sides) -> Sides:
        """Return `changed` with all records that have another outcome because of them."""
        around = fresh = changed
        while True:
            around = joined(around, self._sharing(table, fresh))
            self.ensure(table, around)
            a, b = differing(*self.outcomes(table), around)
            fresh = a - changed[0], b - changed[1]
            if not any(fresh):
                return changed
            changed = joined(changed, fresh)

    # ---- records that share values

    def _close(self, table: str, ids: Sides) -> None:
        """Read all records that the outcomes of those with `ids` depend on."""
        self._read_sharing(table, ids)
        layer = ids
        for rule in reversed(self._rules[table]):
            layer = joined(layer, self._sharing_rule(table, rule, layer))
        if table == "users":
            self._read_ids(table, self._decided_with(layer))

    def _sharing(self, table: str, ids: Sides) -> Sides:
        """Return the records that share a value of any rule, or a decision, with those with `ids`."""
        self._read_sharing(table, ids)
        found: Sides = (set(), set())
        for rule in self._rules[table]:
            found = joined(found, self._sharing_rule(table, rule, ids))
        return joined(found, self._decided_with(ids)) if table == "users" else found

    def _read_sharing(self, table: str, ids: Sides) -> None:
        """Read the records with `ids`, and those that share a value of any rule with them, at once."""
        self._read_ids(table, ids)
        if table in WHOLE:
            return
        columns_of = [columns for columns in map(_columns_of(table), self._rules[table]) if columns]
        wanted = {columns: self._values(table, columns, ids) for columns in columns_of}
        for feed in self.feeds:
            feed.read_sharing(table, wanted)

    def _sharing_rule(self, table: str, rule: str, ids: Sides) -> Sides:
        columns = _columns_of(table)(rule)
        if not columns or table in WHOLE:
            for feed in self.feeds:
                feed.read_all(table)
            a, b = ({str(one) for rows in feed.both(table) for one in record_ids(rows, table)} for feed in self.feeds)
            return a, b
        values = self._values(table, columns, ids)
        for feed in self.feeds:
            feed.read_sharing(table, {columns: values})
        if "course_number" in columns:
            self._read_courses()
        a, b = (feed.having(table, columns, values) for feed in self.feeds)
        return a, b

    def _values(self, table: str, columns: tuple[str, ...], ids: Sides) -> set[Value]:
        """Return the values, then and now, of the records with `ids`."""
        found: set[Value] = set()
        if "course_number" in columns:
            self._read_courses()
        for feed, some in zip(self.feeds, ids, strict=True):
            found |= feed.values_of(table, columns, some)
        return found

    def _decided_with(self, ids: Sides) -> Sides:
        """Return the users whom decisions join with those with `ids`, directly or through others."""
        found, ahead = set(), {(at, one) for at, side in enumerate(ids) for one in side}
        while ahead:
            found |= ahead
            ahead = {other for one in ahead for other in self._neighbours.get(one, ())} - found
        return {one for at, one in found if at == 0}, {one for at, one in found if at == 1}

    def _read_ids(self, table: str, ids: Sides) -> Sides:
        for feed, some in zip(self.feeds, ids, strict=True):
            feed.read(table, {TABLES[table].key[-1]: _plain(table, some)})
        return ids

    # ---- matching

    def _match(self, table: str) -> None:
        if table == "users":
            self._read_roles()
        if table == "sections":
            self._read_courses()
        self._outcomes[table] = (self._match_at(self.before, table, 0), self._match_at(self.now, table, 1))
        self._matched[table] = self.before.ids[table], self.now.ids[table]

    def _match_at(self, pair: RosterPair, table: str, time: int) -> TableOutcomes:
        for feed, side in zip(self.feeds, (pair.a, pair.b), strict=True):
            side |= {name: (feed.before(name), feed.now(name))[time] for name in (table, "courses")}
            if table == "users":
                side |= {name: feed.roles(name)[time] for name in ("user_roles", "enrollments")}
        return table_outcomes(pair, table, self._rules, self._decided)

    def _read_courses(self) -> None:
        """Read the courses of the sections that were read."""
        for feed in self.feeds:
            courses = {course for rows in feed.both("sections") for course in unique_texts(rows, "course_id")}
            feed.read("courses", {"course_id": courses})

    def _read_roles(self) -> None:
        for feed in self.feeds:
            users = (user_of(str(one)) for rows in feed.both("users") for one in record_ids(rows, "users"))
            feed.read_roles(user_id for kind, user_id in users if kind == _UNSURE)


def _found(feed: FeedRecords, table: str, column: str, values: set[str]) -> set[str]:
    """Read the records that have one of `values` in a column, and return them, current and former ones."""
    feed.read(table, {column: values})
    return feed.having(table, (column,), {(value,) for value in values})


def _columns_of(table: str) -> Callable[[str], tuple[str, ...]]:
    """Return which columns of a rule two records must share to be named by it, the one by which they are found first; none: all are read."""
    types = TABLES[table].arrow_schema

    def columns(rule: str) -> tuple[str, ...]:
        names = rule.split("+")
        texts = [name for name in names if name not in HELPERS.get(table, ()) and pa.types.is_string(types.field(name).type)]
        if table == "sections" and "course_number" in names:
            texts.insert(0, "course_number")
        within = ["school"] if texts and table in WITHIN_SCHOOL and names != [TABLES[table].key[-1]] else []
        return (*texts[:1], *within, *texts[1:])

    return columns


def _users_of_changed_roles(feed: FeedRecords) -> set[str]:
    """Return the users of unsure kind whose roles or enrollments changed."""
    found = (one for name in ("user_roles", "enrollments") for one in record_ids(feed.changed(name), "users"))
    return {str(one) for one in found if user_of(str(one))[0] == _UNSURE}


def _decided_neighbours(decided: DecidedPeople) -> Mapping[tuple[int, str], Sequence[tuple[int, str]]]:
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for pair in (*decided.same, *decided.apart):
        one, other = ((at, user_text(user)) for at, user in enumerate(pair))
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return found


def _plain(table: str, ids: Iterable[str]) -> set[str]:
    """Return IDs as the column has them: a user's without the kind."""
    return {user_of(one)[1] for one in ids} if table == "users" else set(ids)


def joined(one: Sides, other: Sides) -> Sides:
    """Return the records that are in one or in the other."""
    return one[0] | other[0], one[1] | other[1]


def _within(one: Sides, other: Sides) -> bool:
    return one[0] <= other[0] and one[1] <= other[1]
