"""The warehouse: the roster's histories and the ledger at rest, on SQLite or PostgreSQL.

Belongs here: everything that talks to that database. Which columns there are is declared in ``canonical``; what to publish is
decided by a plan.
"""

from roster_etl.store.warehouse.audit import Entry
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
    no_hold,
)
from roster_etl.store.warehouse.forwarding import ForwardingWriter
from roster_etl.store.warehouse.import_result import LEAVING, REJECTED, Check, Conclusion, Edit, Hold, ImportFile, TableChange
from roster_etl.store.warehouse.purge import Removal
from roster_etl.store.warehouse.readers import ImportWriter, Readers, RosterReader
from roster_etl.store.warehouse.roster_read import Known
from roster_etl.store.warehouse.session import SqlLedger, SqlRoster, WriteSession
from roster_etl.store.warehouse.warehouse import Warehouse

__all__ = [
    "LEAVING",
    "REJECTED",
    "BadWarehouseUrl",
    "Check",
    "Conclusion",
    "ConstraintBroken",
    "Edit",
    "Entry",
    "ForwardingWriter",
    "Hold",
    "ImportFile",
    "ImportNotRunning",
    "ImportWriter",
    "Known",
    "NoHold",
    "Readers",
    "Removal",
    "RosterMoved",
    "RosterReader",
    "SchemaAhead",
    "SchemaBehind",
    "SqlLedger",
    "SqlRoster",
    "TableChange",
    "UnknownImport",
    "Warehouse",
    "WarehouseError",
    "WarehouseUnavailable",
    "WriteSession",
    "no_hold",
]
