"""Dry run: run all steps of an import in a temporary folder, and publish nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from roster_etl.pipeline.import_upload import ProgressCallback, import_upload
from roster_etl.pipeline.reporting.import_summary import combine_documents, outcome
from roster_etl.pipeline.uploads.file_sets import detect_file_sets
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.archive import Archive
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.import_locks import ImportLocks
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import AlertSettings, MailSettings, OpenLineageSettings, ReportSettings, Settings
from roster_etl.store.warehouse import Connection, ImportResult, TableChange, Warehouse, WriteSession
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
    """Validate the upload at `path` like an import of format `source`, and plan it against the roster of `district_id`.

    Args:    leave_out, renames: removals that are left out of the plan, or taken for renames (see ``pipeline.review.preview_approval``).
    Returns: the document of `outcome` with ``import_id`` null; ``status`` is ``publishable`` where an import would publish. Where
        several sets of the format's files lie there, it is of the first; ``further`` holds those of the others.
    Raises:  RosterError: district, feed or an option is not known; the upload cannot be read.
    """
    district = (
        workspace.registry.get(district_id) if district_id else District(id=PLACEHOLDER_DISTRICT, feeds=(Feed(format=source),))
    )
    sets = detect_file_sets(workspace, path, vendor(source).format, district.feed(source))
    order = Order(district_id=district.id, source=source, path=path, options=options or {}, leave_out=leave_out, renames=renames)
    with _scratch(workspace, district, baseline=workspace if district_id else None, keep_published=len(sets) > 1) as scratch:
        imports = [import_upload(scratch, replace(order, file_set=name), on_progress) for name in sets]
        documents = [outcome(scratch, import_id) for import_id in imports]
    warehouse = workspace.settings.to_redacted_dict()["warehouse"]["url"]
    same = {"import_id": None, "district_id": district_id, "report": None, "data_docs": None, "warehouse": warehouse}
    return combine_documents(
        [{**document, **same, "status": _STATUS.get(document["status"], document["status"])} for document in documents]
    )


_STATUS = {"published": "publishable"}


@contextmanager
def dry_run_workspace(workspace: Workspace, district_id: str) -> Iterator[DryRunWorkspace]:
    """Yield a temporary workspace that reads the roster and the archive of a registered district."""
    with _scratch(workspace, workspace.registry.get(district_id), baseline=workspace) as scratch:
        yield scratch


@contextmanager
def _scratch(
    workspace: Workspace, district: District, *, baseline: Workspace | None, keep_published: bool = False
) -> Iterator[DryRunWorkspace]:
    with scratch_folder(workspace.settings.scratch) as folder:
        scratch = DryRunWorkspace(_scratch_settings(workspace.settings, folder), baseline, keep_published=keep_published)
        scratch.registry.add(replace(district, paused=False, calendar=tuple(w for w in district.calendar if not w.pause)))
        try:
            yield scratch
        finally:
            scratch.warehouse.close()


def _scratch_settings(settings: Settings, folder: Path) -> Settings:
    """Return `settings` with all that an import writes below `folder`, and no recipients; the upload's path is unchanged."""
    return replace(
        settings,
        home=folder,  # reports and the outbox lie there
        mail=MailSettings(),
        alerts=AlertSettings(),
        reports=ReportSettings(),
        openlineage=OpenLineageSettings(),
        warehouse=f"sqlite:///{folder / 'scratch.sqlite'}",
        archive=str(folder / "archive"),
        staging=str(folder / "staging"),
        districts=str(folder / "districts"),
    )


@dataclass(frozen=True)
class DryRunWorkspace(Workspace):
    """A temporary workspace. ``baseline``: the one whose roster and archive it reads; None: an empty roster.

    ``keep_published``: write what an import would add to the scratch roster, for the next file set of the same upload.
    """

    signs_receipts = False
    baseline: Workspace | None
    keep_published: bool

    @property
    def import_locks(self) -> ImportLocks:
        """Locks in the temporary folder."""
        return ImportLocks(Path(self.settings.districts).parent / "holders", self.settings.warehouse)

    @cached_property
    def warehouse(self) -> Warehouse:
        """A scratch ledger, and a roster that is only read."""
        return Warehouse(
            self.settings.warehouse,
            compare_with=self.baseline.warehouse if self.baseline else None,
            open_writer=partial(_DryRunWriter, keep=self.keep_published),
        )

    @cached_property
    def archive(self) -> Archive:
        """A temporary archive over one that is only read."""
        return DryRunArchive(self.settings.archive, self.baseline.archive if self.baseline else None)


class DryRunArchive(Archive):
    """Keeps bytes and manifests in a folder of its own; those of earlier imports are read from another archive."""

    def __init__(self, url: str, baseline: Archive | None) -> None:
        super().__init__(url)
        self._baseline = baseline

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield the bytes stored under `key`, here or there."""
        return super().pieces(key) if self._baseline is None or self.has(key) else self._baseline.pieces(key)

    def manifests(self, district_id: str) -> tuple[int, ...]:
        """Return the imports of which that archive has a manifest."""
        return super().manifests(district_id) if self._baseline is None else self._baseline.manifests(district_id)

    def has_manifest(self, district_id: str, import_id: int) -> bool:
        """Return whether that archive has the manifest of an import."""
        if self._baseline is None:
            return super().has_manifest(district_id, import_id)
        return self._baseline.has_manifest(district_id, import_id)

    def read_manifest(self, district_id: str, import_id: int) -> dict[str, Any]:
        """Return a manifest of that archive."""
        return (
            super().read_manifest(district_id, import_id)
            if self._baseline is None
            else self._baseline.read_manifest(district_id, import_id)
        )


class _DryRunWriter(WriteSession):
    """Writes into the scratch database, and publishes nothing into a roster."""

    def __init__(self, connection: Connection, *, keep: bool) -> None:
        """`keep`: write the new records, which another set of the format's files may refer to."""
        super().__init__(connection)
        self._keep = keep

    def publish(
        self, conclusion: ImportResult, changes: Mapping[str, TableChange], base: int | None, *, approved_by: str | None = None
    ) -> None:
        """End the import in the scratch ledger, whose roster only gets the new records."""
        added = {name: replace(change, closes=change.closes.slice(0, 0)) for name, change in changes.items()}
        super().publish(conclusion, added if self._keep else {}, None, approved_by=approved_by)
