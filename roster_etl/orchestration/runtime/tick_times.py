"""Waiting of Dagster's daemon that a wall clock set back would prolong: between ticks of sensors, and between looks at the run queue.

Belongs here: reading the times of ticks that a leap of the wall clock has made impossible, and the daemon's own waiting. Dagster waits until
the wall clock is behind the last tick, or look: after it was set back by a day, no sensor would tick and no queued run would start for a day.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage

from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster

_TOLERANCE = 2.0  # seconds that clocks of processes may seem to differ


class LeapProofScheduleStorage(SqliteScheduleStorage):
    """Dagster's SQLite store of schedules and sensors. A last tick in the future reads as none, so that the next one is due."""

    def all_instigator_state(self, *args: Any, **kwargs: Any) -> Sequence[InstigatorState]:
        """Return the states of schedules and sensors."""
        return [due_if_set_back(state) for state in super().all_instigator_state(*args, **kwargs)]

    def get_instigator_state(self, origin_id: str, selector_id: str) -> InstigatorState | None:
        """Return the state of one schedule or sensor."""
        state = super().get_instigator_state(origin_id, selector_id)
        return None if state is None else due_if_set_back(state)


def due_if_set_back(state: InstigatorState) -> InstigatorState:
    """Return the state of a sensor without times of ticks that are still to come; any other as it is."""
    data = state.instigator_data
    if not isinstance(data, SensorInstigatorData):
        return state
    times = {name: getattr(data, name) for name in ("last_tick_timestamp", "last_tick_start_timestamp")}
    latest = time.time() + _TOLERANCE
    future = {name: None for name, value in times.items() if value is not None and value > latest}
    return state.with_data(data._replace(**future)) if future else state


def wait_by_monotonic_clock(daemon: ModuleType | None) -> None:
    """Let the loops of Dagster's daemon wait by the monotonic clock: those of the run queue, of monitoring and of backfills.

    Args: daemon: the module ``dagster._daemon.daemon``, None: this process does not run it. It asks the time for nothing else.
    """
    if daemon is not None and is_tested_dagster("loops of the daemon wait by the monotonic clock"):
        vars(daemon)["time"] = SimpleNamespace(time=time.monotonic, sleep=time.sleep)
