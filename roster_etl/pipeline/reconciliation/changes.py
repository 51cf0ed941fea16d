"""Compare two feeds by what was published since they were compared last, with the same result as comparing all.

Belongs here: the differences, links and counts of the records that `ChangedRecords` finds; enrollments, which are matched last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roster_etl.canonical.references import referenced_table
from roster_etl.canonical.roster import TABLES, USER_KINDS
from roster_etl.engine.reconcile.matching import Matches, match
from roster_etl.engine.reconcile.outcomes import chosen_only
from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.engine.reconcile.rosters import (
    RULES,
    DecidedPeople,
    Difference,
    Names,
    Roster,
    RosterPair,
    User,
    differences_of,
    key_json,
    keys_json,
    matched_people,
    reconcile_rosters,
    record_ids,
    rule_of,
    user_of,
    user_text,
)
from roster_etl.pipeline.reconciliation.changed_enrollments import ChangedEnrollments
from roster_etl.pipeline.reconciliation.changed_records import WHOLE, ChangedRecords
from roster_etl.pipeline.reconciliation.feed_records import FeedRecords, text_values
from roster_etl.pipeline.reconciliation.lasting_matches import LastingMatches
from roster_etl.store.warehouse import SqlPeople, SqlReconciliation

Pair = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class ComparisonRules:
    """How two feeds are compared: table → rules, and table → columns."""

    pair: Pair
    rules: Names
    compared: Names


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of a comparison, of all records or of those that changes touch.

    ``named``: the pairs of users that rules name; ``a``, ``b``: the records that are current; ``by_rule``: table → rule → how many pairs it
    matches, or how many more than before. ``keys``: the touched records of A and of B, by table, current and former, as JSON; ``people``: the
    touched users. Both are None where all was compared.
    """

    differences: Sequence[Difference]
    named: Sequence[tuple[User, User, str]]
    a: Roster
    b: Roster
    by_rule: Mapping[str, Mapping[str, int]]
    keys: Mapping[str, tuple[Sequence[str], Sequence[str]]] | None = None
    people: frozenset[PersonRecord] | None = None

    @property
    def is_full(self) -> bool:
        """Whether all records were compared."""
        return self.keys is None


def compare_all(a: Roster, b: Roster, how: ComparisonRules, decided: DecidedPeople) -> Compared:
    """Compare two rosters as a whole."""
    results = list(reconcile_rosters(a, b, how.compared, how.rules, decided))
    return Compared(
        differences=[difference for result in results for difference in result.differences],
        named=next(result.people for result in results if result.table == "users"),
        a=a,
        b=b,
        by_rule={result.table: dict(result.by_rule) for result in results},
    )


def is_incremental(rules: Names) -> bool:
    """Return whether the rules of enrollments name section and user, so that a change can be followed to the enrollments it touches."""
    return all({"section", "user"} <= set(rule.split("+")) for rule in rules["enrollments"])


def compare_changes(
    session: SqlReconciliation,
    people: SqlPeople,
    how: ComparisonRules,
    decided: DecidedPeople,
    imports: Sequence[tuple[int, int]],
) -> Compared | None:
    """Compare the records that were touched since the last comparison.

    Args: imports: of A, and of B: the last import that was compared, and the newest one.

    Returns: None: all must be compared, since schools or terms match otherwise.
    """
    district_id, *sources = how.pair
    a, b = (FeedRecords(session, district_id, source, both) for source, both in zip(sources, imports, strict=True))
    also = _users_of_changed_ids(people, district_id, a), _users_of_changed_ids(people, district_id, b)
    lasting = LastingMatches(session, people, how.pair, how.rules)
    records = ChangedRecords((a, b), how.rules, how.compared, (decided, also), lasting)
    for table in RULES:
        if table == "enrollments":
            break
        records.find(table)
        if table in WHOLE and any(records.rematched[table]):
            return None
    return _ChangedRosters(records, how).result()


class _ChangedRosters:
    def __init__(self, records: ChangedRecords, how: ComparisonRules) -> None:
        self._records, self._how = records, how
        self._differences: list[Difference] = []
        self._keys: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
        self._by_rule: dict[str, Mapping[str, int]] = {}

    def result(self) -> Compared:
        enrollments = ChangedEnrollments(self._records)
        self._ensure_parents()
        named: Sequence[tuple[User, User, str]] = ()
        for table in RULES:
            if self._records.is_read(table):
                found = self._add_table(table)
                named = matched_people(self._records.now, found) if table == "users" else named
        self._add_enrollments(enrollments)
        pair, (a, b) = self._how.pair, self._records.touched["users"]
        users = [PersonRecord(source, *user_of(one)) for source, side in zip(pair[1:], (a, b), strict=True) for one in side]
        return Compared(
            differences=self._differences,
            keys=self._keys,
            a=self._records.now.a,
            b=self._records.now.b,
            named=named,
            people=frozenset(users),
            by_rule=self._by_rule,
        )

    def _add_table(self, table: str) -> Matches:
        """Add the differences of a table; return how its touched records match now."""
        records, touched = self._records, self._records.touched[table]
        before, now = records.outcomes(table)
        self._place(table)
        found = chosen_only(records.now, now, touched)
        self._differences += differences_of(records.now, table, found, self._how.compared.get(table, ()))
        self._by_rule[table] = _more(chosen_only(records.before, before, touched), found)
        a, b = (_keys(table, side) for side in touched)
        self._keys[table] = a, b
        return found

    def _place(self, table: str) -> None:
        """Put the roles of touched users into the rosters: a user's differences name the first school."""
        if table != "users":
            return
        pair, touched = self._records.now, self._records.touched[table]
        for side, feed, ids in zip((pair.a, pair.b), self._records.feeds, touched, strict=True):
            feed.read("user_roles", {"user_id": [user_of(one)[1] for one in ids]})
            side["user_roles"] = feed.now("user_roles")

    def _ensure_parents(self) -> None:
        """Match the records that those of B refer to in compared columns: their IDs are compared as A has them."""
        for table, names in self._how.compared.items():
            feed, touched = self._records.feeds[1], self._records.touched.get(table, (set(), set()))[1]
            for name in names:
                reference = referenced_table(table, name)
                if reference is None or reference[0] in WHOLE or reference[0] not in self._records.touched:
                    continue
                rows = feed.now(table)
                pairs = zip(record_ids(rows, table), text_values(rows, name), strict=True)
                self._records.ensure_partners(
                    reference[0], (set(), {value for one, value in pairs if value is not None and one in touched})
                )

    def _add_enrollments(self, enrollments: ChangedEnrollments) -> None:
        records, keys, found = self._records, (set[str](), set[str]()), list[Matches]()
        for time, pair in enumerate((records.before, records.now)):
            for at, side in enumerate((pair.a, pair.b)):
                side["enrollments"] = enrollments.rows(at, time)
                keys[at].update(keys_json(side["enrollments"], "enrollments"))
            found.append(_match_enrollments(pair, self._how.rules))
        compared = self._how.compared.get("enrollments", ())
        self._differences += differences_of(records.now, "enrollments", found[1], compared)
        self._by_rule["enrollments"] = _more(*found)
        self._keys["enrollments"] = sorted(keys[0]), sorted(keys[1])


def _match_enrollments(pair: RosterPair, rules: Names) -> Matches:
    ruled = [(name, rule_of(pair, "enrollments", name)) for name in rules["enrollments"]]
    return match(pair.a["enrollments"].num_rows, pair.b["enrollments"].num_rows, ruled)


def _more(before: Matches, now: Matches) -> dict[str, int]:
    counts = Counter(now.rules)
    counts.subtract(Counter(before.rules))
    return {rule: number for rule, number in sorted(counts.items()) if number}


def _keys(table: str, ids: set[str]) -> list[str]:
    key = TABLES[table].key
    if table == "users":
        return sorted(key_json(dict(zip(key, user_of(one), strict=True))) for one in ids)
    return sorted(key_json({key[0]: one}) for one in ids)


def _users_of_changed_ids(people: SqlPeople, district_id: str, feed: FeedRecords) -> set[str]:
    """Return the users whose person may have another ID: a change of their ID, or of one before, was approved or taken back."""
    rows = feed.changed("id_changes").to_pylist()
    ids = {row[name] for row in rows if row["entity"] == "users" for name in ("old_id", "new_id")}
    after: dict[str, set[str]] = {}
    for old, new, *_ in people.id_changes(district_id, feed.source) if ids else ():
        after.setdefault(old, set()).add(new)
    ahead = set(ids)
    while ahead:
        ahead = {new for one in ahead for new in after.get(one, ())} - ids
        ids |= ahead
    return {user_text((kind, one)) for one in ids for kind in USER_KINDS}
