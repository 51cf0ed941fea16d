"""Reduce what libraries log of errors that nobody waits for to one line, without a traceback and without their texts.

Belongs here: which loggers, and the line. Such an error is of a connection that is being closed or of a background task, and does not
change a result: what did fail is raised, and told by our own errors. Libraries' texts may quote a cell. At level DEBUG of the logger
``roster_etl`` (``--debug``) everything is logged as the library wrote it.
"""

from __future__ import annotations

import logging

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


def quiet_library_logs() -> None:
    """Reduce the records of libraries from now on. Can be called any number of times."""
    for name in _LIBRARIES:
        for logger in (logging.getLogger(name), *_known_children(name)):
            if _reduce not in logger.filters:
                logger.addFilter(_reduce)


def _known_children(name: str) -> list[logging.Logger]:
    """Return the loggers below `name`: a filter of a logger does not see the records of those below it."""
    known = logging.root.manager.loggerDict.items()
    return [logger for below, logger in known if below.startswith(f"{name}.") and isinstance(logger, logging.Logger)]


def _reduce(record: logging.LogRecord) -> bool:
    """Reduce a warning or an error to its first line and the class of its exception."""
    if record.levelno < logging.WARNING or logging.getLogger(OWN_LOGGER).isEnabledFor(logging.DEBUG):
        return True
    what = str(record.msg).partition("\n")[0].rstrip(".: ")[:120]
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    cause = f" ({error.message if isinstance(error, RosterError) else type(error).__name__})" if error is not None else ""
    record.msg = f"{record.name}: {what}{cause}; what was under way went on without it, and --debug shows where it came from"
    record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
    return True
