"""The sensor that reports late feeds by alerts, and the job that shows them in the UI."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from roster_etl.orchestration.assets.freshness_checks import freshness_evaluation
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.reporting.freshness import Freshness, freshness, notify_late_feed
from roster_etl.pipeline.workspace import Workspace

MAX_FEEDS_PER_RUN = 300  # late feeds that one run reports: each is an event


class LateConfig(dg.Config):
    """The feeds to report: ``district/format``."""

    feeds: list[str]


@dg.op(description="Evaluate the check `fresh` of feeds on their vendor's uploads.")
def evaluate_freshness(context: dg.OpExecutionContext, config: LateConfig) -> None:
    """Log the state of each given feed as a check evaluation."""
    with closing(Workspace.open(current_home())) as workspace:
        feeds = [found for found in freshness(workspace, datetime.now(UTC)) if found.key in config.feeds]
    for found in feeds:
        context.log.info("%s: %s", found.key, found.text)
        context.log_event(freshness_evaluation(context.instance, found))  # type: ignore[arg-type] # of an asset's step it is said to be


@dg.job(description="Reports late feeds, district by district. Requested by the sensor `freshness`.")
def late_feeds() -> None:
    """Report late feeds in the UI."""
    evaluate_freshness()


@dg.sensor(
    name="freshness",
    job=late_feeds,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Checks that each feed with an `expected_by` was published by then, and reports each late feed once.",
)
def freshness_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Find late feeds, queue the alerts, and request a run that shows them."""
    with closing(Workspace.open_to_write(current_home())) as workspace:
        tick = check_feed_freshness(workspace, context.cursor, datetime.now(UTC))
    requests = [_run_request(tick.newly_late)] if tick.newly_late else []
    return dg.SensorResult(run_requests=requests, cursor=tick.cursor, skip_reason=None if requests else tick.summary)


@dataclass(frozen=True, kw_only=True)
class FreshnessTickResult:
    """The result of one freshness check. ``newly_late``: feeds that became late since the last; ``late``: all late feeds."""

    newly_late: tuple[Freshness, ...]
    late: tuple[Freshness, ...]
    cursor: str
    summary: str


def check_feed_freshness(workspace: Workspace, cursor: str | None, now: datetime) -> FreshnessTickResult:
    """Check every feed, queue alerts for late ones, and return which of them are new compared with `cursor`."""
    known: dict[str, str] = json.loads(cursor) if cursor else {}
    found = freshness(workspace, now)
    late = tuple(feed for feed in found if feed.state == "late")
    new = tuple(feed for feed in late if known.get(feed.key) != feed.deadline.isoformat())[:MAX_FEEDS_PER_RUN]
    for feed in new:  # the others were told of, or are in the next tick
        notify_late_feed(workspace, feed)
    said = {feed.key: known[feed.key] for feed in late if feed.key in known} | {
        feed.key: feed.deadline.isoformat() for feed in new
    }
    return FreshnessTickResult(
        newly_late=new, late=late, cursor=json.dumps(said, separators=(",", ":")), summary=_summary(found, late)
    )


def _summary(found: Sequence[Freshness], late: Sequence[Freshness]) -> str:
    if not found:
        return "No feed is expected by a time of day."
    named = ", ".join(feed.key for feed in late[:5]) + (f" and {len(late) - 5:,} more" if len(late) > 5 else "")
    return f"Late: {named}." if late else f"None of {len(found)} expected feeds is late."


def _run_request(newly_late: Sequence[Freshness]) -> dg.RunRequest:
    key = json.dumps([(feed.key, feed.deadline.isoformat()) for feed in newly_late])
    config = {"ops": {evaluate_freshness.name: {"config": {"feeds": [feed.key for feed in newly_late]}}}}
    return dg.RunRequest(run_key=hashlib.sha256(key.encode()).hexdigest()[:24], run_config=config)
