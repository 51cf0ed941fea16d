"""A purge removes what the tables beside the roster say of one person, on either side of a pair, and nothing of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.canonical.reconciliation import FEED_DECISIONS, RECONCILIATION
from roster_etl.store.warehouse import Warehouse
from roster_etl.store.warehouse.purged_person import names_person, remove_decisions, remove_differences
from tests.rosters import DISTRICT, day

ANA, OTHER = {"user_kind": "student", "user_id": "7"}, {"user_kind": "student", "user_id": "77"}
TEACHER = {"user_kind": "teacher", "user_id": "7"}


@pytest.fixture
def connection(warehouse_url: str) -> Iterator[sa.Connection]:
    with Warehouse(warehouse_url) as opened, opened.write(directly=True) as tx:
        yield tx._connection


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (ANA, True),
        ({**ANA, "organization_id": "s1"}, True),
        (TEACHER, False),
        (OTHER, False),
        ({"observer_id": "7", "student_id": "1"}, True),
        ({"observer_id": "1", "student_id": "7"}, True),
        ({**OTHER, "associated_user_id": "7"}, True),
        ({"group_id": "7", "user_id": "1"}, False),
        ({"group_id": "1", "user_id": "7"}, True),
        (None, False),
    ],
)
def test_a_key_names_a_person_by_id_and_kind(key: dict[str, Any] | None, *, named: bool) -> None:
    assert names_person(key, "student", "7") == named


def decided(connection: sa.Connection) -> list[list[dict[str, Any]]]:
    rows = connection.execute(sa.select(FEED_DECISIONS.c.about).order_by(FEED_DECISIONS.c.decision_id))
    return [row[0] for row in rows]


@pytest.mark.parametrize("place", ["key_a", "key_b", "a", "b"])
def test_decisions_about_a_person_go_and_what_they_say_of_others_stays(connection: sa.Connection, place: str) -> None:
    other = "key_b" if place == "key_a" else "key_a"
    mine, theirs, colleague = {place: ANA, other: None}, {place: OTHER}, {place: TEACHER}
    about = [[mine], [theirs, mine], [theirs], [colleague]]
    for district in (DISTRICT, "madison"):
        rows = [
            {"district_id": district, "verb": "accept", "about": one, "decided_by": "A. Steward", "decided_at": day(1)}
            for one in about
        ]
        connection.execute(sa.insert(FEED_DECISIONS), rows)

    remove_decisions(connection, DISTRICT, "student", "7")

    assert decided(connection) == [[theirs], [theirs], [colleague], *about]


def test_differences_of_a_person_go_and_those_that_say_a_value_of_the_person_of_others(connection: sa.Connection) -> None:
    usual = {
        "district_id": DISTRICT, "source_a": "canvas", "source_b": "clever", "table_name": "users", "kind": "differs", "field": "email",
        "import_a": 1, "import_b": 2, "first_seen": day(1),
    }  # fmt: skip
    none: dict[str, Any] = {"key_a": None, "key_b": None, "value_a": None, "value_b": None}
    rows = {
        "a": {"key_a": ANA}, "b": {"key_b": ANA}, "teacher": {"key_a": TEACHER}, "other": {"key_a": OTHER, "key_b": OTHER},
        "said a": {"key_a": OTHER, "value_a": "Ana@Example.org"}, "said b": {"key_a": OTHER, "value_b": "ana@example.org"},
        "another column": {"key_a": OTHER, "value_b": "ana@example.org", "field": "title"},
        "another district": {"key_a": ANA, "district_id": "madison"},
    }  # fmt: skip
    connection.execute(
        sa.insert(RECONCILIATION), [{**usual, **none, "organization_id": name, **row} for name, row in rows.items()]
    )

    remove_differences(connection, DISTRICT, "student", "7", {"ana@example.org"}, [("users", "email")])

    left = connection.execute(sa.select(RECONCILIATION.c.organization_id).order_by(RECONCILIATION.c.difference_id))
    assert [row[0] for row in left] == ["teacher", "other", "another column", "another district"]
