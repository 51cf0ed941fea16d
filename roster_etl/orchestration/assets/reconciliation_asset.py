"""Reconciliation in Dagster: the asset ``reconciliation``, a partition a district, with a check a table.

Belongs here: what the UI shows of it. The step of the report compares the feeds, as every publish does; it logs the asset and its checks in
the import's run, so that districts with one feed have no step for it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from roster_etl.engine.reconcile.rosters import RULES
from roster_etl.orchestration.assets.asset_keys import filled_tables, warehouse_key
from roster_etl.orchestration.assets.freshness_checks import RunLog, newest_materialization
from roster_etl.orchestration.assets.markdown import markdown_table
from roster_etl.orchestration.assets.metadata import OWNERS
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.reporting.feed_differences import by_field, feed_differences
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors import Vendor

RECONCILIATION = dg.AssetKey(["reconciliation"])


def reconciliation_asset(vendors: Sequence[Vendor]) -> dg.AssetSpec:
    """Return the asset of the differences between the feeds of a district."""
    return dg.AssetSpec(
        RECONCILIATION,
        deps=[warehouse_key(table) for table in filled_tables(vendors) if table in RULES],
        partitions_def=DISTRICTS,
        group_name="report",
        kinds={"sql"},
        owners=OWNERS,
        description="Where the current rosters of a district's feeds disagree, after each publish of a district with two feeds or more.",
    )


def reconciliation_checks() -> dg.AssetChecksDefinition:
    """Return the checks, one a table, that no difference between feeds waits for a decision."""
    specs = [
        dg.AssetCheckSpec(
            check_name(table),
            asset=RECONCILIATION,
            partitions_def=DISTRICTS,
            description=f"No difference in {table} between the feeds of a district waits for a decision. Each import says so in its run.",
        )
        for table in RULES
    ]

    @dg.multi_asset_check(name="reconciliation_checks", specs=specs, can_subset=True)
    def reconciliation_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        chosen = context.partition_key if context.has_partition_key else None
        rows = _open_rows(Workspace.open(current_home()), chosen)
        for key in sorted(context.selected_asset_check_keys):
            table = key.name.removeprefix("agrees_")
            yield dg.AssetCheckResult(asset_key=RECONCILIATION, check_name=key.name, **_result(rows, table))

    return reconciliation_checks


def check_name(table: str) -> str:
    """Return the name of the check of a table."""
    return f"agrees_{table}"


def log_reconciliation(
    log: RunLog, workspace: Workspace, summary: ImportSummary, differences: Sequence[Mapping[str, Any]]
) -> None:
    """Log the asset and its checks in the import's run, if the import was published and its district has several feeds.

    Args: differences: between the feeds of the district, as the report of the import has counted them.
    """
    if summary.status != "published":
        return
    with workspace.warehouse.read_reconciliation() as session:
        compared = [
            row for row in session.compared_feeds(summary.district_id) if summary.source in (row["source_a"], row["source_b"])
        ]
    if not compared:
        return
    found = feed_differences(differences, summary.source)
    log.log_event(dg.AssetMaterialization(RECONCILIATION, partition=summary.district_id, metadata=_metadata(compared, found)))
    target = newest_materialization(log.instance, RECONCILIATION, summary.district_id)
    rows = [{**row, "differences": row["waiting"]} for row in differences if row["waiting"]]
    for table in RULES:
        log.log_event(
            dg.AssetCheckEvaluation(
                target_materialization_data=target,
                asset_key=RECONCILIATION,
                check_name=check_name(table),
                partition=summary.district_id,
                **_result(rows, table),
            )
        )


def _open_rows(workspace: Workspace, district_id: str | None) -> list[dict[str, Any]]:
    """Return the counts of differences that nobody has decided about, of one district or all."""
    ids = workspace.registry.ids() if district_id is None else [district_id]
    with workspace.warehouse.read_reconciliation() as session:
        return [row for one in ids for row in session.open_counts(one) if row["decision"] is None]


def _result(rows: Iterable[Mapping[str, Any]], table: str) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    for row in rows:
        if row["table_name"] == table:
            kinds[row["kind"]] += row["differences"]
    metadata = {"open": sum(kinds.values()), **{kind.replace("_", " "): count for kind, count in sorted(kinds.items())}}
    return {"passed": not kinds, "severity": dg.AssetCheckSeverity.WARN, "metadata": metadata}


def _metadata(compared: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        (row["table_name"], row["kind"], row["field"] or "", f"{row['differences']:,}", f"{row['new']:,}", f"{row['decided']:,}")
        for row in by_field(found)
    ]
    head = ("table", "kind", "column", "differences:", "new:", "decided:")
    return {
        "feeds": ", ".join(sorted({row[name] for row in compared for name in ("source_a", "source_b")})),
        "open": sum(row["differences"] - row["decided"] for row in found),
        "new": sum(row["new"] for row in found),
        "differences": markdown_table(head, rows) if rows else "none",
    }
