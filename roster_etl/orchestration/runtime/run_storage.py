"""Store Dagster's runs on SQLite with fewer queries.

Belongs here: this one measured optimization. What is stored is Dagster's. Does not belong here: events (``compact_event_log``).
Each query opens the file and builds an engine. One engine for all was tried and taken out: imports failed with it now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage


class BriefRunStorage(SqliteRunStorage):
    """Dagster's SQLite run storage, which asks once for what never goes away, and does not read a plan to see whether it is there."""

    def has_execution_plan_snapshot(self, execution_plan_snapshot_id: str) -> bool:
        """Return whether the plan is stored."""
        return self.has_job_snapshot(execution_plan_snapshot_id)  # both are in one table, by the hash of their content

    @cached_property
    def _existing(self) -> set[str]:
        return set()

    def has_run_stats_index_cols(self) -> bool:
        """Return whether the table of runs has the columns of statistics."""
        return self._has("stats", super().has_run_stats_index_cols)

    def has_backfill_id_column(self) -> bool:
        """Return whether the table of runs has a column for backfills."""
        return self._has("backfill", super().has_backfill_id_column)

    def _has(self, name: str, exists: Callable[[], bool]) -> bool:
        if name not in self._existing and exists():
            self._existing.add(name)
        return name in self._existing
