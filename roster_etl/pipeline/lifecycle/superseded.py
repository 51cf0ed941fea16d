"""Close holds that a newer import supersedes, and refresh their manifests and reports."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from roster_etl.canonical.ledger import ImportKind
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.reporting.report_files import rewrite_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import WriteSession
from roster_etl.vendors import vendor


def close_holds(workspace: Workspace, feed: tuple[str, str], by_import: int, at: datetime, *, before: int | None = None) -> None:
    """Close the holds of a feed as `close_older_holds` does, and refresh their manifests and reports."""
    with workspace.warehouse.write() as tx:
        closed = close_older_holds(tx, feed, by_import, at, before=before)
    refresh_files(workspace, closed)


def close_older_holds(
    tx: WriteSession, feed: tuple[str, str], by_import: int, at: datetime, *, before: int | None = None
) -> list[int]:
    """Close, in the ledger, the holds of a feed that are older than `by_import` (and `before`, where given). Returns their imports.

    Of changes every upload counts: what a held one says is in no later one, so its hold waits until a person decides. The plan of an
    undo is over in any case.
    """
    kind: ImportKind | None = "undo" if vendor(feed[1]).format.mode == "changes" else None
    return tx.supersede_holds(*feed, by_import, at, before=before, kind=kind)


def refresh_files(workspace: Workspace, import_ids: Iterable[int]) -> None:
    """Update manifest and report of imports whose holds were decided, and sign what was decided."""
    for import_id in import_ids:
        summary = try_issue_receipts(workspace, read_import_summary(workspace, import_id))
        refresh_manifest(workspace, summary)
        rewrite_report(workspace, summary)
