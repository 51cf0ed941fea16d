"""Imports whose process was killed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.pipeline.lifecycle.crashed_imports import fail_import_of_run, fail_orphans_under_lock, fail_running_import
from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import LandingNotFound
from roster_etl.store.registry.registry import District, Feed
from tests.cli.calling import call
from tests.ledgers import in_transaction
from tests.saved import SavedFolders

DIES = """
import os, sys
from pathlib import Path
from roster_etl.pipeline.steps import receive
from roster_etl.pipeline.workspace import Workspace
receive._collect_files = lambda *_: os._exit(9)
receive.receive_upload(Workspace.open(Path(sys.argv[1])), receive.Order(district_id="lincoln", source="clever", path=sys.argv[1]))
"""


def make(folder: Path, _: str) -> None:
    """Make a home in which a process was killed during an import."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    with closing(Workspace.open(home)) as workspace:
        workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
        subprocess.run([sys.executable, "-c", DIES, str(home)], check=False)


@pytest.fixture
def killed(saved: SavedFolders, tmp_path: Path) -> Workspace:
    """A home with a running import whose process was killed."""
    saved.copy("killed", make, tmp_path)
    workspace = Workspace.open(tmp_path / "home")
    (lock,) = workspace.settings.scratch.glob("import-*.lock")
    lock.rename(workspace.import_locks._lock_file(1))  # it is named after the warehouse, which is a copy now
    assert workspace.warehouse.ledger.import_(1)["status"] == "running"
    return workspace


def test_the_feeds_next_import_ends_what_a_killed_process_left(killed: Workspace, tmp_path: Path) -> None:
    with pytest.raises(LandingNotFound):
        receive_upload(killed, Order(district_id="lincoln", source="clever", path=str(tmp_path / "none")))

    first = killed.warehouse.ledger.import_(1)
    assert first["status"] == "failed"
    assert first["summary"]["error"] == {
        "class": "ProcessCrashed",
        "code": "abandoned",
        "message": "the process that ran the import crashed or was killed",
    }
    assert [path.name for path in killed.settings.scratch.iterdir()] == ["imports.gate"]


def test_an_import_of_another_feed_or_of_a_living_process_goes_on(killed: Workspace) -> None:
    number = in_transaction(killed.warehouse).open_import(
        kind="upload", district_id="washington", source="clever", started_at=datetime.now(UTC)
    )
    killed.import_locks.acquire(number)

    assert fail_orphans_under_lock(killed, "washington") == []
    assert [killed.warehouse.ledger.import_(n)["status"] for n in (1, number)] == ["running", "running"]
    killed.import_locks.release(number, ended=True)


def test_an_import_without_a_lock_may_belong_to_another_home(killed: Workspace) -> None:
    number = in_transaction(killed.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=datetime.now(UTC)
    )

    assert fail_orphans_under_lock(killed, "lincoln") == [1]
    assert killed.warehouse.ledger.import_(number)["status"] == "running"


def test_doctor_tells_of_imports_that_nobody_works_on(killed: Workspace) -> None:
    answer = call("doctor", "--json", home=killed.home)

    (found,) = [thing for thing in answer.document if thing["what"] == "imports"]
    assert (answer.code, found["ok"]) == (1, False)
    assert "no process of this home works on them: 1." in found["found"]


def test_what_a_killed_process_left_does_not_end_an_import_that_another_run_has_taken_up(killed: Workspace) -> None:
    killed.import_locks.acquire(1, "run-a")
    killed.import_locks.release(1, ended=False)
    in_transaction(killed.warehouse).resume(1, "run-b")  # on another host

    assert fail_orphans_under_lock(killed, "lincoln") == []
    assert killed.warehouse.ledger.import_(1)["status"] == "running"
    assert killed.import_locks.orphaned() == []


def test_a_step_whose_import_goes_on_elsewhere_leaves_nothing(killed: Workspace) -> None:
    killed.import_locks.acquire(1, "run-a")
    release_import(killed, 1, continues_elsewhere=True)

    assert (killed.import_locks.orphaned(), killed.warehouse.ledger.import_(1)["status"]) == ([], "running")


def test_an_import_ends_with_its_run_unless_it_is_anothers_by_then(killed: Workspace) -> None:
    in_transaction(killed.warehouse).resume(1, "run-a")

    assert fail_import_of_run(killed, 1, "run-before") is False
    killed.import_locks.acquire(1, "run-a")
    assert fail_import_of_run(killed, 1, "run-a") is False  # a process of this home is at work on it
    killed.import_locks.release(1, ended=True)
    assert fail_import_of_run(killed, 1, "run-a") is True
    assert killed.warehouse.ledger.import_(1)["summary"]["error"]["code"] == "abandoned"
    assert fail_import_of_run(killed, 1, "run-a") is False


def test_an_import_that_has_ended_is_not_failed_afterwards(killed: Workspace) -> None:
    assert fail_running_import(killed, 1, LandingNotFound(where="x")) is True
    assert fail_running_import(killed, 1, LandingNotFound(where="x")) is False
    assert killed.warehouse.ledger.import_(1)["status"] == "failed"
