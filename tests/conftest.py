"""What every test stands on: a clean environment, a home of its own, no network beyond this machine, and parts that may be missing.

Belongs here: fixtures that tests of more than one room use. The PostgreSQL that the tests bring along is in ``tests/pg.py``.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
pytest_plugins = [
    "tests.browser",
    "tests.direct_imports",
    "tests.pg",
    "tests.prepared",
    "tests.s3",
    "tests.saved",
    "tests.speed",
    "tests.wheel",
]

_OWN_SETTINGS = ("ROSTER_ETL_", "DAGSTER_", "SSH_", "PG", "AWS_")
_LOCAL_NAMES = {None, "", "localhost", "ip6-localhost", socket.gethostname()}


def _is_local(host: object) -> bool:
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    if name in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _stay_on_this_machine(event: str, args: tuple[object, ...]) -> None:
    """Refuse to look up or reach another machine. An audit hook, so that it holds for every library that uses Python's sockets."""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if not _is_local(host):
        raise ConnectionRefusedError(f"tests stay on this machine, and something asked for {host!r}")


def pytest_configure() -> None:
    """Close the network and clean the environment before any module of the project is imported."""
    sys.addaudithook(_stay_on_this_machine)
    for name in [name for name in os.environ if name.startswith(_OWN_SETTINGS)]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of a command in the background; tests interrupt what they start
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update({"GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "TZ": "UTC", "NO_COLOR": "1"})


_UNMEASURED = ("e2e", "faults")


_FIRST = ("e2e", "slow", "faults")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that take longest, so that no process is left alone with one of them at the end.

    A file with end-to-end tests waits for servers, daemons and browsers; meanwhile the other processes have the cores.
    """
    marks: dict[Path, set[str]] = {}
    for item in items:
        marks.setdefault(item.path, set()).update(mark.name for mark in item.iter_markers())
    place = {path: next((n for n, name in enumerate(_FIRST) if name in found), len(_FIRST)) for path, found in marks.items()}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure no coverage where whole roads are walked: it would take a third of their time, and count as tested what is only passed.

    Processes that such a test starts are not measured either.
    """
    measured = coverage.Coverage.current() if any(item.get_closest_marker(name) for name in _UNMEASURED) else None
    if measured is None:
        return (yield)
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS_")}
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()
        os.environ.update(told)


@pytest.fixture(autouse=True, scope="session")
def _home_of_the_person(tmp_path_factory):
    """Give the whole run a HOME without anybody's keys, known hosts or settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("person")))
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        yield


@pytest.fixture
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home for one test."""
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path
