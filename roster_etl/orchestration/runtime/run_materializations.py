"""The materializations that a run has stored, so that it need not read them back from the event log.

Belongs here: this one measured optimization. Before each step Dagster asks for the latest materialization of every input, for its data
version, and with each check for that of its asset: 120 queries an import, nearly all about events that the same process has just written.
Does not belong here: how long they are kept (``event_log_pool``: as long as the run), and storing them (``compact_event_log``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.events.log import EventLogEntry


class RunMaterializations:
    """The latest materialization that this process stored of each partition of each asset."""

    def __init__(self) -> None:
        self._by_partition: dict[tuple[str, str | None], dg.EventLogRecord] = {}
        self._by_text: dict[str, dg.EventLogRecord] = {}

    def keep(self, event: EventLogEntry, event_id: int, asset: str, text: str) -> None:
        """Keep a materialization; `text`: what the row of its `asset` has of it."""
        record = dg.EventLogRecord(storage_id=event_id, event_log_entry=event)
        self._by_text[text] = self._by_partition[asset, event.get_dagster_event().partition] = record

    def latest(self, asset: dg.AssetKey, partitions: Sequence[str] | None) -> dg.EventLogRecord | None:
        """Return the latest materialization of the one partition that is asked for; None: it is not kept."""
        return self._by_partition.get((asset.to_string(), partitions[0])) if partitions and len(partitions) == 1 else None

    def latest_tags(
        self, asset: dg.AssetKey, partitions: Sequence[str] | None, keys: Sequence[str]
    ) -> Mapping[str, Mapping[str, str]] | None:
        """Return the tags of that materialization, by partition; None: it is not kept."""
        record = self.latest(asset, partitions)
        if record is None or record.asset_materialization is None:
            return None
        tags = record.asset_materialization.tags or {}
        found = {key: tags[key] for key in keys if key in tags}
        return {str(record.partition_key): found} if found else {}

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> dict[dg.AssetKey, dg.EventLogRecord] | None:
        """Return the latest materialization that each row of an asset names; None: one of them is not kept."""
        found = {}
        for row in rows:
            record = self._by_text.get(row["last_materialization"])
            if record is None or record.asset_key is None or row["asset_details"]:  # the details say if it was wiped
                return None
            found[record.asset_key] = record
        return found
