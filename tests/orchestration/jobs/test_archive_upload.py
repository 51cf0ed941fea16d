"""Archiving a settled upload in a run of its own: over real SFTP, beside ticks that stay short whatever the server does."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import dagster as dg
import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.orchestration.definitions import JOBS
from roster_etl.orchestration.jobs.archive_upload import ARCHIVE_PROBLEM, archive_run_config, archive_upload
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors import landing_sensor
from roster_etl.orchestration.sensors.crashed_runs import fail_orphaned_runs
from roster_etl.orchestration.sensors.landing_sensor import landing_zone_sensor
from roster_etl.orchestration.sensors.notification_sensors import notify_run_failure
from roster_etl.pipeline.uploads.pending_uploads import pending_numbers
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed

USERS = "user_id,login_id,status\n{0},l{0},active\n"
PASSWORD = "open-Sesame-4711"
FEEDS = ("lincoln", "monroe")


class _Stalling(SftpServer):
    """A server whose files of one account never begin to arrive; listings do."""

    def session(self, channel: Any) -> asyncssh.SFTPServer:
        user = channel.get_connection().get_extra_info("username")
        return _Silent(channel, chroot=os.fsencode(self.home(user))) if user == "lincoln" else super().session(channel)


class _Silent(asyncssh.SFTPServer):
    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:  # type: ignore[override]
        try:
            await asyncio.Event().wait()
        finally:
            file_obj.close()
        return b""


class Place:
    """A home with Canvas feeds on an SFTP server, and Dagster around it."""

    def __init__(self, home: Path, server: SftpServer, instance: dg.DagsterInstance) -> None:
        self.home, self.server, self.instance = home, server, instance
        home.mkdir(mode=0o700)
        (home / "roster_etl.toml").write_text('[landing]\nstall_seconds = 2\n[alerts]\nwebhook_env = "NOWHERE"\n')
        self.workspace = Workspace.open(home)
        for user in FEEDS:
            feed = Feed(
                format="canvas",
                path=server.url(user, "/"),
                known_hosts=str(server.known_hosts),
                password_env="LINCOLN_PASSWORD",
                options={"quiet_period": "1s"},
            )
            self.workspace.registry.add(District(id=user, feeds=(feed,)))
        self.cursor: str | None = None
        self.seconds: list[float] = []

    def upload(self, user: str, files: int = 1) -> None:
        for number in range(files):
            (self.server.home(user) / f"u{number:04}.csv").write_text(USERS.format(number))

    def tick(self) -> dg.SensorResult:
        began = time.monotonic()
        with use_home(self.home), dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            result = landing_zone_sensor(JOBS)(context)
        self.seconds.append(time.monotonic() - began)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def settle(self) -> list[dg.RunRequest]:
        """Look until the quiet period is over, and return what is asked for then."""
        self.tick()
        time.sleep(1.2)
        return list(self.tick().run_requests or ())

    def run(self, request: dg.RunRequest) -> dg.DagsterRun:
        """Run what archives an upload, as Dagster would."""
        with use_home(self.home):
            result = archive_upload.execute_in_process(
                run_config=request.run_config, instance=self.instance, tags=request.tags, raise_on_error=False
            )
        run = self.instance.get_run_by_id(result.run_id)
        assert run is not None
        return run

    def waiting(self, user: str) -> tuple[int, ...]:
        return pending_numbers(self.workspace, user, "canvas")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch) -> Iterator[Place]:
    monkeypatch.setenv("LINCOLN_PASSWORD", PASSWORD)
    kind = getattr(request, "param", SftpServer)
    with kind(tmp_path / "sftp", [Account(user=user, password=PASSWORD) for user in FEEDS]) as server:
        yield Place(tmp_path / "home", server, instance)


@pytest.mark.sftp
@pytest.mark.parametrize("place", [_Stalling], indirect=True)
def test_a_server_that_stalls_holds_up_no_tick_and_no_other_district(place: Place):
    for user in FEEDS:
        place.upload(user)
    stalled, other = sorted(place.settle(), key=lambda request: request.tags["archive_feed"])
    runs = [place.run(request) for request in (stalled, other)]
    again = place.tick()

    assert [run.status.value for run in runs] == ["FAILURE", "SUCCESS"]
    assert "did not answer in time" in runs[0].tags[ARCHIVE_PROBLEM]
    assert [request.tags["district"] for request in again.run_requests] == ["monroe"]
    assert (len(place.waiting("lincoln")), len(place.waiting("monroe"))) == (0, 1)
    assert max(place.seconds) < 10
    assert notify_run_failure(place.workspace, runs[0]) == f"lincoln/canvas: run {runs[0].run_id} is reported"
    notify_run_failure(place.workspace, runs[0])
    (told,) = place.workspace.outbox.messages()
    assert "lincoln/canvas: an upload could not be archived, and is tried again" in str(told)


@pytest.mark.sftp
def test_many_small_files_are_archived_once_and_hold_up_no_tick(place: Place):
    place.upload("lincoln", files=300)
    (request,) = place.settle()
    first, second = place.run(request), place.run(request)
    (imported,) = place.tick().run_requests

    assert (first.status.value, second.status.value) == ("SUCCESS", "SUCCESS")
    assert len(place.waiting("lincoln")) == 1
    assert imported.run_config["ops"]["canvas__upload"]["config"]["arrival"] == place.waiting("lincoln")[0]
    assert max(place.seconds) < 10


@pytest.mark.sftp
def test_a_run_whose_process_was_killed_is_ended_by_the_next_tick(place: Place):
    config = archive_run_config("lincoln", "canvas", "r", "l")
    run = place.instance.create_run_for_job(archive_upload, run_config=config, status=dg.DagsterRunStatus.STARTED)
    (place.workspace.settings.scratch).mkdir(parents=True, exist_ok=True)
    (place.workspace.settings.scratch / f"run-{run.run_id}.lock").touch()
    with place.workspace.run_locks.hold("another"):
        fail_orphaned_runs(place.workspace, place.instance)
        assert not place.workspace.run_locks.is_dead("another")

    assert place.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert not place.workspace.run_locks.is_dead(run.run_id)


@pytest.mark.sftp
@pytest.mark.parametrize("leap", [3600, -3600])
def test_an_upload_stands_still_for_the_quiet_period_whatever_the_wall_clock_does(place: Place, leap: float, monkeypatch):
    place.upload("lincoln")
    place.tick()
    real, leaps = time.time, iter(range(1, 100))
    monkeypatch.setattr(landing_sensor.time, "time", lambda: real() + leap * next(leaps))
    place.upload("lincoln", files=2)
    early = [place.tick(), place.tick()]
    time.sleep(1.2)

    assert [tick.run_requests for tick in early] == [[], []]
    assert len(place.tick().run_requests) == 1
