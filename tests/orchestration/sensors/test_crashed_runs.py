"""A run whose process was killed blocks its district no longer than until the next tick."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from roster_etl.orchestration.assets.step_context import DISTRICT, FORMAT
from roster_etl.orchestration.sensors.crashed_runs import fail_orphaned_runs
from roster_etl.orchestration.sensors.landing_sensor import busy_feeds
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphaned_imports
from roster_etl.pipeline.workspace import Workspace
from tests.ledgers import in_transaction
from tests.orchestration.conftest import Home

TAGS = {DISTRICT: "lincoln", FORMAT: "clever"}


def begun(workspace: Workspace, instance: dg.DagsterInstance, *, killed: bool) -> tuple[int, str]:
    """Enter an import and its run, with the lock of a process that lives, or that was killed."""
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED, tags=TAGS)
    number = in_transaction(workspace.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=datetime.now(UTC), run_id=run.run_id
    )
    file = workspace.import_locks._lock_file(number)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)
    if killed:
        os.close(lock)
    return number, run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_import_and_run_of_a_killed_process_are_ended_and_the_district_is_free(fresh: Home, instance: dg.DagsterInstance) -> None:
    workspace = Workspace.open(fresh.path)
    number, run_id = begun(workspace, instance, killed=True)

    assert fail_orphaned_runs(workspace, instance) == [number]
    assert workspace.warehouse.ledger.import_(number)["status"] == "failed"
    assert (status(instance, run_id), busy_feeds(instance)) == (dg.DagsterRunStatus.FAILURE, set())


def test_a_run_whose_import_was_ended_before_is_ended_too(fresh: Home, instance: dg.DagsterInstance) -> None:
    workspace = Workspace.open(fresh.path)
    _, run_id = begun(workspace, instance, killed=True)
    fail_orphaned_imports(workspace)

    assert fail_orphaned_runs(workspace, instance) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE


def test_a_living_run_and_one_of_another_host_go_on(fresh: Home, instance: dg.DagsterInstance) -> None:
    workspace = Workspace.open(fresh.path)
    number, living = begun(workspace, instance, killed=False)
    elsewhere, other = begun(workspace, instance, killed=True)
    workspace.import_locks._lock_file(elsewhere).unlink()  # another home has the lock, if anybody

    assert fail_orphaned_runs(workspace, instance) == []
    assert [workspace.warehouse.ledger.import_(n)["status"] for n in (number, elsewhere)] == ["running", "running"]
    assert {status(instance, run) for run in (living, other)} == {dg.DagsterRunStatus.STARTED}


def taken_over(workspace: Workspace, instance: dg.DagsterInstance, number: int) -> str:
    """Let another run, which lives, go on with a killed process's import, and return its id."""
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED, tags=TAGS)
    in_transaction(workspace.warehouse).resume(number, run.run_id)
    return run.run_id


def test_a_run_that_goes_on_with_a_killed_processes_import_is_not_ended_with_it(
    fresh: Home, instance: dg.DagsterInstance
) -> None:
    workspace = Workspace.open(fresh.path)
    number, killed = begun(workspace, instance, killed=True)
    fail_orphaned_runs(workspace, instance)
    retry = taken_over(workspace, instance, number)

    assert fail_orphaned_runs(workspace, instance) == []
    assert (status(instance, killed), status(instance, retry)) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED)
    assert workspace.warehouse.ledger.import_(number)["status"] == "running"


def test_a_run_that_takes_an_import_over_during_a_tick_goes_on(
    fresh: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(fresh.path)
    number, _ = begun(workspace, instance, killed=True)
    retries: list[str] = []

    def overtaken(workspace: Workspace) -> list[int]:
        gone = fail_orphaned_imports(workspace)
        retries.append(taken_over(workspace, instance, number))
        return gone

    monkeypatch.setattr("roster_etl.orchestration.sensors.crashed_runs.fail_orphaned_imports", overtaken)

    assert fail_orphaned_runs(workspace, instance) == [number]
    assert status(instance, retries[0]) == dg.DagsterRunStatus.STARTED


def test_a_run_in_another_home_that_goes_on_with_an_import_of_this_one_goes_on(fresh: Home, instance: dg.DagsterInstance) -> None:
    workspace = Workspace.open(fresh.path)
    number, killed = begun(workspace, instance, killed=True)
    workspace.import_locks._lock_file(number).write_text(killed)
    retry = taken_over(workspace, instance, number)

    assert fail_orphaned_runs(workspace, instance) == [number]
    assert status(instance, retry) == dg.DagsterRunStatus.STARTED
    assert workspace.warehouse.ledger.import_(number)["status"] == "running"
