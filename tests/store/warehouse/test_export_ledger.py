"""The roster of an export has every value, whichever columns the first rows of a table have nothing in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pytest

from roster_etl.canonical import TABLES
from roster_etl.store.warehouse import Warehouse, export_ledger
from tests.rosters import DISTRICT, SOURCE, change, day, published, user


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def collected(batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Sequence[str]) -> pa.Table:
    """Put batches together in the order of some columns."""
    return pa.Table.from_batches(list(batches), schema=schema).sort_by([(name, "ascending") for name in order])


@pytest.mark.parametrize("moment", [None, day(1)])
@pytest.mark.parametrize(
    "late",
    [{}, {"title": "Dr"}, {"email": "z@example.org", "pronouns": "they"}, {"extensions": '{"a": "b"}'}, {"derived": '["title"]'}],
)
def test_a_column_that_is_empty_at_first_is_read_with_its_values(warehouse, late, moment, monkeypatch):
    monkeypatch.setattr(export_ledger, "_BEGINNING", 2)
    published(warehouse, {"users": change("users", [user(name, first_name=name) for name in "abcd"] + [user("z", **late)])})

    with warehouse.read() as session:
        order = ("user_kind", "user_id", "version_id")
        found = session.ledger.export_rows(DISTRICT, SOURCE, "users", moment, order=order, collect=collected)

    assert found.column_names == [*TABLES["users"].names, "derived", "extensions"]
    assert found.select([*TABLES["users"].names]).schema == TABLES["users"].arrow_schema
    rows = found.to_pylist()
    assert [row["user_id"] for row in rows] == [*"abcdz"]
    assert [row["first_name"] for row in rows] == [*"abcd", None]
    given = [
        {name: value for name, value in row.items() if value is not None and name not in ("user_kind", "user_id", "first_name")}
        for row in rows
    ]
    assert given == [given[0]] * 4 + [given[0] | late]


def test_no_rows_have_all_columns(warehouse):
    with warehouse.read() as session:
        for name, table in TABLES.items():
            found = session.ledger.export_rows(DISTRICT, SOURCE, name, None, collect=collected)

            assert found.num_rows == 0
            assert found.column_names == [*table.names, "derived", "extensions"]
