"""Which losses refuse a strict export, and how they are summed."""

from __future__ import annotations

from roster_etl.exports.losses import Losses


def counted() -> Losses:
    losses = Losses()
    losses.add("row_left_out", "no_home", 2, table="users")
    losses.add("row_left_out", "left_out", 40, table="users")
    losses.add("value_changed", "too_long", 3, table="users", column="email")
    losses.add("value_made_up", "synthetic", 5, table="terms")
    losses.add("column_left_out", "no_home", 100, table="users", column="title")
    losses.add("rows_joined", "several_values", 7, table="user_roles")
    losses.add("row_left_out", "no_home", 0, table="courses")
    return losses


def test_rows_left_out_values_changed_and_made_up_refuse_a_strict_export_but_not_what_was_asked_for():
    assert counted().strict_count() == 2 + 3 + 5


def test_losses_are_summed_by_table_column_and_kind_and_nothing_is_no_entry():
    losses = counted()

    assert losses.count(table="users") == 2 + 40 + 3 + 100
    assert losses.count(column="email") == 3
    assert losses.count(kinds=frozenset({"row_left_out"})) == 42
    assert {entry["table"] for entry in losses.document()} == {"users", "terms", "user_roles"}
    assert [entry["kind"] for entry in losses.document()][:3] == ["column_left_out", "row_left_out", "row_left_out"]
