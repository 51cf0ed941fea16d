"""The home of this process, for jobs, sensors and callers that run a job in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.store.default_home import default_home


@dataclass
class HomeOverride:
    """A block that works in one home.

    ``error``: the import's error, as it was before Dagster reported it. ``summary``: what the ledger said of the import when a step
    ended it.
    """

    home: Path
    error: Exception | None = None
    summary: ImportSummary | None = None


_override: ContextVar[HomeOverride | None] = ContextVar("visit", default=None)


def current_home() -> Path:
    """Return the home: of the active override, else the default one (``store.default_home``)."""
    visit = _override.get()
    if visit is not None:
        return visit.home
    return default_home()


@contextmanager
def use_home(home: Path) -> Iterator[HomeOverride]:
    """Use `home` for the block, whatever the environment says."""
    visit = HomeOverride(home)
    token = _override.set(visit)
    try:
        yield visit
    finally:
        _override.reset(token)


def is_home_overridden() -> bool:
    """Return whether the caller runs the job in this process."""
    return _override.get() is not None


def record_error(error: Exception) -> None:
    """Keep `error` for the caller that runs the job in this process; elsewhere only the run's log has it."""
    visit = _override.get()
    if visit is not None:
        visit.error = error


def record_summary(summary: ImportSummary) -> None:
    """Keep what the ledger says of the import that has ended, for the caller that runs the job in this process."""
    visit = _override.get()
    if visit is not None:
        visit.summary = summary
