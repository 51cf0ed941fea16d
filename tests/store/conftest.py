"""What the tests of the store share: a home, a real SFTP server, and feeds that reach it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.store.landing.base import Landing
from roster_etl.store.landing.open import open_landing
from roster_etl.store.registry.registry import Feed
from roster_etl.store.settings import Settings

PASSWORD = "open-Sesame-4711"
ENVIRON = {"LINCOLN_PASSWORD": PASSWORD}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with short waits."""
    settings = Settings.load(tmp_path / "home", {})
    waits = replace(settings.landing, connect_seconds=5, list_seconds=0.7, stall_seconds=0.4, deadline_seconds=5)
    return replace(settings, landing=waits)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    """Run a server with one account, lincoln."""
    with SftpServer(tmp_path / "sftp", [Account(user="lincoln", password=PASSWORD)]) as server:
        yield server


@pytest.fixture
def reach(settings: Settings) -> Callable[..., AbstractContextManager[Landing]]:
    """Return a function that opens the landing zone of lincoln at a server."""

    def reach(server: SftpServer, folder: str = "/", **changes: Any) -> AbstractContextManager[Landing]:
        feed = Feed(
            format="clever",
            path=server.url("lincoln", folder),
            known_hosts=str(server.known_hosts),
            password_env="LINCOLN_PASSWORD",
        )
        return open_landing("lincoln", replace(feed, **changes), settings, environ=ENVIRON)

    return reach


@pytest.fixture
def environ() -> dict[str, str]:
    """Return the variables that hold secrets."""
    return dict(ENVIRON)
