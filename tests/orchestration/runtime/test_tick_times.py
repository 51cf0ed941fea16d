"""A wall clock that was set back keeps no sensor from its next tick, and no queued run from its start."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path

import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
)
from dagster._daemon import daemon
from dagster._daemon.daemon import IntervalDaemon
from dagster._daemon.sensor import get_elapsed

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.tick_times import due_if_set_back

DAY = 86_400.0
SENSOR = RemoteInstigatorOrigin(
    repository_origin=RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("roster_etl"), "__repository__"),
    instigator_name="landing_zone",
)


def read_back(home: Path, *, ticked: float, began: float) -> list[InstigatorState]:
    """Return what is read of a sensor whose last tick ended and began so many seconds after now, by either way of reading."""
    now = time.time()
    data = SensorInstigatorData(
        last_tick_timestamp=now + ticked,
        last_tick_start_timestamp=now + began,
        last_run_key="upload/7",
        min_interval=30,
        cursor="where it was",
    )
    state = InstigatorState(SENSOR, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    with home_instance(home) as instance:
        instance.add_instigator_state(state)
        one = instance.get_instigator_state(state.instigator_origin_id, state.selector_id)
        assert one is not None
        return [one, *instance.all_instigator_state()]


@pytest.mark.parametrize(("ticked", "began"), [(DAY, DAY), (-10.0, DAY), (DAY, -10.0)])
def test_a_tick_that_is_still_to_come_is_not_waited_for(home: Path, ticked: float, began: float) -> None:
    for state in read_back(home, ticked=ticked, began=began):
        elapsed = get_elapsed(state)
        assert elapsed is None or elapsed >= 10
        assert isinstance(state.instigator_data, SensorInstigatorData)
        assert (state.instigator_data.cursor, state.instigator_data.last_run_key) == ("where it was", "upload/7")


def test_a_tick_of_a_moment_ago_is_still_waited_for(home: Path) -> None:
    for state in read_back(home, ticked=-10.0, began=-11.0):
        elapsed = get_elapsed(state)
        assert elapsed is not None
        assert 10 <= elapsed < 30


def test_clocks_may_differ_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    for ticked, read in ((1001.0, 1001.0), (1003.0, None)):
        state = InstigatorState(
            SENSOR, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData(last_tick_timestamp=ticked)
        )
        data = due_if_set_back(state).instigator_data
        assert isinstance(data, SensorInstigatorData)
        assert data.last_tick_timestamp == read


def test_a_schedule_is_read_as_it_is_and_one_that_nobody_knows_as_none(home: Path) -> None:
    data = ScheduleInstigatorData("0 3 * * *", start_timestamp=time.time() + DAY)
    state = InstigatorState(SENSOR, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, data)
    assert due_if_set_back(state) is state
    with home_instance(home) as instance:
        assert instance.get_instigator_state("nobody", "nobody") is None


class Looks(IntervalDaemon):
    """A loop of the daemon that counts its looks; the wall clock is set back by a day during the first."""

    seen = 0

    @classmethod
    def daemon_type(cls) -> str:
        return "LOOKS"

    def run_iteration(self, workspace_process_context):
        self.seen += 1
        if self.seen == 1:
            self.patch.setattr(time, "time", lambda: WALL() - DAY)
        yield


WALL = time.time


def test_a_loop_of_the_daemon_looks_again_after_the_wall_clock_was_set_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "time", time)
    with home_instance(home) as instance:
        instance.all_instigator_state()  # the storage of the home is open
    looks, ended = Looks(interval_seconds=0.01), threading.Event()
    looks.patch = monkeypatch
    ended.set()  # its waits between two questions of the time take none
    for _ in islice(looks.core_loop(None, ended), 100_000):
        if looks.seen > 1:
            break

    assert looks.seen > 1
