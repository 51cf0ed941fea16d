"""The nightly work, on Dagster's own storage: old runs go, and what the UI shows of a district stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from roster_etl.orchestration.assets.today_asset import TODAY
from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.jobs.nightly_cleanup import delete_old_runs, housekeeping, nightly
from roster_etl.orchestration.runtime.current_home import use_home
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
