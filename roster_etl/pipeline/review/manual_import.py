"""Manual imports: publish a person's change as an import with its own number and a manifest in the archive.

What is published is decided in ``override`` and ``undo`` beside this module, and in ``pipeline.steps.rename_proposals``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from roster_etl.frames.arrow import FINDINGS
from roster_etl.pipeline.lifecycle.import_lifecycle import begin_import, fail_import_on_error
from roster_etl.pipeline.lifecycle.manifest import MANIFEST_VERSION, refresh_manifest
from roster_etl.pipeline.reconciliation.reconcile import try_reconcile_published
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import AuditEntry, Edit, ImportResult, RosterChanged, TableChange
from roster_etl.vendors import vendor

CARRIED_OVER_KEYS = ("content", "settings", "headers", "compared", "refused")
"""Keys of an import's summary with which later uploads are compared, and by which one is unchanged."""


class ConcurrentPublish(RosterChanged):
    """Another import was published while a person's change was being published."""

    template = (
        "district {district_id}, {source}: import {found} was published while this was carried out; nothing was changed. Look at the record "
        "as it is now, and say it again"
    )


@dataclass(frozen=True, kw_only=True)
class RosterBase:
    """The published roster to which a person's change applies; read it before any of its data.

    ``base``: the import that was published last for the file set; ``last``: its summary.
    """

    district_id: str
    source: str
    file_set: str
    base: int | None
    last: Mapping[str, Any]


def roster_base(workspace: Workspace, feed: tuple[str, str], table: str) -> RosterBase:
    """Return the current base for a change to `table` of a feed."""
    file_set = vendor(feed[1]).file_set_for_table(table)
    with workspace.warehouse.read() as session:
        base = session.roster.base(*feed, file_set)
        last = (session.roster.last_published(*feed, file_set=file_set) or {}).get("summary") or {}
    return RosterBase(district_id=feed[0], source=feed[1], file_set=file_set, base=base, last=last)


def carry_over_summary(summary: Mapping[str, Any], names: Sequence[str] = CARRIED_OVER_KEYS) -> dict[str, Any]:
    """Return the parts of an import's summary that stay valid for the next import."""
    return {name: summary[name] for name in names if name in summary}


def publish_manual_import(
    workspace: Workspace,
    basis: RosterBase,
    changes: Mapping[str, TableChange],
    *,
    summary: Mapping[str, Any],
    manifest_fields: Mapping[str, Any],
    entry: AuditEntry,
    edits: Sequence[Edit] = (),
) -> int:
    """Publish `changes` as an import of kind ``override``, and return its number.

    `manifest_fields` are written to its manifest; `entry` is its audit entry, to which the import's number is added.

    Raises: ConcurrentPublish: another import was published since `basis` was read; the import is then ``failed``.
    """
    now = datetime.now(UTC)
    feed = (basis.district_id, basis.source)
    number = begin_import(workspace, *feed, kind="override", file_set=basis.file_set, started_at=now, received_at=now)
    conclusion = ImportResult(
        import_id=number,
        status="published",
        finished_at=now,
        findings=FINDINGS.empty_table(),
        files=[],
        checks=[],
        summary=summary,
        edits=edits,
        entries=[replace(entry, import_id=number)],
    )
    with fail_import_on_error(workspace, number):
        fault_point("override.opened")
        write_manual_manifest(
            workspace, read_import_summary(workspace, number), at=now.isoformat(), **manifest_fields
        )  # manifest first: a crash must not lose what was requested
        _publish(workspace, conclusion, changes, basis.base)
        fault_point("override.published")
    refresh_manifest(workspace, try_issue_receipts(workspace, read_import_summary(workspace, number)))
    try_reconcile_published(workspace, *feed)
    return number


def _publish(workspace: Workspace, conclusion: ImportResult, changes: Mapping[str, TableChange], base: int | None) -> None:
    try:
        with workspace.warehouse.write() as tx:
            tx.publish(conclusion, changes, base)
    except RosterChanged as error:
        raise ConcurrentPublish(**error.data) from None


def write_manual_manifest(workspace: Workspace, summary: ImportSummary, **manifest_fields: Any) -> None:
    """Write a manifest to the archive with everything that is needed to replay the import."""
    document = {
        "version": MANIFEST_VERSION,
        "members": [],
        **{name: summary.row[name] for name in ("kind", "import_id", "district_id", "source")},
        **manifest_fields,
    }
    workspace.archive.write_manifest(summary.district_id, summary.import_id, document)
    refresh_manifest(workspace, summary)
