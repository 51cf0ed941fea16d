"""What libraries log of errors that nobody waits for is one line."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable

import pytest

from roster_etl.store.library_logs import OWN_LOGGER, quiet_library_logs
from roster_etl.store.warehouse.errors import WarehouseUnavailable


async def _lose_a_task() -> None:
    async def fail() -> None:
        raise ConnectionError("Secretname")

    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()


@pytest.fixture(autouse=True)
def _level():
    gc.collect()  # what earlier tests lost is logged before and not in this one
    own = logging.getLogger(OWN_LOGGER)
    before, factory = own.level, logging.getLogRecordFactory()
    yield
    own.setLevel(before)
    logging.setLogRecordFactory(factory)


def test_a_lost_task_is_one_line_without_its_text(caplog: pytest.LogCaptureFixture):
    quiet_library_logs()
    asyncio.run(_lose_a_task())

    (line,) = [caplog.handler.format(record) for record in caplog.records if record.name == "asyncio"]
    assert "asyncio: Task exception was never retrieved (ConnectionError)" in line
    assert "\n" not in line
    assert "Secretname" not in line


def test_with_debug_it_is_told_in_full(caplog: pytest.LogCaptureFixture):
    quiet_library_logs()
    logging.getLogger(OWN_LOGGER).setLevel(logging.DEBUG)
    asyncio.run(_lose_a_task())

    assert "Traceback" in caplog.text


def test_a_pools_traceback_names_our_error_and_nothing_else(caplog: pytest.LogCaptureFixture):
    quiet_library_logs()
    quiet_library_logs()
    pool = logging.getLogger("sqlalchemy.pool.impl.LaterPool")
    pool.error("Exception during reset or similar", exc_info=WarehouseUnavailable(problem="its disk is full", sqlstate="53100"))

    (line,) = [caplog.handler.format(record) for record in caplog.records]
    assert "its disk is full" in line
    assert "\n" not in line


def test_a_record_that_is_made_of_a_dictionary_is_left_alone():
    quiet_library_logs()

    assert logging.makeLogRecord({"name": "asyncio", "msg": "two\nlines", "levelno": logging.ERROR}).getMessage() == "two\nlines"


class _Connection:
    def __del__(self) -> None:
        raise ConnectionError("Secretname")


def _fail() -> None:
    raise ConnectionError("Secretname")


def _lose_an_object() -> None:
    connection = _Connection()
    del connection
    gc.collect()


def _lose_a_thread() -> None:
    thread = threading.Thread(target=_fail)
    thread.start()
    thread.join()


@pytest.fixture
def _pythons_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.mark.usefixtures("_pythons_hooks")
@pytest.mark.parametrize("lose", [_lose_an_object, _lose_a_thread])
@pytest.mark.parametrize("debug", [False, True])
def test_what_python_itself_prints_of_lost_errors_is_one_line(
    lose: Callable[[], None], *, debug: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    quiet_library_logs()
    logging.getLogger(OWN_LOGGER).setLevel(logging.DEBUG if debug else logging.WARNING)
    lose()

    printed = capsys.readouterr().err
    assert ("Traceback" in printed) is debug
    lines = [caplog.handler.format(record) for record in caplog.records]
    assert (len(lines), "Secretname" in "".join(lines)) == (0 if debug else 1, False)
    assert all("ConnectionError" in line and "\n" not in line for line in lines)


class _Interrupted:
    def __del__(self) -> None:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("_pythons_hooks")
def test_an_interrupt_while_an_object_is_deleted_is_not_lost(caplog: pytest.LogCaptureFixture):
    quiet_library_logs()
    with pytest.raises(KeyboardInterrupt):
        _delete_and_go_on()

    assert caplog.records == []


def _delete_and_go_on(lost: type = _Interrupted) -> None:
    interrupted = lost()
    del interrupted
    time.sleep(10)


class _InterruptedLog(logging.Handler):
    """A handler during whose first record Ctrl-C is pressed."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(OWN_LOGGER).removeHandler(self)
        raise KeyboardInterrupt


@pytest.mark.usefixtures("_pythons_hooks")
def test_an_interrupt_while_a_lost_error_is_reported_is_not_lost():
    quiet_library_logs()
    logging.getLogger(OWN_LOGGER).addHandler(_InterruptedLog())
    with pytest.raises(KeyboardInterrupt):
        _delete_and_go_on(_Connection)


def test_hooks_of_somebody_else_stay(monkeypatch: pytest.MonkeyPatch):
    own = print
    monkeypatch.setattr(sys, "unraisablehook", own)
    quiet_library_logs()

    assert sys.unraisablehook is own


@pytest.mark.parametrize(
    "name",
    ["sqlalchemy.engine", "openlineage.client.transport.http", "psycopg.pool", "kombu.connection", "great_expectations.core"],
)
def test_every_library_that_we_connect_through_is_short(name: str, caplog: pytest.LogCaptureFixture):
    quiet_library_logs()
    logging.getLogger(name).warning("lost\nSecretname", exc_info=ConnectionError("Secretname"))

    assert "Secretname" not in caplog.text
    assert caplog.text.count("\n") == 1
