"""The home that a process uses if none is named."""

from __future__ import annotations

from pathlib import Path

from roster_etl.store.default_home import default_home


def test_the_environment_names_it(tmp_path: Path):
    assert default_home({"ROSTER_ETL_HOME": str(tmp_path)}) == tmp_path


def test_in_a_checkout_and_below_it_is_the_checkouts(root: Path, monkeypatch):
    monkeypatch.chdir(root)
    at_the_root = default_home({})
    monkeypatch.chdir(root / "docs" / "formats")

    assert at_the_root == default_home({}) == root / "dagster_home"


def test_elsewhere_it_is_to_be_created_in_the_current_folder(tmp_path: Path, monkeypatch):
    (tmp_path / "dagster_home").mkdir()  # a folder of this name that is no home does not count
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert default_home({}) == tmp_path / "below" / "dagster_home"
