"""Celery's part, without a broker: addresses, and an end to waiting for a worker that is gone. With one: ``end_to_end/test_cluster.py``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("dagster_celery")

from roster_etl.cli.doctor import _check_executor
from roster_etl.orchestration.runtime import celery_executor
from roster_etl.orchestration.runtime.celery_executor import (
    BACKEND,
    BROKER,
    BrokerUnavailable,
    MonitoredResult,
    WorkerLost,
    celery_app,
    connection_urls,
    ping_workers,
)
from roster_etl.orchestration.runtime.executors import VARIABLE
from roster_etl.spec.errors import SettingsError

SECRET = "canary-secret-4711"


class Clock:
    """Our own clock, which a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Result:
    """A step's result, as Celery keeps it."""

    def __init__(self, state: str = "STARTED") -> None:
        self.state, self.info, self.came, self.revoked = state, {"hostname": "celery@east", "pid": 1}, False, False

    def ready(self) -> bool:
        return self.came

    def get(self) -> list[str]:
        return ["events"]

    def revoke(self) -> None:
        self.revoked = True


class App:
    """An app whose worker answers as often as a test says."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.control = SimpleNamespace(broadcast=self.broadcast)

    def broadcast(self, *_: Any, destination: list[str], **__: Any) -> list[dict[str, Any]]:
        return [{destination[0]: {"ok": "pong"}}] if self.answers.pop(0) else []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(celery_executor, "time", clock)
    return clock


def looks(watched: MonitoredResult, clock: Clock, times: int) -> list[bool]:
    """Look again after each pause."""
    found = []
    for _ in range(times):
        clock.now += celery_executor.PING_SECONDS
        found.append(watched.ready())
    return found


def test_a_worker_that_misses_three_answers_in_a_row_is_gone(clock: Clock) -> None:
    result = Result()
    watched = MonitoredResult(App(False, False, True, False, False, False), result)

    assert looks(watched, clock, 6) == [False] * 5 + [True]
    with pytest.raises(WorkerLost, match="celery@east took this step and no longer responds"):
        watched.get()
    assert result.revoked


def test_a_result_that_came_in_the_end_counts(clock: Clock) -> None:
    result = Result()
    watched = MonitoredResult(App(False, False, False), result)
    looks(watched, clock, 3)
    result.came = True

    assert watched.get() == ["events"]


def test_a_step_that_waits_for_a_free_worker_is_not_lost(clock: Clock) -> None:
    assert looks(MonitoredResult(App(), Result("PENDING")), clock, 9) == [False] * 9


def test_nobody_is_asked_more_often_than_needed(clock: Clock) -> None:
    watched = MonitoredResult(App(), Result())

    assert [watched.ready() for _ in range(5)] == [False] * 5


# ── where the broker is ──


def test_the_broker_is_named_by_a_variable_or_by_a_private_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(BROKER, "redis://localhost/0")
    assert connection_urls() == ("redis://localhost/0", "redis://localhost/0")
    file = tmp_path / "broker"
    file.write_text(f"amqps://roster:{SECRET}@broker.example.org//\n")
    file.chmod(0o600)
    monkeypatch.setenv(f"{BROKER}_FILE", str(file))
    assert connection_urls() == (f"amqps://roster:{SECRET}@broker.example.org//", "rpc://")
    monkeypatch.setenv(BACKEND, "redis://localhost/1")
    assert connection_urls()[1] == "redis://localhost/1"

    file.chmod(0o644)
    with pytest.raises(SettingsError, match="others can read"):
        connection_urls()


@pytest.mark.parametrize(("url", "why"), [("", "neither a file nor a variable|is not set"), ("localhost", "it is no URL")])
def test_a_broker_that_is_not_named_is_said(monkeypatch: pytest.MonkeyPatch, url: str, why: str) -> None:
    monkeypatch.setenv(BROKER, url)
    with pytest.raises(SettingsError, match=why):
        connection_urls()


def test_workers_listen_where_steps_are_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER, "redis://localhost/0")
    app = celery_app()

    assert (app.conf.task_default_queue, [queue.name for queue in app.conf.task_queues]) == ("dagster", ["dagster"])
    assert celery_executor.CeleryStepExecutor().app_args()["config_source"]["task_default_queue"] == "dagster"
    assert (app.conf.worker_prefetch_multiplier, app.conf.worker_disable_prefetch, app.conf.task_track_started) == (1, True, True)
    assert "execute_plan" in celery_executor.app.tasks


def test_a_broker_of_another_machine_must_be_asked_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER, f"redis://:{SECRET}@broker.example.org/0")
    with pytest.raises(SettingsError, match="use rediss://") as caught:
        ping_workers()

    assert SECRET not in str(caught.value)


def test_a_broker_that_does_not_answer_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER, f"redis://:{SECRET}@127.0.0.1:1/0")
    with pytest.raises(BrokerUnavailable, match=r"redis://:\*\*\*@127.0.0.1:1/0 does not respond") as caught:
        ping_workers(0.2)

    assert SECRET not in str(caught.value)


def test_doctor_says_what_a_cluster_shares_and_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "celery")
    monkeypatch.setattr(celery_executor, "ping_workers", lambda: (("celery@east", "celery@west"), "redis://localhost/0"))
    settings = SimpleNamespace(
        warehouse="postgresql://db/roster", archive="s3://b/a", staging="/srv/staging", districts="s3://b/d"
    )

    assert _check_executor(SimpleNamespace(settings=settings)) == (
        "celery at redis://localhost/0, workers: celery@east, celery@west; every host must have mounted the same folders: staging"
    )
    settings.warehouse = "sqlite:///roster.sqlite"
    with pytest.raises(Exception, match="a cluster shares one on PostgreSQL"):
        _check_executor(SimpleNamespace(settings=settings))
