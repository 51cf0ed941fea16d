"""Warm runs: the code server forks each run from an idle process that has loaded all modules.

Belongs here: this one measured optimization, which ``ROSTER_ETL_WARM_RUNS=0`` turns off. Then Dagster's code server starts each
run as a new interpreter, which takes seconds of a core to load the same modules again. Every warm run has its own process too,
with all that follows: its memory is freed, its death is noticed, terminating it from the UI works, and partitions have the status
of their runs. The idle process starts with the first run, and again if it died; code and environment are those of its start,
settings those of each run.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import Any

from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster

VARIABLE = "ROSTER_ETL_WARM_RUNS"
_LOG = logging.getLogger(__name__)
_SOCKET = "listener-12345678"
"""A name as long as that of the socket on which the idle process listens."""
_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
_SERVER_MODULE, _CONTEXT_ATTRIBUTE = "dagster._grpc.server", "_mp_ctx"
PRELOADED_MODULES = (
    "roster_etl.orchestration.runtime.forkserver_watchdog",
    "roster_etl.orchestration.definitions",
    "dagster._grpc.impl",
    "adbc_driver_sqlite.dbapi",
    "sqlalchemy.dialects.sqlite",
    "pyarrow.acero",
    "pyarrow.csv",
    "pyarrow.parquet",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.secrets.loader",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.event_log.sqlite",
    "dagster._core.storage.runs.sqlite",
    "dagster._core.storage.schedules.sqlite",
    "dagster._core.execution.api",
    "jinja2",
    "upath.implementations.local",
    "roster_etl.orchestration.forkserver_preload",
)
"""The modules to preload. None may start a thread or open a connection: neither survives a fork."""


def enable_forkserver() -> bool:
    """Let the code server that loads this module start warm runs, unless disabled, and return whether it does.

    The server keeps the way in which it starts processes in an attribute that it sets before it loads us, or after; a property of the
    class comes before both. With any version of Dagster but the tested one, and where the idle process could not listen, runs start
    as new interpreters.
    """
    server = sys.modules.get(_SERVER_MODULE)
    if os.environ.get(VARIABLE) == "0" or server is None or not is_tested_dagster("warm runs") or not _can_listen():
        return False
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED_MODULES))
    setattr(server.DagsterApiServer, _CONTEXT_ATTRIBUTE, PinnedAttribute(context))
    return True


def _can_listen() -> bool:
    """Return whether the path of a socket in this process's folder for temporary files is short enough, and log a warning if not."""
    if len(os.fsencode(Path(get_temp_dir(), _SOCKET))) <= _SOCKET_PATH_BYTES:
        return True
    _LOG.warning(
        "warm runs: off, the path of the folder for temporary files is too long for a socket; set TMPDIR to a shorter one"
    )
    return False


class PinnedAttribute:
    """A data descriptor with a fixed value: assignments are ignored."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __get__(self, instance: object, owner: Any = None) -> object:
        return self._value

    def __set__(self, instance: object, value: object) -> None:
        pass
