"""Dagster's event log on SQLite, with compressed events: a fifth of the bytes, and the same in the UI.

Belongs here: how the text of an event is stored, and the size of the pages of a run's file. What is stored, and when, is Dagster's.
``dagster.yaml`` names `CompactSqliteStorage`, so that every process of Dagster reads events through it. Events that were written
before are read as they are.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dagster._config import StringSource
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, _event_logs_directory
from dagster._serdes import ConfigurableClassData

MODULE, CLASS = __name__, "CompactSqliteStorage"
_DICTIONARY = 1
"""The dictionary that new events are compressed with; its number is their first byte. A dictionary never changes: a better one gets
the next number, and the earlier ones stay, for the events that were written with them."""
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


class CompactSqliteEventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log, a file for each run, in small pages and without the indexes that only many events need."""

    def _initdb(self, engine: sa.Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - Dagster's signature
        file = Path(str(engine.url.database))
        is_new_run = file.name != f"{INDEX_SHARD_NAME}.db" and not file.exists()
        if is_new_run:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # writes the first page, which fixes their size
        super()._initdb(engine, for_index_shard)
        if is_new_run:
            with engine.begin() as connection:
                for name in _NEEDLESS_INDEXES:
                    connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")


class CompactSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage in a home, with the compact event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = CompactSqliteEventLog(_event_logs_directory(base_dir))

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings: ``base_dir``, the home."""
        return {"base_dir": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> CompactSqliteStorage:
        """Open the storage of ``dagster.yaml``."""
        return cls.from_local(inst_data=inst_data, **config_value)
