"""A loader imports and changes no table; a reader reads the roster and nothing that was refused. On a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from roster_etl.store import migrations
from roster_etl.store.warehouse import Warehouse
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import NoRoles, UnknownRole, WarehouseError
from tests.cli.calling import call
from tests.rosters import change, published, user

pytestmark = pytest.mark.pg


@pytest.fixture
def owned(postgres_url: str) -> Iterator[str]:
    """A migrated warehouse with the roles reader and "the loader", which may do nothing yet."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for role in ("reader", '"the loader"'):
            connection.execute(f"CREATE ROLE {role} LOGIN")
    with Warehouse(postgres_url) as warehouse:
        warehouse.migrate()
    yield postgres_url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for role in ("reader", '"the loader"'):
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


def refused(url: str, role: str, statement: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET ROLE {role}")
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
    return False


def test_a_reader_reads_the_roster_and_nothing_else(owned: str) -> None:
    with Warehouse(owned) as warehouse:
        warehouse.grant(reader="reader")

    readable = ("users", "users_history", "changes", "imports", "findings", "holds")
    assert [refused(owned, "reader", f"SELECT * FROM {name}") for name in readable] == [False] * len(readable)
    others = (
        "SELECT * FROM rejected_rows",
        "SELECT * FROM overrides",
        "DELETE FROM users_history",
        "DROP VIEW users",
        "UPDATE imports SET status = ''",
    )
    assert [refused(owned, "reader", statement) for statement in others] == [True] * len(others)


def test_a_loader_imports_and_changes_no_table(owned: str) -> None:
    with Warehouse(owned) as warehouse:
        told = warehouse.grant(loader="the loader")

    assert [statement for statement in told if statement.startswith("GRANT TEMPORARY ON DATABASE ")]

    with Warehouse(owned.replace("//postgres:", "//the%20loader:")) as loader:
        assert published(loader, {"users": change("users", [user("1")])}) == 1
        assert loader.roster.count_current("lincoln", "clever", "users") == 1

    others = ("DROP TABLE users_history CASCADE", "ALTER TABLE imports ADD COLUMN x int", "TRUNCATE imports", "CREATE ROLE other")
    assert [refused(owned, '"the loader"', statement) for statement in others] == [True] * len(others)


def test_a_migration_keeps_what_was_granted(owned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Warehouse(owned) as warehouse:
        warehouse.grant(reader="reader")
    with psycopg.connect(owned, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    monkeypatch.setattr("roster_etl.store.warehouse.schema._upgrade", lambda _: None)

    with Warehouse(owned) as warehouse:
        assert warehouse.migrate() == "0000" != migrations.HEAD

    assert not refused(owned, "reader", "SELECT * FROM users")


def test_a_role_that_is_not_there_is_named(owned: str) -> None:
    with Warehouse(owned) as warehouse, pytest.raises(UnknownRole, match="nobody"):
        warehouse.grant(reader="nobody")


def test_roles_are_looked_for_before_anything_is_migrated(postgres_url: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROSTER_ETL_WAREHOUSE", postgres_url)

    answer = call("migrate", "--reader", "mispelt", "--json", home=tmp_path / "home")

    assert (answer.code, answer.document["error"]["code"]) == (2, "unknown_role_name")
    with Warehouse(postgres_url) as warehouse:
        assert warehouse.revision() is None


def test_what_a_role_may_not_do_is_said(owned: str) -> None:
    with Warehouse(owned) as warehouse:
        warehouse.grant(loader="the loader")

    def forbidden(loader: Warehouse) -> None:
        with loader._writing() as connection:
            connection.exec_driver_sql("TRUNCATE imports")

    with (
        Warehouse(owned.replace("//postgres:", "//the%20loader:")) as loader,
        pytest.raises(WarehouseError, match="role may not"),
    ):
        forbidden(loader)


def test_sqlite_has_no_roles(tmp_path) -> None:
    with Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite") as warehouse, pytest.raises(NoRoles):
        warehouse.grant(reader="reader")


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("postgresql://db.example.org/w", True),
        ("postgresql://db.example.org/w?sslmode=prefer", True),
        ("postgresql://db.example.org/w?sslmode=verify-full", False),
        ("postgresql://localhost/w", False),
        ("postgresql:///w?host=/run/postgresql", False),
        ("sqlite:////tmp/w.sqlite", False),
    ],
)
def test_a_server_elsewhere_needs_tls(url: str, is_open: bool) -> None:
    assert Database(url).is_unencrypted_remote is is_open
