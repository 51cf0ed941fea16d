"""The asset `operations/today`: refreshed by ticks and by imports, without a run of its own."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.assets.today_asset import MAX_ROWS, TODAY, today_event
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors.today_sensor import today_sensor
from roster_etl.pipeline.reporting.feed_status import FeedStatus, StatusOverview, read_status
from roster_etl.pipeline.reporting.status_page import index_path
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import NOON, ended
from tests.orchestration.conftest import Home


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    ended(workspace, "published")
    return workspace


def tick(workspace: Workspace, cursor: str | None) -> dg.SensorResult:
    with use_home(workspace.home), home_instance(workspace.home) as instance:
        result = today_sensor(dg.build_sensor_context(instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_tick_logs_an_event_only_if_something_changed(workspace: Workspace) -> None:
    first = tick(workspace, None)
    second = tick(workspace, first.cursor)
    number = ended(workspace, "held", summary={"hold": {"tables": {"users": {"deleted": 2, "current": 4, "pct": 50.0}}}})
    third = tick(workspace, second.cursor)

    assert [len(result.asset_events) for result in (first, second, third)] == [1, 0, 1]
    assert not any(result.run_requests for result in (first, second, third))
    metadata = third.asset_events[0].metadata
    assert metadata["summary"].value == "1 of 1 feeds needs a person: 1 held."
    assert f"import {number}: 2 of 4 users would be removed" in metadata["feeds_that_need_a_person"].value
    assert index_path(workspace).exists()


def test_an_event_is_bounded_with_many_feeds(workspace: Workspace) -> None:
    feeds = [
        FeedStatus(district_id=f"d{n:03}", district_name="", source="clever", state="rejected", needs=("rejected",))
        for n in range(80)
    ]
    feeds += [FeedStatus(district_id=f"q{n:03}", district_name="", source="clever", state="published") for n in range(121)]
    event = today_event(workspace, StatusOverview(now=NOON, feeds=feeds), "roster_etl")

    assert len(event.metadata["rows"].records) == MAX_ROWS
    assert "all_feeds" not in event.metadata
    assert event.metadata["feeds_that_need_a_person"].value.endswith("and 30 more; the page has all")
    assert (event.metadata["feeds"].value, event.metadata["feeds_waiting"].value) == (201, 80)


def test_an_event_links_to_the_launchpads_of_a_hold(workspace: Workspace) -> None:
    ended(workspace, "held")
    shown = today_event(workspace, read_status(workspace, NOON), "here").metadata["feeds_that_need_a_person"].value

    assert "[approve](/locations/here/jobs/approve_hold/playground/setup?config=" in shown
    assert "[discard](/locations/here/jobs/discard_hold/playground/setup?config=" in shown


def test_an_import_refreshes_the_asset_in_its_own_run(published: Home) -> None:
    found = (entry.asset_materialization for entry in published.events())
    event = next(event for event in found if event and event.asset_key == TODAY)

    assert event.partition is None
    assert event.metadata["summary"].value == "None of 1 feeds needs a person. 1 published."
