"""The result of an import, as the pipeline passes it to the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical.ledger import IMPORT_STATUSES, ImportStatus
from roster_etl.store.warehouse.audit import AuditEntry

RELEASED_ROWS_SCHEMA: pa.Schema = pa.schema([("import_id", pa.int64()), ("file", pa.string()), ("row", pa.int64())])
REJECTED_ROWS_SCHEMA: pa.Schema = pa.schema(
    [("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())]
)


@dataclass(frozen=True, kw_only=True)
class ImportFile:
    """One file of an upload, as a ledger row. ``bytes``: size as uploaded; row counts exclude the header."""

    file: str
    kind: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    rows_read: int | None = None
    rows_accepted: int | None = None
    rows_rejected: int | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one gate. ``severity``: ``error`` blocks publishing, ``warn`` is reported only."""

    name: str
    passed: bool
    severity: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why an import is held, and the plan to approve."""

    reason: str
    plan_sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change to a steward's override: ``begins`` or ends it. ``key``: JSON object of the record's key.

    ``by``: who made it; None: the import itself.
    """

    begins: bool
    table: str
    key: str
    field: str
    value: str | None = None
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class WaitingRows:
    """What the rejected rows of a delta format wait for, once an import is published.

    ``awaited``: ``import_id``, ``file``, ``row`` and the hash ``awaits``, of rows of the import and of `tried` ones; ``tried``: rows of
    earlier imports (RELEASED_ROWS_SCHEMA) that were tried again; ``otherwise``: the hash that rows of the import wait for of which
    ``awaited`` has none; ``basis``: hash of what else decides whether rows apply; None: nothing is recorded, and the next import tries
    all rows.
    """

    awaited: pa.Table
    tried: pa.Table
    otherwise: int
    basis: str | None


@dataclass(frozen=True, kw_only=True)
class ImportResult:
    """The result of an import.

    ``findings``: schema ``frames.arrow.FINDINGS``; ``rejected_rows``: schema REJECTED. None, for these and for files and checks:
    keep what the ledger has (a held import that is approved later).
    ``released_rows``: rejected rows of earlier imports (columns LEAVING) that leave the quarantine, because they were applied or
    superseded; ``waiting``: what rejected rows of a delta format wait for; ``edits``: overrides that this import begins or ends; all of
    these for published imports only. ``entries``: audit entries.
    ``finished_at``: from when the versions of a published import count as known.
    """

    import_id: int
    status: ImportStatus
    finished_at: datetime
    findings: pa.Table | None = None
    rejected_rows: pa.Table | None = None
    files: Sequence[ImportFile] | None = None
    checks: Sequence[Check] | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    hold: Hold | None = None
    released_rows: pa.Table | None = None
    waiting: WaitingRows | None = None
    edits: Sequence[Edit] = ()
    entries: Sequence[AuditEntry] = ()

    def __post_init__(self) -> None:
        if self.status == "running" or self.status not in IMPORT_STATUSES:
            raise ValueError(f"an import does not end as {self.status!r}")
        if (self.status == "held") != (self.hold is not None):
            raise ValueError("a held import, and no other, says why it is held")
        released = self.released_rows is not None and self.released_rows.num_rows > 0
        if self.status != "published" and (self.edits or released or self.waiting is not None):
            raise ValueError("only a published import changes the quarantine and the edits of others")
        if self.finished_at.tzinfo is None:
            raise ValueError("finished_at needs a time zone")


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """The changes that publishing makes to one table.

    ``opens``: business columns, and ``source_file``, ``source_row``, ``row_hash``, ``derived``, ``extensions``; one row per
    version; or a function that loads them, so that only one table at a time is in memory, with the positions of those rows that open (None: all).
    ``closes``: ``version_id``, ``close_reason``; one row per current version to close.
    """

    opens: pa.Table | Callable[[], tuple[pa.Table, pa.Array | None]]
    closes: pa.Table

    def rows_to_open(self) -> tuple[pa.Table, pa.Array | None]:
        """Return rows, and the positions in them of those to open (None: all); calls the loader if `opens` is one."""
        return self.opens() if callable(self.opens) else (self.opens, None)
