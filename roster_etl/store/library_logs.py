"""Reduce what libraries log of errors that nobody waits for to one line, without a traceback and without their texts.

Belongs here: which loggers, and the line. Such an error is of a connection that is being closed or of a background task, and does not
change a result: what did fail is raised, and told by our own errors. Libraries' texts may quote a cell. At level DEBUG of the logger
``roster_etl`` (``--debug``) everything is logged as the library wrote it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from roster_etl.spec.errors import RosterError

OWN_LOGGER = "roster_etl"
_LIBRARIES = (
    "adlfs",
    "aiobotocore",
    "aiohttp",
    "amqp",
    "asyncio",
    "asyncssh",
    "azure",
    "botocore",
    "concurrent.futures",
    "fsspec",
    "gcsfs",
    "great_expectations",
    "grpc",
    "kombu",
    "openlineage",
    "opentelemetry",
    "psycopg",
    "s3fs",
    "sqlalchemy",
    "urllib3",
)
_AGAIN_SECONDS = 0.01
_WENT_ON = "what was under way went on without it, and --debug shows where it came from"
_PREFIXES = tuple(f"{name}." for name in _LIBRARIES)


def quiet_library_logs() -> None:
    """Reduce the records of libraries from now on, those of loggers that are made later included. Can be called any number of times."""
    current = logging.getLogRecordFactory()
    if not isinstance(current, _ShortRecords):
        logging.setLogRecordFactory(_ShortRecords(current))
    if sys.unraisablehook is sys.__unraisablehook__:  # else somebody else reports them
        sys.unraisablehook = _report_unraisable
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _report_thread


def _report_unraisable(lost: Any) -> None:
    """Report an exception that Python cannot raise, such as one while an object is deleted: in one line, or in full with ``--debug``.

    An interrupt (Ctrl-C, *Terminate* in the UI) is sent again instead, a moment later: here, too, it would be lost.
    """
    try:
        if _is_interrupt(lost.exc_type):
            _interrupt_again()
        elif _is_debugging():
            sys.__unraisablehook__(lost)
        elif lost.exc_type is not None:
            _log_loss(f"an error while {_origin(lost.object)} was cleaned up", lost.exc_type)
    except BaseException as error:
        if not _is_interrupt(type(error)):
            raise
        _interrupt_again()


def _is_interrupt(kind: type[BaseException] | None) -> bool:
    return kind is not None and kind.__name__ in ("KeyboardInterrupt", "DagsterExecutionInterruptedError")


def _interrupt_again() -> None:
    with suppress(RuntimeError):  # no thread can be started: the process is ending anyway
        threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()


def _report_thread(lost: Any) -> None:
    """Report an exception that ended a background thread: in one line, or in full with ``--debug``."""
    if _is_debugging():
        threading.__excepthook__(lost)
    elif lost.exc_type is not SystemExit:
        _log_loss(f"a background thread of {_origin(lost.thread and type(lost.thread))} ended with an error", lost.exc_type)


def _log_loss(what: str, kind: type[BaseException]) -> None:
    logging.getLogger(OWN_LOGGER).warning("%s (%s); %s", what, kind.__name__, _WENT_ON)


def _origin(found: Any) -> str:
    """Return the name of a function, class or module, never a value."""
    return str(getattr(found, "__qualname__", None) or type(found).__qualname__)


def _is_debugging() -> bool:
    return logging.getLogger(OWN_LOGGER).isEnabledFor(logging.DEBUG)


class _ShortRecords:
    """A factory of log records over another one."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, name: str | None, level: int | None, *args: Any, **more: Any) -> logging.LogRecord:
        record = self._make(name, level, *args, **more)
        if name is None or level is None:  # logging.makeLogRecord fills them in afterwards
            return record
        is_library = name in _LIBRARIES or name.startswith(_PREFIXES)
        if is_library and level >= logging.WARNING and not _is_debugging():
            _reduce(record)
        return record


def _reduce(record: logging.LogRecord) -> None:
    """Reduce a warning or an error to its first line and the class of its exception."""
    what = str(record.msg).partition("\n")[0].rstrip(".: ")[:120]
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    cause = f" ({error.message if isinstance(error, RosterError) else type(error).__name__})" if error is not None else ""
    record.msg = f"{record.name}: {what}{cause}; {_WENT_ON}"
    record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
