"""The warehouse: the roster's histories and the ledger at rest, on SQLite or PostgreSQL.

Belongs here: everything that talks to that database. Which columns there are is declared in ``canonical``; what to publish is
decided by a plan.
"""

from roster_etl.store.warehouse.conclusion import REJECTED, Check, Conclusion, Hold, ImportFile, TableChange
from roster_etl.store.warehouse.errors import (
    BadWarehouseUrl,
    ConstraintBroken,
    ImportNotRunning,
    NoHold,
    RosterMoved,
    SchemaBehind,
    UnknownImport,
    WarehouseError,
    WarehouseUnavailable,
)
from roster_etl.store.warehouse.purge import Removal
from roster_etl.store.warehouse.warehouse import Warehouse

__all__ = [
    "REJECTED",
    "BadWarehouseUrl",
    "Check",
    "Conclusion",
    "ConstraintBroken",
    "Hold",
    "ImportFile",
    "ImportNotRunning",
    "NoHold",
    "Removal",
    "RosterMoved",
    "SchemaBehind",
    "TableChange",
    "UnknownImport",
    "Warehouse",
    "WarehouseError",
    "WarehouseUnavailable",
]
