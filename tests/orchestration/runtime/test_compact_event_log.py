"""The compact event log: the same events, a fraction of the bytes; what was written before stays readable."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime import event_statements, tested_dagster
from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteEventLog, CompactSqliteStorage, compress, decompress
from roster_etl.orchestration.runtime.dagster_storage import describe_storage
from roster_etl.orchestration.runtime.event_log_pool import pooled_connections
from roster_etl.orchestration.runtime.home_config import ensure_config

TABLE = dg.AssetKey(["roster", "users"])


@dg.asset(key=TABLE, check_specs=[dg.AssetCheckSpec("suite", asset=TABLE)])
def users():
    """Materialize a table, with metadata and a check."""
    check = dg.AssetCheckResult(check_name="suite", passed=True, metadata={"expectations": 2})
    return dg.MaterializeResult(metadata={"dagster/row_count": 12, "look closer": "roster-etl show 1"}, check_results=[check])


def materialized(instance: dg.DagsterInstance) -> str:
    return dg.materialize([users], instance=instance).run_id


def stored(home: Path, run_id: str) -> list[object]:
    with sqlite3.connect(home / "history" / "runs" / f"{run_id}.db") as database:
        return [event for (event,) in database.execute("SELECT event FROM event_logs")]


def test_a_text_comes_back_as_it_was() -> None:
    for text in ("", "{}", "Zoë\n" * 1000, '{"__class__": "EventLogEntry"}'):
        assert decompress(compress(text)) == text
    assert (
        len(compress('{"__class__": "EventLogEntry", "dagster_event": {"__class__": "DagsterEvent", "event_specific_data": '))
        < 20
    )


@pytest.mark.parametrize("content", [b"", b"\x09abc", b"\x01\xff\xff\xff"])
def test_what_a_later_version_wrote_is_an_error_that_says_so(content: bytes) -> None:
    with pytest.raises(ValueError, match="later version of roster_etl, or is damaged"):
        decompress(content)


def test_a_run_is_stored_in_a_fraction_and_read_in_full(tmp_path: Path) -> None:
    with home_instance(tmp_path) as instance:
        assert type(instance.event_log_storage) is CompactSqliteEventLog
        run_id = materialized(instance)
        events = stored(tmp_path, run_id)
        assert {type(event) for event in events} == {bytes}
        texts = [decompress(event) for event in events if isinstance(event, bytes)]
        assert sum(map(len, events)) < sum(map(len, texts)) / 4

        logs = instance.all_logs(run_id)
        assert len(logs) == len(events)
        latest = instance.get_latest_materialization_event(TABLE)
        assert latest is not None
        assert latest.asset_materialization is not None
        assert latest.asset_materialization.metadata["dagster/row_count"].value == 12
        (check,) = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(TABLE, "suite"), limit=5)
        assert check.event is not None
        assert check.event.asset_check_evaluation is not None
        assert check.event.asset_check_evaluation.metadata["expectations"].value == 2
    assert describe_storage(tmp_path) == "SQLite in the home, 1 runs"
    assert (tmp_path / "history" / "runs" / f"{run_id}.db").stat().st_size < 60_000


def test_runs_of_before_are_read_and_new_ones_written_beside_them(tmp_path: Path) -> None:
    plain = ensure_config(tmp_path)
    settings = yaml.safe_load(plain.read_text())
    plain.write_text(yaml.safe_dump({name: value for name, value in settings.items() if name != "storage"}))
    with home_instance(tmp_path) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        earlier = materialized(instance)
    plain.write_text(yaml.safe_dump(settings))

    with home_instance(tmp_path) as instance:
        later = materialized(instance)
        assert len(instance.all_logs(earlier)) == len(instance.all_logs(later)) > 5
        records = instance.fetch_materializations(TABLE, limit=5).records
        assert [record.run_id for record in records] == [later, earlier]
        instance.delete_run(later)
        assert instance.all_logs(later) == []


def test_text_that_dagster_itself_stored_is_read_as_it_is(tmp_path: Path) -> None:
    with home_instance(tmp_path) as instance:
        run_id = materialized(instance)
    path = tmp_path / "history" / "runs" / f"{run_id}.db"
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT id, event FROM event_logs").fetchall()
        database.executemany("UPDATE event_logs SET event = ? WHERE id = ?", [(decompress(event), row) for row, event in rows])

    with home_instance(tmp_path) as instance:
        assert len(instance.all_logs(run_id)) == len(rows)


# ---- statements that are built once


LINCOLN = dg.StaticPartitionsDefinition(["lincoln", "adams"])


@dg.asset(key=TABLE, partitions_def=LINCOLN, check_specs=[dg.AssetCheckSpec("suite", asset=TABLE, partitions_def=LINCOLN)])
def rows():
    """Materialize one partition of a table, with a check."""
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="suite", passed=True)])


@dg.asset(partitions_def=LINCOLN, deps=[TABLE])
def plan():
    """Depend on the table, so that its data version is looked up."""
    return dg.MaterializeResult(metadata={"rows": 3})


def events_of_all_kinds(home: Path) -> list[EventLogEntry]:
    """Return the events of two runs with checks, and those of an asset and a check that no run reports."""
    with home_instance(home) as instance, pytest.MonkeyPatch.context() as patch:
        kept: list[EventLogEntry] = []
        row = CompactSqliteEventLog._event_to_row
        patch.setattr(CompactSqliteEventLog, "_event_to_row", lambda log, event: (kept.append(event), row(log, event))[1])
        with pooled_connections(instance):
            for _ in range(2):
                dg.materialize([rows, plan], instance=instance, partition_key="lincoln")
        tags = {DATA_VERSION_TAG: "7"}
        instance.report_runless_asset_event(dg.AssetMaterialization(TABLE, partition="adams", tags=tags))
        instance.report_runless_asset_event(dg.AssetObservation(TABLE, partition="adams", tags=tags))
        instance.report_runless_asset_event(dg.AssetCheckEvaluation(TABLE, "suite", passed=False, metadata={}))
    unplanned = [event for event in kept if event.dagster_event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION][:1]
    return [*kept, *(event._replace(run_id="another-run") for event in unplanned)]


_MADE = ("create_timestamp", "migration_completed")


def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all tables of the event log in `folder`, by file and table, but for the times at which rows were made."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with sqlite3.connect(path) as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [f'"{row[1]}"' for row in database.execute(f"PRAGMA table_info({name})") if row[1] not in _MADE]
                found[f"{path.name} {name}"] = database.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
    return found


def test_what_is_stored_is_what_dagster_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = events_of_all_kinds(tmp_path / "home")
    assert {kind for event in events if (kind := event.dagster_event_type)} >= {
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_OBSERVATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        dg.DagsterEventType.RUN_SUCCESS,
    }
    ours, theirs = (CompactSqliteEventLog(str(tmp_path / name)) for name in ("ours", "theirs"))
    for event in events:
        ours.store_event(event)
    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")
    for event in events:
        theirs.store_event(event)

    stored = tables(tmp_path / "ours")
    assert stored == tables(tmp_path / "theirs")
    assert {type(event) for _, _, event, *_ in stored["index.db event_logs"]} == {bytes}
    assert len(stored["index.db asset_check_executions"]) == 4
    assert len(stored["index.db asset_keys"]) == 2


def test_events_of_a_batch_are_stored_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = events_of_all_kinds(tmp_path / "home")
    runs = [[event for event in events if event.run_id == run] for run in dict.fromkeys(event.run_id for event in events)]
    one, batched = (CompactSqliteEventLog(str(tmp_path / name)) for name in ("one", "batched"))
    for run in runs:
        for event in run:
            one.store_event(event)
    connected: list[str] = []
    connect = CompactSqliteEventLog._connect
    monkeypatch.setattr(CompactSqliteEventLog, "_connect", lambda log, shard: (connected.append(shard), connect(log, shard))[1])
    batched.store_event_batch(runs[0])
    assert len(runs[0]) > 10 * connected.count(str(runs[0][0].run_id)) > 0
    for run in runs[1:]:
        batched.store_event_batch(run)

    assert tables(tmp_path / "one") == tables(tmp_path / "batched")


def test_a_batch_that_the_database_rejects_is_stored_one_by_one_and_no_statement_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    insert, failed = event_statements.insert_event, []

    def locked_once(connection: sa.Connection, row: tuple[object, ...]) -> int:
        if not failed:
            failed.append(row)
            connection.exec_driver_sql("INSERT INTO nothing VALUES ('quoted')")
        return insert(connection, row)

    monkeypatch.setattr(event_statements, "insert_event", locked_once)
    with home_instance(tmp_path) as instance:
        job = dg.Definitions([users], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
        run = instance.create_run_for_job(job)
        kinds = [event.dagster_event_type for event in instance.all_logs(run.run_id)]

    planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    assert sorted(kinds) == sorted(planned)
    assert failed
    assert "the database rejects them together" in (said := capsys.readouterr().err)
    assert "INSERT" not in said


def test_what_a_run_has_materialized_is_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def watched(name: str) -> Callable[..., Any]:
        own = getattr(SqliteEventLogStorage, name)
        return lambda *args, **kwargs: (asked.append(name), own(*args, **kwargs))[1]

    queries = ("fetch_materializations", "get_latest_tags_by_partition", "_get_latest_materialization_records")
    for name in queries:
        monkeypatch.setattr(SqliteEventLogStorage, name, watched(name))
    with home_instance(tmp_path) as instance:
        dg.materialize([rows, plan], instance=instance, partition_key="lincoln")
        assert set(asked) == set(queries)
        asked.clear()
        with pooled_connections(instance):
            dg.materialize([rows, plan], instance=instance, partition_key="lincoln")
            assert asked == []
        own, later = (instance.fetch_materializations(key, limit=1).records[0] for key in (TABLE, plan.key))
        assert asked
        (check,) = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(TABLE, "suite"), limit=1)
    assert own.asset_materialization is not None
    assert later.asset_materialization is not None
    assert check.event is not None
    target = check.event.asset_check_evaluation.target_materialization_data
    assert (target.storage_id, target.run_id) == (own.storage_id, own.run_id)
    tags, version = later.asset_materialization.tags, own.asset_materialization.tags[DATA_VERSION_TAG]
    assert tags["dagster/input_event_pointer/roster/users"] == str(own.storage_id)
    assert tags["dagster/input_data_version/roster/users"] == sha256(version.encode()).hexdigest()


def test_what_is_not_kept_is_asked_for(tmp_path: Path) -> None:
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        dg.materialize([rows], instance=instance, partition_key="adams")
        dg.materialize([rows], instance=instance, partition_key="lincoln")
        one = dg.AssetRecordsFilter(TABLE, asset_partitions=["lincoln"])
        (latest,) = instance.fetch_materializations(one, limit=1).records
        assert latest.partition_key == "lincoln"
        both = dg.AssetRecordsFilter(TABLE, asset_partitions=["lincoln", "adams"])
        assert len(instance.fetch_materializations(both, limit=1).records) == 1
        assert len(instance.fetch_materializations(both, limit=5).records) == 2
        (first,) = instance.fetch_materializations(both, limit=1, ascending=True).records
        assert first.partition_key == "adams"
        before = dg.AssetRecordsFilter(TABLE, asset_partitions=["lincoln"], before_storage_id=latest.storage_id)
        assert instance.fetch_materializations(before, limit=1).records == []
        assert instance.get_asset_records([dg.AssetKey("nothing")]) == []

        instance.wipe_assets([TABLE])
        assert instance.get_asset_records([TABLE]) == []


def test_one_process_at_a_time_makes_the_tables_of_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that begin a new home at the same moment, as two imports do, would both create them."""
    original, refused = DagsterSqliteStorage.__init__, list[bool]()

    def noted(self: DagsterSqliteStorage, *args: Any) -> None:
        other = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            refused.append(True)
        finally:
            os.close(other)
        original(self, *args)

    monkeypatch.setattr(DagsterSqliteStorage, "__init__", noted)
    CompactSqliteStorage.from_local(str(tmp_path))

    assert refused == [True]
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
