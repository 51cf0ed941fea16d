"""Freshness in Dagster: a check on each vendor's uploads, and who says for each district how it stands.

Belongs here: what Dagster needs around ``pipeline.reporting.freshness``. Dagster's own freshness policies know an asset, not its partitions, so a
district that is late would hide behind those that are not; hence a check with an evaluation for each district.

An evaluation belongs to a run: outside of runs Dagster's storage takes one for a check and partition, once and for all. So an import says in
its own run how its feed stands now; for feeds that become late, when nothing is imported, the sensor asks for a run of `late_feeds`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.reporting.freshness import Freshness, freshness, tell_late
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError
from roster_etl.vendors import Vendor

FRESH = "fresh"
AT_ONCE = 300  # feeds that one run says are late: each is an event


class LateConfig(dg.Config):
    """Which feeds to look at: ``district/format``."""

    feeds: list[str]


@dg.op(description="Says of feeds how they stand now, as evaluations of the check `fresh` on their vendor's uploads.")
def say_late(context: dg.OpExecutionContext, config: LateConfig) -> None:
    """Say of each feed that is named how it stands."""
    for found in freshness(Workspace.open(current_home()), datetime.now(UTC)):
        if found.key in config.feeds:
            context.log.info("%s: %s", found.key, found.text)
            context.log_event(_evaluation(context.instance, found))  # type: ignore[arg-type] # of an asset's step it is said to be


@dg.job(description="Shows feeds that have become late, district by district. The sensor `freshness` asks for it.")
def late_feeds() -> None:
    """Say which feeds are late."""
    say_late()


def say_fresh(context: dg.AssetExecutionContext, workspace: Workspace, district_id: str, source: str) -> None:
    """Say in an import's own run how its feed stands now, if anybody waits for it."""
    try:
        district = workspace.registry.get(district_id)
    except RegistryError:
        return
    if any(feed.expected_by for feed in district.feeds if feed.format == source):
        for found in freshness(workspace, datetime.now(UTC), [district]):
            if found.source == source:
                context.log_event(_evaluation(context.instance, found))


def fresh_check(vendor: Vendor) -> dg.AssetChecksDefinition:
    """Return the check that says whether a district's upload is in the roster by when it is expected."""

    @dg.asset_check(
        asset=_asset(vendor.format.name),
        name=FRESH,
        partitions_def=DISTRICTS,
        description="The district's upload was in the roster by when its feed expects it (expected_by). Each import says so in its run, and the job `late_feeds` when a feed has become late.",
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


@dg.sensor(
    name="freshness",
    job=late_feeds,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks whether each feed with an `expected_by` is in the roster by then, and tells once of each time that it is late.",
)
def freshness_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Look, tell people, and have a run show it."""
    tick = look_at_feeds(Workspace.open(current_home()), context.cursor, datetime.now(UTC))
    requests = [_request(tick.new)] if tick.new else []
    return dg.SensorResult(run_requests=requests, cursor=tick.cursor, skip_reason=None if requests else tick.summary)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What came of one look. ``new``: feeds that have become late since the last; ``late``: all that are."""

    new: tuple[Freshness, ...]
    late: tuple[Freshness, ...]
    cursor: str
    summary: str


def look_at_feeds(workspace: Workspace, cursor: str | None, now: datetime) -> Tick:
    """Look at every feed, tell of those that are late, and return which of them `cursor` does not know as late yet."""
    known: dict[str, str] = json.loads(cursor) if cursor else {}
    found = freshness(workspace, now)
    late = tuple(feed for feed in found if feed.state == "late")
    for feed in late:
        tell_late(workspace, feed)
    new = tuple(feed for feed in late if known.get(feed.key) != feed.deadline.isoformat())[:AT_ONCE]
    said = {feed.key: known[feed.key] for feed in late if feed.key in known} | {
        feed.key: feed.deadline.isoformat() for feed in new
    }
    return Tick(new=new, late=late, cursor=json.dumps(said, separators=(",", ":")), summary=_summary(found, late))


def _summary(found: Sequence[Freshness], late: Sequence[Freshness]) -> str:
    if not found:
        return "No feed is expected by a time of day."
    named = ", ".join(feed.key for feed in late[:5]) + (f" and {len(late) - 5:,} more" if len(late) > 5 else "")
    return f"Late: {named}." if late else f"None of {len(found)} expected feeds is late."


def _request(new: Sequence[Freshness]) -> dg.RunRequest:
    key = json.dumps([(feed.key, feed.deadline.isoformat()) for feed in new])
    config = {"ops": {say_late.name: {"config": {"feeds": [feed.key for feed in new]}}}}
    return dg.RunRequest(run_key=hashlib.sha256(key.encode()).hexdigest()[:24], run_config=config)


def _asset(source: str) -> dg.AssetKey:
    return dg.AssetKey([source, "upload"])


def _evaluation(instance: dg.DagsterInstance, feed: Freshness) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        target_materialization_data=_target(instance, feed),
        asset_key=_asset(feed.source),
        check_name=FRESH,
        passed=_passed(feed),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=_metadata(feed),
        partition=feed.district_id,
    )


def _target(instance: dg.DagsterInstance, feed: Freshness) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return the district's newest materialization: the UI takes an evaluation of any other for one that is out of date."""
    wanted = dg.AssetRecordsFilter(asset_key=_asset(feed.source), asset_partitions=[feed.district_id])
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
