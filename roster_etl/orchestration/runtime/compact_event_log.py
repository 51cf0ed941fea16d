"""Dagster's event log on SQLite, with compressed events: a fifth of the bytes, and the same in the UI.

``dagster.yaml`` names `CompactSqliteStorage`, so that every process of Dagster reads events through it. Events that were
written before are read as they are.
"""

from __future__ import annotations

import fcntl
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._config import StringSource
from dagster._core.event_api import EventLogCursor
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, DynamicPartitionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory, _runs_directory, _schedule_directory
from dagster._serdes import ConfigurableClassData

from roster_etl.orchestration.runtime import event_statements
from roster_etl.orchestration.runtime.new_run_logs import content_of_new_log, place_new_log
from roster_etl.orchestration.runtime.run_materializations import RunMaterializations
from roster_etl.orchestration.runtime.run_storage import BriefRunStorage
from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster
from roster_etl.orchestration.runtime.tick_times import LeapProofScheduleStorage, wait_by_monotonic_clock

MODULE, CLASS = __name__, "CompactSqliteStorage"
_DICTIONARY = 1
"""The dictionary that new events are compressed with; its number is their first byte. A dictionary never changes: a better one gets
the next number, and the earlier ones stay, for the events that were written with them."""
_SHORTCUT = "events written by statements that are built once"
_RAW = -zlib.MAX_WBITS  # without header and checksum
_PAGE_BYTES = 512  # a run's file has 30 tables and indexes, most of them empty: each takes a page
_NEEDLESS_INDEXES = tuple(str(index.name) for index in SqlEventLogStorageTable.indexes)
"""The indexes on the events. A run's file has some 250, and its page in the UI reads all of them."""


class CompressedText(sa.types.TypeDecorator[str]):
    """Text that SQLite stores compressed, as a BLOB. Text that was stored as it is, is read as it is."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        """Compress."""
        return value if value is None or dialect.name != "sqlite" else compress(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Decompress."""
        return decompress(value) if isinstance(value, bytes) else value


def compress(text: str) -> bytes:
    """Return `text` as the number of a dictionary, and what zlib makes of it with that one."""
    compressor = _primed(_DICTIONARY).copy()
    return bytes([_DICTIONARY]) + compressor.compress(text.encode()) + compressor.flush()


def decompress(content: bytes) -> str:
    """Return the text that `compress` was given. Raises ValueError: it is of a later version, or damaged."""
    try:
        return zlib.decompressobj(_RAW, zdict=_dictionary(content[0])).decompress(content[1:]).decode()
    except (FileNotFoundError, zlib.error, IndexError) as error:
        raise ValueError("an event of Dagster's log was written by a later version of roster_etl, or is damaged") from error


@cache
def _dictionary(number: int) -> bytes:
    """Return the events of an invented district, most of whose text every event has again."""
    return (files(__package__) / f"event_dictionary_{number}.txt").read_bytes()


@cache
def _primed(number: int) -> Any:
    return zlib.compressobj(6, zlib.DEFLATED, _RAW, zdict=_dictionary(number))


SqlEventLogStorageTable.c.event.type = CompressedText()
AssetCheckExecutionsTable.c.evaluation_event.type = CompressedText()


_INDEXED = frozenset((*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS))
"""The kinds of events that the index has too."""


def _kind(event: EventLogEntry) -> DagsterEventType | None:
    return event.dagster_event_type if event.is_dagster_event else None


def _is_of_check(event: EventLogEntry) -> bool:
    return _kind(event) in ASSET_CHECK_EVENTS


class BatchNotStored(Exception):
    """Events could not be stored together."""


class CompactSqliteEventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log, a file for each run, in small pages and without the indexes that only many events need.

    Events are written by ``event_statements``; with any version of Dagster but the tested one, by Dagster. ``kept``: what a run has
    materialized, while it runs.
    """

    kept: RunMaterializations | None = None

    def _initdb(self, engine: sa.Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's signature
        file = Path(str(engine.url.database))
        if file.name == f"{INDEX_SHARD_NAME}.db" or file.exists():
            super()._initdb(engine, for_index_shard)
        elif not is_tested_dagster("tables of a new run copied") or not place_new_log(file, content_of_new_log(_make_run_log)):
            _prepare_run_log(engine)
            super()._initdb(engine, for_index_shard)
            _drop_needless_indexes(engine)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event in the file of its run; in the index too, if it is about an asset, a check, or the run as a whole."""
        if is_tested_dagster(_SHORTCUT) and (event.run_id or not _is_of_check(event)):
            self._store([event])
        else:
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events as `store_event` does; those of one run in one transaction a file.

        Raises: BatchNotStored: Dagster prints its text, and stores the events one by one, which raises the database's error.
        """
        if not is_tested_dagster(_SHORTCUT) or not events[0].run_id or len({event.run_id for event in events}) > 1:
            super().store_event_batch(events)
            return
        try:
            self._store(events)
        except sa.exc.DBAPIError:  # its text quotes the statement
            raise BatchNotStored("the database rejects them together") from None

    def _store(self, events: Sequence[EventLogEntry]) -> None:
        rows = [self._event_to_row(event) for event in events]
        written = [event_statements.convert_event(row) for row in rows]
        with self.run_connection(events[0].run_id) as connection:
            for one in written:
                event_statements.insert_event(connection, one)
        indexed = [every for every in zip(events, rows, written, strict=True) if _kind(every[0]) in _INDEXED]
        if not indexed:
            return
        unplanned = []
        with self.index_connection() as connection:
            for event, row, one in indexed:
                event_id = event_statements.insert_event(connection, one)
                if _kind(event) in ASSET_EVENTS:
                    self._index_asset(connection, event, row, event_id)
                elif _is_of_check(event) and not event_statements.write_check(connection, event, row, event_id):
                    unplanned.append((event, event_id))
        for event, event_id in unplanned:
            self.store_asset_check_event(event, event_id)

    def _index_asset(self, connection: sa.Connection, event: EventLogEntry, row: Mapping[str, Any], event_id: int) -> None:
        self._store_asset_event_tags(connection, [event], [event_id])
        values = self._get_asset_entry_values(event, event_id, self._has_asset_key_index_cols_on_connection(connection))
        if row["asset_key"] and values:
            event_statements.write_asset(connection, row["asset_key"], values)
            if self.kept is not None and "last_materialization" in values:
                self.kept.keep(event, event_id, row["asset_key"], values["last_materialization"])

    def partitions_of(self, names: Sequence[str]) -> dict[str, set[str]]:
        """Return the keys of dynamic partition sets, by name. Dagster opens the file twice for each set."""
        table = DynamicPartitionsTable.c
        query = sa.select(table.partitions_def_name, table.partition).where(table.partitions_def_name.in_(names))
        found: dict[str, set[str]] = {name: set() for name in names}
        with self.index_connection() as connection:
            for name, key in connection.execute(query):
                found[name].add(key)
        return found

    def fetch_materializations(
        self,
        records_filter: dg.AssetKey | dg.AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,  # noqa: FBT001, FBT002 - Dagster's signature
    ) -> dg.EventRecordsResult:
        """Return materializations. A check asks for the latest one of a partition, which a run has just stored."""
        if self.kept is not None and limit == 1 and isinstance(records_filter, dg.AssetRecordsFilter) and cursor is None:
            key, partitions = records_filter.asset_key, records_filter.asset_partitions
            latest = self.kept.latest(key, partitions)
            if latest is not None and not ascending and records_filter == dg.AssetRecordsFilter(key, partitions):
                return dg.EventRecordsResult(
                    [latest], cursor=EventLogCursor.from_storage_id(latest.storage_id).to_string(), has_more=True
                )
        return super().fetch_materializations(records_filter, limit, cursor, ascending)

    def get_latest_tags_by_partition(
        self,
        asset_key: dg.AssetKey,
        event_type: DagsterEventType,
        tag_keys: Sequence[str],
        asset_partitions: Sequence[str] | None = None,
        before_cursor: int | None = None,
        after_cursor: int | None = None,
    ) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of the latest event about each partition. A step asks for the data version of each input's partition."""
        if (
            self.kept is not None
            and event_type == DagsterEventType.ASSET_MATERIALIZATION
            and before_cursor is after_cursor is None
        ):
            found = self.kept.latest_tags(asset_key, asset_partitions, tag_keys)
            if found is not None:
                return found
        return super().get_latest_tags_by_partition(
            asset_key, event_type, tag_keys, asset_partitions, before_cursor, after_cursor
        )

    def _get_latest_materialization_records(self, raw_asset_rows: Any) -> Mapping[dg.AssetKey, dg.EventLogRecord | None]:
        found = None if self.kept is None else self.kept.of_rows(raw_asset_rows)
        return super()._get_latest_materialization_records(raw_asset_rows) if found is None else found


def _prepare_run_log(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # writes the first page, which fixes their size


def _drop_needless_indexes(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for name in _NEEDLESS_INDEXES:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")


def _make_run_log(file: Path) -> None:
    """Create the file of a run that has no event yet, with Dagster's own statements."""
    engine = sa.create_engine(create_db_conn_string(str(file.parent), file.stem), poolclass=sa.pool.NullPool)
    _prepare_run_log(engine)
    SqliteEventLogStorage._initdb(None, engine)  # type: ignore[arg-type] # noqa: SLF001 - it reads nothing of a storage
    _drop_needless_indexes(engine)


def load_new_run_log() -> None:
    """Make the tables of a new run now, for the processes that are forked from this one."""
    if is_tested_dagster("tables of a new run copied"):
        content_of_new_log(_make_run_log)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold the lock of a folder for the block: Dagster makes tables in steps, which fail where another process is at one of them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class CompactSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage in a home, with the compact event log, fewer queries about runs, and ticks that outlast a leap of the clock."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with _locked(base_dir):
            self._open(base_dir, inst_data)

    def _open(self, base_dir: str, inst_data: ConfigurableClassData | None) -> None:
        super().__init__(base_dir, inst_data)
        if is_tested_dagster("runs stored with fewer queries"):
            self._run_storage = BriefRunStorage(create_db_conn_string(_runs_directory(base_dir), "runs"), inst_data)
        self._event_log_storage = CompactSqliteEventLog(_event_logs_directory(base_dir))
        self._schedule_storage = LeapProofScheduleStorage.from_local(_schedule_directory(base_dir))
        wait_by_monotonic_clock(sys.modules.get("dagster._daemon.daemon"))

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings: ``base_dir``, the home."""
        return {"base_dir": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> CompactSqliteStorage:
        """Open the storage of ``dagster.yaml``."""
        return cls.from_local(inst_data=inst_data, **config_value)
