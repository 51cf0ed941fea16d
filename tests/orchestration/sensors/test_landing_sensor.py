"""The sensor around the look: partitions, run requests, logs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from roster_etl.orchestration.definitions import JOBS, defs
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors import landing_sensor
from roster_etl.orchestration.sensors.landing_sensor import INTERVAL_VARIABLE, busy_feeds, landing_zone_sensor, run_request
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.tick import ImportRequest
from roster_etl.store.registry.registry import Feed
from tests.orchestration.conftest import Home


def evaluated(home: Home, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Evaluate the sensor's own function once."""
    sensor = landing_zone_sensor(JOBS)
    with use_home(home.path), dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_the_sensor_runs_by_default_and_has_every_job():
    sensor = landing_zone_sensor(JOBS)

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert {target.name for target in sensor.jobs} == {*(job.name for job in JOBS), "archive_upload", "reread_landing"}


def test_its_interval_can_be_shortened_for_demonstrations(monkeypatch):
    assert landing_zone_sensor(JOBS).minimum_interval_seconds == 30
    monkeypatch.setenv(INTERVAL_VARIABLE, "2")
    assert landing_zone_sensor(JOBS).minimum_interval_seconds == 2


def test_a_tick_adds_partitions_and_says_why_nothing_runs(fresh: Home, instance: dg.DagsterInstance):
    result = evaluated(fresh, instance)

    assert instance.get_dynamic_partitions("districts") == ["lincoln"]
    assert not result.run_requests
    assert "no feed has a landing folder" in str(result.skip_reason).lower()


def test_a_skipped_tick_names_the_feed_that_cannot_be_read(fresh: Home, instance: dg.DagsterInstance, tmp_path: Path):
    fresh.workspace.registry.add_feed("lincoln", Feed(format="clever", path=str(tmp_path / "gone")), update=True)
    first = evaluated(fresh, instance)
    second = evaluated(fresh, instance, first.cursor)

    for result in (first, second):
        assert str(result.skip_reason.skip_message).startswith(f"Cannot be looked at: lincoln/clever ({tmp_path / 'gone'}")


def test_how_long_and_at_how_many_a_tick_looks_is_a_setting(fresh: Home, instance: dg.DagsterInstance, monkeypatch):
    (fresh.path / "roster_etl.toml").write_text("[landing]\ntick_seconds = 7\ntick_looks = 3\n")
    bounds = []
    monkeypatch.setattr(
        landing_sensor,
        "poll_landing_zones",
        lambda *words, **named: (bounds.append(named["bounds"]), poll_landing_zones(*words, **named))[1],
    )
    evaluated(fresh, instance)

    assert [(found.poll_budget.seconds, found.poll_budget.threads) for found in bounds] == [(7, 3)]


def test_a_run_request_names_partition_format_and_the_landing_zone():
    request = run_request(ImportRequest(district_id="lincoln", source="clever", key="k", stale=("staff.csv",)), "import_clever")

    assert (request.partition_key, request.job_name, request.run_key) == ("lincoln", "import_clever", "k")
    assert request.tags == {"district": "lincoln", "format": "clever"}
    assert request.run_config == {"ops": {"clever__upload": {"config": {"landing": True, "stale": ["staff.csv"]}}}}


def test_runs_that_have_not_ended_are_known_by_district_and_format(instance: dg.DagsterInstance):
    for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS):
        tags = {"district": status.value.lower(), "format": "clever"}
        instance.create_run_for_job(defs.resolve_job_def("import_clever"), status=status, tags=tags)

    assert busy_feeds(instance) == {("started", "clever", "")}
