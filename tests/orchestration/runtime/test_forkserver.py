"""Runs that begin warm: how the code server starts their processes, and where it keeps that."""

from __future__ import annotations

import inspect
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest
from dagster._grpc import server as dagster_server

from roster_etl.orchestration.runtime import forkserver, forkserver_watchdog, tested_dagster
from roster_etl.pipeline.reporting.mail_content import TEMPLATES


class Server:
    """Keeps its way of starting processes as Dagster's does."""

    def __init__(self) -> None:
        self._mp_ctx = "spawn"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[Server]:
    """A server class of one's own, in the place of Dagster's."""
    own = type("OwnServer", (Server,), {})
    monkeypatch.setitem(sys.modules, "dagster._grpc.server", SimpleNamespace(DagsterApiServer=own))
    return own


def test_runs_begin_cold_where_they_are_not_wanted_warm(server: type[Server], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(forkserver.VARIABLE, "0")

    assert not forkserver.enable_forkserver()
    assert server()._mp_ctx == "spawn"


def test_servers_that_were_there_before_and_that_come_after_fork_their_runs(
    server: type[Server], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    before = server()

    assert forkserver.enable_forkserver()
    assert [found._mp_ctx.get_start_method() for found in (before, server())] == ["forkserver", "forkserver"]


@pytest.mark.parametrize(("length", "warm"), [(forkserver._SOCKET_PATH_BYTES, True), (forkserver._SOCKET_PATH_BYTES + 1, False)])
def test_runs_begin_cold_where_no_socket_can_have_its_path(
    server: type[Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, length: int, warm: bool
):
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    folder = "/" + "x" * (length - len("//listener-12345678"))
    monkeypatch.setattr(forkserver, "get_temp_dir", lambda: folder)

    assert forkserver.enable_forkserver() is warm
    assert (server()._mp_ctx == "spawn") is not warm
    assert ["set TMPDIR to a shorter one" in record.message for record in caplog.records] == ([] if warm else [True])


def test_a_socket_takes_the_longest_path_that_is_allowed_and_no_longer():
    fits = tempfile.mkdtemp(dir="/tmp")
    path = os.path.join(fits, "x" * (forkserver._SOCKET_PATH_BYTES - len(fits) - 1))
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
        with socket.socket(socket.AF_UNIX) as listening, pytest.raises(OSError, match="too long"):
            listening.bind(path + "x")
    finally:
        shutil.rmtree(fits)


def test_runs_begin_cold_with_a_version_of_dagster_that_was_not_tested(
    server: type[Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")

    with caplog.at_level(logging.DEBUG, tested_dagster.__name__):
        assert not forkserver.enable_forkserver()
    assert server()._mp_ctx == "spawn"
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert "warm runs: off" in caplog.text


def test_nothing_happens_outside_of_a_code_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, "dagster._grpc.server", raising=False)

    assert not forkserver.enable_forkserver()


def test_dagster_keeps_its_way_of_starting_runs_where_we_change_it():
    source = inspect.getsource(dagster_server.DagsterApiServer)

    assert 'self._mp_ctx = multiprocessing.get_context("spawn")' in source
    assert "self._mp_ctx.Process(" in source


def test_what_is_loaded_beforehand_starts_no_thread_and_judges_suites_without_a_child():
    code = f"""
import sys, threading
[__import__(name) for name in {forkserver.PRELOADED_MODULES!r}]
from roster_etl.quality.gx_client import GX_CLIENT, SuiteRequest
rule = {{"type": "expect_rule_to_hold", "kwargs": {{"rule": "a: form"}}, "severity": "warning"}}
lines = {{"rule": ["a: form"], "judged": [4], "failing": [1]}}
GX_CLIENT.start()
print(threading.active_count(), [name for name in ("asyncssh", "boto3", "scipy.stats._stats_py") if name in sys.modules])
from roster_etl.orchestration.runtime.migration_scripts import CachedScripts
from roster_etl.pipeline.reporting import mail_content, report_page, status_page
templates = (report_page.load_template, mail_content._template, status_page.load_template)
print(len(CachedScripts._known), [template.cache_info().currsize for template in templates])
print(GX_CLIENT.run_expectations([SuiteRequest(name="s", expectations=[rule], lines=lines)]), GX_CLIENT._process)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    mails = 2 * len(TEMPLATES)  # as text and as HTML
    assert done.stdout.splitlines() == [
        "1 []",
        f"1 [1, {mails}, 1]",
        "[(ExpectationResult(passed=False, judged=4, failing=1),)] None",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize(("server_lives", "killed"), [(True, [signal.SIGKILL]), (False, [])])
def test_a_run_whose_parent_died_ends_unless_the_code_server_died_as_well(
    monkeypatch: pytest.MonkeyPatch, server_lives: bool, killed: list[int]
):
    signals: list[int] = []
    monkeypatch.setattr(forkserver_watchdog, "_PARENT_PID", -1)
    monkeypatch.setattr(forkserver_watchdog, "is_alive", lambda _: server_lives)
    monkeypatch.setattr(forkserver_watchdog.os, "kill", lambda _, number: signals.append(number))
    forkserver_watchdog._watch_parent()

    assert signals == killed


def test_a_run_goes_on_while_its_parent_lives(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    parents = iter([7, 7, 1])
    monkeypatch.setattr(forkserver_watchdog, "_PARENT_PID", 7)
    monkeypatch.setattr(forkserver_watchdog.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(forkserver_watchdog.time, "sleep", waits.append)
    monkeypatch.setattr(forkserver_watchdog, "is_alive", lambda _: False)
    forkserver_watchdog._watch_parent()

    assert len(waits) == 2
