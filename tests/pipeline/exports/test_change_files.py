"""The change feed as Parquet: partitions, what a second call writes, and that DuckDB reads what the feed says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import fsspec
import pyarrow.parquet as pq
import pytest

from roster_etl.pipeline.exports.change_files import CHANGES_SCHEMA, BadChangeCursor, write_change_files
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.change_feed import BadCursor, changes_page
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor

WHO = ("lincoln", "clever")
PLACE = "district_id=lincoln/source=clever"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home in which two days of lincoln were imported."""
    folder = tmp_path_factory.mktemp("changes")
    write_sample(vendor("clever"), folder / "a", students=30, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    for day in ("a", "b"):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(folder / day)))
    return workspace


def feed(workspace: Workspace) -> list[tuple[object, ...]]:
    """Return every change as the feed has it, without the key."""
    page = changes_page(workspace, *WHO, since=0, after=None, limit=100_000)
    return sorted((c["import_id"], c["table"], c["change"], c["reason"] or "") for c in page.changes)


@pytest.mark.parametrize("scheme", ["path", "file"])
def test_duckdb_reads_every_change_by_partition(workspace, tmp_path, scheme):
    to = str(tmp_path / "lake") if scheme == "path" else f"file://{tmp_path}/lake"

    written = write_change_files(workspace, *WHO, to)
    files = f"{tmp_path}/lake/**/*.parquet"
    rows = duckdb.sql(
        f"SELECT import_id, table_name, change, coalesce(close_reason, '') FROM read_parquet('{files}', hive_partitioning = true)"
    ).fetchall()
    who = duckdb.sql(f"SELECT DISTINCT district_id, source FROM read_parquet('{files}', hive_partitioning = true)").fetchall()

    assert sorted(rows) == feed(workspace)
    assert who == [WHO]
    assert (list(written.imports), sum(written.imports.values()), written.since) == ([1, 2], len(rows), 2)


def test_a_second_call_writes_only_what_is_new(workspace, tmp_path):
    first = write_change_files(workspace, *WHO, str(tmp_path))
    (tmp_path / PLACE / "import_id=1/changes.parquet").unlink()
    again = write_change_files(workspace, *WHO, str(tmp_path))
    whole = write_change_files(workspace, *WHO, str(tmp_path), since=0)

    assert (dict(again.imports), again.since) == ({}, 2)
    assert whole.imports == first.imports
    assert (tmp_path / PLACE / "import_id=1/changes.parquet").exists()


def test_an_object_store_gets_one_object_an_import_and_the_cursor_last(workspace):
    store = fsspec.filesystem("memory")
    write_change_files(workspace, *WHO, "memory://lake", since=1)

    assert sorted(store.find("/lake")) == [f"/lake/{PLACE}/_cursor.json", f"/lake/{PLACE}/import_id=2/changes.parquet"]
    with store.open(f"/lake/{PLACE}/import_id=2/changes.parquet") as file:
        table = pq.read_table(file)
    assert table.schema.equals(CHANGES_SCHEMA)
    assert table.num_rows > 0
    store.rm("/lake", recursive=True)


def test_many_changes_are_written_in_batches_without_a_loss(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("roster_etl.pipeline.exports.change_files._ROWS_AT_ONCE", 7)
    written = write_change_files(workspace, *WHO, str(tmp_path))

    assert sum(written.imports.values()) == len(feed(workspace))
    assert pq.read_metadata(tmp_path / PLACE / "import_id=1/changes.parquet").num_row_groups > 5


def test_a_cursor_that_is_damaged_or_of_another_feed_is_refused(workspace, tmp_path):
    folder = tmp_path / PLACE
    folder.mkdir(parents=True)
    (folder / "_cursor.json").write_text("{}", "utf-8")
    with pytest.raises(BadChangeCursor, match="write everything again with --since 0"):
        write_change_files(workspace, *WHO, str(tmp_path))
    with pytest.raises(BadCursor):
        write_change_files(workspace, "lincoln", "canvas", str(tmp_path), since=1)
    assert [path.name for path in Path(folder).iterdir()] == ["_cursor.json"]


def test_a_file_has_the_columns_of_the_view_of_changes_and_when_each_was_published(workspace, tmp_path):
    write_change_files(workspace, *WHO, str(tmp_path))
    table = pq.read_table(tmp_path / PLACE / "import_id=2/changes.parquet", partitioning=None)

    assert table.column_names == ["published_at", "table_name", "key", "change", "close_reason"]
    ended = workspace.warehouse.ledger.import_(2)["finished_at"]
    assert {abs((at - ended).total_seconds()) < 60 for at in table.column("published_at").unique().to_pylist()} == {True}
