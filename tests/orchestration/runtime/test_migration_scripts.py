"""Dagster's migration scripts are read once per process."""

from __future__ import annotations

from pathlib import Path

import alembic.command
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage import sql
from dagster._core.storage.sql import get_alembic_config

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime import tested_dagster
from roster_etl.orchestration.runtime.dagster_storage import describe_storage
from roster_etl.orchestration.runtime.migration_scripts import CachedScripts, cache_migration_scripts


@pytest.fixture
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both places as the packages have them, until the test ends."""
    for module in (sql, alembic.command):
        monkeypatch.setattr(module, "ScriptDirectory", ScriptDirectory)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where scripts were looked for."""
    found: list[str] = []
    original = ScriptDirectory.from_config

    def counted(config: Config) -> ScriptDirectory:
        found.append(config.get_alembic_option("script_location") or "")
        return original(config)

    monkeypatch.setattr(ScriptDirectory, "from_config", counted)
    monkeypatch.setattr(CachedScripts, "_known", {})
    return found


@pytest.mark.usefixtures("as_installed")
def test_storages_of_two_homes_read_the_scripts_once_and_are_up_to_date(tmp_path: Path, read: list[str]):
    for name in ("one", "other"):
        with home_instance(tmp_path / name) as instance:
            found, newest = instance.event_log_storage.alembic_version() or ("", None)
            assert found == newest
        assert describe_storage(tmp_path / name).startswith("SQLite in the home")

    assert read == ["dagster:_core/storage/alembic"]


@pytest.mark.usefixtures("as_installed")
def test_scripts_of_others_are_read_anew(tmp_path: Path, read: list[str]):
    (tmp_path / "versions").mkdir()
    config = Config()
    config.set_main_option("script_location", str(tmp_path))

    assert cache_migration_scripts()
    assert [alembic.command.ScriptDirectory.from_config(config) for _ in range(2)]
    assert read == [str(tmp_path)] * 2


@pytest.mark.usefixtures("as_installed")
def test_a_version_of_dagster_that_was_not_tested_reads_its_scripts_in_its_own_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")

    assert not cache_migration_scripts()
    assert (sql.ScriptDirectory, alembic.command.ScriptDirectory) == (ScriptDirectory, ScriptDirectory)


def test_the_place_that_is_replaced_is_the_one_that_dagster_uses():
    assert sql.get_alembic_config is get_alembic_config
    assert "ScriptDirectory" in sql.check_alembic_revision.__code__.co_names
    assert "ScriptDirectory" in alembic.command.stamp.__code__.co_names
