"""Which home this process works in.

Belongs here: the one answer to that question, for jobs, sensors and whoever runs a job in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from roster_etl.pipeline.workspace import PROJECT

VARIABLE = "ROSTER_ETL_HOME"


@dataclass
class HomeOverride:
    """A stay in one home. ``error``: what made an import fail meanwhile, as it was before Dagster reported it."""

    home: Path
    error: Exception | None = None


_override: ContextVar[HomeOverride | None] = ContextVar("visit", default=None)


def current_home() -> Path:
    """Return the home: of the visit under way, else of ``ROSTER_ETL_HOME``, else the project's ``dagster_home``."""
    visit = _override.get()
    if visit is not None:
        return visit.home
    return Path(os.environ.get(VARIABLE) or PROJECT / "dagster_home")


@contextmanager
def use_home(home: Path) -> Iterator[HomeOverride]:
    """Work in `home` inside the block, whatever the environment says."""
    visit = HomeOverride(home)
    token = _override.set(visit)
    try:
        yield visit
    finally:
        _override.reset(token)


def is_home_overridden() -> bool:
    """Return whether a job is run by whoever asked for it, in this process."""
    return _override.get() is not None


def record_error(error: Exception) -> None:
    """Keep `error` for whoever runs the job in this process; elsewhere the run's log has it."""
    visit = _override.get()
    if visit is not None:
        visit.error = error
