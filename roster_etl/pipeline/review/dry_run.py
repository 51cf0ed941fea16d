"""Check an upload: walk the whole road in a private folder that is thrown away, and load nothing.

Belongs here: the workspace in which the same steps write to scratch, and read the roster that they compare with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from roster_etl.canonical.ledger import ImportKind, ImportStatus
from roster_etl.pipeline.import_upload import ProgressCallback, import_upload
from roster_etl.pipeline.reporting.import_summary import combine_documents, outcome
from roster_etl.pipeline.uploads.file_sets import detect_file_sets
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.archive import Archive
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.import_locks import ImportLocks
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import AlertSettings, MailSettings, ReportSettings, Settings
from roster_etl.store.warehouse import ImportResult, QueryColumn, TableChange, Warehouse
from roster_etl.vendors import vendor

PLACEHOLDER_DISTRICT = "nobody"
"""Whom a check is for where no district is named: a district without history, settings or tolerances."""


def check_upload(
    workspace: Workspace,
    path: str,
    source: str,
    *,
    district_id: str | None = None,
    options: Mapping[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
    renames: tuple[str, ...] = (),
    on_progress: ProgressCallback = lambda _: None,
) -> dict[str, Any]:
    """Judge the upload at `path` as imports of format `source` would, and plan it against the roster of `district_id`.

    Args:    leave_out, renames: removals that are left out of the plan, or taken for renames (see ``pipeline.review.preview``).
    Returns: the document of `outcome` with ``import_id`` null; ``status`` is ``publishable`` where an import would publish. Where
        several sets of the format's files lie there, it is of the first; ``further`` holds those of the others.
    Raises:  RosterError: district, feed or an option is not known; the upload cannot be read.
    """
    district = (
        workspace.registry.get(district_id) if district_id else District(id=PLACEHOLDER_DISTRICT, feeds=(Feed(format=source),))
    )
    with scratch_folder(workspace.settings.scratch) as folder:
        sets = detect_file_sets(workspace, path, vendor(source).format, district.feed(source))
        rehearsal = DryRunWorkspace(
            _scratch_settings(workspace.settings, folder), workspace if district_id else None, keep_published=len(sets) > 1
        )
        rehearsal.registry.add(replace(district, paused=False, calendar=tuple(w for w in district.calendar if not w.pause)))
        order = Order(
            district_id=district.id, source=source, path=path, options=options or {}, leave_out=leave_out, renames=renames
        )
        try:
            imports = [import_upload(rehearsal, replace(order, file_set=name), on_progress) for name in sets]
            documents = [outcome(rehearsal, import_id) for import_id in imports]
        finally:
            rehearsal.warehouse.close()
    warehouse = workspace.settings.to_redacted_dict()["warehouse"]["url"]
    same = {"import_id": None, "district_id": district_id, "report": None, "data_docs": None, "warehouse": warehouse}
    return combine_documents(
        [{**document, **same, "status": _STATUS.get(document["status"], document["status"])} for document in documents]
    )


_STATUS = {"published": "publishable"}


def _scratch_settings(settings: Settings, folder: Path) -> Settings:
    """Return `settings` with all that an import writes below `folder`, and nobody to tell; where the upload lies stays as it is."""
    return replace(
        settings,
        home=folder,  # reports and the outbox lie there
        mail=MailSettings(),
        alerts=AlertSettings(),
        reports=ReportSettings(),
        warehouse=f"sqlite:///{folder / 'rehearsal.sqlite'}",
        archive=str(folder / "archive"),
        staging=str(folder / "staging"),
        districts=str(folder / "districts"),
    )


@dataclass(frozen=True)
class DryRunWorkspace(Workspace):
    """A workspace that forgets. ``baseline``: the one whose roster and archive it knows; None: there is nothing yet.

    ``keep_published``: remember until then what an import would add, for the next import of the same upload.
    """

    baseline: Workspace | None
    keep_published: bool

    @property
    def import_locks(self) -> ImportLocks:
        """Locks that nobody else looks at."""
        return ImportLocks(Path(self.settings.districts).parent / "holders", self.settings.warehouse)

    @cached_property
    def warehouse(self) -> Warehouse:
        """A ledger that is thrown away, over a roster that is only read."""
        return DryRunWarehouse(
            self.settings.warehouse, self.baseline.warehouse if self.baseline else None, keep_published=self.keep_published
        )

    @cached_property
    def archive(self) -> Archive:
        """An archive that is thrown away, over one that is only read."""
        return DryRunArchive(self.settings.archive, self.baseline.archive if self.baseline else None)


class DryRunArchive(Archive):
    """Keeps bytes and manifests in a folder of its own; those of earlier imports are read from another archive."""

    def __init__(self, url: str, baseline: Archive | None) -> None:
        super().__init__(url)
        self._baseline = baseline

    def get(self, key: str) -> bytes:
        """Return the bytes stored under `key`, here or there."""
        return super().get(key) if self._baseline is None or self.has(key) else self._baseline.get(key)

    def manifests(self, district_id: str) -> tuple[int, ...]:
        """Return the imports of which that archive has a manifest."""
        return super().manifests(district_id) if self._baseline is None else self._baseline.manifests(district_id)

    def read_manifest(self, district_id: str, import_id: int) -> dict[str, Any]:
        """Return a manifest of that archive."""
        return (
            super().read_manifest(district_id, import_id)
            if self._baseline is None
            else self._baseline.read_manifest(district_id, import_id)
        )


class DryRunWarehouse(Warehouse):
    """Writes into a database of its own; what it tells of the roster is read from another."""

    def __init__(self, url: str, roster: Warehouse | None, *, keep_published: bool) -> None:
        super().__init__(url)
        self._keep_published = keep_published
        self._roster = roster or Warehouse(url)

    def close(self) -> None:
        """Close the connections of the database that is thrown away."""
        super().close()
        if str(self._roster.url) == str(self.url):
            self._roster.close()

    def base(self, district_id: str, source: str, file_set: str | None = None) -> int | None:
        """Return the newest import of the roster that is compared with."""
        return self._roster.base(district_id, source, file_set)

    def last_published(
        self, district_id: str, source: str, kind: ImportKind | None = None, file_set: str | None = None
    ) -> dict[str, Any] | None:
        """Return the newest published import of that roster."""
        return self._roster.last_published(district_id, source, kind, file_set)

    def imports(
        self,
        district_id: str | None = None,
        source: str | None = None,
        *,
        status: ImportStatus | None = None,
        limit: int | None = None,
        file_set: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return the published imports of that roster, and any others of the ledger that is thrown away."""
        if status == "published":
            return self._roster.imports(district_id, source, status=status, limit=limit, file_set=file_set)
        return super().imports(district_id, source, status=status, limit=limit, file_set=file_set)

    def current(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the keys of the current versions of that roster."""
        return self._roster.current(district_id, source, table)

    def current_hashes(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the current versions of that roster."""
        return self._roster.current_hashes(district_id, source, table)

    def current_by_school(self, district_id: str, source: str, table: str) -> dict[str, int]:
        """Return how many current versions each school of that roster has."""
        return self._roster.current_by_school(district_id, source, table)

    def count_current(self, district_id: str, source: str, table: str) -> int:
        """Return how many current versions that roster has."""
        return self._roster.count_current(district_id, source, table)

    def versions_by_key(self, district_id: str, source: str, table: str, keys: pa.Table) -> pa.Table:
        """Return versions of that roster."""
        return self._roster.versions_by_key(district_id, source, table, keys)

    def distinct_values(self, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
        """Return values of that roster, and of what another set of the same upload would add to it."""
        here, there = super().known(district_id, source, columns), self._roster.distinct_values(district_id, source, columns)
        return pa.concat_tables([here, there])

    def last_removed_versions(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the last versions of what that roster has no more."""
        return self._roster.last_removed_versions(district_id, source, table)

    def versions_before_rename(self, district_id: str, source: str, table: str) -> pa.Table:
        """Return the versions of what that roster had no more when its id changed."""
        return self._roster.versions_before_rename(district_id, source, table)

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None) -> pa.Table:
        """Return the versions of records of that roster."""
        return self._roster.trace(table, key, district_id, source)

    def open_quarantine(self, district_id: str, source: str) -> pa.Table:
        """Return the refused rows of that roster's imports."""
        return self._roster.open_quarantine(district_id, source)

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        """Return the stewards' edits of that roster."""
        return self._roster.overrides(district_id, source, ended=ended)

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Return versions of that roster."""
        return self._roster.versions(table, version_ids)

    def publish(
        self,
        import_result: ImportResult,
        changes: Mapping[str, TableChange],
        base: int | None,
        *,
        approved_by: str | None = None,
    ) -> None:
        """End the import in the ledger that is thrown away, and change no roster.

        Where another set of the format's files may refer to it, what would be new stays in that ledger's own database.
        """
        added = (
            {name: replace(change, closes=change.closes.slice(0, 0)) for name, change in changes.items()}
            if self._keep_published
            else {}
        )
        super().publish(import_result, added, None, approved_by=approved_by)
