"""What can be known of an upload before it is read, so that its gates load meanwhile.

Belongs here: one question, answered from a folder's listing and the ledger. A wrong yes costs a second of another core; a wrong no, nothing.
"""

from __future__ import annotations

from pathlib import Path

from roster_etl.pipeline.steps.receive import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import start_gates
from roster_etl.store.files.urls import local_path


def start_gates_early(workspace: Workspace, order: Order) -> None:
    """Start the gates' process if the upload must differ from the published one: it loads while this process loads the rest."""
    if _must_be_judged(workspace, order):
        start_gates()


def _must_be_judged(workspace: Workspace, order: Order) -> bool:
    """Tell whether a local upload is the feed's first, or has a file of another size than the published upload had it."""
    folder = local_path(order.path) if order.path else None
    if folder is None or not folder.is_dir():
        return False
    found = _sizes(folder)
    published = workspace.warehouse.last_published(order.district_id, order.source, file_set=order.file_set)
    if published is None:
        return bool(found)
    sizes = {row["file"]: row["bytes"] for row in workspace.warehouse.files(published["import_id"])}
    return any(name in sizes and sizes[name] != size for name, size in found.items())


def _sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of a folder's files; none if it cannot be read, of which whoever reads it says more."""
    try:
        return {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    except OSError:
        return {}
