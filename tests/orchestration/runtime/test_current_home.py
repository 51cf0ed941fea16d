"""Which home a process works in."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.orchestration.runtime.current_home import current_home, record_error, use_home


def test_without_a_word_it_is_the_projects(root: Path):
    assert current_home() == root / "dagster_home"


def test_the_environment_names_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ROSTER_ETL_HOME", str(tmp_path))

    assert current_home() == tmp_path


def test_a_visit_wins_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ROSTER_ETL_HOME", "/elsewhere")
    with use_home(tmp_path) as visit:
        record_error(KeyError("x"))
        assert current_home() == tmp_path

    assert isinstance(visit.error, KeyError)
    assert current_home() == Path("/elsewhere")


def test_outside_of_a_visit_an_error_is_nobodys_business():
    record_error(KeyError("x"))
