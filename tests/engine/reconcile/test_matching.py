"""A rule matches what it names once on each side, and nothing that it names twice."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from roster_etl.engine.reconcile.matching import Candidates, Matches, match

Values = list[str | None]


def side(values: Values) -> Candidates:
    return Candidates(positions=np.arange(len(values)), values=pa.array(values, pa.string()))


def matched(*rules: tuple[Values, Values]) -> Matches:
    named = [(f"rule{number}", lambda a=a, b=b: (side(a), side(b))) for number, (a, b) in enumerate(rules)]
    return match(len(rules[0][0]), len(rules[0][1]), named)


def pairs(found: Matches) -> set[tuple[int, int]]:
    return set(zip(found.a.tolist(), found.b.tolist(), strict=True))


def test_the_first_rule_that_names_one_on_each_side_matches() -> None:
    found = matched((["x", "y", None], ["y", "x", None]), (["m", "m", "n"], ["n", "m", "n"]))

    assert pairs(found) == {(0, 1), (1, 0), (2, 2)}
    assert found.by_rule == {"rule0": 2, "rule1": 1}


def test_what_a_rule_names_twice_is_ambiguous_and_no_later_rule_is_tried() -> None:
    found = matched((["x", "x", "y"], ["x", "y", None]), (["m", "n", "o"], ["m", "p", "n"]))

    assert pairs(found) == {(2, 1)}
    assert (found.ambiguous_a.tolist(), found.ambiguous_b.tolist()) == ([0, 1], [0])
    assert (found.only_a.tolist(), found.only_b.tolist()) == ([], [2])


def test_a_value_on_one_side_alone_names_nobody() -> None:
    found = matched((["x", "x"], ["y", None]), (["m", "n"], ["m", "n"]))

    assert pairs(found) == {(0, 0), (1, 1)}


def test_a_record_with_two_values_that_name_two_records_is_ambiguous() -> None:
    a = Candidates(positions=np.array([0, 0]), values=pa.array(["student 1", "other 1"]))
    b = Candidates(positions=np.array([0, 1]), values=pa.array(["student 1", "other 1"]))

    found = match(1, 2, [("number", lambda: (a, b))])

    assert (pairs(found), found.ambiguous_a.tolist(), found.ambiguous_b.tolist()) == (set(), [0], [0, 1])


VALUES = st.lists(st.sampled_from(["u", "v", "w", None]), min_size=1, max_size=5)


@given(VALUES, VALUES, VALUES, VALUES)
def test_every_record_has_one_outcome_and_the_order_of_rows_decides_nothing(
    a1: Values, b1: Values, a2: Values, b2: Values
) -> None:
    a2, b2 = (a2 * 5)[: len(a1)], (b2 * 5)[: len(b1)]
    found = matched((a1, b1), (a2, b2))

    assert sorted([*found.a, *found.ambiguous_a, *found.only_a]) == list(range(len(a1)))
    assert sorted([*found.b, *found.ambiguous_b, *found.only_b]) == list(range(len(b1)))
    order = list(reversed(range(len(a1))))
    turned = matched(([a1[i] for i in order], b1), ([a2[i] for i in order], b2))
    assert {(order[i], j) for i, j in pairs(turned)} == pairs(found)


def test_no_order_of_three_namesakes_matches_them() -> None:
    for values in permutations(["x", "x", "y"]):
        assert {values[i] for i in matched((list(values), ["x", "y"])).a.tolist()} == {"y"}
