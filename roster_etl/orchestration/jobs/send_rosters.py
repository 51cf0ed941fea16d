"""The job that sends a district's roster to its destinations, requested by the sensor ``exports``.

Belongs here: one run for all destinations of a district that are due. It needs no asset to be loaded: a destination that was added while
the code location runs is sent by the next publish. One that fails does not keep the others from being sent, nor an import from publishing.
"""

from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from roster_etl.orchestration.assets.export_assets import (
    STATUS,
    Document,
    check_results,
    data_version,
    export_key,
    export_metadata,
    is_refused,
    refusal_metadata,
    send_in_run,
)
from roster_etl.orchestration.assets.run_resources import run_context_resource
from roster_etl.orchestration.assets.step_context import redacted_failure, tag_run
from roster_etl.spec.errors import RetryableError

DESTINATIONS = "destinations"
"""The tag of its runs: the names of the destinations."""
ATTEMPT = "attempt"
"""The tag of a run that tries again: 2, 3 … It is for people; the config of a run has the same number."""
RETRY = ".dagster/retry_destinations"
"""The tag of a failed run: the destinations that another attempt may reach, with commas between. Dagster's UI does not show it."""
_WAITS = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))


def retry_wait(attempt: int) -> timedelta | None:
    """Return how long to wait after an attempt (1, 2 …) that a server kept from succeeding; None: it was the last one."""
    return _WAITS[attempt - 1] if attempt <= len(_WAITS) else None


class SendConfig(dg.Config):
    """The district, and its destinations that are due. ``attempt``: 1, or more where a server kept a former run from sending."""

    district_id: str
    names: list[str]
    attempt: int = Field(default=1, ge=1)


@dg.op(
    required_resource_keys={"run_context"},
    description="Sends the current roster to each destination, unless it is unchanged, and records it as `export/NAME`.",
)
def send_to_destinations(context: dg.OpExecutionContext, config: SendConfig) -> None:
    """Send to every destination; the run fails at the end if one was refused or failed."""
    problems, outcomes, retryable = [], [], []
    for name in config.names:
        try:
            document = send_in_run(context, context.resources.run_context.workspace, config.district_id, name)
        except Exception as error:  # noqa: BLE001 - the other destinations are sent; the text of a foreign error may hold a cell
            problems.append(f"{name}: {redacted_failure(error).description}")
            outcomes.append("failed")
            if isinstance(error, RetryableError):
                retryable.append(name)
            continue
        if document is not None:
            _log_outcome(context, config.district_id, name, document)
            outcomes.append(document["status"])
            if is_refused(document):
                problems.append(f"{name}: {document['error']['message']}")
                if document["error"]["retryable"]:
                    retryable.append(name)
    tag_run(context, **{STATUS: ", ".join(sorted(set(outcomes))) or "nothing"})
    if retryable or RETRY in context.run.tags:  # a run that is executed again has the tags of the one before
        tag_run(context, **{RETRY: ",".join(retryable)})
    if problems:
        problems += _what_follows(retryable, config.attempt)
        raise dg.Failure("Not sent. " + " · ".join(problems), allow_retries=False)


def _what_follows(names: list[str], attempt: int) -> list[str]:
    """Return what the sensor does about the destinations that may be reached later."""
    if not names:
        return []
    wait = retry_wait(attempt)
    if wait is None:
        return [
            f"This was attempt {attempt} for {', '.join(names)}; the next one follows the next publish, or the next time of its cron line"
        ]
    minutes = int(wait.total_seconds() // 60)
    return [f"The sensor `exports` tries {', '.join(names)} again in {minutes} minutes"]


def _log_outcome(context: dg.OpExecutionContext, district_id: str, name: str, document: Document) -> None:
    """Log the materialization of ``export/NAME``, unless it was refused, and the results of its checks."""
    key = export_key(name)
    if not is_refused(document):
        tags = {"dagster/data_version": data_version(document).value}
        context.log_event(dg.AssetMaterialization(key, partition=district_id, metadata=export_metadata(document), tags=tags))
    for check, passed in check_results(document).items():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=check,
            passed=passed,
            metadata={} if passed else refusal_metadata(document),
            partition=district_id,
        )
        context.log_event(evaluation)  # type: ignore[arg-type] # of an asset's step it is said to be


@dg.job(
    name="send_rosters",
    executor_def=dg.in_process_executor,
    resource_defs={"run_context": run_context_resource},
    description="Sends the roster of a district to its destinations. Requested by the sensor `exports`.",
)
def send_rosters() -> None:
    """Send to the destinations of one district."""
    send_to_destinations()


def config_of(run: dg.DagsterRun) -> SendConfig:
    """Return the config of a run, also of one that a person launched, which has no tags."""
    config: Any = run.run_config
    return SendConfig(**config["ops"][send_to_destinations.name]["config"])


def send_run_config(district_id: str, names: list[str], attempt: int = 1) -> dict[str, Any]:
    """Return the run config that sends to some destinations of a district."""
    return {"ops": {send_to_destinations.name: {"config": {"district_id": district_id, "names": names, "attempt": attempt}}}}
