"""Count connections to the warehouse where the pool hands them out, and queries where a session runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import adbc_driver_manager.dbapi as adbc
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import Pool

from roster_etl.store.warehouse.session import SqlLedger, SqlRoster, WriteSession

_DRIVERS = (adbc.Connection, psycopg.Connection)  # Dagster's own storage uses sqlite3


class Connections:
    """The number of connections made, taken, in use now, and in use at most at one time."""

    def __init__(self) -> None:
        self.made = self.opened = self.in_use = self.most_in_use = 0

    def new(self, connection: object, *_: object) -> None:
        """Count a connection that did not exist before."""
        self.made += isinstance(connection, _DRIVERS)

    def taken(self, connection: object, *_: object) -> None:
        """Count a connection."""
        if isinstance(connection, _DRIVERS):
            self.opened += 1
            self.in_use += 1
            self.most_in_use = max(self.most_in_use, self.in_use)

    def returned(self, connection: object, *_: object) -> None:
        """Count a connection that is given back."""
        self.in_use -= isinstance(connection, _DRIVERS)


@contextmanager
def counted_connections() -> Iterator[Connections]:
    """Count the connections to any warehouse until the block ends."""
    counted = Connections()
    sa.event.listen(Pool, "connect", counted.new)
    sa.event.listen(Pool, "checkout", counted.taken)
    sa.event.listen(Pool, "checkin", counted.returned)
    try:
        yield counted
    finally:
        sa.event.remove(Pool, "connect", counted.new)
        sa.event.remove(Pool, "checkout", counted.taken)
        sa.event.remove(Pool, "checkin", counted.returned)


@contextmanager
def counted_queries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[tuple[str, str]]]:
    """Count the queries of sessions until the block ends, by name and arguments.

    A transaction that writes begins anew: what is read after it may differ.
    """
    counts: Counter[tuple[str, str]] = Counter()
    repeated: Counter[tuple[str, str]] = Counter()

    def forget() -> None:
        repeated.update({query: count - 1 for query, count in counts.items() if count > 1})
        counts.clear()

    with monkeypatch.context() as patch:
        for queries in (SqlRoster, SqlLedger):
            for name, query in list(vars(queries).items()):
                if not name.startswith("__"):
                    patch.setattr(queries, name, _counting(query, partial(_count, counts, f"{queries.__name__}.{name}")))
        for name, statement in list(vars(WriteSession).items()):
            if callable(statement) and not name.startswith("_"):
                patch.setattr(WriteSession, name, _counting(statement, lambda *_, **__: forget()))
        yield repeated
    forget()


def _counting(method: Callable[..., Any], called: Callable[..., None]) -> Callable[..., Any]:
    @wraps(method)
    def counting(queries: Any, *args: Any, **kwargs: Any) -> Any:
        called(*args, **kwargs)
        return method(queries, *args, **kwargs)

    return counting


def _count(counts: Counter[tuple[str, str]], name: str, *args: Any, **kwargs: Any) -> None:
    given = [*args, *sorted(kwargs.items())]
    texts = (str(part.to_pylist()) if isinstance(part, pa.Table | pa.Array | pa.ChunkedArray) else str(part) for part in given)
    counts[name, ", ".join(texts)] += 1
