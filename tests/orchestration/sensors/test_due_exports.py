"""Which destinations are due: after a publish, by the clock, once each, and at a bounded cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from roster_etl.orchestration.sensors import due_exports
from roster_etl.orchestration.sensors.due_exports import DueExports, find_due_exports
from roster_etl.orchestration.sensors.export_sensor import run_request, summary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import Destination, District, Feed
from tests.ledgers import ended

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def district(id_: str, *whens: str, zone: str = "UTC", **more: Any) -> District:
    names = ("first", "second", "third")
    destinations = tuple(
        Destination(name=name, format="oneroster", to="/out", when=when, **more) for name, when in zip(names, whens, strict=False)
    )
    return District(id=id_, time_zone=zone, feeds=(Feed(format="clever"),), destinations=destinations)


@pytest.fixture
def workspace(tmp_path: Path):
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()


class Ticks:
    """Ticks of the sensor, one after the other."""

    def __init__(self, workspace: Workspace, *districts: District) -> None:
        self.workspace, self.districts, self.cursor = workspace, districts, None
        self.last: DueExports

    def at(self, now: datetime) -> list[tuple[str, tuple[str, ...]]]:
        """Return what is due at a time: districts and names."""
        self.last = find_due_exports(self.workspace, self.cursor, now, self.districts)
        self.cursor = self.last.cursor
        return [(one.district_id, one.names) for one in self.last.due]


def test_every_publish_is_sent_once_and_none_of_before_the_first_tick(workspace):
    ended(workspace, "published", at=minute(-60))
    ticks = Ticks(workspace, district("lincoln", "after_import", "after_import"))

    assert ticks.at(minute(0)) == []
    ended(workspace, "published", at=minute(1))
    ended(workspace, "held", at=minute(1))
    assert ticks.at(minute(2)) == [("lincoln", ("first", "second"))]
    assert ticks.at(minute(3)) == []
    ended(workspace, "unchanged", at=minute(4))
    assert ticks.at(minute(5)) == []
    ended(workspace, "published", at=minute(6))
    assert ticks.at(minute(7)) == [("lincoln", ("first", "second"))]
    assert ticks.at(minute(60)) == []
    assert len(ticks.cursor or "") < 80


def test_a_publish_that_became_visible_late_is_sent(workspace):
    ticks = Ticks(workspace, district("lincoln", "after_import"))
    ticks.at(minute(0))
    ticks.at(minute(10))

    ended(workspace, "published", at=minute(8))

    assert ticks.at(minute(11)) == [("lincoln", ("first",))]
    assert ticks.at(minute(12)) == []


def test_a_destination_of_another_feed_is_not_due(workspace):
    ticks = Ticks(workspace, district("lincoln", "after_import", source="canvas"))
    ticks.at(minute(0))
    ended(workspace, "published", at=minute(1))

    assert ticks.at(minute(2)) == []


def test_a_cron_line_is_of_the_districts_time_zone_and_due_once(workspace):
    ticks = Ticks(workspace, district("lincoln", "30 6 * * *", "30 6 * * *", zone="America/Chicago"))

    assert ticks.at(minute(29)) == []
    assert ticks.at(minute(31)) == [("lincoln", ("first", "second"))]  # 06:30 in Chicago is 12:30 UTC
    assert ticks.at(minute(32)) == []
    assert ticks.at(minute(31) + timedelta(days=3)) == [("lincoln", ("first", "second"))]  # the daemon was away: once


def test_a_line_that_is_no_cron_line_is_said_and_stops_nobody(workspace):
    ticks = Ticks(workspace, district("lincoln", "61 6 * * *"), district("mesa", "1 12 * * *"))
    ticks.at(minute(0))

    assert ticks.at(minute(2)) == [("mesa", ("first",))]
    assert ticks.last.bad_cron == ("lincoln/first",)
    ticks.at(minute(3))
    assert "lincoln/first" in summary(ticks.last)


def test_a_tick_requests_a_bounded_number_of_runs_and_loses_none(workspace, monkeypatch):
    monkeypatch.setattr(due_exports, "MAX_RUNS", 2)
    names = ["anchor", "harbor", "juniper", "lincoln", "mesa"]
    ticks = Ticks(workspace, *(district(name, "1 12 * * *") for name in names))
    ticks.at(minute(0))

    found = [ticks.at(minute(2 + n)) for n in range(4)]

    assert [len(one) for one in found] == [2, 2, 1, 0]
    assert sorted(name for one in found for name, _ in one) == names


def test_districts_without_a_destination_cost_no_query(workspace, monkeypatch):
    monkeypatch.setattr(Workspace, "warehouse", property(lambda _: pytest.fail("the warehouse was asked")))

    assert Ticks(workspace).at(minute(0)) == []
    assert "No district" in summary(find_due_exports(workspace, None, NOON, ()))


def test_the_run_of_a_district_is_named_for_the_publish_and_stands_in_its_queue(workspace):
    ticks = Ticks(workspace, district("lincoln", "after_import"))
    ticks.at(minute(0))
    ended(workspace, "published", at=minute(1))
    ticks.at(minute(2))

    request = run_request(ticks.last.due[0])

    assert request.run_key == "lincoln/clever/1/20261102T120100000000"
    assert request.tags["dagster/partition"] == "lincoln"
    assert request.run_config["ops"]["send_to_destinations"]["config"] == {
        "district_id": "lincoln",
        "names": ["first"],
        "attempt": 1,
    }
