"""The compact event log: the same events, a fraction of the bytes; what was written before stays readable."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from roster_etl.orchestration.jobs.in_process_runs import ensure_config, home_instance
from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteEventLog, compress, decompress
from roster_etl.orchestration.runtime.dagster_storage import describe_storage

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
