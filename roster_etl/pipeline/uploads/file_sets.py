"""Resolve the file set (``spec.FileSet``) of an order: from an earlier import, or from the files at the order's path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import Format
from roster_etl.spec.errors import RosterError
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.landing.upload_source import open_upload
from roster_etl.store.registry.district import Feed
from roster_etl.vendors import vendor

if TYPE_CHECKING:
    from roster_etl.pipeline.uploads.order import Order


def resolve_file_set(workspace: Workspace, order: Order) -> Order:
    """Return `order` with its file set: the given one, that of the earlier import it refers to, or that of the files at its path.

    If files of several sets are there, it is the first set. Raises: UnknownFileSet, UnknownImport, ArchiveError.
    """
    format_ = vendor(order.source).format
    if order.file_set is not None:
        return replace(order, file_set=format_.file_set(order.file_set).name)
    if not format_.sets:
        return replace(order, file_set="")
    earlier = order.approves[0] if order.approves else order.archived
    if earlier is not None:
        return replace(order, file_set=_set_of(workspace, order.district_id, earlier))
    if order.path is not None:
        feed = workspace.registry.get(order.district_id).feed(order.source)
        return replace(order, file_set=detect_file_sets(workspace, order.path, format_, feed)[0])
    return replace(order, file_set=format_.file_sets[0].name)


def _set_of(workspace: Workspace, district_id: str, import_id: int) -> str:
    """Return the set of an earlier import, from its manifest, which is kept longer than the ledger, or else from the ledger."""
    if workspace.archive.has_manifest(district_id, import_id):
        return str(workspace.archive.read_manifest(district_id, import_id).get("file_set", ""))
    return str(workspace.warehouse.ledger.import_(import_id)["file_set"])


def detect_file_sets(workspace: Workspace, path: str, format_: Format, feed: Feed | None = None) -> tuple[str, ...]:
    """Return the sets of the files at `path`, in the format's order; at least the first set.

    If `path` cannot be listed, it is the first set: the import of that set reports the error.
    """
    names = [file_set.name for file_set in format_.file_sets]
    if len(names) == 1:
        return tuple(names)
    known = {file.file_name.casefold() for file in (*format_.files, *format_.other_files)}
    try:
        with (
            scratch_folder(workspace.settings.scratch) as scratch,
            open_upload(path, workspace.settings, scratch, feed=feed) as (_, members),
        ):
            listed = [entry.name.rpartition("/")[2] for entry in members.listing() if entry.regular]
    except RosterError:
        return (names[0],)
    there = {format_.file_set_of(name) for name in listed if name.casefold() in known}
    return tuple(name for name in names if name in there) or (names[0],)
