"""Delete runs of Dagster with everything that its storage keeps of them, and old events that belong to no run.

``DagsterInstance.delete_run`` leaves behind results of asset checks, and on SQLite the file of a run's events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.events.log import EventLogEntry
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

READ_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
}
"""The events of a run that tell what its deletion concerns."""
_AT_ONCE = 500
_CHECKS, _EVENTS = AssetCheckExecutionsTable.c, SqlEventLogStorageTable.c


class RunDeletion:
    """Deletes runs of one instance. The newest result of each check and partition stays, since the UI shows it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._newest: dict[tuple[str, str], dict[str | None, int]] = {}

    def delete(self, run_id: str, logs: Iterable[EventLogEntry]) -> None:
        """Delete a run. Args: logs: its events of the kinds `READ_EVENTS`."""
        with suppress(NotImplementedError):  # a compute log manager without deletion
            self._instance.compute_log_manager.delete_logs(prefix=[run_id])
        self._delete_check_results(run_id, {check for log in logs for check in _checks_of(log)})
        self._instance.delete_run(run_id)
        if isinstance(self._instance.event_log_storage, SqliteEventLogStorage):
            _remove_file(self._instance.event_log_storage, run_id)

    def _delete_check_results(self, run_id: str, checks: set[tuple[str, str]]) -> None:
        storage = self._instance.event_log_storage
        if not checks or not isinstance(storage, SqlEventLogStorage):
            return
        of_run = (
            _CHECKS.asset_key.in_(sorted({key for key, _ in checks})),
            _CHECKS.check_name.in_(sorted({name for _, name in checks})),
            _CHECKS.run_id == run_id,
        )
        with storage.index_connection() as connection:
            rows = connection.execute(
                sa.select(_CHECKS.id, _CHECKS.asset_key, _CHECKS.check_name, _CHECKS.partition).where(*of_run)
            )
            gone = [row.id for row in rows.all() if row.id != self._newest_results(connection, *row[1:3]).get(row.partition)]
            _delete(connection, AssetCheckExecutionsTable, _CHECKS.id, gone)

    def _newest_results(self, connection: Any, asset_key: str, check_name: str) -> dict[str | None, int]:
        """Return the number of the newest result of a check, by partition."""
        if (asset_key, check_name) not in self._newest:
            newest = sa.select(_CHECKS.partition, sa.func.max(_CHECKS.id)).group_by(_CHECKS.partition)
            rows = connection.execute(newest.where(_CHECKS.asset_key == asset_key, _CHECKS.check_name == check_name))
            self._newest[asset_key, check_name] = {row[0]: row[1] for row in rows.all()}
        return self._newest[asset_key, check_name]


def delete_events_without_run(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete events of assets that sensors logged before a time, but for the newest of each asset and partition. Returns how many."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    without_run = (_EVENTS.run_id == RUNLESS_RUN_ID, _EVENTS.asset_key.is_not(None))
    moment = before.astimezone(UTC).replace(tzinfo=None)
    with storage.index_connection() as connection:
        by_asset = sa.select(sa.func.max(_EVENTS.id)).where(*without_run).group_by(_EVENTS.asset_key, _EVENTS.partition)
        newest = set(connection.execute(by_asset).scalars())
        old = connection.execute(sa.select(_EVENTS.id).where(*without_run, _EVENTS.timestamp < moment)).scalars()
        gone = [number for number in old if number not in newest]
        _delete(connection, SqlEventLogStorageTable, _EVENTS.id, gone)
        _delete(connection, AssetEventTagsTable, AssetEventTagsTable.c.event_id, gone)
    if isinstance(storage, SqliteEventLogStorage):  # it has another copy of each
        with storage.run_connection(RUNLESS_RUN_ID) as connection:
            connection.execute(sa.delete(SqlEventLogStorageTable).where(_EVENTS.timestamp < moment))
    return len(gone)


def delete_rests_of_deleted_runs(instance: dg.DagsterInstance) -> int:
    """Delete what earlier versions left of runs that are gone: files of events, and results of checks. Returns of how many runs."""
    runs, events = instance.run_storage, instance.event_log_storage
    if not isinstance(runs, SqlRunStorage) or not isinstance(events, SqlEventLogStorage):
        return 0
    with events.index_connection() as connection:
        newest = set(
            connection.execute(
                sa.select(sa.func.max(_CHECKS.id)).group_by(_CHECKS.asset_key, _CHECKS.check_name, _CHECKS.partition)
            ).scalars()
        )
        results = [tuple(row) for row in connection.execute(sa.select(_CHECKS.id, _CHECKS.run_id)).all()]
    files = events.get_all_run_ids() if isinstance(events, SqliteEventLogStorage) else ()
    with runs.connect() as connection:  # read last: a run is there before anything is stored of it
        known = {RUNLESS_RUN_ID, *connection.execute(sa.select(RunsTable.c.run_id)).scalars()}
    gone = {number: run_id for number, run_id in results if run_id not in known and number not in newest}
    with events.index_connection() as connection:
        _delete(connection, AssetCheckExecutionsTable, _CHECKS.id, list(gone))
    orphans = set(files) - known
    for run_id in orphans:
        _remove_file(events, run_id)  # type: ignore[arg-type] # only SQLite has files
    return len(orphans | set(gone.values()))


def _checks_of(log: EventLogEntry) -> Iterable[tuple[str, str]]:
    event = log.dagster_event
    if event is None or not event.event_type_value.startswith("ASSET_CHECK_EVALUATION"):
        return ()
    about: Any = event.event_specific_data
    return ((about.asset_key.to_string(), about.check_name),)


def _delete(connection: Any, table: sa.Table, column: sa.ColumnElement[Any], values: Sequence[Any]) -> None:
    for start in range(0, len(values), _AT_ONCE):
        connection.execute(sa.delete(table).where(column.in_(values[start : start + _AT_ONCE])))


def _remove_file(storage: SqliteEventLogStorage, run_id: str) -> None:
    file = Path(storage.path_for_shard(run_id))
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        path.unlink(missing_ok=True)
    storage._initialized_dbs.discard(run_id)  # noqa: SLF001 - else a reader would find a file without tables
