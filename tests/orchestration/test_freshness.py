"""Freshness as Dagster shows it: a check on each vendor's uploads, with an evaluation for each district."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.definitions import CHECKS, FRESH_CHECKS, VENDORS, defs, job_name
from roster_etl.orchestration.freshness import freshness_sensor, look_at_feeds
from roster_etl.orchestration.home import visiting
from roster_etl.orchestration.partitions import sync_partitions
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.districts import District, Feed
from tests.ledgers import ended

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
        assert not set(FRESH_CHECKS) & set(job.asset_layer.asset_graph.asset_check_keys)


def test_a_feed_is_told_of_when_it_stands_otherwise_than_before(workspace: Workspace) -> None:
    first = look_at_feeds(workspace, None, MORNING)
    second = look_at_feeds(workspace, first.cursor, MORNING + timedelta(minutes=1))
    ended(workspace, "published", district="east", at=MORNING + timedelta(minutes=2))
    third = look_at_feeds(workspace, second.cursor, MORNING + timedelta(minutes=3))

    assert [(feed.district_id, feed.state) for feed in first.changed] == [("east", "late"), ("lincoln", "late")]
    assert second.changed == ()
    assert second.summary == "Late: east/clever, lincoln/clever."
    assert [(feed.district_id, feed.state) for feed in third.changed] == [("east", "fresh")]


def test_a_feed_that_nobody_expects_any_more_is_forgotten(workspace: Workspace) -> None:
    first = look_at_feeds(workspace, None, MORNING)
    workspace.registry.remove("east")

    assert list(json.loads(look_at_feeds(workspace, first.cursor, MORNING).cursor)) == ["lincoln/clever"]


def test_the_sensor_says_for_each_district_how_it_stands(workspace: Workspace) -> None:
    with visiting(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        tick = freshness_sensor(VENDORS)(dg.build_sensor_context(instance=instance))
        for event in tick.asset_events:
            instance.report_runless_asset_event(event)
        (key,) = [key for key in FRESH_CHECKS if key.asset_key == UPLOAD]
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)

    found = {record.event.dagster_event.event_specific_data.partition: record for record in history}
    assert set(found) == {"lincoln", "east"}
    evaluation = found["lincoln"].event.dagster_event.event_specific_data
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.metadata["state"].value == "late"
    assert evaluation.metadata["what"].value.startswith("expected by ")


def test_an_evaluation_is_of_the_newest_materialization(workspace: Workspace) -> None:
    with visiting(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, ["lincoln", "east"])
        for name in ("lincoln", "lincoln", "east"):
            instance.report_runless_asset_event(dg.AssetMaterialization(UPLOAD, partition=name))
        tick = freshness_sensor(VENDORS)(dg.build_sensor_context(instance=instance))
        wanted = dg.AssetRecordsFilter(asset_key=UPLOAD, asset_partitions=["lincoln"])
        newest = instance.fetch_materializations(wanted, limit=1).records[0].storage_id

    targets = {event.partition: event.target_materialization_data.storage_id for event in tick.asset_events}
    assert targets["lincoln"] == newest
    assert targets["east"] == newest + 1


def test_a_newer_import_is_evaluated_anew(workspace: Workspace) -> None:
    first = look_at_feeds(workspace, None, MORNING)
    ended(workspace, "rejected", at=MORNING)

    assert [feed.district_id for feed in look_at_feeds(workspace, first.cursor, MORNING).changed] == ["lincoln"]


@pytest.mark.parametrize(("tags", "shown"), [({"dagster/partition": "lincoln"}, "what"), ({}, "late")])
def test_a_person_can_ask_for_one_district_or_all(workspace: Workspace, tags: dict[str, str], shown: str) -> None:
    (check,) = [check for check in CHECKS if UPLOAD in {key.asset_key for key in check.check_keys}]
    job = dg.define_asset_job("ask", selection=dg.AssetSelection.checks(check))
    made = dg.Definitions(assets=defs.assets, asset_checks=[check], jobs=[job], resources=defs.resources)
    with visiting(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, ["lincoln", "east"])
        result = made.resolve_job_def("ask").execute_in_process(instance=instance, tags=tags)
        (evaluation,) = result.get_asset_check_evaluations()

    assert (evaluation.passed, evaluation.check_name) == (False, "fresh")
    assert shown in evaluation.metadata
