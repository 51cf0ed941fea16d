"""The warehouse: the roster's histories and the ledger at rest, on SQLite or PostgreSQL.

Belongs here: everything that talks to that database. Which columns there are is declared in ``canonical``; what to publish is
decided by a plan.
"""

from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.errors import (
    BadWarehouseUrl,
    ConstraintBroken,
    ImportNotRunning,
    NoHold,
    RosterMoved,
    SchemaAhead,
    SchemaBehind,
    UnknownImport,
    WarehouseError,
    WarehouseUnavailable,
    no_hold_error,
)
from roster_etl.store.warehouse.import_result import (
    REJECTED_ROWS_SCHEMA,
    RELEASED_ROWS_SCHEMA,
    Check,
    Edit,
    Hold,
    ImportFile,
    ImportResult,
    TableChange,
)
from roster_etl.store.warehouse.purge import PurgeScope
from roster_etl.store.warehouse.roster_read import QueryColumn
from roster_etl.store.warehouse.warehouse import Warehouse

__all__ = [
    "REJECTED_ROWS_SCHEMA",
    "RELEASED_ROWS_SCHEMA",
    "AuditEntry",
    "BadWarehouseUrl",
    "Check",
    "ConstraintBroken",
    "Edit",
    "Hold",
    "ImportFile",
    "ImportNotRunning",
    "ImportResult",
    "NoHold",
    "PurgeScope",
    "QueryColumn",
    "RosterMoved",
    "SchemaAhead",
    "SchemaBehind",
    "TableChange",
    "UnknownImport",
    "Warehouse",
    "WarehouseError",
    "WarehouseUnavailable",
    "no_hold_error",
]
