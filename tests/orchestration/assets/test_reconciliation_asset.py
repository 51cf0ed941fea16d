"""What Dagster and the report show of two feeds that disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import dagster as dg

from roster_etl.orchestration.assets.reconciliation_asset import RECONCILIATION, check_name, log_reconciliation
from roster_etl.pipeline.reconciliation.decide import decide
from roster_etl.pipeline.reporting.feed_differences import district_differences
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.report_files import report_document
from roster_etl.pipeline.reporting.report_page import report_page
from roster_etl.pipeline.workspace import Workspace
from tests.pipeline.reconciliation.conftest import clever, lincoln
from tests.pipeline.reconciliation.feeds import PAIR

__all__ = ["clever", "lincoln"]


@dataclass
class Log:
    """Keeps what is logged."""

    events: list[Any] = field(default_factory=list)
    partition_key: str = "lincoln"
    instance: Any = field(
        default_factory=lambda: SimpleNamespace(fetch_materializations=lambda *_, **__: SimpleNamespace(records=[]))
    )

    def log_event(self, event: Any) -> None:
        self.events.append(event)


def test_a_publish_tells_where_the_feeds_disagree(lincoln: Workspace) -> None:
    summaries = [read_import_summary(lincoln, row["import_id"]) for row in lincoln.warehouse.ledger.imports("lincoln")]
    canvas, alone = (next(s for s in summaries if s.source == source) for source in ("canvas", "clever"))
    log = Log()
    log_reconciliation(log, lincoln, canvas, district_differences(lincoln, canvas))
    made, *checks = log.events
    with lincoln.warehouse.read_reconciliation() as session:
        rows = session.open_differences(PAIR)

    assert (made.asset_key, made.partition, made.metadata["open"].value) == (RECONCILIATION, "lincoln", len(rows))
    passed = {check.check_name: check.passed for check in checks}
    tables = {row["table_name"] for row in rows}
    assert all(passed[check_name(table)] is (table not in tables) for table in ("users", "terms", "enrollments"))
    assert {check.severity for check in checks} == {dg.AssetCheckSeverity.WARN}

    decide(lincoln, "accept", [row["difference_id"] for row in rows if row["table_name"] == "users"], by="A. Steward")
    log.events.clear()
    log_reconciliation(log, lincoln, canvas, district_differences(lincoln, canvas))
    assert next(event for event in log.events[1:] if event.check_name == check_name("users")).passed

    document = report_document(lincoln, canvas)
    told = document["reconciliation"]
    assert sum(row["differences"] for row in told) == sum(row["new"] for row in told) == len(rows)
    page = report_page(document)
    assert "Where the feeds disagree" in page
    names = {"source_a", "source_b", "table_name", "kind", "field", "organization_id", "differences", "new", "decided", "oldest"}
    assert all(set(row) == names for row in told)  # no key of a person, and no value
    assert report_document(lincoln, alone)["reconciliation"] == []  # there was no other feed yet
