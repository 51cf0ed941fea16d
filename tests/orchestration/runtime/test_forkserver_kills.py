"""Warm runs that are killed, and the process that they are forked from: nothing goes on beside its own retry, nothing stays behind."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dagster._utils import start_termination_thread

from roster_etl.orchestration.runtime import forkserver as warm
from roster_etl.orchestration.runtime.forkserver_watchdog import is_alive
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphaned_imports
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.store import fault_injection
from tests.csv_files import put_in_every_row
from tests.orchestration.conftest import Home, register


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Any]]:
    """Starts a process as a code server starts its warm runs."""
    server = type("Server", (), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "dagster._grpc.server", SimpleNamespace(DagsterApiServer=server))
        patch.delenv(warm.VARIABLE, raising=False)
        assert warm.enable_forkserver()
    started: list[Any] = []

    def start(target: Callable[..., None], *words: Any) -> Any:
        process = server()._mp_ctx.Process(target=target, args=words)  # type: ignore[attr-defined]
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.exitcode in (None, 255) and is_alive(process.pid):  # 255: its parent was killed, and could not tell
            os.kill(process.pid, signal.SIGKILL)
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    multiprocessing.set_forkserver_preload(["__main__"])


@pytest.fixture
def home(tmp_path: Path, sample: Path) -> Home:
    """A home in whose landing zone the upload of one district lies."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    shutil.copytree(sample, tmp_path / "landing" / "lincoln")
    (path / "roster_etl.toml").write_text(f'[landing]\nbase = "{tmp_path / "landing"}"\n')
    found = Home(path)
    register(found.workspace, "lincoln")
    return found


def imports(home: Path, sample: Path, fault: str) -> None:
    """Do what a run does, in a process of its own."""
    os.environ[fault_injection.VARIABLE] = fault
    with closing(Workspace.open(home)) as workspace:
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(sample)))


def imports_until(home: Path, sample: Path, wish: Any) -> None:
    """Do what a run does whose end is wished for: Dagster sets the event that it gave the run."""
    fault_injection.time = SimpleNamespace(sleep=_sleep_in_parts)  # type: ignore[assignment]
    start_termination_thread(wish, threading.Event())
    imports(home, sample, "map.begin:sleep")


def _sleep_in_parts(seconds: float) -> None:
    """Sleep as code that can be interrupted: Dagster interrupts between two calls of Python, not within one."""
    for _ in range(int(seconds * 20)):
        time.sleep(0.05)


def imports_and_names_children(home: Path, sample: Path, file: Path) -> None:
    """Do what a run does, and write down the processes that it started."""
    imports(home, sample, "")
    file.write_text(str([] if GX_CLIENT._process is None else [GX_CLIENT._process.pid]))


def says(home: Path, file: Path) -> None:
    """Write down which process it is forked from, and a setting of the home."""
    with closing(Workspace.open(home)) as workspace:
        file.write_text(f"{os.getppid()} {workspace.settings.imports.tries}")


def parent() -> int:
    return int(forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]


def statuses(home: Home) -> list[str]:
    return [str(row["status"]) for row in home.workspace.warehouse.ledger.imports("lincoln")]


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_a_run_that_is_killed_hurts_neither_its_parent_nor_the_next_run(start: Any, home: Home, sample: Path):
    killed = start(imports, home.path, sample, "map.begin:kill")
    killed.join(60)
    before = parent()
    left = statuses(home)
    ended = fail_orphaned_imports(home.workspace)
    again = start(imports, home.path, sample, "")
    again.join(120)

    assert (killed.exitcode, left, len(ended)) == (-signal.SIGKILL, ["running"], 1)
    assert (again.exitcode, statuses(home)) == (0, ["published", "failed"])
    assert parent() == before


def test_runs_end_with_the_process_that_they_are_forked_from_and_the_next_run_has_a_new_one(
    start: Any, home: Home, sample: Path, tmp_path: Path
):
    run = start(imports, home.path, sample, "map.begin:sleep")
    wait_for(lambda: statuses(home) == ["running"])
    before = parent()
    os.kill(before, signal.SIGKILL)
    run.join(60)
    wait_for(lambda: not is_alive(run.pid))
    after = start(says, home.path, tmp_path / "said")
    after.join(60)

    assert run.exitcode not in (None, 0)
    assert len(fail_orphaned_imports(home.workspace)) == 1
    assert statuses(home) == ["failed"]
    assert (after.exitcode, parent() == before) == (0, False)
    assert (tmp_path / "said").read_text().split()[0] == str(parent())


def test_a_run_that_is_ended_from_the_ui_stops_and_the_next_one_publishes(start: Any, home: Home, sample: Path):
    wish = multiprocessing.get_context("forkserver").Event()
    ended = start(imports_until, home.path, sample, wish)
    wait_for(lambda: statuses(home) == ["running"])
    wish.set()
    ended.join(60)
    fail_orphaned_imports(home.workspace)
    again = start(imports, home.path, sample, "")
    again.join(120)

    assert ended.exitcode not in (None, 0)
    assert (again.exitcode, statuses(home)) == (0, ["published", "failed"])


def test_a_warm_run_starts_no_process_for_the_gates(start: Any, home: Home, upload: Path, tmp_path: Path):
    put_in_every_row(upload / "students.csv", "Grade", "thirteenth")
    run = start(imports_and_names_children, home.path, upload, tmp_path / "said")
    run.join(120)

    assert (run.exitcode, statuses(home)) == (0, ["published"])
    assert (tmp_path / "said").read_text() == "[]"
    checks = home.workspace.warehouse.ledger.checks(1)
    assert len(checks) > 20
    assert [check["name"] for check in checks if not check["passed"]] == ["clever/students: tolerances"]


def test_settings_that_changed_hold_for_the_next_run_of_the_same_parent(start: Any, home: Home, tmp_path: Path):
    said = []
    for tries in (4, 5):
        (home.path / "roster_etl.toml").write_text(f"[imports]\ntries = {tries}\n")
        start(says, home.path, tmp_path / "said").join(60)
        said.append((tmp_path / "said").read_text())

    assert said == [f"{parent()} 4", f"{parent()} 5"]
