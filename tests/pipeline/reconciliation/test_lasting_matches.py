"""Matches that are looked up: only of records that nothing touched, and only where links or IDs tell them."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa

from roster_etl.engine.reconcile.rosters import RULES, Ids, user_text
from roster_etl.pipeline.reconciliation.lasting_matches import LastingMatches
from roster_etl.store.warehouse import SqlPeople, SqlReconciliation

PAIR = ("lincoln", "canvas", "clever")


class Stored:
    """What a warehouse would say: IDs that both feeds have, and pairs of users whom a rule linked."""

    def ids_in_feeds(self, district_id: str, sources: list[str], name: str, ids: pa.Array) -> pa.Array:
        return ids

    def ruled_pairs(self, district_id: str, sources: tuple[str, str], side: int, users: list[Any]) -> list[Any]:
        pairs = [(("user", one), ("student", one)) for one in ("1", "2", "3")]
        return [pair for pair in pairs if pair[side] in users]


def lasting(**rules: tuple[str, ...]) -> LastingMatches:
    stored = Stored()
    return LastingMatches(cast("SqlReconciliation", stored), cast("SqlPeople", stored), PAIR, {**RULES, **rules})


def test_neither_side_of_a_match_may_be_touched() -> None:
    found = lasting()
    a, b = ([user_text((kind, one)) for one in ("1", "2", "3")] for kind in ("user", "student"))
    found.look_up("users", (set(a), set(b[2:])), ({a[0]}, {b[1], b[2]}))
    assert found.of("users") == ({}, {})
    found.look_up("users", (set(), set(b)), ({a[0]}, set()))
    assert found.of("users") == ({a[1]: b[1], a[2]: b[2]}, {b[1]: a[1], b[2]: a[2]})


def test_an_id_says_what_matches_where_it_is_the_first_rule() -> None:
    for rules, known in (({}, {"s": "s"}), ({"sections": ("number", "section_id")}, {}), ({"sections": ()}, {})):
        found = lasting(**rules)
        found.look_up("sections", ({"s"}, {"t"}), (set(), {"t"}))
        assert found.of("sections") == (known, known)


def test_what_was_looked_up_is_believed_before_what_was_matched_of_a_part() -> None:
    found = lasting()
    found.look_up("courses", ({"c", "d"}, set()), (set(), set()))
    both = found.added_to("courses", Ids(in_b=pa.array(["c", "x", "y"]), in_a=pa.array(["z", "d", "y"])))

    assert dict(zip(both.in_b.to_pylist(), both.in_a.to_pylist(), strict=True)) == {"c": "c", "d": "d", "y": "y"}
    assert len(both.in_b) == 3
