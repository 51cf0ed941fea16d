"""What is past its time goes; what belongs to an open hold, the warehouse and the archive stay as they are."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.retention import apply_retention, look_again
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.report_files import write_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import SettingsError
from roster_etl.store.outbox.outbox import Message
from roster_etl.store.settings import Settings
from roster_etl.store.warehouse import Hold, ImportResult
from tests.ledgers import in_transaction

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TABLE = pa.table({"a": ["1"]})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A home with five old imports, of which the first is held, each with frames and a page."""
    opened = Workspace.open(tmp_path / "home")
    for number in range(1, 6):
        assert (
            in_transaction(opened.warehouse).open_import(
                kind="upload", district_id="lincoln", source="clever", started_at=LONG_AGO
            )
            == number
        )
        held = Hold(reason="delete_threshold", plan_sha256="0", created_at=LONG_AGO) if number == 1 else None
        status = "held" if held else "failed"
        in_transaction(opened.warehouse).conclude(ImportResult(import_id=number, status=status, finished_at=LONG_AGO, hold=held))
        opened.frames.write("lincoln", number, "file-rows", "rows/students", TABLE)
        page = opened.home / "reports" / "lincoln" / f"{number}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<html>")
        os.utime(page, (LONG_AGO.timestamp(),) * 2)
    return opened


def pages(workspace: Workspace) -> list[str]:
    return sorted(page.name for page in (workspace.home / "reports" / "lincoln").iterdir())


def test_a_sweep_leaves_the_frames_of_an_open_hold(workspace: Workspace) -> None:
    assert open_holds(workspace) == {1}

    assert clean_up_home(workspace).frames == 1

    assert workspace.frames.imports_by_district() == {"lincoln": (1, 3, 4, 5)}


def test_frames_and_pages_go_by_their_age_and_those_of_an_open_hold_stay(workspace: Workspace) -> None:
    gone = apply_retention(workspace, datetime.now(UTC))

    assert (gone.frames, gone.reports, gone.messages) == (4, 4, 0)
    assert workspace.frames.imports_by_district() == {"lincoln": (1,)}
    assert pages(workspace) == ["1.html"]


def test_files_of_data_go_before_their_page_and_are_written_again(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    for number in range(1, 6):
        for kind in ("html", "json", "csv"):
            path = workspace.home / "reports" / "lincoln" / f"{number}.{kind}"
            path.write_text("x")
            at = now - timedelta(days=8 if number < 4 else 6)
            os.utime(path, (at.timestamp(),) * 2)

    gone = apply_retention(workspace, now)

    assert (gone.reports, gone.report_data) == (0, 2)  # the first is held
    htmls = [f"{number}.html" for number in range(1, 6)]
    assert pages(workspace) == sorted([*htmls, *(f"{number}.{kind}" for number in (1, 4, 5) for kind in ("json", "csv"))])
    write_report(workspace, read_import_summary(workspace, 2))
    look_again(workspace, 2)
    assert apply_retention(workspace, now).report_data == 0
    assert apply_retention(workspace, now + timedelta(days=8)).report_data == 3
    assert "2.json" not in pages(workspace)


def test_data_docs_go_with_the_page_that_they_stand_beside(workspace: Workspace) -> None:
    docs = workspace.home / "reports" / "lincoln" / "2.data_docs"
    docs.mkdir()
    (docs / "index.html").write_text("<html>")
    os.utime(docs, (LONG_AGO.timestamp(),) * 2)

    assert apply_retention(workspace, datetime.now(UTC)).reports == 4

    assert not docs.exists()


def test_what_is_not_past_its_time_stays(workspace: Workspace) -> None:
    gone = apply_retention(workspace, LONG_AGO + timedelta(days=1))

    assert (gone.frames, gone.reports, gone.messages) == (0, 0, 0)


def test_messages_that_are_parked_go_and_those_that_wait_stay(workspace: Workspace) -> None:
    for about, parked in (("1", True), ("2", False)):
        text = {"about": about, "created": LONG_AGO.isoformat(), "due": LONG_AGO.isoformat(), "text": "held"}
        workspace.outbox.put(Message(kind="alert", parked=parked, **text))

    assert apply_retention(workspace, datetime.now(UTC)).messages == 1

    assert [message.about for message in workspace.outbox.messages()] == ["2"]


def test_times_are_settings_and_nonsense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "roster_etl.toml").write_text('[retention]\nruns = "10d"\n')
    assert Settings.load(tmp_path).retention.max_age("runs") == timedelta(days=10)

    (tmp_path / "roster_etl.toml").write_text('[retention]\nruns = "soon"\n')
    with pytest.raises(SettingsError, match="retention.runs"):
        Settings.load(tmp_path)
