"""Keep the connections of Dagster's SQLite event log open for the length of a run.

Belongs here: this one measured optimization. Dagster builds an engine, opens a file and compiles its statements for every event:
10 ms each, and an import has 250. In a process that runs one import and ends, pooled connections take a third of the time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from roster_etl.orchestration.runtime.run_materializations import RunMaterializations
from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage


_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
_QUESTIONS = ("has_table", "has_dynamic_partition", "has_secondary_index", "_has_asset_key_col_on_connection")
"""Methods of the storage that say whether something exists, once it does for good."""


@contextmanager
def pooled_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep the event log's SQLite connections open inside the block, for this thread.

    Any other storage, and any version of Dagster but the tested one, is left as it is.
    """
    if not is_tested_dagster("event log with kept connections"):
        yield
        return
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteEventLog

    storage = instance.event_log_storage
    known = type(storage) in (SqliteEventLogStorage, CompactSqliteEventLog)
    if not isinstance(storage, SqliteEventLogStorage) or not known or "_connect" in vars(storage):
        yield
        return
    with ExitStack() as opened:
        storage._connect = _ConnectionPool(storage, opened).connect  # type: ignore[method-assign] # noqa: SLF001
        for question in _QUESTIONS:
            setattr(storage, question, _remembered(getattr(storage, question)))
        if isinstance(storage, CompactSqliteEventLog):
            storage.kept = RunMaterializations()
            opened.enter_context(_batched_plans())
        try:
            yield
        finally:
            for name in ("_connect", *_QUESTIONS):
                delattr(storage, name)  # the class's own are visible again
            if isinstance(storage, CompactSqliteEventLog):
                storage.kept = None


@contextmanager
def _batched_plans() -> Iterator[None]:
    """Have Dagster store what a run intends to materialize and check in batches; it reads their size from the environment."""
    if _BATCH_SIZE in os.environ:
        yield
        return
    os.environ[_BATCH_SIZE] = "1000"
    try:
        yield
    finally:
        os.environ.pop(_BATCH_SIZE, None)


def _remembered(exists: Callable[..., bool]) -> Callable[..., bool]:
    """Return `exists`, which asks the storage until it says yes, and then no more.

    Dagster looks for a table of the index with every event, for columns and indexes that older versions lack with every asset, and for
    the run's partition with every asset and each of its inputs. Nothing of that is dropped while a run is at work.
    """
    found: set[tuple[object, ...]] = set()

    def cached_exists(*names: Any) -> bool:
        asked = tuple(name if isinstance(name, str) else name.engine.url for name in names)  # a connection stands for its file
        if asked not in found and exists(*names):
            found.add(asked)
        return asked in found

    return cached_exists


class _ConnectionPool:
    """One connection per shard (Dagster's term for a run's file, and the index)."""

    def __init__(self, storage: SqliteEventLogStorage, stack: ExitStack) -> None:
        self._connect, self._lock, self._stack = storage._connect, storage._db_lock, stack  # noqa: SLF001
        self._connections: dict[str, Any] = {}
        self._owner_thread = threading.get_ident()

    @contextmanager
    def connect(self, shard: str) -> Iterator[Any]:
        """Yield a connection in a transaction, as the storage's own method does."""
        if threading.get_ident() != self._owner_thread:
            with self._connect(shard) as other:
                yield other
            return
        connection = self._connections.get(shard) or self._open_connection(shard)
        with self._lock, connection.begin():
            yield connection

    def _open_connection(self, shard: str) -> Any:
        with self._connect(shard) as own:  # creates the file, if it is new
            engine = own.engine
        connection = self._stack.enter_context(engine.connect())
        # The file is in WAL mode: without a flush for each event, only a crash of the machine could lose the last ones.
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
        connection.rollback()
        self._connections[shard] = connection
        return connection
