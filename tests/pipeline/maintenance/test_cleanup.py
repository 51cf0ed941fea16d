"""Tidying up after killed processes: the ledger, the archive and staging agree again."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.pipeline import import_upload
from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.dumps import dump
from tests.pipeline.maintenance.test_rebuild import registered, run


class Killed(BaseException):
    """Ends a process where it stands."""


def killed(*_: object) -> None:
    raise Killed


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    write_sample(vendor("clever"), tmp_path / "a", students=20, seed=5)
    return registered(tmp_path / "home", f"sqlite:///{tmp_path}/warehouse.sqlite")


def test_an_import_that_was_published_and_not_written_down_is_rebuilt_all_the_same(workspace, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("roster_etl.pipeline.steps.publish.write_manifest", killed)
        with pytest.raises(Killed):
            run(workspace, path=str(tmp_path / "a"))
    assert workspace.archive.read_manifest("lincoln", 1)["status"] == "running"

    assert clean_up_home(workspace).manifests == (1,)

    assert rebuild_district(workspace, "lincoln", f"sqlite:///{tmp_path}/again.sqlite").published == 1
    with Warehouse(f"sqlite:///{tmp_path}/again.sqlite") as target:
        assert dump(target) == dump(workspace.warehouse)
    assert clean_up_home(workspace).manifests == ()


def test_an_import_whose_process_was_killed_is_ended_and_its_upload_can_run_again(workspace, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(import_upload, "run_steps", killed)
        with pytest.raises(Killed):
            run(workspace, path=str(tmp_path / "a"))

    swept = clean_up_home(workspace)

    assert (swept.ended, workspace.warehouse.ledger.import_(1)["status"]) == ((1,), "failed")
    assert run(workspace, archived=1)["status"] == "published"
