"""Check an upload: walk the whole road in a private folder that is thrown away, and load nothing.

Belongs here: the workspace in which the same steps write to scratch, and read the roster that they compare with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from roster_etl.canonical.ledger import ImportKind
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
from roster_etl.store.warehouse import (
    ForwardingWriter,
    ImportResult,
    ImportWriter,
    QueryColumn,
    RosterReader,
    TableChange,
    Warehouse,
)
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

    ``keep``: remember until then what an import would add, for the next import of the same upload.
    """

    signs_receipts = False
    baseline: Workspace | None
    keep_published: bool

    @property
    def import_locks(self) -> ImportLocks:
        """Locks that nobody else looks at."""
        return ImportLocks(Path(self.settings.districts).parent / "holders", self.settings.warehouse)

    @cached_property
    def warehouse(self) -> Warehouse:
        """A scratch ledger, over a roster that is only read."""
        compare = partial(_compared, self.baseline.warehouse) if self.baseline else None
        return Warehouse(
            self.settings.warehouse, compare=compare, replace_writer=partial(_DryRunWriter, keep=self.keep_published)
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


@contextmanager
def _compared(real: Warehouse, scratch: RosterReader) -> Iterator[RosterReader]:
    """Open the roster of `real` to compare with."""
    with real.read() as session:
        yield _ComparedRoster(scratch, session.roster)


class _ComparedRoster:
    """The roster that a dry run compares with (``store.warehouse.RosterReader``): read from `real`, never from the scratch database.

    Only `known` also reads what another set of the same upload would add, which is in the scratch database.
    """

    def __init__(self, scratch: RosterReader, real: RosterReader) -> None:
        self._scratch, self._real = scratch, real

    def base(self, district_id: str, source: str, file_set: str | None = None) -> int | None:
        return self._real.base(district_id, source, file_set)

    def last_published(
        self, district_id: str, source: str, kind: ImportKind | None = None, file_set: str | None = None
    ) -> dict[str, Any] | None:
        return self._real.last_published(district_id, source, kind, file_set)

    def published_imports(self, district_id: str, source: str, file_set: str | None = None) -> list[dict[str, Any]]:
        return self._real.published_imports(district_id, source, file_set)

    def current(self, district_id: str, source: str, table: str) -> pa.Table:
        return self._real.current(district_id, source, table)

    def current_hashes(self, district_id: str, source: str, table: str) -> pa.Table:
        return self._real.current_hashes(district_id, source, table)

    def current_by_school(self, district_id: str, source: str, table: str) -> dict[str, int]:
        return self._real.current_by_school(district_id, source, table)

    def count_current(self, district_id: str, source: str, table: str) -> int:
        return self._real.count_current(district_id, source, table)

    def versions(self, table: str, version_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
        return self._real.versions(table, version_ids)

    def matching(self, district_id: str, source: str, table: str, keys: pa.Table) -> pa.Table:
        return self._real.matching(district_id, source, table, keys)

    def known(self, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
        feeds = (self._scratch.known(district_id, source, columns), self._real.known(district_id, source, columns))
        return pa.concat_tables(feeds)

    def last_of_the_gone(self, district_id: str, source: str, table: str) -> pa.Table:
        return self._real.last_of_the_gone(district_id, source, table)

    def left_behind(self, district_id: str, source: str, table: str) -> pa.Table:
        return self._real.left_behind(district_id, source, table)

    def since(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        return self._real.since(district_id, source, table, import_id)

    def turned(self, district_id: str, source: str, table: str, import_id: int) -> tuple[pa.Table, pa.Table]:
        return self._real.turned(district_id, source, table, import_id)

    def as_of(self, moment: datetime, table: str, district_id: str, source: str | None = None) -> pa.Table:
        return self._real.as_of(moment, table, district_id, source)

    def trace(self, table: str, key: Mapping[str, object], district_id: str, source: str | None = None) -> pa.Table:
        return self._real.trace(table, key, district_id, source)

    def overrides(self, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
        return self._real.overrides(district_id, source, ended=ended)

    def open_quarantine(self, district_id: str, source: str) -> pa.Table:
        return self._real.open_quarantine(district_id, source)


class _DryRunWriter(ForwardingWriter):
    """Writes into the scratch database (``store.warehouse.ImportWriter``), and publishes nothing into a roster."""

    def __init__(self, scratch: ImportWriter, *, keep: bool) -> None:
        """`keep`: write what would be new, where another set of the format's files may refer to it."""
        super().__init__(scratch)
        self._keep = keep

    def publish(
        self, conclusion: ImportResult, changes: Mapping[str, TableChange], base: int | None, *, approved_by: str | None = None
    ) -> None:
        """End the import in the scratch ledger, whose roster only gets what would be new."""
        added = {name: replace(change, closes=change.closes.slice(0, 0)) for name, change in changes.items()}
        self.writer.publish(conclusion, added if self._keep else {}, None, approved_by=approved_by)
