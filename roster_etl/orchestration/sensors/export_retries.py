"""Which sendings of a roster are tried again: those that a server kept from succeeding, after a growing wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from roster_etl.orchestration.jobs.send_rosters import RETRY, config_of, retry_wait, send_rosters

MAX_RUNS = 500  # failed runs that one tick reads; the others follow in the next ones
OVERLAP = timedelta(minutes=2)
"""How long a run's end may take to become visible: it is looked for so long, and found again so long."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Destinations of a district that are sent to again. ``key``: the failed run; ``moment``: when; ``attempt``: the one to come."""

    key: str
    moment: datetime
    district_id: str
    names: tuple[str, ...]
    attempt: int

    def document(self) -> dict[str, object]:
        """Return it as it rests in the sensor's cursor."""
        return {"at": self.moment.isoformat(), "district": self.district_id, "names": list(self.names), "attempt": self.attempt}

    @classmethod
    def of_document(cls, key: str, document: Mapping[str, object]) -> Retry:
        """Read what `document` returned."""
        names: list[str] = document["names"]  # type: ignore[assignment]
        return cls(
            key=key,
            moment=datetime.fromisoformat(str(document["at"])),
            district_id=str(document["district"]),
            names=tuple(names),
            attempt=int(str(document["attempt"])),
        )


def find_retries(instance: dg.DagsterInstance, after: datetime, now: datetime) -> tuple[list[Retry], datetime]:
    """Return what is to be tried again of the runs that failed since `after`, and the moment up to which failed runs were read.

    Source: the index of Dagster's runs by status and time of change; runs that were only tagged since then are left out by their end.
    """
    failed = dg.RunsFilter(job_name=send_rosters.name, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=after - OVERLAP)
    records = instance.get_run_records(failed, limit=MAX_RUNS, order_by="update_timestamp", ascending=True)
    is_full = len(records) == MAX_RUNS
    return list(_retries(records, after - 2 * OVERLAP)), _utc(records[-1].update_timestamp) + OVERLAP if is_full else now


def _retries(records: Iterable[dg.RunRecord], after: datetime) -> Iterator[Retry]:
    for record in records:
        run = record.dagster_run
        if not (names := run.tags.get(RETRY)) or record.end_time is None:
            continue
        config = config_of(run)
        if (wait := retry_wait(config.attempt)) is None:
            continue
        ended = datetime.fromtimestamp(record.end_time, UTC)
        if ended > after:
            yield Retry(
                key=f"retry/{run.run_id}",
                moment=ended + wait,
                district_id=config.district_id,
                names=tuple(names.split(",")),
                attempt=config.attempt + 1,
            )


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
