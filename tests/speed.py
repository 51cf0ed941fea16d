"""What makes a process of tests cheaper and changes no result: fewer garbage collections, and each SQL statement compiled once.

Belongs here: settings of the whole process. Homes and files that are made once are in ``tests/prepared.py`` and ``tests/saved.py``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

_THRESHOLDS = (10_000, 20, 20)


def pytest_configure() -> None:
    """Pause garbage collection: loading the modules and thousands of tests creates no garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, rarely, and without the modules and tests: they live until the process ends."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


class CompiledStatements:
    """The compiled statements of all engines with the same kind of dialect. An engine's own cache ends with it, a test later."""

    def __init__(self) -> None:
        self._compiled: dict[Any, Any] = {}

    def get(self, key: tuple[Any, ...]) -> Any:
        """Return the compiled statement of a key of SQLAlchemy: the dialect, and what is compiled."""
        return self._compiled.get(key[1:])

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._compiled[key[1:]] = compiled

    def clear(self) -> None:
        """Forget them all."""
        self._compiled.clear()


@pytest.fixture(autouse=True, scope="session")
def _statements_are_compiled_once() -> Iterator[None]:
    import sqlalchemy

    caches: dict[Any, CompiledStatements] = {}
    create = sqlalchemy.create_engine

    def create_engine(*args: Any, **named: Any) -> Any:
        engine = create(*args, **named)
        dialect: Any = engine.dialect
        kind = (type(dialect), dialect.paramstyle, dialect._json_serializer, dialect._json_deserializer)
        engine._compiled_cache = caches.setdefault(kind, CompiledStatements())
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlalchemy, "create_engine", create_engine)
        yield
