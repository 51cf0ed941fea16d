"""Links between users read back, and when users were known first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.canonical.people import PERSON_LINKS
from roster_etl.store.warehouse import Warehouse
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, change, day, end, published, user, version_of

A, B = ("canvas", "user", "a"), ("clever", "student", "a")


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    with Warehouse(warehouse_url) as opened:
        yield opened


def test_a_user_is_known_since_the_first_of_all_versions(warehouse: Warehouse) -> None:
    """Of former versions the earliest counts, whether or not the user is current."""
    first = published(warehouse, {"users": change("users", [user("a"), user("gone")])}, 1)
    for number in (2, 3):
        versions = [version_of(warehouse, "users", user_id=name) for name in ("a", "gone")]
        rows = [user(name, first_name=f"F{number}") for name in ("a", "gone")]
        published(warehouse, {"users": change("users", rows, versions, "changed")}, number)
    published(warehouse, {"users": change("users", [user("new")], [version_of(warehouse, "users", user_id="gone")])}, 4)
    wanted = [("clever", "student", name) for name in ("a", "gone", "new", "never")]

    with warehouse.read_people() as session:
        found = session.first_imports(DISTRICT, wanted)
        current = session.current_users(DISTRICT, wanted)

    assert found == dict(zip(wanted, (first, first, first + 3), strict=False))
    assert current == {wanted[0], wanted[2]}


@pytest.mark.parametrize(
    ("change_of_link", "found"),
    [
        ({}, True),
        ({"verdict": "contradiction", "person_id": None}, True),
        ({"rule": "decision"}, False),
        ({"user_id_b": "gone"}, False),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_pairs_that_a_rule_linked_are_found_by_either_user(
    warehouse: Warehouse, side: int, change_of_link: dict[str, Any], *, found: bool
) -> None:
    """Both must be current, and a steward's link says nothing of rules."""
    for source, kind in (("canvas", "user"), ("clever", "student")):
        import_id = in_transaction(warehouse).open_import(
            kind="upload", district_id=DISTRICT, source=source, upload_id=source, started_at=day(1)
        )
        users = change("users", [{**user(name), "user_kind": kind} for name in ("a", "gone")])
        in_transaction(warehouse).publish(end(import_id), {"users": users}, None)
    published(warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="gone")])}, 2)
    names = ("source", "user_kind", "user_id")
    link = {f"{name}_{at}": text for at, record in (("a", A), ("b", B)) for name, text in zip(names, record, strict=True)}
    link |= {"person_id": "p", "verdict": "same", "rule": "email", "decided_by": None, "reason": None, **change_of_link}
    with warehouse.write(directly=True) as tx:
        tx.people.add_links(DISTRICT, [{**link, "valid_from": day(1), "valid_from_import": 2}])

    with warehouse.read_people() as session:
        pairs = session.ruled_pairs(DISTRICT, ("canvas", "clever"), side, [(A, B)[side][1:], ("student", "b")])

    assert pairs == ([(A[1:], (B[1], link["user_id_b"]))] if found else [])


def test_a_link_that_is_closed_says_when_by_which_import_and_why(warehouse: Warehouse) -> None:
    published(warehouse, {"users": change("users", [user("a")])})
    link = {
        "source_a": "canvas",
        "user_kind_a": "user",
        "user_id_a": "a",
        "source_b": "clever",
        "user_kind_b": "student",
        "user_id_b": "a",
    }
    link |= {"person_id": "p", "verdict": "same", "rule": "email", "decided_by": None, "reason": None}
    with warehouse.write(directly=True) as tx:
        tx.people.add_links(DISTRICT, [{**link, "valid_from": day(1), "valid_from_import": 1} for _ in range(2)])
    columns = PERSON_LINKS.c
    order = sa.select(columns.link_id, columns.valid_to, columns.valid_to_import, columns.close_reason).order_by(columns.link_id)
    with warehouse.write(directly=True) as tx:
        first, second = (row[0] for row in tx._connection.execute(order))
        tx.people.close_links([first], "superseded", day(2), 1)

        closed, open_ = tx._connection.execute(order)
        assert tuple(closed) == (first, day(2), 1, "superseded")
        assert tuple(open_) == (second, None, None, None)
