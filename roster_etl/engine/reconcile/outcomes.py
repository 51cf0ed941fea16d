"""What became of single records of two feeds when they were matched: to compare two times, and to see what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roster_etl.engine.reconcile.matching import Matches, Positions, match
from roster_etl.engine.reconcile.rosters import (
    DecidedPeople,
    Names,
    RosterPair,
    decided_positions,
    matched_ids,
    record_ids,
    rule_of,
)

AMBIGUOUS = ""
"""The partner of an ambiguous record; no record has an empty ID."""
Sides = tuple[set[str], set[str]]
"""IDs of records of feed A, and of feed B."""
Outcome = tuple[int, str | None]
"""The number of the rule (0: a decision, -1: none) that matched a record or made it ambiguous, and its partner or `AMBIGUOUS`."""
NO_OUTCOME: Outcome = (-1, None)


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
            {partner for one in some if (partner := partner_of(side.get(one, NO_OUTCOME)))}
            for some, side in zip(ids, self.sides, strict=True)
        )
        return of_b, of_a


def table_outcomes(pair: RosterPair, table: str, rules: Names, decided: DecidedPeople | None = None) -> TableOutcomes:
    """Match the records of one table, and set the ``ids`` of the pair. The tables before it must have been matched."""
    known = decided_positions(pair, decided) if table == "users" and decided else None
    ruled = [(name, rule_of(pair, table, name)) for name in rules[table]]
    found = match(pair.a[table].num_rows, pair.b[table].num_rows, ruled, known)
    a, b = record_ids(pair.a[table], table), record_ids(pair.b[table], table)
    pair.ids[table] = matched_ids(pair, table, found)
    of_a = _outcomes(a, found.rule_of_a, found.ambiguous_a, (found.a, b[found.b]))
    of_b = _outcomes(b, found.rule_of_b, found.ambiguous_b, (found.b, a[found.a]))
    return TableOutcomes(table=table, found=found, a=of_a, b=of_b)


def _outcomes(
    ids: npt.NDArray[Any], rules: Positions, ambiguous: Positions, matched: tuple[Positions, npt.NDArray[Any]]
) -> dict[str, Outcome]:
    """Return the outcome of each record of one side. Args: matched: the positions of those with a partner, and the partners."""
    partners = np.full(len(ids), None, dtype=object)
    partners[ambiguous] = AMBIGUOUS
    partners[matched[0]] = matched[1]
    return dict(zip(ids.tolist(), zip(rules.tolist(), partners.tolist(), strict=True), strict=True))


def differing(before: TableOutcomes, now: TableOutcomes, ids: Sides) -> Sides:
    """Return which of `ids` had another outcome before."""
    a, b = (
        {one for one in some if then.get(one) != since.get(one)}
        for some, then, since in zip(ids, before.sides, now.sides, strict=True)
    )
    return a, b


def rematched(before: TableOutcomes, now: TableOutcomes, ids: Sides) -> Sides:
    """Return which of `ids` had another partner before, or none, or have none now."""
    a, b = (
        {one for one in some if partner_of(then.get(one, NO_OUTCOME)) != partner_of(since.get(one, NO_OUTCOME))}
        for some, then, since in zip(ids, before.sides, now.sides, strict=True)
    )
    return a, b


def partner_of(outcome: Outcome) -> str | None:
    """Return the ID of the record's partner; None: it has none, or several."""
    return outcome[1] or None


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
