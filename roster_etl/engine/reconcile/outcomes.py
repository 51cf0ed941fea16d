"""What became of single records of two feeds when they were matched: to compare two times, and to see what changed.

Belongs here: outcomes by ID. How records are matched is ``matching``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from roster_etl.engine.reconcile.matching import Matches, Positions, match
from roster_etl.engine.reconcile.rosters import DecidedPeople, Names, RosterPair, decided_positions, record_ids, rule_of

AMBIGUOUS = "\x1fambiguous"
Sides = tuple[set[str], set[str]]
"""IDs of records of feed A, and of feed B."""


class Outcome(NamedTuple):
    """The number of the rule (0: a decision, -1: none) that matched a record or made it ambiguous, and its partner or `AMBIGUOUS`."""

    rule: int
    partner: str | None


@dataclass(frozen=True, kw_only=True)
class TableOutcomes:
    """How the records of one table match. ``a``, ``b``: ID → outcome, for each side."""

    table: str
    found: Matches
    a: Mapping[str, Outcome]
    b: Mapping[str, Outcome]

    @property
    def sides(self) -> tuple[Mapping[str, Outcome], Mapping[str, Outcome]]:
        """The outcomes of both sides."""
        return self.a, self.b

    def partners(self, ids: Sides) -> Sides:
        """Return the records that those with `ids` are matched with: of A, and of B."""
        of_a, of_b = (
            {found.partner for one in some if (found := side.get(one)) and found.partner not in (None, AMBIGUOUS)}
            for some, side in zip(ids, self.sides, strict=True)
        )
        return {one for one in of_b if one}, {one for one in of_a if one}


def table_outcomes(pair: RosterPair, table: str, rules: Names, decided: DecidedPeople | None = None) -> TableOutcomes:
    """Match the records of one table, and set the ``ids`` of the pair. The tables before it must have been matched."""
    known = decided_positions(pair, decided) if table == "users" and decided else None
    ruled = [(name, rule_of(pair, table, name)) for name in rules[table]]
    found = match(pair.a[table].num_rows, pair.b[table].num_rows, ruled, known)
    ids = record_ids(pair.a[table], table), record_ids(pair.b[table], table)
    pair.ids[table] = pd.Series(ids[0][found.a], index=ids[1][found.b])
    a = dict(zip(ids[0], (Outcome(int(rule), None) for rule in found.rule_of_a), strict=True))
    b = dict(zip(ids[1], (Outcome(int(rule), None) for rule in found.rule_of_b), strict=True))
    for side, own, at in ((a, ids[0], found.ambiguous_a), (b, ids[1], found.ambiguous_b)):
        side |= {one: Outcome(side[one].rule, AMBIGUOUS) for one in own[at]}
    for one, other in zip(ids[0][found.a], ids[1][found.b], strict=True):
        a[one], b[other] = Outcome(a[one].rule, other), Outcome(b[other].rule, one)
    return TableOutcomes(table=table, found=found, a=a, b=b)


def differing(before: TableOutcomes, now: TableOutcomes, ids: Sides) -> Sides:
    """Return which of `ids` had another outcome before."""
    a, b = (
        {one for one in some if then.get(one) != since.get(one)}
        for some, then, since in zip(ids, before.sides, now.sides, strict=True)
    )
    return a, b


def rematched(before: TableOutcomes, now: TableOutcomes, ids: Sides) -> Sides:
    """Return which of `ids` had another partner before, or none, or have none now."""
    none = Outcome(-1, None)
    a, b = (
        {one for one in some if _partner(then.get(one, none)) != _partner(since.get(one, none))}
        for some, then, since in zip(ids, before.sides, now.sides, strict=True)
    )
    return a, b


def _partner(outcome: Outcome) -> str | None:
    return None if outcome.partner == AMBIGUOUS else outcome.partner


def only(found: Matches, is_a: Positions, is_b: Positions) -> Matches:
    """Return the matches of chosen records: of pairs with one of them, and of the records that have no partner.

    Args: is_a, is_b: a truth value for each record.
    """
    pairs = is_a[found.a].astype(bool) | is_b[found.b].astype(bool)
    rules = [rule for rule, chosen in zip(found.rules, pairs, strict=True) if chosen]
    a, b = is_a.astype(bool), is_b.astype(bool)
    return Matches(
        a=found.a[pairs],
        b=found.b[pairs],
        rules=rules,
        by_rule=Counter(rules),
        ambiguous_a=found.ambiguous_a[a[found.ambiguous_a]],
        ambiguous_b=found.ambiguous_b[b[found.ambiguous_b]],
        only_a=found.only_a[a[found.only_a]],
        only_b=found.only_b[b[found.only_b]],
        rule_of_a=found.rule_of_a,
        rule_of_b=found.rule_of_b,
    )


def chosen_only(pair: RosterPair, outcomes: TableOutcomes, ids: Sides) -> Matches:
    """Return the matches of the records with `ids`."""
    sides = ((pair.a, ids[0]), (pair.b, ids[1]))
    is_a, is_b = (_is_in(record_ids(side[outcomes.table], outcomes.table), some) for side, some in sides)
    return only(outcomes.found, is_a, is_b)


def _is_in(ids: np.ndarray, some: Collection[str]) -> Positions:
    return np.fromiter((one in some for one in ids), dtype=np.int64, count=len(ids))
