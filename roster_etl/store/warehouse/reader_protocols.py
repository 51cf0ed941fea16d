"""The queries on the published roster, as a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from roster_etl.canonical.ledger import ImportKind
from roster_etl.store.warehouse.roster_read import QueryColumn


class RosterReader(Protocol):
    """Queries on the published roster of a feed: what an upload is compared with.

    Every query sees the same snapshot. ``full_schema`` is that of the table (``canonical.roster``).
    """

    def base(self, district_id: str, source: str, file_set: str | None = None, /) -> int | None:
        """Return the newest import that was published for the feed (or for one set of its files)."""

    def last_published(
        self,
        district_id: str,
        source: str,
        kind: ImportKind | None = None,
        file_set: str | None = None,
        *,
        before: int | None = None,
    ) -> dict[str, Any] | None:
        """Return the ledger row of the newest import that was published for the feed, of `kind` and `file_set`, and `before` one, if given."""

    def published_imports(
        self,
        district_id: str,
        source: str,
        file_set: str | None = None,
        *,
        since: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return ledger rows of imports that were published for the feed, newest first.

        Args: since: none with a lower number; before: only those with a lower number; limit: at most so many. Give one of them: all
            that were ever published are more every night.
        """

    def current(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return one row a current version: ``version_id``, key columns, school (if any), ``source_file``, ``row_hash``."""

    def current_hashes(self, district_id: str, source: str, table: str, /) -> pa.Table:
        """Return ``version_id`` and ``row_hash`` of every current version of `table`."""

    def current_keys(self, district_id: str, source: str, table: str, where: Mapping[str, object], /) -> pa.Table:
        """Return the key and ``source_file`` of each current version of `table` with these values in columns of the key."""

    def current_records(self, district_id: str, source: str, table: str, columns: Sequence[str], /) -> pa.Table:
        """Return `columns` of every current version of `table`, in no order."""

    def current_by_school(self, district_id: str, source: str, table: str, /) -> dict[str, int]:
        """Return the number of current versions of `table` by school; empty where records belong to none."""

    def count_current(self, district_id: str, source: str, table: str, /) -> int:
        """Return the number of current versions of `table`."""

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray, /) -> pa.Table:
        """Return the versions with these numbers (``full_schema``), in the order of their numbers."""

    def versions_by_key(self, district_id: str, source: str, table: str, keys: pa.Table, /, *, past: bool = False) -> pa.Table:
        """Return the current versions (``full_schema``) of the records that `keys` names by the table's key columns, or their `past` ones."""

    def distinct_values(self, district_id: str, source: str, columns: Sequence[QueryColumn], /) -> pa.Table:
        """Return the distinct combinations of values that current records have in `columns`, as text."""

    def reverted_imports(self, district_id: str, source: str, /) -> tuple[int, ...]:
        """Return the published imports that left nothing: those that were undone, and the undos themselves."""

    def last_removed_versions(self, district_id: str, source: str, table: str, reverted: Sequence[int] = (), /) -> pa.Table:
        """Return the last version (``full_schema``) of each record that has no current one, as if `reverted` imports had not been."""

    def removed_versions_of(
        self, district_id: str, source: str, tables: Sequence[str], ids: pa.Array, reverted: Sequence[int] = (), /
    ) -> dict[str, pa.Table]:
        """Return, by table, those of `last_removed_versions` whose key begins with one of `ids` (before it, a kind of user).

        Other ids in the key must be among `ids`, too; those of enrollments without a section need not.
        """

    def id_changes_of(self, district_id: str, source: str, ids: pa.Array, /) -> pa.Table:
        """Return the current ID changes (``full_schema``) from or to one of `ids`."""

    def versions_before_rename(
        self, district_id: str, source: str, table: str, renames: pa.Table, reverted: Sequence[int] = (), /
    ) -> pa.Table:
        """Return the versions (``full_schema``) of records that were gone when their id changed: from ``old_id``, by import ``changed``."""

    def since(self, district_id: str, source: str, table: str, import_id: int, /) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) that ended at import `import_id` or later, and the current ones that began then."""

    def versions_touched_by(self, district_id: str, source: str, table: str, import_id: int, /) -> tuple[pa.Table, pa.Table]:
        """Return the versions (``full_schema``) that import `import_id` closed, and those that it opened."""

    def as_of(self, moment: datetime, table: str, district_id: str, source: str | None = None, /) -> pa.Table:
        """Return the versions (``full_schema``) that were known at `moment`."""

    def school_names(self, district_id: str, source: str, school_ids: Sequence[str], import_id: int, /) -> dict[str, str]:
        """Return the names that schools had after import `import_id`, or last before it; those that had none then are left out."""

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None, /) -> pa.Table:
        """Return every version (``full_schema``) of the records with these key values, oldest first; None is NULL."""

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the stewards' edits in force, oldest first; with `ended`, also those that ended."""

    def open_quarantine(self, district_id: str, source: str, /) -> pa.Table:
        """Return the rejected rows that may be retried: ``import_id``, ``file``, ``kind``, ``row``, ``record``, ``code`` (the first)."""

    def rows_waiting_for(self, district_id: str, source: str, awaits: pa.Array, /) -> pa.Table:
        """Return those rows of `open_quarantine` that wait for one of the hashes `awaits`."""

    def waits_recorded(self, district_id: str, source: str, /) -> dict[str, Any] | None:
        """Return which import recorded last what the feed's rows wait for (``import_id``), and the ``basis`` of it; None: it is not recorded."""

    def has_quarantine(self, district_id: str, source: str, /) -> bool:
        """Return whether rows of the feed are in the quarantine."""

    def imports_published_after(self, district_id: str, source: str, import_id: int, limit: int, /) -> list[dict[str, Any]]:
        """Return the next imports that were published for the feed after import `import_id` ended, in publishing order."""
