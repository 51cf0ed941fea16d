"""One connection to a SQLite file that stays open for a piece of work, so that its tables are read from the file once.

Belongs here: which connection is kept, and until when. SQLite parses the definitions of all tables for each new connection: 2 ms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from roster_etl.store.warehouse.sqlite_adbc import execute_statement

_RELEASE_PAGES = "PRAGMA shrink_memory"
_pools: WeakSet[KeepingPool] = WeakSet()


class KeepingPool(NullPool):
    """Closes every connection that comes back; inside `keeping`, one stays open until the block ends, or the process forks.

    Threads may share it. It has no lock, which a fork could copy while another thread holds it: lists are changed by single operations.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocks: list[None] = []
        self._idle: list[ConnectionPoolEntry] = []
        _pools.add(self)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep one connection open until the last of such blocks ends."""
        self._blocks.append(None)
        try:
            yield
        finally:
            self._blocks.pop()
            self._close_surplus()

    def close_idle(self) -> None:
        """Close the connection that is kept and not in use."""
        self._close_but(0)

    def dispose(self) -> None:
        """Close the connection that is kept."""
        self.close_idle()

    def _close_surplus(self) -> None:
        self._close_but(1 if self._blocks else 0)

    def _close_but(self, kept: int) -> None:
        while len(self._idle) > kept:
            with suppress(IndexError):  # another thread has taken it
                self._idle.pop().close()

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
        self._close_surplus()  # meanwhile the block may have ended, or another connection come back


def _close_idle() -> None:
    for pool in list(_pools):
        pool.close_idle()


os.register_at_fork(before=_close_idle)  # a connection must not be used in two processes
