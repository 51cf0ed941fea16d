"""Reduce what libraries log of errors that nobody waits for to one line, without a traceback and without their texts.

Belongs here: which loggers, and the line. Such an error is of a connection that is being closed or of a background task, and does not
change a result: what did fail is raised, and told by our own errors. Libraries' texts may quote a cell. At level DEBUG of the logger
``roster_etl`` (``--debug``) everything is logged as the library wrote it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from roster_etl.spec.errors import RosterError

OWN_LOGGER = "roster_etl"
_LIBRARIES = (
    "asyncio",
    "asyncssh",
    "aiobotocore",
    "botocore",
    "concurrent.futures",
    "fsspec",
    "s3fs",
    "sqlalchemy.pool",
    "urllib3",
)
_PREFIXES = tuple(f"{name}." for name in _LIBRARIES)


def quiet_library_logs() -> None:
    """Reduce the records of libraries from now on, those of loggers that are made later included. Can be called any number of times."""
    current = logging.getLogRecordFactory()
    if not isinstance(current, _ShortRecords):
        logging.setLogRecordFactory(_ShortRecords(current))


class _ShortRecords:
    """A factory of log records over another one."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, name: str | None, level: int | None, *args: Any, **more: Any) -> logging.LogRecord:
        record = self._make(name, level, *args, **more)
        if name is None or level is None:  # logging.makeLogRecord fills them in afterwards
            return record
        is_library = name in _LIBRARIES or name.startswith(_PREFIXES)
        if is_library and level >= logging.WARNING and not logging.getLogger(OWN_LOGGER).isEnabledFor(logging.DEBUG):
            _reduce(record)
        return record


def _reduce(record: logging.LogRecord) -> None:
    """Reduce a warning or an error to its first line and the class of its exception."""
    what = str(record.msg).partition("\n")[0].rstrip(".: ")[:120]
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    cause = f" ({error.message if isinstance(error, RosterError) else type(error).__name__})" if error is not None else ""
    record.msg = f"{record.name}: {what}{cause}; what was under way went on without it, and --debug shows where it came from"
    record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
