"""The job that reads quiet landing zones once more, since a listing does not prove that files are what was imported."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing

import dagster as dg

from roster_etl.orchestration.assets.step_context import redacted_failures
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.rewritten_zones import add_rewritten
from roster_etl.pipeline.uploads.detect_rewrites import was_rewritten
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError

REREAD = "reread"
"""The tag of its runs."""
_SECONDS = 600.0  # after which no further landing zone is begun


class RereadConfig(dg.Config):
    """The landing zones to read: each with the fields of ``sensors.tick.RereadFeed``, as text."""

    feeds: list[dict[str, str]]


@dg.op(description="Reads landing zones whose listing has not changed, and notes which hold other content than was imported.")
def reread_landing_zones(context: dg.OpExecutionContext, config: RereadConfig) -> None:
    """Compare landing zones with what was read for their last import; one that cannot be read is left for its next turn."""
    end, found = time.monotonic() + _SECONDS, {}
    with redacted_failures(context), closing(Workspace.open_to_write(current_home())) as workspace:
        for one in config.feeds:
            if time.monotonic() > end:
                context.log.info("The time of a run is over; the rest has its turn another time.")
                break
            try:
                feed = workspace.registry.get(one["district_id"]).feed(one["source"])
                if was_rewritten(workspace, one["district_id"], feed, one["file_set"], one["listing"]):
                    found[one["key"]] = (int(one["sequence"]), one["listing"])
            except RosterError as error:
                context.log.warning("%s: %s", one["key"], error.message)
        add_rewritten(context.instance, found)
    context.log.info("Rewritten since their import: %s.", ", ".join(found) or "none")


@dg.job(
    executor_def=dg.in_process_executor,
    tags={REREAD: "landing zones"},
    description="Reads landing zones once more that have been quiet for a day (reread_hours); the sensor requests it.",
)
def reread_landing() -> None:
    """Read quiet landing zones."""
    reread_landing_zones()


def reread_run_config(feeds: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Return the run config that reads the landing zones of `feeds`: the fields of each."""
    texts = [{name: str(value) for name, value in feed.items()} for feed in feeds]
    return {"ops": {reread_landing_zones.name: {"config": {"feeds": texts}}}}
