"""Keep Dagster from printing errors of its event log: the error that ends the run tells of them, once and without statements.

Belongs here: which lines these are. Dagster writes them straight to standard error, with the SQL statement and its values, before it raises.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO

from roster_etl.store.library_logs import OWN_LOGGER

BEGINS = (
    "Exception while writing logger call to event log",
    "Exception while storing event batch",
    "Falling back to storing multiple single-event storage requests",
)


class _WithoutEventErrors:
    """A stream that leaves out what Dagster writes of events that it cannot store."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, unless it is such an error."""
        return len(text) if text.startswith(BEGINS) else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def event_errors_unprinted() -> Iterator[None]:
    """Leave these lines out while a run executes in this process; with ``--debug`` they stay."""
    if logging.getLogger(OWN_LOGGER).isEnabledFor(logging.DEBUG):
        yield
        return
    with redirect_stderr(_WithoutEventErrors(sys.stderr)):
        yield
