"""What a session of the warehouse offers to the steps of an import, as protocols.

Belongs here: the signatures that each implementation must have. The implementation over SQL is in ``session``; the dry run and the
replay have their own, and a method that is added here is a type error there until they have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from roster_etl.canonical.ledger import Decision, ImportKind
from roster_etl.store.warehouse.audit import AuditEntry
from roster_etl.store.warehouse.import_result import ImportFile, ImportResult, TableChange
from roster_etl.store.warehouse.roster_read import QueryColumn

if TYPE_CHECKING:
    from roster_etl.store.warehouse.session import SqlLedger


class RosterReader(Protocol):
    """Queries on the published roster of a feed: what an upload is compared with.

    Every query sees the same snapshot. ``full_schema`` is that of the table (``canonical.roster``).
    """

    def base(self, district_id: str, source: str, file_set: str | None = None, /) -> int | None:
        """Return the newest import that was published for the feed (or for one set of its files)."""

    def last_published(
        self, district_id: str, source: str, kind: ImportKind | None = None, file_set: str | None = None
    ) -> dict[str, Any] | None:
        """Return the ledger row of the newest import that was published for the feed, of `kind` and `file_set` if given."""

    def published_imports(self, district_id: str, source: str, file_set: str | None = None) -> list[dict[str, Any]]:
        """Return the ledger rows of the imports that were published for the feed, newest first."""

    def current(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return one row a current version: ``version_id``, key columns, school (if any), ``source_file``, ``row_hash``."""

    def current_hashes(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version of `table`."""

    def current_by_school(self, district_id: str, source: str, table: str, /) -> dict[str, int]:
        """Return the number of current versions of `table` by school; empty where records belong to none."""

    def count_current(self, district_id: str, source: str, table: str, /) -> int:
        """Return the number of current versions of `table`."""

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray, /) -> pa.Table:
        """Return the versions with these numbers (``full_schema``), in the order of their numbers."""

    def matching(self, district_id: str, source: str, table: str, keys: pa.Table, /) -> pa.Table:
        """Return the current versions (``full_schema``) of the records that `keys` names by the table's key columns."""

    def known(self, district_id: str, source: str, columns: Sequence[QueryColumn], /) -> pa.Table:
        """Return the distinct combinations of values that current records have in `columns`, as text."""

    def last_of_the_gone(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return the last version (``full_schema``) of each record that has no current one."""

    def left_behind(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return the versions (``full_schema``) of records that were gone when their id changed."""

    def since(self, district_id: str, source: str, table: str, import_id: int, /) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) that ended at import `import_id` or later, and the current ones that began then."""

    def turned(self, district_id: str, source: str, table: str, import_id: int, /) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) that import `import_id` closed, and those that it opened."""

    def as_of(self, moment: datetime, table: str, district_id: str, source: str | None = None, /) -> pa.Table:
        """Return the versions (``full_schema``) that were known at `moment`."""

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None, /) -> pa.Table:
        """Return every version (``full_schema``) of the records with these key values, oldest first; None is NULL."""

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the stewards' edits in force, oldest first; with `ended`, also those that ended."""

    def open_quarantine(self, district_id: str, source: str, /) -> pa.Table:
        """Return the rejected rows that may be retried: ``import_id``, ``file``, ``kind``, ``row``, ``record``."""


@dataclass(frozen=True)
class Readers:
    """The queries of one read session. ``roster``: of the published roster; ``ledger``: of imports, findings, holds and the audit."""

    roster: RosterReader
    ledger: SqlLedger


class ImportWriter(Protocol):
    """The statements that the steps of an import run in one transaction, and queries that see what it has written."""

    @property
    def roster(self) -> RosterReader:
        """Queries on the published roster."""

    @property
    def ledger(self) -> SqlLedger:
        """Queries on the ledger."""

    def open_import(  # noqa: PLR0913 - one argument for each column that is known by then
        self,
        *,
        kind: ImportKind,
        district_id: str,
        source: str,
        started_at: datetime,
        upload_id: str | None = None,
        run_id: str | None = None,
        received_at: datetime | None = None,
        options: Mapping[str, Any] | None = None,
        import_id: int | None = None,
        file_set: str = "",
        claim: Callable[[int], None] = lambda _: None,
        entry: AuditEntry | None = None,
    ) -> int:
        """Insert an import as ``running``, and return its number.

        Args: import_id: keep a number that it had; claim: called with the number before anybody else can see the import; entry: the
            audit's line of who asked for it, which gets that number.
        """

    def set_upload(
        self, import_id: int, upload_id: str, *, received_at: datetime | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Write which upload a running import reads, once that is known. Raises ImportNotRunning."""

    def record_files(self, import_id: int, files: Sequence[ImportFile], /) -> None:
        """Replace the files of a running import. Raises ImportNotRunning."""

    def resume(self, import_id: int, run_id: str | None = None, /) -> None:
        """Set an import that failed, or that a dead process left running, to ``running``. Raises ImportNotRunning."""

    def conclude(self, conclusion: ImportResult, /) -> None:
        """End a running import that publishes nothing. Raises ImportNotRunning."""

    def publish(
        self,
        conclusion: ImportResult,
        changes: Mapping[str, TableChange],
        base: int | None,
        /,
        *,
        approved_by: str | None = None,
    ) -> None:
        """Close and open versions, and end the import as ``published``.

        Args:    conclusion: status ``published``. changes: by roster table. base: what `RosterReader.base` returned when the plan was
                 made. approved_by: who approved, for an import that is held (unless `decide_hold` has said so).
        Raises:  RosterMoved: another import was published for the feed since. ImportNotRunning: it ended, or is held.
                 ConstraintBroken: two current versions would have one key.
        """

    def decide_hold(self, import_id: int, decision: Decision, by: str, at: datetime, /) -> None:
        """Write what a person decided about a held import; ``discarded`` ends it. Raises NoHold, ImportNotRunning."""

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
        """Close the other open holds of the import's feed and file set (of a `kind`, numbered below `before`); return their imports."""

    def record_closed_holds(self, by_import: int, closed: Sequence[int], /) -> None:
        """Write to the summary of import `by_import` that it closed the holds of imports `closed`."""

    def write_down(self, *entries: AuditEntry) -> None:
        """Add lines to the audit."""
