"""A writer that forwards everything to another one: what a dry run or a replay changes a single method of.

Belongs here: forwarding, method by method. A method that ``readers.ImportWriter`` gets and this class lacks is a type error where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from roster_etl.canonical.ledger import Decision, ImportKind
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.import_result import ImportFile, ImportResult, TableChange
from roster_etl.store.warehouse.readers import ImportWriter, RosterReader

if TYPE_CHECKING:
    from roster_etl.store.warehouse.session import SqlLedger


class ForwardingWriter:
    """Forwards each method of ``readers.ImportWriter`` to ``writer``."""

    def __init__(self, writer: ImportWriter) -> None:
        self.writer = writer

    @property
    def roster(self) -> RosterReader:
        """Queries on the published roster."""
        return self.writer.roster

    @property
    def ledger(self) -> SqlLedger:
        """Queries on the ledger."""
        return self.writer.ledger

    def open_import(self, **columns: Any) -> int:
        """Insert an import as ``running``."""
        return self.writer.open_import(**columns)

    def set_upload(
        self, import_id: int, upload_id: str, *, received_at: datetime | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Write which upload a running import reads."""
        self.writer.set_upload(import_id, upload_id, received_at=received_at, options=options)

    def record_files(self, import_id: int, files: Sequence[ImportFile]) -> None:
        """Replace the files of a running import."""
        self.writer.record_files(import_id, files)

    def resume(self, import_id: int, run_id: str | None = None) -> None:
        """Set an import to ``running`` again."""
        self.writer.resume(import_id, run_id)

    def conclude(self, conclusion: ImportResult) -> None:
        """End a running import that publishes nothing."""
        self.writer.conclude(conclusion)

    def publish(
        self, conclusion: ImportResult, changes: Mapping[str, TableChange], base: int | None, *, approved_by: str | None = None
    ) -> None:
        """Close and open versions, and end the import as ``published``."""
        self.writer.publish(conclusion, changes, base, approved_by=approved_by)

    def decide_hold(self, import_id: int, decision: Decision, by: str, at: datetime) -> None:
        """Write what a person decided about a held import."""
        self.writer.decide_hold(import_id, decision, by, at)

    def supersede_holds(
        self,
        district_id: str,
        source: str,
        by_import: int,
        at: datetime,
        *,
        before: int | None = None,
        kind: ImportKind | None = None,
    ) -> list[int]:
        """Close the open holds that a newer import replaces."""
        return self.writer.supersede_holds(district_id, source, by_import, at, before=before, kind=kind)

    def record_closed_holds(self, by_import: int, closed: Sequence[int]) -> None:
        """Write to the summary of an import which holds it closed."""
        self.writer.record_closed_holds(by_import, closed)

    def write_down(self, *entries: AuditEntry) -> None:
        """Add lines to the audit."""
        self.writer.write_down(*entries)
