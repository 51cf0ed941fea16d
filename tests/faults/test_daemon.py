"""A real daemon that is killed: in the middle of a tick, and with all its processes while a run publishes. `make faults` runs it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.cli.demo.processes import running_process
from roster_etl.orchestration.jobs.in_process_runs import MODULE, home_instance
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.faults.test_matrix import ALL

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not ALL, reason="a real daemon: make faults"),
]
OPTIONS = {"quiet_period": "2s", "straggler_wait": "2s", "min_interval": "1s"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A home whose district has uploaded."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    write_sample(vendor("clever"), tmp_path / "landing" / "lincoln", students=8, seed=5)
    (home / "roster_etl.toml").write_text(f'[landing]\nbase = "{tmp_path / "landing"}"\n')
    with home_instance(home) as instance:
        instance.get_runs_count()
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", options=OPTIONS),)))
    return workspace


def daemon(workspace: Workspace, fault: str = "") -> Any:
    environment = {"DAGSTER_HOME": str(workspace.home), "ROSTER_ETL_HOME": str(workspace.home), "ROSTER_ETL_SENSOR_SECONDS": "2"}
    environment |= {"ROSTER_ETL_FAIL_AT": fault, "PYTHONDONTWRITEBYTECODE": ""}
    return running_process(
        "dagster._daemon",
        ["run", "-m", MODULE],
        environment=environment,
        folder=workspace.home,
        log=workspace.home / "dagster.log",
    )


def wait_for(what: Callable[[], bool], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(1)


def statuses(workspace: Workspace) -> list[str]:
    return [row["status"] for row in workspace.warehouse.ledger.imports("lincoln")]


def is_left(workspace: Workspace) -> bool:
    """Whether a process was killed with an import in hand."""
    return bool(workspace.import_locks.orphaned())


def ticks_that_failed(workspace: Workspace) -> bool:
    log = workspace.home / "dagster.log"
    return log.exists() and any(
        word in log.read_text("utf-8", "replace") for word in ("DagsterUserCodeUnreachableError", "Sensor failed")
    )


def test_a_daemon_whose_sensor_is_killed_in_each_tick_imports_once_when_it_is_whole_again(workspace: Workspace) -> None:
    with daemon(workspace, "cursor.asked:kill"):
        wait_for(lambda: ticks_that_failed(workspace))
    assert statuses(workspace) == []
    with daemon(workspace):
        wait_for(lambda: "published" in statuses(workspace))
        time.sleep(10)

    assert statuses(workspace) == ["published"]


def test_a_machine_that_dies_while_a_run_publishes_imports_after_it_is_up_again(workspace: Workspace) -> None:
    with daemon(workspace, "publish.commit:kill") as process:
        wait_for(lambda: is_left(workspace))
        os.killpg(process.pid, signal.SIGKILL)
    assert statuses(workspace) == ["running"]
    assert workspace.warehouse.roster.base("lincoln", "clever") is None
    with daemon(workspace):
        wait_for(lambda: "published" in statuses(workspace), 600)

    assert statuses(workspace).count("published") == 1
    assert "running" not in statuses(workspace)
    with home_instance(workspace.home) as instance:
        assert not [run for run in instance.get_runs() if run.status.value in ("STARTED", "STARTING")]
