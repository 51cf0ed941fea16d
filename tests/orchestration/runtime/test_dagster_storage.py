"""Dagster's own storage on PostgreSQL, by its settings file alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dagster._core.instance.ref import InstanceRef

from roster_etl.orchestration.jobs.in_process_runs import run_import
from roster_etl.orchestration.runtime import dagster_storage
from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteStorage
from roster_etl.orchestration.runtime.dagster_storage import (
    StorageUnavailable,
    StorageVersionMismatch,
    describe_storage,
    open_instance,
    translate_storage_errors,
)
from roster_etl.orchestration.runtime.home_config import ensure_config
from roster_etl.pipeline.uploads.order import Order
from roster_etl.spec.errors import SettingsError
from tests.cli.calling import call
from tests.conftest import ROOT
from tests.orchestration.conftest import Home

VARIABLE = "ROSTER_ETL_DAGSTER_STORAGE"
SECRET = "canary-secret-0815"


@pytest.fixture
def on_postgres(fresh: Home, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with the settings file of a cluster, and a database for it."""
    shutil.copyfile(ROOT / "deploy" / "dagster.yaml", fresh.path / "dagster.yaml")
    monkeypatch.setenv(VARIABLE, postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    return fresh


def configured(home: Path, text: str) -> Path:
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(f"storage:\n  postgres:\n    {text}\n")
    return home


@pytest.mark.pg
def test_an_import_is_published_and_its_run_is_in_postgresql(on_postgres: Home, sample: Path) -> None:
    number = run_import(on_postgres.path, Order(district_id="lincoln", source="clever", path=str(sample)))
    run = on_postgres.newest_run()

    assert on_postgres.status(number) == "published"
    assert (run.tags["import_id"], run.status.value) == (str(number), "SUCCESS")
    assert {"warehouse/users", "roster/plan", "report"} <= set(on_postgres.materialized())
    assert list(on_postgres.path.rglob("*.db")) == []  # nothing of Dagster's rests here
    found = call("doctor", home=on_postgres.path)
    (line,) = [line for line in found.out.splitlines() if "dagster storage" in line]
    assert line.startswith("ok     dagster storage: PostgreSQL, database t")
    assert line.endswith("on this machine, 1 runs")


@pytest.mark.pg
def test_a_storage_of_another_version_is_said(on_postgres: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_instance(on_postgres.path) as instance:
        kind = type(instance.event_log_storage)
    monkeypatch.setattr(kind, "alembic_version", lambda _: ("old", "new"))

    with pytest.raises(StorageVersionMismatch, match="dagster instance migrate"):
        describe_storage(on_postgres.path)


@pytest.mark.pg
def test_a_refused_log_in_is_told_by_its_sqlstate(on_postgres: Home, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    other = postgres_url.replace("postgresql://", "postgresql+psycopg2://").rpartition("/t")[0]
    monkeypatch.setenv(VARIABLE, f"{other}/no_such_database?{postgres_url.partition('?')[2]}")
    monkeypatch.setattr("time.sleep", lambda _: None)  # Dagster tries for seconds
    with pytest.raises(StorageUnavailable) as caught, open_instance(on_postgres.path):
        pass

    assert caught.value.message.endswith("(SQLSTATE unknown)") or "3D000" in caught.value.message
    assert "no_such_database" not in caught.value.message


def test_sqlite_in_the_home_is_what_there_is_otherwise(fresh: Home) -> None:
    assert describe_storage(fresh.path) == "SQLite in the home, 0 runs"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"postgres_url: postgresql://u:{SECRET}@localhost/d", "use postgresql\\+psycopg2://"),
        (f"postgres_db: {{username: u, password: {SECRET}, hostname: db, db_name: d}}", "use postgresql\\+psycopg2://"),
        (f"postgres_url: postgresql+psycopg2://u:{SECRET}@db.example.org/d", "db.example.org is another machine"),
        (f"postgres_uri: postgresql+psycopg2://u:{SECRET}@localhost/d", "Dagster rejects this file"),
        ("postgres_url: {env: NOT_SET_ANYWHERE}", "Dagster rejects this file"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_asked(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        describe_storage(configured(tmp_path / "home", text))

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_database_that_demands_tls_may_be_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(dagster_storage, "open_instance", asked.append)
    with pytest.raises(TypeError):  # what is not there is not opened
        describe_storage(configured(tmp_path / "h", "postgres_url: postgresql+psycopg2://u@db.example.org/d?sslmode=verify-full"))

    assert asked == [tmp_path / "h"]


def test_errors_of_others_pass() -> None:
    with pytest.raises(ZeroDivisionError), translate_storage_errors():
        raise ZeroDivisionError


def test_a_config_file_of_the_same_content_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    own = dagster_storage.dagster_instance_config

    def watched(folder: str, *names: str) -> object:
        read.append(folder)
        return own(folder, *names)

    monkeypatch.setattr(dagster_storage, "_READ", {})
    monkeypatch.setattr(dagster_storage, "dagster_instance_config", watched)
    homes = [tmp_path / name for name in ("one", "two", "other")]
    for home in homes:
        ensure_config(home)
    with (homes[2] / "dagster.yaml").open("a", encoding="utf-8") as file:
        file.write("\n# another file\n")
    dagster_storage.load_default_config()
    for home in homes:
        with dagster_storage.open_instance(home) as instance:
            assert str(home) in str(instance.event_log_storage.path_for_shard("index"))

    assert read == [str(Path(dagster_storage.__file__).parent), str(homes[2])]


def test_a_config_file_that_is_not_read_again_means_the_same(tmp_path: Path):
    with ensure_config(tmp_path).open("a", encoding="utf-8") as file:
        file.write("\nnux:\n  enabled: false\n")
    overrides = {"telemetry": {"enabled": False}}
    storage = {
        "module": CompactSqliteStorage.__module__,
        "class": CompactSqliteStorage.__name__,
        "config": {"base_dir": str(tmp_path)},
    }

    ours = dagster_storage._instance_ref(tmp_path, overrides)
    theirs = InstanceRef.from_dir(str(tmp_path), overrides={"storage": {"custom": storage}, **overrides})
    assert ours == theirs
    assert ours.settings["nux"] == {"enabled": False}
