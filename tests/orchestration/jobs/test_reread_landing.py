"""A file that is rewritten in place, of the same size and time, is noticed by reading quiet landing zones once a day."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.jobs.reread_landing import reread_landing
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.rewritten_zones import add_rewritten, read_rewritten
from roster_etl.orchestration.sensors.landing_sensor import reread_run_request
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.tick import REREADING, LandingTickResult, RunResults
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.pending_uploads import archive_settled_upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.orchestration.conftest import Remembered

NOON = 1_800_000_000.0
USERS = "user_id,login_id,status\n{0},l{0},active\n"


class Zone:
    """The landing zone of a district, and all that a day does with it."""

    def __init__(self, tmp_path: Path, instance: dg.DagsterInstance, *feeds: Feed) -> None:
        self.base, self.home, self.instance = tmp_path / "landing", tmp_path / "home", instance
        self.home.mkdir(mode=0o700)
        (self.home / "roster_etl.toml").write_text(f'[landing]\nbase = "{self.base}"\n')
        self.workspace = Workspace.open(self.home)
        self.workspace.registry.add(District(id="lincoln", feeds=feeds))
        self.folder = self.base / "lincoln"
        self.folder.mkdir(parents=True)
        self.memory, self.cursor = Remembered(), None
        self.busy: set[tuple[str, str, str]] = set()

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        os.utime(self.folder / name, (1, 1))

    def tick(self, hours: float) -> LandingTickResult:
        tick = poll_landing_zones(
            self.workspace,
            self.cursor,
            state_store=self.memory,
            clock=lambda: NOON + 3600 * hours,
            read_busy_feeds=lambda: self.busy,
            results=RunResults(read_rewritten=lambda: read_rewritten(self.instance)),
        )
        self.cursor = tick.cursor
        return tick

    def reread(self, tick: LandingTickResult) -> None:
        assert tick.reread_request is not None
        with use_home(self.home):
            config = reread_run_request(tick.reread_request).run_config
            assert reread_landing.execute_in_process(run_config=config, instance=self.instance).success

    def archive(self, tick: LandingTickResult) -> None:
        (wanted,) = tick.archive_requests
        feed = self.workspace.registry.get("lincoln").feed(wanted.source)
        archive_settled_upload(self.workspace, "lincoln", feed, request=wanted.request, listing=wanted.listing)

    def import_(self, tick: LandingTickResult) -> dict:
        (wanted,) = tick.requests
        order = Order(district_id="lincoln", source=wanted.source, arrival=wanted.arrival)
        return outcome(self.workspace, import_upload(self.workspace, order))


@pytest.fixture
def zone(tmp_path: Path, instance: dg.DagsterInstance) -> Zone:
    zone = Zone(tmp_path, instance, Feed(format="canvas", options={"quiet_period": "1m", "min_interval": "0"}))
    zone.put("u.csv", USERS.format(1))
    zone.tick(0)
    zone.archive(zone.tick(0.1))
    assert zone.import_(zone.tick(0.2))["status"] == "published"
    return zone


def test_a_file_rewritten_with_its_size_and_time_is_imported_within_a_day_and_a_quiet_period(zone: Zone):
    zone.put("u.csv", USERS.format(2))
    assert zone.tick(23).reread_request is None
    zone.reread(zone.tick(24.2))
    found = zone.tick(24.3)
    assert any("was rewritten since its import" in note for note in found.notes)
    zone.archive(zone.tick(24.4))

    assert zone.import_(zone.tick(24.5))["changes"]["users"]["created"] == 1
    assert zone.tick(24.6).archive_requests == ()
    zone.reread(zone.tick(48.6))
    assert [zone.tick(hours).archive_requests for hours in (48.7, 48.8)] == [(), ()]


def test_a_landing_zone_that_nobody_touched_is_read_once_a_day_and_imports_nothing(zone: Zone):
    zone.reread(zone.tick(24.2))

    assert read_rewritten(zone.instance) == {}
    assert [zone.tick(hours).reread_request for hours in (24.3, 47)] == [None, None]
    assert zone.tick(48.3).reread_request is not None


def test_one_run_reads_at_a_time_and_the_others_have_their_turn_later(zone: Zone):
    zone.busy = {("", "", REREADING)}
    assert zone.tick(30).reread_request is None
    zone.busy = set()

    assert zone.tick(31).reread_request is not None


def test_what_was_never_read_as_a_whole_is_noted_and_compared_the_next_time(zone: Zone):
    (zone.home / "archive" / "arrivals" / "lincoln" / "canvas" / "landed.json").unlink()
    zone.reread(zone.tick(24.2))
    assert read_rewritten(zone.instance) == {}
    zone.put("u.csv", USERS.format(3))
    zone.reread(zone.tick(48.3))

    assert list(read_rewritten(zone.instance)) == ["lincoln/canvas"]


def test_a_landing_zone_that_cannot_be_read_is_left_for_another_time(zone: Zone):
    tick = zone.tick(24.2)
    (zone.folder / "u.csv").unlink()
    zone.folder.rmdir()
    zone.reread(tick)

    assert read_rewritten(zone.instance) == {}


def test_what_was_found_is_kept_for_some_hundred_feeds(instance: dg.DagsterInstance):
    for number in range(0, 600, 20):
        add_rewritten(instance, {f"d{one}/clever": (1, "x") for one in range(number, number + 20)})

    assert len(read_rewritten(instance)) == 500
