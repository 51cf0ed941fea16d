"""Bytes of removed rows leave PostgreSQL's files where the role may rewrite them, and the others are told. On a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from roster_etl.store.warehouse import ImportResult, PurgeScope, Warehouse
from roster_etl.store.warehouse.errors import MayNotRewrite, NotRewritten
from tests.ledgers import in_transaction
from tests.rosters import change, published, user

pytestmark = pytest.mark.pg

CANARY = "zzquill-77001"
ROLES = ("keeper", "loader", "tables_only")


@pytest.fixture
def kept(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """A warehouse that the role keeper owns, with one person who stands out; return its URL as a role."""

    def url(role: str) -> str:
        return postgres_url.replace("//postgres:", f"//{role}:")

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role} LOGIN")
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" OWNER TO keeper')
        connection.execute("GRANT CREATE ON SCHEMA public TO keeper")
    with Warehouse(url("keeper")) as warehouse:
        warehouse.migrate()
        warehouse.grant(loader="loader")
        published(warehouse, {"users": change("users", [user("1", first_name=CANARY)])})
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" OWNER TO postgres')
        for role in ROLES:
            connection.execute(f"DROP OWNED BY {role} CASCADE")
            connection.execute(f"DROP ROLE {role}")


def purged(url: str) -> None:
    with Warehouse(url) as warehouse:
        number = in_transaction(warehouse).open_import(
            kind="purge", district_id="lincoln", source="clever", started_at=datetime.now(UTC)
        )
        end = ImportResult(import_id=number, status="published", finished_at=datetime.now(UTC))
        warehouse.purge(PurgeScope(district_id="lincoln", imports=frozenset({1})), lambda _: [end])


def in_files(url: str) -> bool:
    """Whether the person stands in a file of the database's tables."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    if not os.access(row[0], os.R_OK):
        pytest.skip("the server's files are another user's")
    return any(CANARY.encode() in path.read_bytes() for path in Path(row[0]).iterdir() if path.is_file())


def test_after_a_purge_by_the_owner_no_file_of_the_database_names_the_person(kept: Callable[[str], str]) -> None:
    with Warehouse(kept("keeper")) as warehouse:
        warehouse.ensure_purgeable()
    with psycopg.connect(kept("keeper"), autocommit=True) as connection:
        connection.execute("ANALYZE")  # which notes values of single cells
    assert in_files(kept("postgres"))

    purged(kept("keeper"))

    assert not in_files(kept("postgres"))


def test_a_loader_is_told_before_and_after(kept: Callable[[str], str]) -> None:
    with Warehouse(kept("loader")) as warehouse, pytest.raises(MayNotRewrite, match="purge as the owner"):
        warehouse.ensure_purgeable()
    with pytest.raises(NotRewritten, match="purge again as the owner"):
        purged(kept("loader"))

    assert in_files(kept("postgres"))
    purged(kept("keeper"))
    assert not in_files(kept("postgres"))


def test_who_owns_the_tables_and_not_the_database_cannot_clear_its_statistics(kept: Callable[[str], str]) -> None:
    with psycopg.connect(kept("postgres"), autocommit=True) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO tables_only")
        connection.execute("REASSIGN OWNED BY keeper TO tables_only")
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" OWNER TO keeper')

    with Warehouse(kept("tables_only")) as warehouse, pytest.raises(MayNotRewrite, match="1 of its tables .pg_statistic"):
        warehouse.ensure_purgeable()


def test_a_member_of_the_owner_may(kept: Callable[[str], str]) -> None:
    with psycopg.connect(kept("postgres"), autocommit=True) as connection:
        connection.execute("GRANT keeper TO loader")

    with Warehouse(kept("loader")) as warehouse:
        warehouse.ensure_purgeable()
