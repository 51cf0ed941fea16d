"""Foresee whether an upload differs from the published one, from the names and sizes of its files.

Belongs here: that look, which opens no file. Does not belong here: whether it differs (``pipeline.steps.receive`` compares hashes).
"""

from __future__ import annotations

from pathlib import Path

from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.urls import local_path


def expects_change(workspace: Workspace, order: Order) -> bool | None:
    """Return whether an upload will differ from the published one.

    Returns: True: it is the feed's first, or a file has another size. False: it has the published files, in their sizes. None:
    unknown, because the upload is no local folder, or has other files.
    """
    folder = local_path(order.path) if order.path else None
    if folder is None or not folder.is_dir():
        return None
    found = _sizes(folder)
    with workspace.warehouse.read() as session:
        published = session.roster.last_published(order.district_id, order.source, file_set=order.file_set)
        if published is None:
            return bool(found) or None
        sizes = {row["file"]: row["bytes"] for row in session.ledger.files(published["import_id"])}
    if any(name in sizes and sizes[name] != size for name, size in found.items()):
        return True
    return False if sizes and sizes.keys() <= found.keys() else None


def _sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of a folder's files; empty if it cannot be read, which the import reports."""
    try:
        return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    except OSError:
        return {}
