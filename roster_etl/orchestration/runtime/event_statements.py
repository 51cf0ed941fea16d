"""Write Dagster's events with statements that are built once.

Belongs here: this one measured optimization of the SQLite event log. Dagster builds each statement anew, with all its values, and
writes the row of an asset by inserting it, failing, and updating it. What is stored is the same; a test compares both ways. Does not
belong here: which storage uses it, and with which version of Dagster (``compact_event_log``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from sqlalchemy.dialects.sqlite import insert

_EVENTS, _ASSETS, _CHECKS = SqlEventLogStorageTable, AssetKeyTable, AssetCheckExecutionsTable
_INSERT_EVENT = _EVENTS.insert()
_INSERT_CHECK = _CHECKS.insert()
_UPDATE_CHECK = _CHECKS.update().where(
    _CHECKS.c.asset_key == sa.bindparam("of_asset"),
    _CHECKS.c.check_name == sa.bindparam("of_check"),
    _CHECKS.c.run_id == sa.bindparam("of_run"),
    _CHECKS.c.partition.is_(sa.bindparam("of_partition")),  # SQLite's IS: a check may have no partition
)


def insert_event(connection: sa.Connection, row: Mapping[str, Any]) -> int:
    """Store the row of an event, and return its id."""
    key: Any = connection.execute(_INSERT_EVENT, row).inserted_primary_key
    return int(key[0])


def write_asset(connection: sa.Connection, key: str, values: Mapping[str, Any]) -> None:
    """Store what an event says about its asset."""
    connection.execute(_upsert_asset(tuple(sorted(values))), {"asset_key": key, **values})


def _upsert_asset(names: tuple[str, ...]) -> Any:
    if names not in _UPSERTS:
        statement = insert(_ASSETS)
        changed = {name: statement.excluded[name] for name in names}
        _UPSERTS[names] = statement.on_conflict_do_update(index_elements=[_ASSETS.c.asset_key], set_=changed)
    return _UPSERTS[names]


_UPSERTS: dict[tuple[str, ...], Any] = {}


def write_check(connection: sa.Connection, event: EventLogEntry, row: Mapping[str, Any], event_id: int) -> bool:
    """Store that a run intends to execute a check, or the result. Returns whether the run planned it exactly once.

    Args: row: the event's own row.
    """
    about: Any = event.get_dagster_event().event_specific_data
    columns = {
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": event_id,
    }
    own = (about.asset_key.to_string(), about.check_name, event.run_id)
    if event.dagster_event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        columns |= {
            **dict(zip(("asset_key", "check_name", "run_id"), own, strict=True)),
            "execution_status": Status.PLANNED.value,
        }
        partitions = about.partitions_subset.get_partition_keys() if about.partitions_subset else [None]
        connection.execute(_INSERT_CHECK, [{**columns, "partition": partition} for partition in partitions])
        return True
    target = about.target_materialization_data
    columns |= {
        "execution_status": (Status.SUCCEEDED if about.passed else Status.FAILED).value,
        "materialization_event_storage_id": target.storage_id if target else None,
    }
    place = dict(zip(("of_asset", "of_check", "of_run", "of_partition"), (*own, about.partition), strict=True))
    return connection.execute(_UPDATE_CHECK, {**place, **columns}).rowcount == 1
