"""An upload that makes its import fail again and again is parked, and everybody who looks is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline import import_upload as road
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.retry_policy import is_retryable
from roster_etl.pipeline.reporting.import_summary import is_parked, outcome, read_import_summary
from roster_etl.pipeline.reporting.report_files import report_document
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.spec.errors import PermanentError
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.cli.calling import call


class Bug(Exception):
    """What nobody foresaw."""


@pytest.fixture
def workspace(home: Path, tmp_path: Path) -> Workspace:
    write_sample(vendor("clever"), tmp_path / "a", students=5, seed=5)
    write_next_day(vendor("clever"), tmp_path / "a", tmp_path / "b", seed=6)
    (home / "roster_etl.toml").write_text('[alerts]\nwebhook_env = "HOOK"\n')
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    return workspace


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def break_by(error: Exception) -> None:
        def walk(*_: Any) -> None:
            raise error

        monkeypatch.setattr(road, "run_steps", walk)

    break_by(Bug())
    return break_by


def fails(workspace: Workspace, path: Path) -> dict[str, Any]:
    """Import the upload at `path`, which fails, and return its row."""
    with pytest.raises((Bug, PermanentError)):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(path)))
    return workspace.warehouse.ledger.imports("lincoln", limit=1)[0]


def test_the_third_try_of_the_same_upload_parks_it(workspace: Workspace, tmp_path: Path, broken: object) -> None:
    rows = [fails(workspace, tmp_path / "a") for _ in range(3)]

    assert [is_parked(row) for row in rows] == [False, False, True]
    assert [is_retryable(row) for row in rows] == [True, True, False]


def test_whoever_looks_at_a_parked_upload_is_told(workspace: Workspace, tmp_path: Path, broken: object) -> None:
    numbers = [fails(workspace, tmp_path / "a")["import_id"] for _ in range(3)]

    document = report_document(workspace, read_import_summary(workspace, numbers[-1]))
    assert [finding["code"] for finding in document["findings"]] == ["parked"]
    assert "`roster-etl rerun --district lincoln --format clever` tries once more" in document["findings"][0]["message"]
    assert [row["parked"] for row in call("imports", "--json", home=workspace.home).document] == [True, False, False]
    assert "failed, parked" in call("imports", home=workspace.home).out
    (told,) = [message for message in workspace.outbox.messages() if f"import {numbers[-1]} is failed, parked" in message.text]
    assert "in a row" in told.text


def test_another_upload_is_tried_as_often_again(workspace: Workspace, tmp_path: Path, broken: object) -> None:
    for _ in range(3):
        fails(workspace, tmp_path / "a")

    assert not is_parked(fails(workspace, tmp_path / "b"))


def test_how_often_is_a_setting(workspace: Workspace, tmp_path: Path, broken: object) -> None:
    (workspace.home / "roster_etl.toml").write_text("[imports]\ntries = 1\n")

    assert is_parked(fails(Workspace.open(workspace.home), tmp_path / "a"))


def test_what_a_person_must_mend_is_not_tried_again_and_not_parked(workspace: Workspace, tmp_path: Path, broken: Any) -> None:
    broken(PermanentError("mend it"))
    row = [fails(workspace, tmp_path / "a") for _ in range(4)][-1]

    assert (is_parked(row), is_retryable(row)) == (False, False)


def test_a_parked_upload_that_is_run_again_by_hand_is_published(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(road, "run_steps", lambda *_: (_ for _ in ()).throw(Bug()))
        row = [fails(workspace, tmp_path / "a") for _ in range(3)][-1]

    number = import_upload(workspace, Order(district_id="lincoln", source="clever", archived=row["import_id"]))
    assert (outcome(workspace, number)["status"], outcome(workspace, number)["parked"]) == ("published", False)
