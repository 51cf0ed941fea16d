"""The event log with kept connections: the same events, and everything as it was afterwards."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime import tested_dagster
from roster_etl.orchestration.runtime.event_log_pool import pooled_connections
from roster_etl.orchestration.runtime.partitions import NAME, add_partitions

REPLACED = {"_connect", "has_table", "has_dynamic_partition", "has_secondary_index", "_has_asset_key_col_on_connection"}


def messages(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str | None]:
    """Return what the events of a run say."""
    return [event.dagster_event.message for event in instance.all_logs(run.run_id) if event.dagster_event]


def test_events_written_through_kept_connections_are_read_by_others(tmp_path: Path):
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        run = instance.create_run_for_job(defs.resolve_job_def("import_clever"))
        instance.report_engine_event("noted", run)
        with home_instance(tmp_path) as other:
            assert messages(other, run)[-1] == "noted"


def test_another_thread_gets_a_connection_of_its_own(tmp_path: Path):
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        run = instance.create_run_for_job(defs.resolve_job_def("import_clever"))
        instance.report_engine_event("mine", run)
        thread = threading.Thread(target=lambda: instance.report_engine_event("theirs", run))
        thread.start()
        thread.join()

        assert messages(instance, run)[-2:] == ["mine", "theirs"]


def test_inside_another_block_nothing_changes_and_afterwards_all_is_as_it_was(tmp_path: Path):
    with home_instance(tmp_path) as instance:
        with pooled_connections(instance):
            kept = vars(instance.event_log_storage)["_connect"]
            with pooled_connections(instance):
                assert vars(instance.event_log_storage)["_connect"] == kept
            assert vars(instance.event_log_storage)["_connect"] == kept

        assert not REPLACED & set(vars(instance.event_log_storage))


def test_a_table_that_is_there_is_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    look = SqliteEventLogStorage.has_table

    def counted(storage: SqliteEventLogStorage, table_name: str) -> bool:
        asked.append(table_name)
        return look(storage, table_name)

    monkeypatch.setattr(SqliteEventLogStorage, "has_table", counted)
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        asked.clear()
        answers = [storage.has_table(name) for name in ("event_logs", "nothing", "event_logs", "nothing")]

    assert answers == [True, False, True, False]
    assert asked == ["event_logs", "nothing", "nothing"]


def test_a_column_of_the_index_is_looked_for_once_and_one_that_is_missing_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    look = SqliteEventLogStorage._has_asset_key_col_on_connection

    def counted(storage: SqliteEventLogStorage, connection: object, column_name: str) -> bool:
        asked.append(column_name)
        return look(storage, connection, column_name)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteEventLogStorage, "_has_asset_key_col_on_connection", counted)
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)
        asked.clear()
        answers = [storage.has_asset_key_col(name) for name in ("cached_status_data", "nothing") * 2]

    assert answers == [True, False, True, False]
    assert asked == ["cached_status_data", "nothing", "nothing"]


def test_a_partition_that_is_there_is_looked_for_once_and_one_that_is_added_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    look = SqliteEventLogStorage.has_dynamic_partition

    def counted(storage: SqliteEventLogStorage, name: str, key: str) -> bool:
        asked.append(key)
        return look(storage, name, key)

    monkeypatch.setattr(SqliteEventLogStorage, "has_dynamic_partition", counted)
    with home_instance(tmp_path) as instance, pooled_connections(instance):
        before = instance.has_dynamic_partition(NAME, "lincoln")
        add_partitions(instance, "lincoln")
        after = [instance.has_dynamic_partition(NAME, "lincoln") for _ in range(3)]

    assert (before, after) == (False, [True] * 3)
    assert asked == ["lincoln"] * 3  # twice while it is not there, then once


def test_any_other_storage_is_left_as_it_is(instance: dg.DagsterInstance):
    with pooled_connections(instance):
        assert "_connect" not in vars(instance.event_log_storage)


def test_a_version_of_dagster_that_was_not_tested_writes_its_events_in_its_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")

    with (
        caplog.at_level(logging.DEBUG, tested_dagster.__name__),
        home_instance(tmp_path) as instance,
        pooled_connections(instance),
    ):
        run = instance.create_run_for_job(defs.resolve_job_def("import_clever"))
        instance.report_engine_event("noted", run)
        assert not REPLACED & set(vars(instance.event_log_storage))
        assert messages(instance, run)[-1] == "noted"
    told = [record.getMessage() for record in caplog.records if record.name == tested_dagster.__name__]
    assert len([text for text in told if text.startswith("event log with kept connections: off")]) == 1
