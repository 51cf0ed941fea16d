"""One table while it is folded: what is kept, what is new, and what closes for which reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.working_table import WorkingTable, with_row_hash
from roster_etl.frames.arrow import CLOSE_REASON

COURSES = TABLES["courses"]
ROW = ("tomorrow.csv", 7)


def versions(**names: str) -> pa.Table:
    rows = [
        {"course_id": key, "name": name, "source_file": "today.csv", "source_row": at, "derived": "[]", "extensions": "{}"}
        for at, (key, name) in enumerate(names.items(), start=2)
    ]
    fields = [field for field in COURSES.full_schema if field.name != "row_hash"]
    return with_row_hash(COURSES, pa.Table.from_pylist(rows, schema=pa.schema(fields)))


def working(past: pa.Table | None = None, **names: str) -> WorkingTable:
    return WorkingTable(COURSES, versions(**names), past, {})


def result(table: WorkingTable) -> tuple[dict[str, tuple[Any, ...]], dict[str, str]]:
    """Return the rows to have (id → name, file, row), and the versions to close (id → reason)."""
    rows = table.mapped_table().to_pylist()
    kept = {r["course_id"]: (r["name"], r["source_file"], r["source_row"]) for r in rows if r[CLOSE_REASON] is None}
    return kept, {r["course_id"]: r[CLOSE_REASON] for r in rows if r[CLOSE_REASON] is not None}


def test_what_is_not_touched_stays_with_its_origin() -> None:
    assert result(working(a="A", b="B")) == ({"a": ("A", "today.csv", 2), "b": ("B", "today.csv", 3)}, {})


def test_a_change_has_the_origin_of_its_row_and_saying_the_same_again_is_none() -> None:
    table = working(a="A", b="B")
    table.upsert("a", {"name": "A"}, ROW)
    table.upsert("b", {"name": "New"}, ROW)

    assert result(table) == ({"a": ("A", "today.csv", 2), "b": ("New", *ROW)}, {})


def test_an_ended_record_closes_for_its_reason_unless_it_comes_back() -> None:
    table = working(a="A", b="B", c="C")
    table.end_record("a", "deleted", ROW)
    table.end_record("b", "diffed", ROW)
    table.end_record("c", "deleted", ROW)
    table.flush()
    table.upsert("c", {}, ROW)

    assert result(table) == ({"c": ("C", *ROW)}, {"a": "deleted", "b": "diffed"})


def test_a_record_that_is_gone_comes_back_with_its_values() -> None:
    table = working(past=versions(old="Old"))
    record = table.find("old")
    assert record is not None
    assert not record.alive

    table.upsert("old", {}, ROW)

    assert result(table) == ({"old": ("Old", *ROW)}, {})


def test_a_record_that_is_ended_before_it_ever_was_is_known_as_gone() -> None:
    table = working()
    table.end_record("never", "deleted", ROW)

    assert table.find_live("never") is None
    assert table.deleted_ids().to_pylist() == ["never"]
    assert result(table) == ({}, {})


def test_a_renamed_record_leaves_its_id_to_another() -> None:
    table = working(a="A")
    assert table.find("a") is not None
    table.rename_record("a", "b", ROW)
    table.upsert("a", {"name": "Other"}, ROW)

    assert result(table) == ({"b": ("A", *ROW), "a": ("Other", *ROW)}, {"a": "renamed"})


def test_ending_by_columns_and_one_by_one_go_together() -> None:
    table = working(a="A", b="B", c="C")
    table.upsert("b", {"name": "New"}, ROW)
    gone = table.end_rows(np.array([value == "A" for value in table.column("name").to_pylist()]), "cascade")
    table.end_record("b", "deleted", ROW)

    assert gone.column("course_id").to_pylist() == ["a"]
    assert result(table) == ({"c": ("C", "today.csv", 4)}, {"a": "cascade", "b": "deleted"})
