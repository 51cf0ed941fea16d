"""Freshness in Dagster: a check on each vendor's uploads, and a sensor that says for each district how it stands.

Belongs here: what Dagster needs around ``pipeline.freshness``. Dagster's own freshness policies know an asset, not its partitions, so a
district that is late would hide behind those that are not; hence a check with an evaluation for each district.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from roster_etl.orchestration.home import current_home
from roster_etl.orchestration.partitions import DISTRICTS
from roster_etl.orchestration.raw import upload_key
from roster_etl.pipeline.freshness import Freshness, freshness, tell_late
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors import Vendor

FRESH = "fresh"
AT_ONCE = 300  # evaluations of one tick: each is an event, and a tick has a minute


def fresh_check(vendor: Vendor) -> dg.AssetChecksDefinition:
    """Return the check that says whether a district's upload is in the roster by when it is expected."""

    @dg.asset_check(
        asset=upload_key(vendor),
        name=FRESH,
        partitions_def=DISTRICTS,
        description="The district's upload was in the roster by when its feed expects it (expected_by). The sensor `freshness` says so anew when it changes.",
    )
    def fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        chosen = context.partition_key if context.has_partition_key else None
        return _asked(Workspace.open(current_home()), vendor.format.name, chosen)

    return fresh


def _asked(workspace: Workspace, source: str, district_id: str | None) -> dg.AssetCheckResult:
    """Answer a person who asks now, for one district or for all."""
    districts = None if district_id is None else [workspace.registry.get(district_id)]
    found = [feed for feed in freshness(workspace, datetime.now(UTC), districts) if feed.source == source]
    if not found:
        return dg.AssetCheckResult(passed=True, metadata={"note": "Nobody waits for this feed: it has no expected_by."})
    late = [feed for feed in found if not _passed(feed)]
    if len(found) == 1:
        return dg.AssetCheckResult(passed=not late, severity=dg.AssetCheckSeverity.WARN, metadata=_metadata(found[0]))
    lines = "\n".join(f"- {feed.key}: {feed.text}" for feed in late) or "none"
    return dg.AssetCheckResult(
        passed=not late, severity=dg.AssetCheckSeverity.WARN, metadata={"late": dg.MetadataValue.md(lines)}
    )


def freshness_sensor(vendors: Sequence[Vendor]) -> dg.SensorDefinition:
    """Return the sensor that tells of feeds that are late."""
    known = {vendor.format.name: upload_key(vendor) for vendor in vendors}

    @dg.sensor(
        name="freshness",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks whether each feed with an `expected_by` is in the roster by then, and tells once of each time that it is late.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = look_at_feeds(Workspace.open(current_home()), context.cursor, datetime.now(UTC))
        late_last = sorted(tick.changed, key=lambda feed: not _passed(feed))  # an asset's page begins with the newest
        events = [_evaluation(context.instance, found, known[found.source]) for found in late_last if found.source in known]
        return dg.SensorResult(asset_events=events, cursor=tick.cursor, skip_reason=None if events else tick.summary)

    return look


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What came of one look. ``changed``: the feeds that stand otherwise than at the last look."""

    changed: tuple[Freshness, ...]
    late: tuple[Freshness, ...]
    cursor: str
    summary: str


def look_at_feeds(workspace: Workspace, cursor: str | None, now: datetime) -> Tick:
    """Look at every feed, tell of those that are late, and return what has changed since `cursor` was written."""
    before: dict[str, str] = json.loads(cursor) if cursor else {}
    found = freshness(workspace, now)
    late = tuple(feed for feed in found if feed.state == "late")
    for feed in late:
        tell_late(workspace, feed)
    changed = tuple(feed for feed in found if before.get(feed.key) != _stand(feed))[:AT_ONCE]
    stands = {feed.key: before[feed.key] for feed in found if feed.key in before} | {feed.key: _stand(feed) for feed in changed}
    named = ", ".join(feed.key for feed in late[:5]) + (f" and {len(late) - 5:,} more" if len(late) > 5 else "")
    summary = (
        f"Late: {named}."
        if late
        else f"None of {len(found)} expected feeds is late."
        if found
        else "No feed is expected by a time of day."
    )
    return Tick(changed=changed, late=late, cursor=json.dumps(stands, separators=(",", ":")), summary=summary)


def _stand(feed: Freshness) -> str:
    """Return what an evaluation is about. A newer import is a newer materialization, to which Dagster wants a newer evaluation."""
    return f"{feed.state} {feed.deadline.isoformat()} {feed.last}"


def _evaluation(instance: dg.DagsterInstance, feed: Freshness, asset: dg.AssetKey) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        target_materialization_data=_target(instance, feed, asset),
        asset_key=asset,
        check_name=FRESH,
        passed=_passed(feed),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_metadata(feed),
        partition=feed.district_id,
    )


def _target(
    instance: dg.DagsterInstance, feed: Freshness, asset: dg.AssetKey
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return the district's newest materialization: the UI takes an evaluation of any other for one that is out of date."""
    wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[feed.district_id])
    records = instance.fetch_materializations(wanted, limit=1).records
    if not records:
        return None
    newest = records[0]
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp
    )


def _passed(feed: Freshness) -> bool:
    return feed.state != "late"


def _metadata(feed: Freshness) -> dict[str, dg.MetadataValue]:
    moments = {"deadline": feed.deadline, "next deadline": feed.next, "last in the roster": feed.good}
    times = {name: dg.MetadataValue.timestamp(moment) for name, moment in moments.items() if moment}
    return {"state": dg.MetadataValue.text(feed.state), "what": dg.MetadataValue.text(feed.text), **times}
