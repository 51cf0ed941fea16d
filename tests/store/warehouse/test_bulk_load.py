"""Rows travel in batches, with the types of the roster whatever the first batch has, and a result takes the memory of its rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.roster import TABLES
from roster_etl.store.warehouse import Warehouse, bulk_load
from roster_etl.store.warehouse.roster_read import select_column
from tests.rosters import DISTRICT, change, published, user

SIZE = 5


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_batches_are_the_rows_of_one_fetch_also_where_the_first_ones_are_null(warehouse_url, rows):
    people = [user(f"{number}", first_name='a "b",\n' if number == SIZE - 1 else None) for number in range(SIZE)]
    schema = pa.schema([TABLES["users"].arrow_schema.field("user_id"), TABLES["users"].arrow_schema.field("first_name")])
    schema = pa.schema([*schema, pa.field("version_id", pa.int64()), pa.field("valid_from", pa.timestamp("us", tz="UTC"))])
    with Warehouse(warehouse_url) as warehouse:
        published(warehouse, {"users": change("users", people)})
        with warehouse.read() as session, session.ledger._connect() as connection:
            history = history_table("users")
            chosen = [select_column(connection, history.c[field.name], field.type) for field in schema]
            query = sa.select(*chosen).where(history.c.district_id == DISTRICT).order_by(history.c.version_id)
            batches = list(bulk_load.fetch_batches(connection, query, schema, rows=rows))
            whole = bulk_load.fetch(connection, query, schema)

    assert pa.Table.from_batches(batches, schema=schema) == whole
    assert whole.num_rows == SIZE
    assert max(batch.num_rows for batch in batches) <= (rows if warehouse_url.startswith("sqlite") else SIZE)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the system does not tell how many addresses a process has reserved"
)
def test_a_result_reserves_the_memory_of_its_rows_and_not_that_of_the_largest_one(tmp_path):
    names = [f"column_{number}" for number in range(20)]
    query = sa.select(*(sa.literal("value").label(name) for name in names))
    schema = pa.schema([(name, pa.string()) for name in names])
    with Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite") as warehouse:
        with warehouse.read() as session, session.ledger._connect() as connection:
            before = _reserved_mb()
            results = [bulk_load.fetch(connection, query, schema) for _ in range(3)]
            reserved = _reserved_mb() - before

    assert [result.to_pylist() for result in results] == [[dict.fromkeys(names, "value")]] * 3
    assert reserved < 1000  # 9,600 where each column keeps the room that the driver reserved


def _reserved_mb() -> int:
    return int(Path("/proc/self/statm").read_text("utf-8").split()[0]) * 4096 >> 20


def test_the_cache_of_sqlite_grows_by_index_entries_and_back(tmp_path):
    with Warehouse(f"sqlite:///{tmp_path / 'warehouse.sqlite'}") as warehouse:
        warehouse.migrate()
        with warehouse.reading() as connection:
            sizes = []
            for entries in (1_000_000, 0):
                bulk_load.fit_cache(connection, entries)
                sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar())

    assert sizes == [-(64 * 1024 + 62_500), -64 * 1024]
