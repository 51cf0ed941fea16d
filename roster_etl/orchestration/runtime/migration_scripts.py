"""Read the migration scripts of Dagster's storage once per process.

Belongs here: this one measured optimization. Dagster compares the revision of a SQLite storage with its newest one whenever it opens
one: runs, schedules, the index of events, and the events of each run. Each time it loads its 88 scripts to find the newest.
"""

from __future__ import annotations

from threading import Lock

from alembic.config import Config
from alembic.script import ScriptDirectory

from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster

_PACKAGE = "dagster:"


class CachedScripts(ScriptDirectory):
    """Alembic's reader of migration scripts, which keeps those of Dagster; they are part of its package, and do not change."""

    _lock = Lock()
    _known: dict[str, ScriptDirectory] = {}  # noqa: RUF012 - one cache for the process

    @classmethod
    def from_config(cls, config: Config) -> ScriptDirectory:
        """Return the scripts of `config`."""
        location = config.get_alembic_option("script_location") or ""
        if not location.startswith(_PACKAGE):
            return ScriptDirectory.from_config(config)
        with cls._lock:
            if location not in cls._known:
                cls._known[location] = ScriptDirectory.from_config(config)
            return cls._known[location]


def cache_migration_scripts() -> bool:
    """Have Dagster use `CachedScripts` in this process, and return whether it does: only with the tested version."""
    if not is_tested_dagster("migration scripts read once"):
        return False
    import alembic.command
    from dagster._core.storage import sql

    sql.ScriptDirectory = alembic.command.ScriptDirectory = CachedScripts  # type: ignore[attr-defined]
    return True


def load_migration_scripts() -> None:
    """Read the scripts now, for the processes that are forked from this one."""
    if not cache_migration_scripts():
        return
    from dagster._core.storage import sql
    from dagster._core.storage.runs.sqlite import sqlite_run_storage

    config = sql.get_alembic_config(sqlite_run_storage.__file__)
    CachedScripts.from_config(config).as_revision_number("head")
