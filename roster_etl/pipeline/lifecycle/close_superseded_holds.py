"""Close holds that another import replaces or makes void, and refresh their manifests and reports.

An import that was rejected, failed, or changed nothing leaves the roster, and so the plan, as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from roster_etl.canonical.ledger import ImportKind
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.reporting.report_files import rewrite_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import WriteSession
from roster_etl.vendors import vendor


def close_holds(workspace: Workspace, feed: tuple[str, str], by_import: int, at: datetime) -> None:
    """Close the holds of a feed as `close_replaced_holds` does, and refresh their manifests and reports."""
    with workspace.warehouse.write() as tx:
        closed = close_replaced_holds(tx, feed, by_import, at)
    refresh_files(workspace, closed)


def close_replaced_holds(
    tx: WriteSession, feed: tuple[str, str], by_import: int, at: datetime, *, before: int | None = None
) -> list[int]:
    """Close, in the ledger, the holds that import `by_import` replaces. Returns their imports.

    Of changes every upload counts: what a held one says is in no later one, so its hold waits until a person decides. The plan of an
    undo is void in any case.

    Args: before: only holds of imports with a smaller number; None: all, because the roster is another than they were planned on.
    """
    kind: ImportKind | None = "undo" if vendor(feed[1]).format.mode == "changes" else None
    closed = tx.supersede_holds(*feed, by_import, at, before=before, kind=kind)
    if closed:
        tx.record_closed_holds(by_import, closed)
    return closed


def close_named_holds(tx: WriteSession, holds: Iterable[int], by_import: int, at: datetime) -> list[int]:
    """Close the holds of imports `holds` that are still open, as superseded by `by_import`. Returns their imports."""
    closed = []
    for number in holds:
        hold = tx.ledger.hold(number)
        if hold is not None and hold["decision"] is None:  # a person may have decided since it was found
            tx.decide_hold(number, "superseded", f"import {by_import}", at)
            closed.append(number)
    if closed:
        tx.record_closed_holds(by_import, closed)
    return closed


def fulfilled_holds(
    holds: Sequence[Mapping[str, Any]],
    published: Iterable[tuple[str | None, str | None]],
    *,
    before: int,
    file_set: str,
    source: str,
) -> list[int]:
    """Return the held uploads whose state the roster already has.

    Args: holds: open holds of the feed; published: content and settings of the uploads that equal the roster; before: only holds of
        imports with a smaller number.
    """
    is_state, equal = vendor(source).format.mode != "changes", set(published)
    found = []
    for hold in holds:
        summary = hold["summary"] or {}
        if "undoes" in summary or hold["import_id"] >= before or hold["file_set"] != file_set:
            continue
        changes = summary.get("changes")
        # Approving an empty plan of a state does nothing; of changes, it would put the refused rows into the quarantine.
        is_empty = is_state and changes is not None and not any(any(counts.values()) for counts in changes.values())
        if is_empty or (summary.get("content"), summary.get("settings")) in equal:
            found.append(int(hold["import_id"]))
    return found


def refresh_files(workspace: Workspace, import_ids: Iterable[int]) -> None:
    """Update manifest and report of imports whose holds were decided, and sign what was decided."""
    for import_id in import_ids:
        summary = try_issue_receipts(workspace, read_import_summary(workspace, import_id))
        refresh_manifest(workspace, summary)
        rewrite_report(workspace, summary)
