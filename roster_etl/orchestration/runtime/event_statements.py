"""Write Dagster's events with statements that are built once.

Belongs here: this one measured optimization of the SQLite event log. Dagster builds each statement anew, with all its values, and
writes the row of an asset by inserting it, failing, and updating it. Here the text of a statement and what converts its values are made
once a process, so that an execution takes a third of the time. What is stored is the same; a test compares both ways. Does not
belong here: which storage uses it, and with which version of Dagster (``compact_event_log``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

_EVENTS, _ASSETS, _CHECKS = SqlEventLogStorageTable, AssetKeyTable, AssetCheckExecutionsTable
_DIALECT = sqlite.dialect()
_INSERT_CHECK = _CHECKS.insert()
_UPDATE_CHECK = _CHECKS.update().where(
    _CHECKS.c.asset_key == sa.bindparam("of_asset"),
    _CHECKS.c.check_name == sa.bindparam("of_check"),
    _CHECKS.c.run_id == sa.bindparam("of_run"),
    _CHECKS.c.partition.is_(sa.bindparam("of_partition")),  # SQLite's IS: a check may have no partition
)


class DriverStatement:
    """An INSERT as the text that the driver executes, and the conversion of the value of each of its columns."""

    def __init__(self, statement: sa.Insert, columns: Sequence[str]) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns))
        self._text, names = str(compiled), compiled.positiontup or ()
        self._columns = [(name, statement.table.c[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)) for name in names]

    def convert(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the row as the driver takes it."""
        return tuple(convert(values[name]) if convert else values[name] for name, convert in self._columns)

    def execute(self, connection: sa.Connection, row: tuple[Any, ...]) -> int:
        """Insert a converted row, and return its id."""
        return int(connection.exec_driver_sql(self._text, row).lastrowid or 0)


@cache  # and not when this module is loaded: the type of the events is replaced after it
def _insert_event() -> DriverStatement:
    columns = ("run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key", "partition")
    return DriverStatement(_EVENTS.insert(), columns)


def convert_event(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row of an event as `insert_event` takes it, with its text compressed."""
    return _insert_event().convert(row)


def insert_event(connection: sa.Connection, row: tuple[Any, ...]) -> int:
    """Store the converted row of an event, and return its id."""
    return _insert_event().execute(connection, row)


def write_asset(connection: sa.Connection, key: str, values: Mapping[str, Any]) -> None:
    """Store what an event says about its asset."""
    statement = _upsert_asset(tuple(sorted(values)))
    statement.execute(connection, statement.convert({"asset_key": key, **values}))


@cache
def _upsert_asset(names: tuple[str, ...]) -> DriverStatement:
    statement = insert(_ASSETS)
    changed = {name: statement.excluded[name] for name in names}
    statement = statement.on_conflict_do_update(index_elements=[_ASSETS.c.asset_key], set_=changed)
    return DriverStatement(statement, ("asset_key", *names))


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
