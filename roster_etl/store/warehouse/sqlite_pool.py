"""One connection to a SQLite file that stays open for a piece of work, so that its tables are read from the file once.

Belongs here: which connection is kept, and until when. SQLite parses the definitions of all tables for each new connection: 2 ms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from roster_etl.store.warehouse.sqlite_adbc import execute_statement

_RELEASE_PAGES = "PRAGMA shrink_memory"
_pools: WeakSet[KeepingPool] = WeakSet()


class KeepingPool(NullPool):
    """Closes every connection that comes back; inside `keeping`, one stays open until the block ends, or the process forks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocks = 0
        self._idle: list[ConnectionPoolEntry] = []
        _pools.add(self)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep one connection open until the outermost of such blocks ends."""
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks:
                self.close_idle()

    def close_idle(self) -> None:
        """Close the connection that is kept and not in use."""
        while self._idle:
            self._idle.pop().close()

    def dispose(self) -> None:
        """Close the connection that is kept."""
        self.close_idle()

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return self._idle.pop()
        except IndexError:
            return super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if not self._blocks or self._idle or record.dbapi_connection is None:
            super()._do_return_conn(record)
            return
        execute_statement(record.dbapi_connection, _RELEASE_PAGES)
        self._idle.append(record)


def _close_idle() -> None:
    for pool in list(_pools):
        pool.close_idle()


os.register_at_fork(before=_close_idle)  # a connection must not be used in two processes
