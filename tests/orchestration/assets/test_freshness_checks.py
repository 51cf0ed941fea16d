"""Freshness as Dagster shows it: a check on each vendor's uploads, with an evaluation for each district."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.definitions import CHECKS, FRESHNESS_CHECK_KEYS, VENDORS, defs
from roster_etl.orchestration.jobs.build import job_name
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.orchestration.sensors.freshness_sensor import check_feed_freshness, freshness_sensor, late_feeds
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import ended
from tests.orchestration.conftest import Home

MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
UPLOAD = dg.AssetKey(["clever", "upload"])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    for name in ("lincoln", "east"):
        workspace.registry.add(District(id=name, feeds=(Feed(format="clever", expected_by="02:30"),)))
        ended(workspace, "published", district=name, at=MORNING - timedelta(days=1))
    return workspace


def test_an_import_does_not_ask_whether_it_comes_in_time() -> None:
    for vendor in VENDORS:
        job = defs.resolve_job_def(job_name(vendor.format.name))
        assert not set(FRESHNESS_CHECK_KEYS) & set(job.asset_layer.asset_graph.asset_check_keys)


def test_a_feed_is_said_to_be_late_once_for_each_deadline(workspace: Workspace) -> None:
    first = check_feed_freshness(workspace, None, MORNING)
    second = check_feed_freshness(workspace, first.cursor, MORNING + timedelta(minutes=1))
    ended(workspace, "published", district="east", at=MORNING + timedelta(minutes=2))
    third = check_feed_freshness(workspace, second.cursor, MORNING + timedelta(minutes=3))
    next_day = check_feed_freshness(workspace, third.cursor, MORNING + timedelta(days=1))

    assert [feed.key for feed in first.newly_late] == ["east/clever", "lincoln/clever"]
    assert (second.newly_late, second.summary) == ((), "Late: east/clever, lincoln/clever.")
    assert (third.newly_late, list(json.loads(third.cursor))) == ((), ["lincoln/clever"])
    assert [feed.key for feed in next_day.newly_late] == ["east/clever", "lincoln/clever"]


def test_a_feed_that_nobody_expects_any_more_is_forgotten(workspace: Workspace) -> None:
    first = check_feed_freshness(workspace, None, MORNING)
    workspace.registry.remove("east")

    assert list(json.loads(check_feed_freshness(workspace, first.cursor, MORNING).cursor)) == ["lincoln/clever"]


def history(instance: dg.DagsterInstance) -> list[tuple[str | None, bool, int | None]]:
    """Return the evaluations of the check, oldest first: district, passed, materialization."""
    (key,) = [key for key in FRESHNESS_CHECK_KEYS if key.asset_key == UPLOAD]
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
    found = [record.event.dagster_event.event_specific_data for record in reversed(records) if record.event]
    return [(e.partition, e.passed, e.target_materialization_data and e.target_materialization_data.storage_id) for e in found]


def test_the_sensor_has_a_run_show_each_district_that_is_late(workspace: Workspace) -> None:
    with use_home(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        tick = freshness_sensor(dg.build_sensor_context(instance=instance))
        (request,) = tick.run_requests
        instance.report_runless_asset_event(dg.AssetMaterialization(UPLOAD, partition="lincoln"))
        for _ in range(2):  # the next day as well: storage takes an evaluation outside of a run once only
            assert late_feeds.execute_in_process(instance=instance, run_config=request.run_config).success
        wanted = dg.AssetRecordsFilter(asset_key=UPLOAD, asset_partitions=["lincoln"])
        newest = instance.fetch_materializations(wanted, limit=1).records[0].storage_id
        again = freshness_sensor(dg.build_sensor_context(instance=instance, cursor=tick.cursor))

        assert history(instance) == [("east", False, None), ("lincoln", False, newest)] * 2
    assert (again.run_requests, again.skip_reason.skip_message) == ([], "Late: east/clever, lincoln/clever.")


@pytest.mark.slow
def test_an_import_says_in_its_own_run_how_its_feed_stands(published: Home, halved: Path, sample: Path) -> None:
    registry = published.workspace.registry
    ago = datetime.now(UTC) - timedelta(minutes=1)
    registry.update(District(id="lincoln", feeds=(Feed(format="clever", expected_by=f"{ago:%H:%M}"),)))
    numbers = [published.run(path) for path in (halved, sample)]

    with home_instance(published.path) as instance:
        found = history(instance)
        info = instance.event_log_storage.get_asset_check_partition_info([dg.AssetCheckKey(UPLOAD, "fresh")])
    assert [published.status(number) for number in numbers] == ["held", "unchanged"]
    assert [(district, passed) for district, passed, _ in found] == [("lincoln", True)] * 2
    assert info[0].is_current


@pytest.mark.parametrize(("tags", "shown"), [({"dagster/partition": "lincoln"}, "description"), ({}, "late")])
def test_a_person_can_ask_for_one_district_or_all(workspace: Workspace, tags: dict[str, str], shown: str) -> None:
    (check,) = [check for check in CHECKS if UPLOAD in {key.asset_key for key in check.check_keys}]
    job = dg.define_asset_job("ask", selection=dg.AssetSelection.checks(check))
    made = dg.Definitions(assets=defs.assets, asset_checks=[check], jobs=[job], resources=defs.resources)
    with use_home(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        for district in ("lincoln", "east"):
            add_partitions(instance, district, "clever")
        result = made.resolve_job_def("ask").execute_in_process(instance=instance, tags=tags)
        (evaluation,) = result.get_asset_check_evaluations()

    assert (evaluation.passed, evaluation.check_name) == (False, "fresh")
    assert shown in evaluation.metadata
