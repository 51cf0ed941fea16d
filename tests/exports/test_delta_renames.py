"""An id that changed is said in a file of its own, where the record is in both rosters."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.delta_renames import renamed_records, say_renames
from roster_etl.exports.export_tables import ExportTables
from roster_etl.vendors.canvas.export import EXPORT

FILE = EXPORT.renames


def roster(users: list[str], changes: list[tuple[str, str]], times: dict[tuple[str, str], int] | None = None) -> ExportTables:
    schema = pa.schema([*TABLES["users"].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
    people = pa.Table.from_pylist([{"user_kind": "user", "user_id": user} for user in users], schema=schema)
    schema = pa.schema([*TABLES["id_changes"].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
    rows = [
        {"entity": "users", "old_id": old, "new_id": new, "extensions": f'{{"times": {times[old, new]}}}' if times else None}
        for old, new in changes
    ]
    tables = {"users": people, "id_changes": pa.Table.from_pylist(rows, schema=schema)}
    return ExportTables(
        tables=tables, district_id="d", district_name="D", zone="UTC", moment=datetime(2026, 9, 1, tzinfo=UTC), options={}
    )


@pytest.mark.parametrize(
    ("before", "now", "changes", "said"),
    [
        (["a", "b"], ["a2", "b"], [("a", "a2")], {"a": "a2"}),
        (["a"], ["a3"], [("a", "a2"), ("a2", "a3")], {"a": "a3"}),  # twice since
        (["b"], ["a2", "b"], [("a", "a2")], {}),  # it was not there before
        (["a", "a2"], ["a2"], [("a", "a2")], {}),  # the new id was in use
        (["a"], ["a"], [("a", "a2"), ("a2", "a")], {}),  # and back again
    ],
)
def test_only_records_of_both_rosters_are_said(before, now, changes, said):
    found = renamed_records(roster(before, []), roster(now, changes), FILE)

    assert found == ({"users": said} if said else {})


def test_a_change_that_was_said_before_is_not_said_again_unless_it_was_made_again():
    known = {("a", "a2"): 1}
    assert renamed_records(roster(["a2"], [*known], known), roster(["a2"], [*known], known), FILE) == {}

    again = {("a", "a2"): 2}
    found = renamed_records(roster(["a"], [*known], known), roster(["a2"], [*again], again), FILE)

    assert found == {"users": {"a": "a2"}}


@pytest.mark.parametrize(
    ("before", "known", "now", "changes", "said"),
    [
        (["a2"], [("a", "a2")], ["a"], [], {"a2": "a"}),
        (["a3"], [("a", "a2"), ("a2", "a3")], ["a"], [], {"a3": "a"}),  # two changes were undone
        (["a2"], [("a", "a2")], ["a3"], [("a", "a3")], {"a2": "a3"}),  # and another was made then
        (["a2"], [("a", "a2")], ["a", "a2"], [], {}),  # another record has the id now
        (["a2"], [("a", "a2")], ["a", "b"], [("a2", "b")], {}),  # had it, and has another
        (["a2", "x"], [("a", "a2")], ["a", "b"], [("x", "a2"), ("a2", "b")], {}),
        (["a3", "a2"], [("a", "a2"), ("a2", "a3"), ("b", "a2")], ["a", "b"], [], {}),  # two had it, one after the other
    ],
)
def test_a_change_that_was_undone_is_said_back_where_no_other_record_had_the_id(before, known, now, changes, said):
    found = renamed_records(roster(before, known), roster(now, changes), FILE)

    assert found == ({"users": said} if said else {})


def test_the_earlier_roster_gets_the_ids_of_now_and_no_loss_is_counted():
    before, now = roster(["a", "b"], []), roster(["a2", "b"], [("a", "a2")])
    say_renames(before, now, {"users": {"a": "a2"}})

    assert before.col("users", "user_id").to_pylist() == ["a2", "b"]
    assert before.losses.document() == []
    assert now.table("id_changes").num_rows == 0
