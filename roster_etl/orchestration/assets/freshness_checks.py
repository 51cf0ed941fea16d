"""Freshness in Dagster: a check on each vendor's uploads, with an evaluation per district.

Belongs here: the Dagster side of ``pipeline.reporting.freshness``. Dagster's own freshness policies apply to an asset, not to its
partitions, so that a late district would be hidden by the others; hence a check with an evaluation for each district.

An evaluation belongs to a run: outside of runs Dagster's storage accepts only one per check and partition, permanently. So an
import logs the freshness of its feed in its own run; for feeds that become late while nothing is imported, the sensor requests a
run of `late_feeds`.
"""

from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from roster_etl.orchestration.assets.asset_keys import UPLOAD_NAME, upload_key, vendor_key
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.partitions import feed_partitions
from roster_etl.pipeline.reporting.freshness import Freshness, freshness
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError
from roster_etl.vendors import Vendor

FRESH = "fresh"


class RunLog(Protocol):
    """Where events of one partition are logged: a step's context, or a run that executes no step."""

    @property
    def run(self) -> dg.DagsterRun:
        """The run."""

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's storage."""

    @property
    def partition_key(self) -> str:
        """The district."""

    def log_event(self, event: Any) -> None:
        """Log a materialization, or the result of a check."""


def log_freshness(log: RunLog, workspace: Workspace, district_id: str, source: str) -> None:
    """Log the freshness of the feed in the import's own run, if the feed has an expected time."""
    try:
        district = workspace.registry.get(district_id)
    except RegistryError:
        return
    if any(feed.expected_by for feed in district.feeds if feed.format == source):
        for found in freshness(workspace, datetime.now(UTC), [district]):
            if found.source == source:
                log.log_event(freshness_evaluation(log.instance, found))


def freshness_check(vendor: Vendor) -> dg.AssetChecksDefinition:
    """Return the check that a district's upload is in the roster by the expected time."""

    @dg.asset_check(
        asset=upload_key(vendor),
        name=FRESH,
        partitions_def=feed_partitions(vendor.format.name),
        description="The district's upload was in the roster by when its feed expects it (expected_by). Each import says so in its run, and the job `late_feeds` when a feed has become late.",
    )
    def fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        chosen = context.partition_key if context.has_partition_key else None
        return _check_result(Workspace.open(current_home()), vendor.format.name, chosen)

    return fresh


def _check_result(workspace: Workspace, source: str, district_id: str | None) -> dg.AssetCheckResult:
    """Return the current result for one district or for all, when a person runs the check."""
    districts = None if district_id is None else [workspace.registry.get(district_id)]
    found = [feed for feed in freshness(workspace, datetime.now(UTC), districts) if feed.source == source]
    if not found:
        return dg.AssetCheckResult(passed=True, metadata={"note": "Nobody waits for this feed: it has no expected_by."})
    late = [feed for feed in found if not _is_on_time(feed)]
    if len(found) == 1:
        return dg.AssetCheckResult(passed=not late, severity=dg.AssetCheckSeverity.WARN, metadata=_metadata(found[0]))
    lines = "\n".join(f"- {feed.key}: {feed.text}" for feed in late) or "none"
    return dg.AssetCheckResult(
        passed=not late, severity=dg.AssetCheckSeverity.WARN, metadata={"late": dg.MetadataValue.md(lines)}
    )


def freshness_evaluation(instance: dg.DagsterInstance, feed: Freshness) -> dg.AssetCheckEvaluation:
    """Return the evaluation of the freshness check of a feed."""
    return dg.AssetCheckEvaluation(
        target_materialization_data=newest_materialization(instance, vendor_key(feed.source, UPLOAD_NAME), feed.district_id),
        asset_key=vendor_key(feed.source, UPLOAD_NAME),
        check_name=FRESH,
        passed=_is_on_time(feed),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_metadata(feed),
        partition=feed.district_id,
    )


def newest_materialization(
    instance: dg.DagsterInstance, key: dg.AssetKey, district_id: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return the district's newest materialization of `key`; the UI shows an evaluation of any other as outdated."""
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[district_id])
    records = instance.fetch_materializations(wanted, limit=1).records
    if not records:
        return None
    newest = records[0]
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp
    )


def _is_on_time(feed: Freshness) -> bool:
    return feed.state != "late"


def _metadata(feed: Freshness) -> dict[str, dg.MetadataValue]:
    moments = {"deadline": feed.deadline, "next_deadline": feed.next, "last_published": feed.good}
    times = {name: dg.MetadataValue.timestamp(moment) for name, moment in moments.items() if moment}
    return {"state": dg.MetadataValue.text(feed.state), "description": dg.MetadataValue.text(feed.text), **times}
