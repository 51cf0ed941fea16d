"""A server that cannot be reached is tried again: when, how often, by which runs, and not for what no other attempt would mend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.jobs.send_rosters import ATTEMPT, RETRY, retry_wait, send_rosters, send_run_config
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors import export_retries, export_sensor
from roster_etl.orchestration.sensors.export_retries import find_retries
from roster_etl.store.registry.district import Destination
from tests.csv_files import rewrite
from tests.orchestration.conftest import Home

HOUR = timedelta(hours=1)


class Clock(datetime):
    """The time that a tick sees: as far ahead as a test says."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        """Return the time."""
        return datetime.now(tz) + cls.ahead


class Sensor:
    """The sensor ``exports``, tick after tick."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.cursor = home, None
        self.sensor = export_sensor.export_sensor([])
        monkeypatch.setattr(Clock, "ahead", timedelta())
        monkeypatch.setattr(export_sensor, "datetime", Clock)

    def tick(self, ahead: timedelta = timedelta()) -> list[dg.RunRequest]:
        """Return what a tick requests, so long after now."""
        Clock.ahead = ahead
        with use_home(self.home.path), home_instance(self.home.path) as instance:
            result = self.sensor(dg.build_sensor_context(instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or ())

    def run(self, request: dg.RunRequest) -> bool:
        """Run what a tick requested, and return whether it succeeded."""
        with use_home(self.home.path), home_instance(self.home.path) as instance:
            config, tags = request.run_config, dict(request.tags)
            return send_rosters.execute_in_process(config, instance=instance, tags=tags, raise_on_error=False).success


def _is_failure(event: dg.EventLogEntry) -> bool:
    return event.dagster_event is not None and event.dagster_event.is_step_failure


def add(home: Home, name: str, to: Path, **more: Any) -> None:
    more.setdefault("options", {"user_ids": "kinded"})
    home.workspace.registry.add_destination("lincoln", Destination(name=name, format="oneroster", to=str(to), **more))


@pytest.fixture
def sensor(published: Home, monkeypatch: pytest.MonkeyPatch) -> Sensor:
    """A sensor that has seen nothing due yet, though ``published`` may be counted again by its late commits."""
    return Sensor(published, monkeypatch)


def test_a_place_that_is_away_is_tried_again_until_it_is_there(published: Home, sensor: Sensor, tmp_path: Path):
    mount = tmp_path / "mount"
    mount.write_text("not mounted")
    add(published, "away", mount / "out")
    add(published, "strict", tmp_path / "strict", strict=True)
    (first,) = sensor.tick()
    assert not sensor.run(first)
    failed = published.newest_run()

    assert failed.tags[RETRY] == "away"
    texts = [
        event.dagster_event.step_failure_data.user_failure_data.description for event in published.events() if _is_failure(event)
    ]
    assert [text.endswith("The sensor `exports` tries away again in 5 minutes") for text in texts] == [True]
    assert sensor.tick(timedelta(minutes=4)) == []
    (second,) = sensor.tick(timedelta(minutes=6))
    assert second.run_key == f"retry/{failed.run_id}"
    assert second.tags[ATTEMPT] == "2"
    assert second.run_config["ops"]["send_to_destinations"]["config"] == {
        "district_id": "lincoln",
        "names": ["away"],
        "attempt": 2,
    }
    assert sensor.tick(timedelta(minutes=7)) == []

    mount.unlink()
    assert sensor.run(second)
    assert (mount / "out" / "manifest.csv").is_file()
    assert sensor.tick(2 * HOUR) == []
    assert "retries" not in json.loads(sensor.cursor or "") or json.loads(sensor.cursor or "")["retries"] == {}


def test_a_newer_publish_takes_the_place_of_a_retry(published: Home, sensor: Sensor, upload: Path, tmp_path: Path):
    (tmp_path / "mount").write_text("not mounted")
    add(published, "away", tmp_path / "mount" / "out")
    (first,) = sensor.tick()
    sensor.run(first)
    sensor.tick(timedelta(minutes=1))
    rewrite(upload / "students.csv", lambda rows: [{**row, "First_name": "Ada"} for row in rows[:1]] + rows[1:])
    assert published.status(published.run(upload)) == "published"

    (newer,) = sensor.tick(timedelta(minutes=2))

    assert "attempt" not in newer.tags
    assert sensor.tick(HOUR) == []


def test_a_run_that_is_executed_again_and_refused_is_not_tried_once_more(published: Home, sensor: Sensor, tmp_path: Path):
    (tmp_path / "mount").write_text("not mounted")
    add(published, "away", tmp_path / "mount" / "out")
    (first,) = sensor.tick()
    sensor.run(first)
    tags = published.newest_run().tags
    (tmp_path / "mount").unlink()
    published.workspace.registry.remove_destination("lincoln", "away")
    add(published, "away", tmp_path / "mount" / "out", strict=True)

    assert not sensor.run(dg.RunRequest(run_config=first.run_config, tags=tags))

    assert published.newest_run().tags[RETRY] == ""


def test_a_destination_that_is_removed_is_not_tried_again(published: Home, sensor: Sensor, tmp_path: Path):
    (tmp_path / "mount").write_text("not mounted")
    add(published, "away", tmp_path / "mount" / "out")
    (first,) = sensor.tick()
    sensor.run(first)
    sensor.tick(timedelta(minutes=1))

    published.workspace.registry.remove_destination("lincoln", "away")

    assert sensor.tick(HOUR) == []
    assert json.loads(sensor.cursor or "").get("retries", {}) == {}


def test_waits_grow_and_end():
    waits = [retry_wait(attempt) for attempt in range(1, 6)]

    assert waits == [timedelta(minutes=5), timedelta(minutes=15), HOUR, 4 * HOUR, None]
    assert min(filter(None, waits)) > 2 * export_retries.OVERLAP  # a run that is found twice still waits


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def failed_run(instance: dg.DagsterInstance, retry: str = "", attempt: int = 1) -> str:
    """Make a failed run as a person launches one: without the tags that the sensor gives."""
    config = send_run_config("lincoln", ["away"], attempt)
    run = instance.create_run_for_job(send_rosters, run_config=config, tags={RETRY: retry} if retry else {})
    instance.report_run_failed(run)
    return run.run_id


def test_of_runs_that_failed_only_those_that_another_attempt_may_mend(instance: dg.DagsterInstance):
    now = datetime.now(UTC)
    failed_run(instance)
    failed_run(instance, "away", attempt=5)
    expected = failed_run(instance, "away,far", attempt=2)

    ((retry,), until) = find_retries(instance, now, now + timedelta(seconds=5))

    assert (retry.key, retry.district_id, retry.names, retry.attempt) == (f"retry/{expected}", "lincoln", ("away", "far"), 3)
    assert timedelta(minutes=14) < retry.moment - now < timedelta(minutes=16)
    assert until == now + timedelta(seconds=5)


def test_an_old_failure_that_was_only_tagged_now_is_not_tried_again(instance: dg.DagsterInstance, monkeypatch):
    monkeypatch.setattr(export_retries, "OVERLAP", timedelta())
    run_id = failed_run(instance, "away")
    later = datetime.now(UTC)
    instance.add_run_tags(run_id, {"seen": "yes"})

    assert find_retries(instance, later, later) == ([], later)


def test_more_failures_than_a_tick_reads_are_found_by_the_next_ones(instance: dg.DagsterInstance, monkeypatch):
    monkeypatch.setattr(export_retries, "MAX_RUNS", 2)
    start = datetime.now(UTC)
    expected = {f"retry/{failed_run(instance, 'away')}" for _ in range(5)}

    found, after = [], start
    for _ in range(4):
        retries, after = find_retries(instance, after, datetime.now(UTC))
        found += [retry.key for retry in retries]

    assert len(found) >= len(expected)
    assert set(found) == expected


def test_failed_runs_are_found_by_an_index(published: Home):
    plans: list[str] = []

    def explain(connection: sa.Connection, _: Any, sql: str, parameters: Any, *__: Any) -> None:
        if "runs.pipeline_name" in sql and not sql.startswith("EXPLAIN"):
            plans.extend(row[3] for row in connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}", parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", explain)
    try:
        with home_instance(published.path) as instance:
            find_retries(instance, datetime.now(UTC), datetime.now(UTC))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", explain)

    assert [line for line in plans if "runs" in line] == [
        "SEARCH runs USING INDEX idx_run_range (status=? AND update_timestamp>?)"
    ]
