"""What a rebuild does beyond single imports: compare feeds after each publish, and take decisions about them again, each in its time.

Belongs here: the order, and the checkpoint that a purge stores of links and differences.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from roster_etl.pipeline.reconciliation.decide import redecide
from roster_etl.pipeline.reconciliation.decide_people import decision_of, write_decision
from roster_etl.pipeline.reconciliation.reconcile import OneFeed, published_pairs, reconcile, registered_settings
from roster_etl.pipeline.workspace import Workspace

Document = Mapping[str, Any]
LINKS, DIFFERENCES = "person_links", "reconciliation"
_CHECKPOINTS = (LINKS, DIFFERENCES)


class ReplayedFeeds:
    """The feeds of a district while its imports are replayed. What a purge stored is taken as it is; what came after is made again."""

    def __init__(self, replay: Workspace, workspace: Workspace, district_id: str, documents: Sequence[Document]) -> None:
        """Args: workspace: the home whose archive is replayed; documents: the manifests."""
        self._replay, self._district_id = replay, district_id
        self._settings = registered_settings(workspace, district_id)
        found = [workspace.archive.read_decision(district_id, number) for number in workspace.archive.decisions(district_id)]
        self._decisions = sorted(found, key=lambda one: (one["decided_at"], one["decision_id"]))
        purges = [
            document for document in documents if document["ledger"]["kind"] == "purge" and document["status"] == "published"
        ]
        self._purged = max((_ended(document) for document in purges), default="")

    def take_decisions(self, until: str | None = None) -> None:
        """Take the decisions again that were taken before a moment (ISO); None: all that are left."""
        while self._decisions and (until is None or self._decisions[0]["decided_at"] < until):
            self._take(self._decisions.pop(0))

    def end(self) -> None:
        """Take the decisions that are left. The next comparison of the feeds is one of everything."""
        self.take_decisions()
        with self._replay.warehouse.write(directly=True) as tx:
            tx.reconciliation.forget_compared(self._district_id)

    def _take(self, document: Document) -> None:
        at = datetime.fromisoformat(document["decided_at"])
        with self._replay.warehouse.write(directly=True) as tx:
            tx.reconciliation.add_decision({**document, "decided_at": at})
            if document["decided_at"] < self._purged:
                return
            if document["verb"] not in ("link", "unlink"):
                redecide(tx.reconciliation, document)
                return
            decision = decision_of(document)
            write_decision(tx, decision, at)
        self._compare({record.source for record in decision.pair}, at)

    def compare(self, document: Document) -> None:
        """Compare the feed of a replayed import with the others, as was done when it was published."""
        if document["status"] == "published" and _ended(document) > self._purged:
            self._compare({document["source"]}, None)

    def _compare(self, sources: set[str], at: datetime | None) -> None:
        try:
            pairs = published_pairs(self._replay, self._district_id)
        except OneFeed:
            return
        for pair in pairs:
            if sources <= set(pair[1:]):
                reconcile(self._replay, pair, at=at, settings=self._settings)


def _ended(document: Document) -> str:
    return str(document["ledger"]["finished_at"] or document["ledger"]["started_at"])


# ---- the checkpoint of a purge


def feeds_checkpoint(workspace: Workspace, district_id: str) -> dict[str, pa.Table]:
    """Return all links and differences of a district, as tables of JSON."""
    with workspace.warehouse.read_people() as people, workspace.warehouse.read_reconciliation() as session:
        found = {LINKS: people.links(district_id, past=True), DIFFERENCES: session.all_differences(district_id)}
    return {name: _as_table(rows) for name, rows in found.items() if rows}


def restore_feeds(workspace: Workspace, district_id: str, checkpoint: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Write links and differences of a checkpoint, under new numbers, and return the rest of it."""
    with workspace.warehouse.write(directly=True) as tx:
        for name, numbered in ((LINKS, "link_id"), (DIFFERENCES, "difference_id")):
            rows = [
                {column: value for column, value in row.items() if column != numbered} for row in _as_rows(checkpoint.get(name))
            ]
            if name == LINKS:
                tx.people.add_links(district_id, rows)
            else:
                tx.reconciliation.restore_differences(rows)
    return {name: table for name, table in checkpoint.items() if name not in _CHECKPOINTS}


def _as_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table({"row": [json.dumps(row, default=datetime.isoformat, ensure_ascii=False) for row in rows]})


_TIMES = ("valid_from", "valid_to", "first_seen", "closed_at", "decided_at")


def _as_rows(table: pa.Table | None) -> list[dict[str, Any]]:
    rows = [json.loads(text) for text in table.column("row").to_pylist()] if table is not None else []
    for row in rows:
        row |= {name: datetime.fromisoformat(row[name]) for name in _TIMES if row.get(name)}
    return rows
