"""Match the records of two feeds by rules, each of which must name exactly one record on each side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.people import DECISION

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The values of one rule on one side: ``positions`` of records, and the text by which each is named. A record may have several.

    NULL names nobody.
    """

    positions: Positions
    values: pa.Array


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The records of two sides, by position: pairs with the rule of each; ambiguous ones; and those that the other side lacks.

    ``rule_of_a``, ``rule_of_b``: for each record the number of the rule that matched it or made it ambiguous, 0: a decision, -1: none.
    """

    a: Positions
    b: Positions
    rules: Sequence[str]
    by_rule: Mapping[str, int]
    ambiguous_a: Positions
    ambiguous_b: Positions
    only_a: Positions
    only_b: Positions
    rule_of_a: Positions
    rule_of_b: Positions


Rule = Callable[[], tuple[Candidates, Candidates]]


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a person decided: pairs of positions that are the same record, and pairs that are not."""

    same: Collection[tuple[int, int]] = ()
    apart: Collection[tuple[int, int]] = ()


def match(size_a: int, size_b: int, rules: Sequence[tuple[str, Rule]], decided: Decided | None = None) -> Matches:
    """Match `size_a` records with `size_b` others by `rules`, in their order, after what a person `decided`.

    A rule looks at the records that no rule before has matched. A value that names one record on each side matches them; one that
    names several on a side makes all of them ambiguous, and no later rule is tried for them. A pair that a person decided apart
    is not matched, and later rules are tried for both.
    """
    decided = decided or Decided()
    open_a, open_b = np.ones(size_a, dtype=bool), np.ones(size_b, dtype=bool)
    unclear_a, unclear_b = np.zeros(size_a, dtype=bool), np.zeros(size_b, dtype=bool)
    first = _decided_pairs(decided)
    open_a[first[0]], open_b[first[1]] = False, False
    by_a, by_b = np.where(open_a, -1, 0), np.where(open_b, -1, 0)
    pairs: list[tuple[Positions, Positions]] = [first]
    by_rule: dict[str, int] = {DECISION: len(first[0])} if len(first[0]) else {}
    names = [DECISION] * len(first[0])
    for number, (name, rule) in enumerate(rules, start=1):
        of_a, of_b = (_open_only(side, open_) for side, open_ in zip(rule(), (open_a, open_b), strict=True))
        one_a, one_b, many_a, many_b = _apply(of_a, of_b)
        one_a, one_b = _without(one_a, one_b, decided.apart)
        for positions, still_open, unclear in ((many_a, open_a, unclear_a), (many_b, open_b, unclear_b)):
            still_open[positions] = False
            unclear[positions] = True
        open_a[one_a], open_b[one_b] = False, False
        by_a[~open_a & (by_a < 0)], by_b[~open_b & (by_b < 0)] = number, number
        pairs.append((one_a, one_b))
        names += [name] * len(one_a)
        if len(one_a):
            by_rule[name] = len(one_a)
    empty = np.zeros(0, dtype=np.int64)
    return Matches(
        a=np.concatenate([empty, *(pair[0] for pair in pairs)]),
        b=np.concatenate([empty, *(pair[1] for pair in pairs)]),
        rules=names,
        by_rule=by_rule,
        ambiguous_a=np.flatnonzero(unclear_a),
        ambiguous_b=np.flatnonzero(unclear_b),
        only_a=np.flatnonzero(open_a),
        only_b=np.flatnonzero(open_b),
        rule_of_a=by_a,
        rule_of_b=by_b,
    )


def _decided_pairs(decided: Decided) -> tuple[Positions, Positions]:
    """Return the pairs that were decided the same, where they name each record once."""
    pairs = np.array(sorted(decided.same), dtype=np.int64).reshape(-1, 2)
    once = ~_repeated(pairs[:, 0]) & ~_repeated(pairs[:, 1])
    return pairs[once, 0], pairs[once, 1]


def _without(a: Positions, b: Positions, apart: Collection[tuple[int, int]]) -> tuple[Positions, Positions]:
    if not apart:
        return a, b
    stays = np.array([pair not in apart for pair in zip(a.tolist(), b.tolist(), strict=True)], dtype=bool)
    return a[stays], b[stays]


def _open_only(side: Candidates, is_open: npt.NDArray[np.bool_]) -> Candidates:
    chosen = is_open[side.positions] & side.values.is_valid().to_numpy(zero_copy_only=False)
    return Candidates(positions=side.positions[chosen], values=side.values.filter(pa.array(chosen)))


def _apply(a: Candidates, b: Candidates) -> tuple[Positions, Positions, Positions, Positions]:
    """Return the pairs that one rule names, and the positions on each side that it names among several."""
    encoded = pc.dictionary_encode(pa.concat_arrays([a.values, b.values]))
    codes, known = encoded.indices.to_numpy(), encoded.dictionary
    code_a, code_b = codes[: len(a.values)], codes[len(a.values) :]
    count_a, count_b = np.bincount(code_a, minlength=len(known)), np.bincount(code_b, minlength=len(known))
    both = (count_a > 0) & (count_b > 0)
    one = both & (count_a == 1) & (count_b == 1)
    at_a, at_b = np.zeros(len(known), dtype=np.int64), np.zeros(len(known), dtype=np.int64)
    at_a[code_a], at_b[code_b] = a.positions, b.positions
    pair_a, pair_b = at_a[one], at_b[one]
    twice = _repeated(pair_a) | _repeated(pair_b)  # a record with several values, which name different records
    many = both & ~one
    many_a = np.unique(np.concatenate([a.positions[many[code_a]], pair_a[twice]]))
    many_b = np.unique(np.concatenate([b.positions[many[code_b]], pair_b[twice]]))
    sure = ~twice & ~np.isin(pair_a, many_a) & ~np.isin(pair_b, many_b)
    return pair_a[sure], pair_b[sure], many_a, many_b


def _repeated(positions: Positions) -> npt.NDArray[np.bool_]:
    found, inverse, counts = np.unique(positions, return_inverse=True, return_counts=True)
    return counts[inverse] > 1 if len(found) else np.zeros(0, dtype=bool)
