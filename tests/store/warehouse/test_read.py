"""The roster read back: what is current, what was known, and every version of a record."""

import pyarrow as pa
import pytest

from roster_etl.canonical import TABLES
from roster_etl.store.warehouse import Warehouse
from roster_etl.store.warehouse.read import current_schema
from tests.rosters import DISTRICT, SOURCE, change, day, enrollment, published, user, version_of


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def test_current_is_what_a_plan_needs_of_each_current_version(warehouse):
    published(
        warehouse, {"enrollments": change("enrollments", [enrollment("a", None, row_hash="0000000000000005"), enrollment("b")])}
    )
    published(warehouse, {"enrollments": change("enrollments", [enrollment("x")])}, district="madison")
    published(
        warehouse, {"enrollments": change("enrollments", gone=[version_of(warehouse, "enrollments", user_id="b")])}, number=2
    )

    current = warehouse.current(DISTRICT, SOURCE, "enrollments")
    assert current.schema == current_schema(TABLES["enrollments"])
    assert warehouse.count_current(DISTRICT, SOURCE, "enrollments") == 1
    (row,) = current.drop(["version_id"]).to_pylist()
    assert row == {
        "course_id": "c1", "section_id": None, "user_kind": "student", "user_id": "a", "role": "student",
        "associated_user_id": None, "organization_id": None, "source_file": "enrollments.csv", "row_hash": "0000000000000005",
    }  # fmt: skip


def test_an_empty_table_has_its_schema(warehouse):
    for name, table in TABLES.items():
        assert warehouse.current(DISTRICT, SOURCE, name) == current_schema(table).empty_table()
        assert warehouse.as_of(day(1), name, DISTRICT) == table.full_schema.empty_table()


def test_versions_are_returned_whole_by_number(warehouse):
    published(warehouse, {"users": change("users", [user(name, first_name=name.upper()) for name in "abc"])})
    wanted = [version_of(warehouse, "users", user_id=name) for name in "ca"]

    found = warehouse.versions("users", pa.array(wanted))
    assert found.schema == TABLES["users"].full_schema
    assert [(row["first_name"], row["source"]) for row in found.to_pylist()] == [("A", SOURCE), ("C", SOURCE)]
    assert warehouse.versions("users", pa.array([], pa.int64())).num_rows == 0


def test_as_of_tells_what_was_known_then(warehouse):
    published(warehouse, {"users": change("users", [user("a", last_name="Old"), user("b")])}, number=2)
    gone = [version_of(warehouse, "users", user_id=name) for name in "ab"]
    published(warehouse, {"users": change("users", [user("a", last_name="New")], gone, "changed")}, number=4)

    def known(number):
        return [(row["user_id"], row["last_name"]) for row in warehouse.as_of(day(number), "users", DISTRICT).to_pylist()]

    assert known(1) == []
    assert known(2) == known(3) == [("a", "Old"), ("b", None)]
    assert known(4) == [("a", "New")]
    assert warehouse.as_of(day(4), "users", DISTRICT, "canvas").num_rows == 0


def test_a_trace_takes_part_of_a_key_and_null(warehouse):
    rows = [enrollment("a", None), enrollment("a", "50%_'s"), enrollment("b", None)]
    published(warehouse, {"enrollments": change("enrollments", rows)})

    def traced(**key):
        found = warehouse.trace("enrollments", key, DISTRICT, SOURCE).to_pylist()
        return sorted((row["user_id"], row["section_id"] or "") for row in found)

    assert traced(user_id="a") == [("a", ""), ("a", "50%_'s")]
    assert traced(section_id=None) == [("a", ""), ("b", "")]
    assert traced(section_id="50%_'s", course_id="c1") == [("a", "50%_'s")]
    assert traced(user_id="A") == []
    with pytest.raises(KeyError, match="status"):
        traced(status="active")


def test_ids_are_told_apart_by_every_character(warehouse):
    published(warehouse, {"users": change("users", [user(name) for name in ("007", "7", "7.0", "a", "A", "Null", "é")])})

    for name in ("007", "7", "7.0", "a", "A", "Null", "é"):
        assert [row["user_id"] for row in warehouse.trace("users", {"user_id": name}, DISTRICT).to_pylist()] == [name]


def test_more_rows_than_one_batch_keep_their_types(warehouse):
    rows = [enrollment(f"{number:05}", None if number < 4000 else "s") for number in range(5000)]
    published(warehouse, {"enrollments": change("enrollments", rows)})

    assert warehouse.current(DISTRICT, SOURCE, "enrollments")["section_id"].null_count == 4000
    assert warehouse.trace("enrollments", {"course_id": "c1"}, DISTRICT)["section_id"].null_count == 4000


def test_of_what_is_gone_the_last_version_is_found_by_whole_keys(warehouse):
    """Records with NULL in their keys, a record that came back, and other districts."""
    rows = [enrollment("a", None), enrollment("b"), enrollment("c")]
    published(warehouse, {"enrollments": change("enrollments", rows)})
    published(warehouse, {"enrollments": change("enrollments", [enrollment("z")])}, district="madison")
    gone = [version_of(warehouse, "enrollments", user_id=name) for name in "abc"]
    published(warehouse, {"enrollments": change("enrollments", gone=gone, reason="deleted")}, number=2)
    published(warehouse, {"enrollments": change("enrollments", [enrollment("b")])}, number=3)

    found = warehouse.last_of_the_gone(DISTRICT, SOURCE, "enrollments")
    assert found.schema == TABLES["enrollments"].full_schema
    assert sorted((row["user_id"], row["section_id"], row["close_reason"]) for row in found.to_pylist()) == [
        ("a", None, "deleted"),
        ("c", "s1", "deleted"),
    ]


def test_a_record_that_changed_and_went_is_found_as_it_was_last(warehouse):
    published(warehouse, {"users": change("users", [user("a", first_name="Old")])})
    old = version_of(warehouse, "users", user_id="a")
    published(warehouse, {"users": change("users", [user("a", first_name="New")], gone=[old], reason="changed")}, number=2)
    published(
        warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="a")], reason="deleted")}, number=3
    )

    assert [row["first_name"] for row in warehouse.last_of_the_gone(DISTRICT, SOURCE, "users").to_pylist()] == ["New"]
