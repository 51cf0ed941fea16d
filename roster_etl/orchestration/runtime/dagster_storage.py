"""Open Dagster's own storage of a home with safe error messages: SQLite in the home, or PostgreSQL by ``dagster.yaml``.

Belongs here: opening it, checking it for ``doctor``, and the ticks of its sensors. Its content is Dagster's; rosters are never stored there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import dagster as dg
from dagster._config import process_config, resolve_to_config_type
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef

from roster_etl.orchestration.runtime.compact_event_log import CLASS
from roster_etl.orchestration.runtime.migration_scripts import cache_migration_scripts
from roster_etl.spec.errors import PermanentError, RetryableError, SettingsError

_HERE = Path(__file__).parent
_CONFIG_FILE = "dagster.yaml"
_EMPTY_FILE = "empty_dagster.yaml"
"""What Dagster reads in place of a file that we have read already."""
_DRIVER = "postgresql+psycopg2"
_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_FULL = re.compile(r"database or disk is full|disk I/O error|No space left on device", re.IGNORECASE)
_TLS_MODES = ("require", "verify-ca", "verify-full")


class StorageUnavailable(RetryableError):
    """Dagster's storage does not respond."""

    code = "dagster_storage_unavailable"
    template = "Dagster's storage: the database does not respond, or rejects the connection (SQLSTATE {sqlstate})"


class StorageFull(StorageUnavailable):
    """The disk of Dagster's storage is full."""

    template = "Dagster's storage: its disk is full, so free some space, and try again"


class StorageVersionMismatch(PermanentError):
    """Dagster's storage has the schema of another version."""

    code = "dagster_storage_behind"
    template = "Dagster's storage has the schema of another version of Dagster; run `dagster instance migrate` with DAGSTER_HOME set to this home"


@contextmanager
def open_instance(home: Path, overrides: Mapping[str, Any] | None = None) -> Iterator[dg.DagsterInstance]:
    """Open the instance that the ``dagster.yaml`` of `home` describes.

    Raises: SettingsError: Dagster rejects the file, or it names a driver with which Dagster cannot store events.
        StorageUnavailable.
    """
    cache_migration_scripts()
    ref = _instance_ref(home, overrides)
    _require_supported_driver(ref)
    with translate_storage_errors():
        instance = dg.DagsterInstance.from_ref(ref)
    with instance:
        yield instance


def last_ticks(home: Path) -> dict[str, float]:
    """Return the time of each sensor's last tick, in seconds since 1970; empty if Dagster never ran in `home`."""
    if not (home / "dagster.yaml").exists():
        return {}
    found: dict[str, float] = {}
    with open_instance(home) as instance:
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            if ticks:
                found[state.instigator_name] = max(found.get(state.instigator_name, 0.0), ticks[0].timestamp)
    return found


def describe_storage(home: Path) -> str:
    """Check that a home's storage is usable, and return its description.

    Raises: StorageUnavailable, StorageVersionMismatch. SettingsError: as `open_instance`, and where a remote URL does not require TLS.
    """
    url = _require_supported_driver(_instance_ref(home, None))
    if url is not None and _is_remote_without_tls(url):
        problem = f"storage: {url.hostname} is another machine, and the URL does not require TLS: add sslmode=verify-full and sslrootcert=FILE"
        raise SettingsError(where=_CONFIG_FILE, problem=problem)
    with open_instance(home) as instance, translate_storage_errors():
        runs, (found, wanted) = instance.get_runs_count(), instance.event_log_storage.alembic_version() or (None, None)
    if found != wanted:
        raise StorageVersionMismatch
    where = (
        "SQLite in the home" if url is None else f"PostgreSQL, database {url.path.strip('/')} on {_host(url) or 'this machine'}"
    )
    return f"{where}, {runs} runs"


@contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Translate database errors into ours: their texts quote statements and addresses."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("dagster_postgres", "psycopg", "psycopg2", "sqlalchemy", "sqlite3"):
            raise
        plain = StorageFull() if _FULL.search(str(error)) else StorageUnavailable(sqlstate=_sqlstate(error))
    else:
        return
    raise plain from None


def _sqlstate(error: BaseException) -> str:
    link: BaseException | None = error
    while link is not None:
        driver = getattr(link, "orig", None) or link
        if found := getattr(driver, "pgcode", None) or getattr(driver, "sqlstate", None):
            return str(found)
        link = link.__cause__
    return "unknown"


def _instance_ref(home: Path, overrides: Mapping[str, Any] | None) -> InstanceRef:
    try:
        config = _own_config(home, _CONFIG_FILE)
        if not config:
            return InstanceRef.from_dir(str(home), overrides=overrides)
        storage = {**config["storage"]["custom"], "config": {"base_dir": str(home)}}
        given = {**config, "storage": {"custom": storage}, **(overrides or {})}
        return InstanceRef.from_dir(str(home), config_dir=str(_HERE), config_filename=_EMPTY_FILE, overrides=given)
    except dg.DagsterError:  # its text may quote a password
        raise _invalid_config_error() from None


def load_default_config() -> None:
    """Read the ``dagster.yaml`` of a new home, for the processes that are forked from this one: nearly all homes have it unchanged."""
    _own_config(_HERE, f"default_{_CONFIG_FILE}")


def _own_config(folder: Path, name: str) -> Mapping[str, Any]:
    """Return a configuration file that uses our compact SQLite storage, {} for any other.

    Files of the same content are read once, since Dagster reads them slowly.
    """
    path = folder / name
    content = path.read_bytes() if path.is_file() else b""
    if CLASS.encode() not in content:
        return {}
    if content not in _READ:
        config, _ = dagster_instance_config(str(folder), name)
        is_own = ((config.get("storage") or {}).get("custom") or {}).get("class") == CLASS
        _READ[content] = config if is_own else {}
    return _READ[content]


_READ: dict[bytes, Mapping[str, Any]] = {}


def _invalid_config_error() -> SettingsError:
    return SettingsError(
        where=_CONFIG_FILE,
        problem="Dagster rejects this file; for the reason run `dagster instance info` with DAGSTER_HOME set to this home",
    )


def _require_supported_driver(ref: InstanceRef) -> SplitResult | None:
    """Return the URL of a PostgreSQL storage, None for any other. Raises SettingsError."""
    data = ref.event_storage_data
    if data is None or data.module_name.partition(".")[0] != "dagster_postgres":
        return None
    from dagster_postgres import DagsterPostgresStorage
    from dagster_postgres.utils import pg_url_from_config

    given = process_config(resolve_to_config_type(DagsterPostgresStorage.config_type()), data.config_dict)
    if not given.success or given.value is None:
        raise _invalid_config_error()
    url = urlsplit(pg_url_from_config(given.value))
    if url.scheme != _DRIVER:
        problem = f"storage: its URL begins with {url.scheme[:30]}://; this driver is not supported: use {_DRIVER}://"
        raise SettingsError(where=_CONFIG_FILE, problem=problem)
    return url


def _host(url: SplitResult) -> str:
    """Return the server's host; empty: a local Unix socket."""
    host = url.hostname or dict(parse_qsl(url.query)).get("host") or os.environ.get("PGHOST") or ""
    return "" if host.startswith("/") else host


def _is_remote_without_tls(url: SplitResult) -> bool:
    mode = dict(parse_qsl(url.query)).get("sslmode") or os.environ.get("PGSSLMODE")
    return _host(url) not in _LOCAL_HOSTS and mode not in _TLS_MODES
