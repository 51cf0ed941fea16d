"""The current state of a feed's roster, read once per import and passed from step to step.

Belongs here: small facts that several steps need. Rows of the roster are read by the step that compares with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors.lineage import tables_of


@dataclass(frozen=True, kw_only=True)
class RosterSnapshotInfo:
    """The roster of an upload's feed, before any step compares with it.

    ``base``: the newest import published for the feed's file set. Publishing rejects a roster that is newer than that
    (RosterChanged).
    ``counts``: current records by table; 0 for events, because no event is expected again. ``overrides``: the stewards' edits in
    force, oldest first.
    """

    base: int | None
    counts: Mapping[str, int]
    overrides: Sequence[Mapping[str, Any]]


def read_roster_snapshot_info(workspace: Workspace, upload: Upload) -> RosterSnapshotInfo:
    """Read the state of the feed of `upload`. Raises WarehouseError."""
    feed = (upload.district_id, upload.source)
    with workspace.warehouse.read() as session:
        return RosterSnapshotInfo(
            base=session.roster.base(*feed, upload.file_set),
            counts={
                name: 0 if TABLES[name].holds_events else session.roster.count_current(*feed, name)
                for name in tables_of(upload.vendor)
            },
            overrides=session.roster.overrides(*feed),
        )
