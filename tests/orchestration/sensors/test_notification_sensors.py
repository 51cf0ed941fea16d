"""The sensors that tell people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.sensors.notification_sensors import notify_run_failure, outbox_sensor, report_missed_since
from roster_etl.pipeline.lifecycle.crashed_imports import fail_running_import
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import LandingNotFound
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import ended, in_transaction
from tests.orchestration.conftest import Home
from tests.post_office import Hook, PostOffice, post_office, webhook


@pytest.fixture
def office():
    with post_office() as office:
        yield office


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch):
    with webhook() as hook:
        monkeypatch.setenv("HOOK", hook.url)
        yield hook


def settings(home: Path, office: PostOffice) -> None:
    home.mkdir(exist_ok=True)
    (home / "roster_etl.toml").write_text(
        f'[mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\nsender = "roster@example.org"\n'
        '[alerts]\nwebhook_env = "HOOK"\n'
    )


@pytest.fixture
def workspace(tmp_path: Path, office: PostOffice, hook: Hook) -> Workspace:
    settings(tmp_path / "home", office)
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", contacts=("data@lincoln.example.org",), feeds=(Feed(format="clever"),)))
    return workspace


def tick(workspace: Workspace, cursor: str | None = None) -> dg.SensorResult:
    with use_home(workspace.home), dg.DagsterInstance.ephemeral() as instance:
        return outbox_sensor(dg.build_sensor_context(instance=instance, cursor=cursor))


def replace_status(run: dg.DagsterRun, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    return dg.DagsterRun(job_name=run.job_name, run_id=run.run_id, tags=run.tags, status=status)


def run(**tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="import_clever", run_id="4f2a", tags=tags)


def test_a_tick_tells_what_nobody_told_of_and_sends_it(workspace: Workspace, office: PostOffice, hook: Hook) -> None:
    first = tick(workspace)
    ended(workspace, "failed", files=())
    second = tick(workspace, first.cursor)
    third = tick(workspace, second.cursor)

    assert [result.skip_reason.skip_message for result in (first, second, third)] == [
        "0 sent, 0 in the outbox",
        "2 sent, 0 in the outbox",
        "0 sent, 0 in the outbox",
    ]
    assert (len(office.mail), len(hook.texts)) == (1, 1)
    assert json.loads(second.cursor) == {"last": 1, "open": []}


def test_a_failed_run_tells_of_its_import_once(workspace: Workspace, hook: Hook) -> None:
    number = ended(workspace, "held")
    failed = run(district="lincoln", format="clever", import_id=str(number))

    assert [notify_run_failure(workspace, failed) for _ in range(2)] == ["lincoln/clever: import 1 was reported"] * 2
    tick(workspace)
    assert len(hook.texts) == 1


def test_a_run_that_failed_before_an_import_began_alerts(workspace: Workspace, hook: Hook) -> None:
    notify_run_failure(workspace, run(district="lincoln", format="clever"))
    tick(workspace)

    assert hook.texts == ["lincoln/clever: run 4f2a failed before an import began; see its log in the Dagster UI"]


def test_an_import_that_a_failed_run_left_running_ends_with_it(workspace: Workspace, hook: Hook) -> None:
    number = in_transaction(workspace.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", run_id="4f2a", started_at=datetime.now(UTC)
    )
    notify_run_failure(workspace, run(district="lincoln", format="clever", import_id=str(number)))
    tick(workspace)

    assert workspace.warehouse.ledger.import_(number)["status"] == "failed"
    assert hook.texts[0].startswith(f"lincoln/clever: import {number} is failed.")


def test_a_run_that_was_canceled_before_an_import_began_alerts_nobody(workspace: Workspace, hook: Hook) -> None:
    canceled = replace_status(run(district="lincoln", format="clever"), dg.DagsterRunStatus.CANCELED)

    assert "was canceled" in notify_run_failure(workspace, canceled)
    assert workspace.outbox.messages() == []


def test_a_run_of_anything_else_is_left_alone(workspace: Workspace) -> None:
    assert "none of an import" in notify_run_failure(workspace, run())
    assert "could not be reported" in notify_run_failure(workspace, run(district="lincoln", format="clever", import_id="77"))
    assert workspace.outbox.messages() == []


def test_the_first_look_takes_note_and_tells_nothing(workspace: Workspace) -> None:
    ended(workspace, "failed", files=())

    assert report_missed_since(workspace, None) == ('{"last": 1, "open": []}', [])


@pytest.mark.slow
def test_a_held_import_is_told_by_its_own_run(published: Home, halved: Path, office: PostOffice, hook: Hook) -> None:
    settings(published.path, office)
    registry = published.workspace.registry
    registry.update(District(id="lincoln", contacts=("data@lincoln.example.org",), feeds=registry.get("lincoln").feeds))
    number = published.run(halved)
    report = published.materialized()["report"].metadata

    assert published.status(number) == "held"
    assert report["path"].value == str(published.path / "reports" / "lincoln" / f"{number}.html")
    assert f"roster-etl holds approve {number} --by NAME" in report["summary"].value
    assert "What would change" in report["summary"].value
    tick(Workspace.open(published.path))
    assert [mail["Subject"] for mail in office.mail] == [f"lincoln: import {number} (clever) held"]
    assert hook.texts[0].startswith(f"lincoln/clever: import {number} is held.")


def test_an_import_that_was_running_at_one_tick_is_told_of_at_a_later_one(workspace: Workspace) -> None:
    running = ended(workspace, "running")
    cursor, told = report_missed_since(workspace, None)
    fail_running_import(workspace, running, LandingNotFound(where="/up"))

    cursor, later = report_missed_since(workspace, cursor)

    assert (told, later) == ([], [running])
    assert report_missed_since(workspace, cursor)[1] == []
