"""The dbt package: its sources are what the specs say, and dbt builds and tests it on a real roster."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from roster_etl.canonical.roster import COMMON, FEED, TABLES, RosterColumn
from roster_etl.projections.dbt_sources import PATH, generated_files, sources
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.conftest import ROOT
from tests.pg import connected

PACKAGE = ROOT / "deploy" / "dbt"
_TYPES = {
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


def test_the_file_says_in_yaml_what_the_specs_say() -> None:
    assert yaml.safe_load(generated_files()[PATH]) == sources()


def test_every_table_and_column_of_the_warehouse_is_a_source_with_a_description() -> None:
    (source,) = sources()["sources"]
    tables = {table["name"]: table for table in source["tables"]}

    assert set(tables) == {name for table in TABLES for name in (table, f"{table}_history")} | {"changes"}
    for table in tables.values():
        assert table["description"]
        assert all(column["description"] for column in table["columns"])
    assert [column["name"] for column in tables["users"]["columns"]] == [
        c.name for c in (*FEED, *TABLES["users"].columns, *COMMON)
    ]


def program() -> str | None:
    """Return dbt: of ``$DBT``, of ``make dbt``, or of the path. Its libraries contradict ours, so that it has an environment of its own."""
    own = ROOT / ".venv-dbt" / "bin" / "dbt"
    return os.environ.get("DBT") or (str(own) if own.exists() else shutil.which("dbt"))


@pytest.fixture(scope="module")
def roster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file with the tables and views of a warehouse after two days of a district."""
    folder = tmp_path_factory.mktemp("dbt")
    import_two_days(folder)
    with (
        closing(sqlite3.connect(folder / "home" / "warehouse.sqlite")) as source,
        duckdb.connect(folder / "roster.duckdb") as target,
    ):
        for table in TABLES.values():
            columns = (*FEED, *table.columns, *COMMON)
            for name in (table.name, f"{table.name}_history"):
                copy(source, target, name, columns)
        copy(source, target, "changes", [RosterColumn(name, kind, "") for name, kind in CHANGES])
    return folder / "roster.duckdb"


CHANGES = (
    ("import_id", "integer"),
    ("district_id", "text"),
    ("source", "text"),
    ("table_name", "text"),
    ("key", "text"),
    ("change", "text"),
    ("close_reason", "text"),
)


def import_two_days(folder: Path) -> None:
    """Import two days of a district into the home below `folder`."""
    write_sample(vendor("clever"), folder / "a", students=30, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    for day in ("a", "b"):
        assert call("import", folder / day, "--district", "lincoln", "--format", "clever", home=folder / "home").code == 0


def copy(source: sqlite3.Connection, target: Any, name: str, columns: Any) -> None:
    """Copy a table or view of the warehouse to DuckDB, with the types that the specs declare."""
    declared = ", ".join(f'"{column.name}" {_TYPES[column.type]}' for column in columns)
    target.execute(f"CREATE TABLE {name} ({declared})")
    rows = pd.read_sql_query(f"SELECT {', '.join(column.name for column in columns)} FROM {name}", source).astype(object)
    target.register("rows", rows)
    target.execute(f"INSERT INTO {name} SELECT * FROM rows")
    target.unregister("rows")


def dbt(folder: Path, target: Mapping[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run dbt on a copy of the package below `folder`, against the database of the profile `target`."""
    package = folder / "package"
    if not package.exists():
        shutil.copytree(PACKAGE, package)
        (package / "profiles.yml").write_text(json.dumps({"roster_etl": {"target": "t", "outputs": {"t": target}}}))
    command = [str(program()), *words, "--profiles-dir", str(package), "--project-dir", str(package)]
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=170, env=environment, cwd=package)


@pytest.mark.slow
@pytest.mark.timeout(600)  # 400 queries of dbt, in a process of its own
@pytest.mark.skipif(program() is None, reason="dbt is not installed: `make dbt` makes an environment for it")
def test_dbt_builds_the_marts_and_its_tests_pass(roster: Path, tmp_path: Path) -> None:
    target = {"type": "duckdb", "path": str(roster), "schema": "analytics"}
    done = dbt(
        tmp_path, target, "build", "--vars", "{roster_etl_schema: main}", "--warn-error-options", '{"error": ["Deprecations"]}'
    )

    assert done.returncode == 0, done.stdout[-3000:]
    with duckdb.connect(roster, read_only=True) as connection:

        def one(query: str) -> Any:
            return connection.execute(query).fetchone()

        assert one("SELECT count(*) FROM analytics.current_roster") == one("SELECT count(*) FROM enrollments")
        assert one("SELECT count(*) FROM analytics.current_roster WHERE course_name IS NULL OR organization_name IS NULL") == (0,)
        assert one("SELECT sum(records) FROM analytics.roster_changes") == one("SELECT count(*) FROM changes")
        assert one("SELECT count(*) FROM analytics.enrollments_by_day WHERE enrollments < people AND role = 'student'") == (0,)
        tested = one("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'analytics'")
        assert tested == (3,)
    assert_all_passed(tmp_path)


@pytest.mark.slow
@pytest.mark.pg
@pytest.mark.timeout(600)
@pytest.mark.skipif(program() is None, reason="dbt is not installed: `make dbt` makes an environment for it")
@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_dbt_runs_on_postgresql_with_a_role_that_only_reads(warehouse_url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', encoding="utf-8")
    import_two_days(tmp_path)
    with connected(warehouse_url) as connection:
        connection.execute("DROP ROLE IF EXISTS dbt_analyst")
        connection.execute("CREATE ROLE dbt_analyst LOGIN")
        connection.execute("CREATE SCHEMA analytics AUTHORIZATION dbt_analyst")
        database = connection.info
        target = {"type": "postgres", "host": database.host, "port": database.port, "dbname": database.dbname}
    assert call("migrate", "--reader", "dbt_analyst", home=home).code == 0
    profile = {**target, "user": "dbt_analyst", "password": "", "schema": "analytics", "threads": 2}
    done = dbt(tmp_path, profile, "build")

    assert done.returncode == 0, done.stdout[-3000:]
    assert_all_passed(tmp_path)
    with connected(warehouse_url) as connection:
        marts, enrolled = (
            connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("analytics.current_roster", "enrollments")
        )
        assert marts == enrolled
        connection.execute("DROP OWNED BY dbt_analyst CASCADE")
        connection.execute("DROP ROLE dbt_analyst")


def assert_all_passed(folder: Path) -> None:
    results = json.loads((folder / "package" / "target" / "run_results.json").read_text())["results"]
    assert sum(result["unique_id"].startswith("test.") for result in results) > 250
    assert {result["status"] for result in results} <= {"success", "pass"}
