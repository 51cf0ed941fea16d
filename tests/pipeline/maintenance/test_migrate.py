"""An upgrade changes the schema while no import of the home is under way, and never goes back."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from roster_etl.pipeline.maintenance.migrate import ImportsUnderWay, migrate_warehouse
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store import migrations
from roster_etl.store.warehouse import SchemaAhead, SchemaBehind
from roster_etl.store.warehouse.database import Database
from tests.ledgers import in_transaction


@pytest.fixture
def behind(tmp_path: Path) -> Workspace:
    """A home whose warehouse is of an earlier version, with one import that is running."""
    workspace = Workspace.open(tmp_path / "home")
    database = Database(workspace.settings.warehouse)
    database.create()
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO imports (kind, district_id, source, status, started_at, options, summary) "
            "VALUES ('upload', 'lincoln', 'clever', 'running', '2026-01-01T06:00:00.000000Z', '{}', '{}')"
        )
    database.close()
    return workspace


def test_beside_an_import_under_way_nothing_is_migrated(behind: Workspace) -> None:
    behind.import_locks.acquire(1)
    with pytest.raises(ImportsUnderWay, match="imports 1 are"):
        migrate_warehouse(behind)
    assert behind.warehouse.revision() == "0001"
    with pytest.raises(SchemaBehind, match="roster-etl migrate"):
        behind.warehouse.ledger.imports()

    behind.import_locks.release(1, ended=False)  # its process is gone

    assert migrate_warehouse(behind) == "0001"
    assert behind.warehouse.ledger.import_(1)["status"] == "running"


def test_with_this_versions_schema_nothing_is_in_the_way(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "home")
    number = in_transaction(workspace.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=datetime.now(UTC)
    )
    workspace.import_locks.acquire(number)

    assert migrate_warehouse(workspace) == migrations.HEAD
    workspace.import_locks.release(number, ended=True)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "home")
    migrate_warehouse(workspace)
    with sqlite3.connect(tmp_path / "home" / "warehouse.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    again = Workspace.open(tmp_path / "home")

    for use in (again.warehouse.ledger.imports, lambda: migrate_warehouse(again)):
        with pytest.raises(SchemaAhead, match="9999"):
            use()
