"""``open``: the report or the run of an import."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path

import pytest

from tests.cli.calling import call


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    return shutil.copytree(told, tmp_path / "home")


def test_the_report_of_the_newest_import_is_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not opened.append(address))

    answer = call("open", home=home)

    assert answer.code == 0
    assert answer.out.strip() == (home / "reports" / "lincoln" / "2.html").as_uri()
    assert opened == [answer.out.strip()]


def test_a_run_is_opened_in_the_ui_that_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTER_ETL_UI", "https://dagster.example.org/")
    run_id = call("show", "1", "--json", home=home).document["run_id"]

    answer = call("open", "1", "--run", "--print", home=home)

    assert answer.out.strip() == f"https://dagster.example.org/runs/{run_id}"


def test_with_json_nothing_is_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("opened"))

    document = call("imports", "open", "1", "--json", home=home).document

    assert (document["import_id"], document["opened"]) == (1, False)
    assert Path(document["url"].removeprefix("file://")).exists()


def test_where_nothing_was_imported_there_is_nothing_to_open(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)

    assert call("open", home=tmp_path / "empty").code == 2
