"""The warehouse: roster histories and ledger, on SQLite or PostgreSQL. All access to that database is here."""

from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.database import Connection
from roster_etl.store.warehouse.errors import (
    BadWarehouseUrl,
    ConstraintBroken,
    ImportNotRunning,
    NoHold,
    RosterChanged,
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
    WaitingRows,
)
from roster_etl.store.warehouse.ledger_read import KEPT_BY_PURGE, OPEN_QUARANTINE
from roster_etl.store.warehouse.purge import PurgeScope
from roster_etl.store.warehouse.reader_protocols import RosterReader
from roster_etl.store.warehouse.roster_read import QueryColumn
from roster_etl.store.warehouse.session import (
    Readers,
    SqlLedger,
    SqlPeople,
    SqlPeopleWriter,
    SqlReceipts,
    SqlReconciliation,
    SqlReconciliationWriter,
    SqlRoster,
    WriteSession,
)
from roster_etl.store.warehouse.warehouse import Warehouse
