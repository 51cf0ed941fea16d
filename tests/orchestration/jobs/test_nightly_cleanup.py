"""The nightly work, on Dagster's own storage: old runs go, and what the UI shows of a district stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.assets.today_asset import TODAY
from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.jobs.nightly_cleanup import delete_old_runs, housekeeping, nightly, run_nightly_cleanup
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.run_deletion import delete_events_without_run
from roster_etl.projections.samples import write_next_day
from roster_etl.vendors import vendor
from tests.orchestration.conftest import Home


@pytest.fixture
def thrice(published: Home, sample):
    """A home with one import that was published, and two of the same bytes, which published nothing."""
    assert [published.status(published.run(sample)) for _ in range(2)] == ["unchanged", "unchanged"]
    return published


def shown(instance: dg.DagsterInstance) -> dict[str, tuple[str, int]]:
    """Return which run and event the UI shows as the latest of each asset for the district."""
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    wanted = {key.to_user_string(): dg.AssetRecordsFilter(asset_key=key, asset_partitions=["lincoln"]) for key in keys}
    found = {name: instance.fetch_materializations(one, limit=1).records for name, one in wanted.items()}
    return {name: (records[0].run_id, records[0].storage_id) for name, records in found.items() if records}


def test_runs_past_their_time_go_and_what_the_ui_shows_stays(thrice: Home):
    later = datetime.now(UTC) + timedelta(seconds=1)
    with home_instance(thrice.path) as instance:
        first, second, third = [run.run_id for run in reversed(instance.get_runs())]
        before = shown(instance)
        instance.report_runless_asset_event(dg.AssetMaterialization(TODAY))  # as its sensor does: it is of no district
        assert delete_old_runs(instance, later - timedelta(days=1)) == 0
        assert delete_old_runs(instance, later, protected_imports=frozenset({2})) == 0

        assert delete_old_runs(instance, later) == 1

        assert [run.run_id for run in reversed(instance.get_runs())] == [first, third]
        assert instance.all_logs(second) == []
        assert shown(instance) == before
        assert {run_id for run_id, _ in before.values()} == {first, third}


def traces(home: Path, run_id: str) -> dict[str, int]:
    """Return in which tables of Dagster's storage, and by how many files, a run is still known."""
    found = {"files": len(list((home / "history" / "runs").glob(f"{run_id}.db*")))}
    for path in ((home / "history" / "runs.db"), (home / "history" / "runs" / "index.db")):
        with closing(sqlite3.connect(path)) as database:
            tables = [
                row[0]
                for row in database.execute(
                    "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE c.name = 'run_id'"
                )
            ]
            for table in tables:
                found[table] = database.execute(f"SELECT count(*) FROM {table} WHERE run_id = ?", (run_id,)).fetchone()[0]
    return {name: count for name, count in found.items() if count}


def check_results(instance: dg.DagsterInstance) -> dict[tuple[str, str], int]:
    """Return the number of results that Dagster has of each check."""
    keys = defs.resolve_asset_graph().asset_check_keys
    found = {key: instance.event_log_storage.get_asset_check_execution_history(key, limit=100) for key in keys}
    return {(key.asset_key.to_user_string(), key.name): len(records) for key, records in found.items() if records}


def test_nothing_is_left_of_a_run_that_is_deleted(published: Home, sample: Path, tmp_path: Path):
    changed = tmp_path / "changed"
    write_next_day(vendor("clever"), sample, changed, seed=1)
    assert published.status(published.run(changed)) == "published"
    later = datetime.now(UTC) + timedelta(seconds=1)
    with home_instance(published.path) as instance:
        runs = [run.run_id for run in reversed(instance.get_runs())]
        assert {*traces(published.path, runs[0])} >= {"files", "runs", "run_tags", "event_logs", "asset_check_executions"}
        before, latest = check_results(instance), shown(instance)

        assert delete_old_runs(instance, later) == 1

        assert traces(published.path, runs[0]) == {}
        assert {run_id for run_id, _ in latest.values()} == {runs[1]}
        assert shown(instance) == latest
        assert {*before.values()} == {2}
        assert check_results(instance) == dict.fromkeys(before, 1)


def test_what_earlier_versions_left_of_deleted_runs_goes_on_request(thrice: Home):
    with home_instance(thrice.path) as instance:
        first, second, third = [run.run_id for run in reversed(instance.get_runs())]
        instance.delete_run(second)
        assert traces(thrice.path, second) == {"files": 1, "asset_check_executions": 14}
        kept = [traces(thrice.path, run_id) for run_id in (first, third)]
        instance.report_runless_asset_event(dg.AssetMaterialization(TODAY))

        run_nightly_cleanup(thrice.workspace, instance, datetime.now(UTC))
        assert traces(thrice.path, second)
        run_nightly_cleanup(thrice.workspace, instance, datetime.now(UTC), everything=True)

        assert traces(thrice.path, second) == {}
        assert [traces(thrice.path, run_id) for run_id in (first, third)] == kept
        assert instance.get_latest_materialization_event(TODAY) is not None


def test_old_events_without_a_run_go_but_for_the_newest(published: Home):
    other = dg.AssetKey("other")
    with home_instance(published.path) as instance:
        for key, partition in ((TODAY, None), (TODAY, None), (other, "a"), (other, "b"), (other, "b")):
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))
        later = datetime.now(UTC) + timedelta(seconds=1)
        made = [len(instance.fetch_materializations(key, limit=10).records) for key in (TODAY, other)]

        assert delete_events_without_run(instance, later - timedelta(days=1)) == 0
        assert delete_events_without_run(instance, later) == 2

        assert [len(instance.fetch_materializations(key, limit=10).records) for key in (TODAY, other)] == [made[0] - 1, 2]
        assert traces(published.path, "")["event_logs"] == 3


def test_the_newest_run_of_each_job_and_partition_stays_through_many_pages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("roster_etl.orchestration.jobs.nightly_cleanup._PAGE_SIZE", 2)
    with dg.DagsterInstance.ephemeral() as instance:

        def created(partition: str | None, status: dg.DagsterRunStatus = dg.DagsterRunStatus.FAILURE) -> str:
            tags = {"dagster/partition": partition} if partition else {}
            return instance.create_run_for_job(housekeeping, status=status, tags=tags).run_id

        for _ in range(2):
            created(None)
        newest = [[created(partition) for _ in range(3)][-1] for partition in ("adams", "lincoln")]
        at_work = created("lincoln", dg.DagsterRunStatus.STARTED)

        assert delete_old_runs(instance, datetime.now(UTC) + timedelta(seconds=1)) == 7

        assert {run.run_id for run in instance.get_runs()} == {newest[0], at_work}


def test_the_nightly_job_keeps_the_house_of_its_home(published: Home):
    with use_home(published.path), home_instance(published.path) as instance:
        done = housekeeping.execute_in_process(instance=instance)

    assert done.success
    assert published.status(1) == "published"
    assert nightly.default_status is dg.DefaultScheduleStatus.RUNNING
    assert nightly.job_name == housekeeping.name
