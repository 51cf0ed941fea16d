"""Prepared homes, each made once in a process, or in a whole run of the tests, and copied for each test that begins with it.

Belongs here: making, saving and copying a folder that has a home and, for SQLite, its warehouse; and, for PostgreSQL, the database. An
import takes a second or more, a copy some milliseconds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pg import connected

Make = Callable[[Path, str], None]
"""Fills an empty folder. Its arguments: the folder, and the URL of a warehouse without any import. It closes what it opens."""


@dataclass(frozen=True)
class _Saved:
    folder: Path
    url: str
    database: str  # the name of the PostgreSQL database


class SavedFolders:
    """Folders that were prepared in this process, by name and kind of database."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._folder, self._request = folder, request
        self._saved: dict[tuple[str, str], _Saved] = {}

    def copy(self, name: str, make: Make, to: Path, database: str = "sqlite") -> str:
        """Copy the folder `name`, which `make` fills the first time, to `to`, and return the URL of the copied warehouse.

        The URL in the settings of ``home`` becomes that of the copy.
        """
        saved = self._saved.get((name, database)) or self._make(name, make, database)
        url = self._copied_database(saved, to)
        shutil.copytree(saved.folder, to, dirs_exist_ok=True)
        settings = to / "home" / "roster_etl.toml"
        if settings.exists():
            settings.write_text(settings.read_text("utf-8").replace(saved.url, url), "utf-8")
        return url

    def drop(self, url: str) -> None:
        """Drop the copy of a PostgreSQL database; a file of SQLite goes with its folder."""
        if url.startswith("postgresql"):
            with connected(self._server) as connection:
                connection.execute(f'DROP DATABASE "{_name_of(url)}" WITH (FORCE)')

    @property
    def _server(self) -> str:
        return str(self._request.getfixturevalue("postgres_server"))

    def _make(self, name: str, make: Make, database: str) -> _Saved:
        folder = self._folder / f"{name}-{database}"
        folder.mkdir()
        url = f"sqlite:///{folder}/warehouse.sqlite"
        if database == "postgresql":
            url = self._new_database(self._request.getfixturevalue("postgres_template"))
        make(folder, url)
        self._saved[name, database] = _Saved(folder, url, _name_of(url))
        return self._saved[name, database]

    def _copied_database(self, saved: _Saved, to: Path) -> str:
        if saved.url.startswith("sqlite"):
            return f"sqlite:///{to}/warehouse.sqlite"
        return self._new_database(saved.database)

    def _new_database(self, template: str) -> str:
        name = f"s{uuid.uuid4().hex[:12]}"
        with connected(self._server) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self._server.replace("/postgres?", f"/{name}?")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return this process's copy of a folder that `make` fills once for all processes of tests."""
    return Path(shutil.copytree(shared_folder(factory, name, make), factory.mktemp(name), dirs_exist_ok=True))


def shared_folder(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` fills once for all processes of tests, for those that change nothing in it."""
    base = factory.getbasetemp()
    original = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"once-{name}"
    original.mkdir(exist_ok=True)
    with (original / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (original / "made").exists():
            shutil.rmtree(original / "folder", ignore_errors=True)  # of one that failed
            (original / "folder").mkdir()
            make(original / "folder")
            (original / "made").touch()
        fcntl.flock(lock, fcntl.LOCK_UN)  # also for a child that has the file open still
    return original / "folder"


def _name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> SavedFolders:
    """Folders with prepared homes."""
    return SavedFolders(tmp_path_factory.mktemp("saved"), request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database that a copied warehouse is in; a test that takes it runs on both."""
    return str(request.param)
