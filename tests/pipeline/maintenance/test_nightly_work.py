"""The nightly cleanup costs what is new, however many imports the ledger has."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.retention import PAGES, apply_retention
from roster_etl.pipeline.maintenance.sweep_progress import add_pending
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import Hold, ImportResult
from tests.ledgers import in_transaction
from tests.pipeline.work import LONG_AGO, add_imports, counted

MONTHS = timedelta(days=730)


def night(workspace: Workspace, past: timedelta) -> tuple[int, ...]:
    """Clean up at a moment when pages that were written before LONG_AGO + `past` are too old. Returns the refreshed manifests."""
    swept = clean_up_home(workspace)
    apply_retention(workspace, LONG_AGO + past + MONTHS)
    return swept.manifests


def a_night_with_ten_new_imports(folder: Path, imports: int, monkeypatch: pytest.MonkeyPatch, *, old: bool) -> dict[str, int]:
    """Return what a night costs. ``old``: the pages of all but six imports are past their time; else none is."""
    workspace = Workspace.open(folder / f"home{imports}")
    add_imports(workspace, imports)
    past = timedelta(minutes=imports) if old else timedelta(days=-1)
    for _ in range(2):
        night(workspace, past)
    add_imports(workspace, 10, district="madison")
    with counted(workspace, monkeypatch) as work:
        assert night(workspace, past + timedelta(minutes=5)) == ()
    assert len(list((workspace.home / "reports" / "madison").iterdir())) == (6 if old else 10)
    workspace.close()
    return work.counts


@pytest.mark.parametrize("old", [True, False])
def test_a_night_costs_the_same_with_fifty_and_with_four_hundred_imports(tmp_path, monkeypatch, old) -> None:
    few = a_night_with_ten_new_imports(tmp_path, 50, monkeypatch, old=old)
    many = a_night_with_ten_new_imports(tmp_path, 400, monkeypatch, old=old)

    assert many == few
    assert few["opened"] > 10  # manifests of the new imports were read


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A home of three imports, of which the second is held, that was cleaned up twice."""
    opened = Workspace.open(tmp_path / "home")
    add_imports(opened, 1)
    number = in_transaction(opened.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=LONG_AGO
    )
    hold = Hold(reason="delete_threshold", plan_sha256="0", created_at=LONG_AGO)
    in_transaction(opened.warehouse).conclude(ImportResult(import_id=number, status="held", finished_at=LONG_AGO, hold=hold))
    add_imports(opened, 1)
    assert clean_up_home(opened).manifests == (number,)
    assert clean_up_home(opened).manifests == ()
    return opened


def test_a_hold_that_is_decided_later_is_looked_at_again(workspace: Workspace) -> None:
    in_transaction(workspace.warehouse).decide_hold(2, "discarded", "sam", LONG_AGO)

    assert clean_up_home(workspace).manifests == (2,)
    assert workspace.archive.read_manifest("lincoln", 2)["status"] == "discarded"
    assert clean_up_home(workspace).manifests == ()


def test_all_manifests_are_looked_at_on_request_and_when_the_ledger_is_another_one(workspace: Workspace) -> None:
    add_imports(workspace, 1)
    clean_up_home(workspace)
    clean_up_home(workspace)
    (workspace.home / "archive" / "manifests" / "lincoln" / "1.json").unlink()

    assert clean_up_home(workspace).manifests == ()
    assert clean_up_home(workspace, everything=True).manifests == (1,)

    progress = workspace.home / "housekeeping.json"
    document = json.loads(progress.read_text())
    document["manifests"]["started"] = "2019-01-01T00:00:00+00:00"
    progress.write_text(json.dumps(document))
    (workspace.home / "archive" / "manifests" / "lincoln" / "1.json").unlink()
    assert clean_up_home(workspace).manifests == (1,)


def test_a_damaged_note_of_what_was_seen_costs_one_full_look(workspace: Workspace) -> None:
    (workspace.home / "housekeeping.json").write_text("{")
    (workspace.home / "archive" / "manifests" / "lincoln" / "1.json").unlink()

    assert clean_up_home(workspace).manifests == (1,)


def test_a_page_that_is_written_again_goes_again(workspace: Workspace) -> None:
    page = workspace.home / "reports" / "lincoln" / "1.html"
    late = LONG_AGO + timedelta(days=1) + MONTHS
    assert apply_retention(workspace, late).reports == 2
    assert apply_retention(workspace, late).reports == 0

    page.write_text("<html>")
    add_pending(workspace, PAGES, 1)

    assert apply_retention(workspace, late).reports == 0  # it is new
    os.utime(page, (LONG_AGO.timestamp(),) * 2)
    assert apply_retention(workspace, late).reports == 1
    assert not page.exists()


def test_half_written_files_lie_in_one_folder_of_the_archive(workspace: Workspace, tmp_path: Path) -> None:
    archive = tmp_path / "home" / "archive"
    workspace.archive.put(b"roster", original_sha256="0" * 64)

    assert list((archive / "parts").iterdir()) == []
    for folder in ("parts", "manifests"):
        (archive / folder / "x.0123456789ab.part").write_bytes(b"")
        os.utime(archive / folder / "x.0123456789ab.part", (LONG_AGO.timestamp(),) * 2)
    assert workspace.archive.remove_partial_files() == 1
    assert workspace.archive.remove_partial_files(everywhere=True) == 1
