"""The currently rejected rows, counted by age, so that the oldest are corrected first.

Belongs here: which rows those are, and the ages that people read. No cell is looked at here: the ledger compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import SqlLedger
from roster_etl.vendors import vendor

AGES: Mapping[str, timedelta] = {
    "under a day": timedelta(days=1),
    "under a week": timedelta(days=7),
    "under a month": timedelta(days=30),
    "older": timedelta.max,
}
"""Names of ages, and what each is less than."""


@dataclass(frozen=True, kw_only=True)
class RefusedRows:
    """The rows of a file that are refused for one reason. ``ages``: how many are of which age (``AGES``); ``oldest``: since when."""

    file: str
    code: str
    ages: Mapping[str, int]
    oldest: datetime


def refused_rows(workspace: Workspace, district_id: str, source: str, now: datetime) -> list[RefusedRows]:
    """Return what a feed has refused: of uploads of everything, what the last published ones refused; of changes, all that still waits.

    A row is as old as the first import of the feed that refused the same cells in a file of that name.
    """
    lines: dict[tuple[str, str], RefusedRows] = {}
    with workspace.warehouse.read() as session:
        refused = session.ledger.quarantined_since(_imports(session.ledger, district_id, source))
    for row in refused:
        place = (row["file"], row["code"])
        age = next(name for name, limit in AGES.items() if now - row["since"] < limit)
        known = lines.get(place) or RefusedRows(
            file=row["file"], code=row["code"], ages=dict.fromkeys(AGES, 0), oldest=row["since"]
        )
        ages = {**known.ages, age: known.ages[age] + row["rows"]}
        lines[place] = RefusedRows(file=known.file, code=known.code, ages=ages, oldest=min(known.oldest, row["since"]))
    return list(lines.values())


def _imports(ledger: SqlLedger, district_id: str, source: str) -> list[int]:
    """Return the imports whose quarantine counts."""
    format_ = vendor(source).format
    feeds = [(district_id, source, file_set.name) for file_set in format_.file_sets]
    snapshots, deltas = ((), feeds) if format_.mode == "changes" else (feeds, ())
    return [row["import_id"] for row in ledger.quarantined_imports(snapshots, deltas)]
