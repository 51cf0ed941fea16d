"""The order of one import: district, feed, upload and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from roster_etl.store.warehouse import AuditEntry


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to import, for which district, and how.

    ``path``: folder or URL of the upload; None: the feed's landing zone. ``archived``: an earlier import whose bytes are run
    again.
    ``arrival``: the number of a pending upload (``pipeline.uploads.pending_uploads``). ``approves``: the held import that is
    published under its own number, the hash of its plan, and who approved it.
    ``stale``: files known to be older than the rest, which is reported; ``leave_out``: removals that are left out of the plan;
    ``renames``: the approved renames (``all``, the number of a proposal, or ``OLD=NEW``).
    ``rollback``: an archived upload is planned although a newer one is published; the plan is always held.
    ``file_set``: the format's file set; None: the one that is found. ``received_at``: when the upload arrived (ISO, UTC); None:
    now.
    """

    district_id: str
    source: str
    path: str | None = None
    archived: int | None = None
    arrival: int | None = None
    approves: tuple[int, str, str] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()
    rollback: bool = False
    run_id: str | None = None
    file_set: str | None = None
    received_at: str | None = None


def is_rerun(order: Order) -> bool:
    """Return whether an order imports an archived upload again, without approving a plan."""
    return order.archived is not None and order.approves is None


def rerun_entry(order: Order) -> AuditEntry:
    """Build the audit entry of an order that runs an archived upload again."""
    return AuditEntry(
        action="rollback" if order.rollback else "rerun",
        district_id=order.district_id,
        source=order.source,
        about={"of_import": order.archived},
    )
