"""Where the feeds of a district disagreed right after an import: counts for its report, and for Dagster.

Belongs here: counts by table, kind, field and school. No value, and no ID of a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.workspace import Workspace

_GROUP = ("source_a", "source_b", "table_name", "kind", "field", "organization_id")
_COUNTS = ("differences", "new", "decided")
Row = Mapping[str, Any]


def district_differences(workspace: Workspace, summary: ImportSummary) -> list[dict[str, Any]]:
    """Return the differences of the district of a published import, as ``store.warehouse.reconciliation.counts_at`` has them."""
    finished = summary.row["finished_at"]
    if summary.status != "published" or finished is None:
        return []
    with workspace.warehouse.read_reconciliation() as session:
        return session.counts_at(summary.district_id, finished)


def feed_differences(rows: Iterable[Row], source: str) -> list[dict[str, Any]]:
    """Return the differences of `district_differences` that were open right after the import, between its feed, `source`, and others.

    Grain: one row per feeds, table, kind, field and school, with ``differences``, ``new`` since the import, ``decided`` by then, and
    ``oldest``: since when. Empty for a district with one feed.
    """
    return summed((row for row in rows if row["differences"] and source in (row["source_a"], row["source_b"])), _GROUP)


def summed(rows: Iterable[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return `rows` added up by the columns `names`, in their order."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        before = found.get(key)
        counts = {name: row[name] + (before[name] if before else 0) for name in _COUNTS}
        oldest = min(filter(None, (row["oldest"], before and before["oldest"])))
        found[key] = {**dict(zip(names, key, strict=True)), **counts, "oldest": oldest}
    return [found[key] for key in sorted(found, key=lambda key: tuple(str(value or "") for value in key))]


def by_field(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the counts by feeds, table, kind and field."""
    return summed(rows, _GROUP[:-1])


def by_school(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the counts by school, those with most differences first; records of no school are left out."""
    found = summed((row for row in rows if row["organization_id"] is not None), ("organization_id",))
    return sorted(found, key=lambda row: (-row["differences"], row["organization_id"]))
