"""What imports changed, and the sums of the ledger, on both databases."""

from __future__ import annotations

import json

import pytest

from roster_etl.store.warehouse import ImportFile, UnknownImport, Warehouse
from tests.rosters import DISTRICT, SOURCE, begin, change, day, published, user, version_of


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def test_changes_come_in_the_order_of_keys_and_go_on_after_one(warehouse):
    names = ["b", "a", "Z", "ä", "10", "9"]
    number = published(warehouse, {"users": change("users", [user(name) for name in names])})

    whole = warehouse.ledger.changes_in(number, "users", after=None, limit=100)
    keys = [row["key"] for row in whole]
    assert keys == sorted(keys)
    assert {json.loads(key)["user_id"] for key in keys} == set(names)
    for place, row in enumerate(whole):
        assert (
            warehouse.ledger.changes_in(number, "users", after=(row["key"], row["change"]), limit=2)
            == whole[place + 1 : place + 3]
        )
    assert warehouse.ledger.changes_in(number, "sections", after=None, limit=2) == []


def test_a_deleted_record_says_why(warehouse):
    published(warehouse, {"users": change("users", [user("a"), user("b")])})
    gone = published(warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="a")])}, number=2)

    (row,) = warehouse.ledger.changes_in(gone, "users", after=None, limit=10)
    assert (row["change"], row["close_reason"]) == ("deleted", "absent")


def test_what_was_published_after_an_import_is_of_its_feed_alone(warehouse):
    first = published(warehouse, {})
    published(warehouse, {}, number=2, district="madison")
    held = begin(warehouse, 3)
    second, third = published(warehouse, {}, number=4), published(warehouse, {}, number=4)

    def after(number):
        return [row["import_id"] for row in warehouse.ledger.imports_published_after(DISTRICT, SOURCE, number)]

    assert (after(0), after(first), after(second), after(third)) == ([first, second, third], [second, third], [third], [])
    assert held not in after(0)
    with pytest.raises(UnknownImport):
        after(99)


def test_the_ledger_is_summed_by_feed_and_status(warehouse):
    files = [ImportFile(file=name, rows_read=10, rows_accepted=9, rows_rejected=1) for name in ("a.csv", "b.csv")]
    first = published(warehouse, {}, files=files)
    second = published(warehouse, {}, number=2)
    running = begin(warehouse, 3, "madison")

    (ours,) = warehouse.ledger.import_counts(DISTRICT)
    assert (ours["status"], ours["imports"], ours["import_id"], ours["finished_at"]) == ("published", 2, second, day(2))
    assert [row["district_id"] for row in warehouse.ledger.import_counts()] == [DISTRICT, "madison"]
    assert warehouse.ledger.row_counts([first, second]) == [
        {"import_id": first, "rows_read": 20, "rows_accepted": 18, "rows_rejected": 2}
    ]
    assert {row["import_id"]: row["finished_at"] for row in warehouse.ledger.import_times([second, running])} == {
        second: day(2),
        running: None,
    }
    assert [(row["import_id"], row["rows_read"]) for row in warehouse.ledger.history(second, 5)] == [(first, 20), (second, None)]
    assert [row["import_id"] for row in warehouse.ledger.history(second, 1)] == [second]
    assert [row["import_id"] for row in warehouse.ledger.imports_after(first, 10)] == [second, running]
