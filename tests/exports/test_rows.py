"""Rows of several tables are put together with the columns that their file needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rows import left_join, qualified
from roster_etl.exports.rules.classes import primary_is_first
from roster_etl.exports.rules.people import _different_rows


def work_with(**tables: list[dict[str, Any]]) -> ExportTables:
    schemas = {
        name: pa.schema([*table.arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
        for name, table in TABLES.items()
    }
    made = {name: pa.Table.from_pylist(tables.get(name, []), schema=schema) for name, schema in schemas.items()}
    return ExportTables(made, "d", "D", "UTC", datetime(2026, 9, 1, tzinfo=UTC), {}, extension_prefixes={"users": "ext."})


def test_a_join_has_the_columns_that_are_asked_for_and_a_null_where_nothing_is_found():
    work = work_with(
        sections=[{"section_id": "s", "course_id": "c", "name": "Art", "number": "1"}],
        enrollments=[
            {"section_id": "s", "user_id": "a"},
            {"section_id": None, "user_id": "b"},
            {"section_id": "x", "user_id": "c"},
        ],
    )
    rows = qualified(work, "enrollments")
    some = left_join(work, rows, ("enrollments.section_id",), "sections", ("section_id",), only=("name",))
    whole = left_join(work, rows, ("enrollments.section_id",), "sections", ("section_id",))

    assert some.column_names == [*rows.column_names, "sections.name"]
    assert some.column("sections.name").to_pylist() == whole.column("sections.name").to_pylist() == ["Art", None, None]


CELLS = [
    '{"ext.a": "1", "Ext.b": "2", "own": "3"}',
    None,
    '{"ext.a": ""}',
    '{"own": "ext.c"}',
    '{"ext.a": "1", "Ext.b": "2", "own": "3"}',
]


@pytest.mark.parametrize(
    ("name", "values"),
    [("ext.a", ["1", None, "", None, "1"]), ("Ext.b", ["2", None, None, None, "2"]), ("own", ["3", None, None, "ext.c", "3"]), ("ext.c", [None] * 5)],
)  # fmt: skip
def test_an_extra_column_has_the_value_of_each_record(name: str, values: list[str | None]):
    work = work_with(users=[{"user_id": str(number), "extensions": cell} for number, cell in enumerate(CELLS)])

    assert work.extension_names("users") == ["Ext.b", "ext.a"]
    assert work.extension("users", name).to_pylist() == values


def test_extra_columns_are_those_of_the_records_that_are_left():
    work = work_with(users=[{"user_id": str(number), "extensions": cell} for number, cell in enumerate(CELLS)])
    before = work.extension("users", "ext.a").to_pylist()
    work.tables["users"] = work.table("users").slice(1, 3)

    assert before == ["1", None, "", None, "1"]
    assert work.extension("users", "ext.a").to_pylist() == [None, "", None]
    assert work.extension_names("users") == ["ext.a"]


@pytest.mark.parametrize("others", [True, False, None])
def test_the_first_teacher_is_the_primary_one_and_others_are_what_the_reader_makes_of_them(others: bool | None):
    work = work_with(enrollments=[{"user_id": user} for user in "abc"])
    rows = work.table("enrollments")
    work.tables["enrollments"] = rows.append_column("_place", pa.array([2, 0, 1], pa.int64()))
    primary_is_first(others=others)(work)

    assert work.col("enrollments", "is_primary").to_pylist() == [others, None, True]


@pytest.mark.parametrize(("numbers", "count"), [([], 0), ([4, 4, 0], 2), ([None, 7, None], 2), ([None], 1)])
def test_rows_without_a_number_count_as_one(numbers: list[int | None], count: int):
    assert _different_rows(pa.array(numbers, pa.int64())) == count
