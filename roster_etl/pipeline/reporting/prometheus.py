"""Numbers for outside monitoring, as Prometheus reads them.

Belongs here: which numbers there are, and their text form (exposition format 0.0.4). Labels are districts, formats and statuses only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from roster_etl.pipeline.reporting.freshness import freshness
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.outbox.outbox import MessageKind

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, a gauge: its samples by their labels."""

    name: str
    help: str
    samples: Mapping[Labels, float] = field(default_factory=dict)


def collect_metrics(workspace: Workspace, now: datetime, ticks: Mapping[str, float] | None = None) -> list[Metric]:
    """Return all numbers. ``ticks``: when each sensor ticked last, in seconds since 1970."""
    tally = [row for row in workspace.warehouse.ledger.import_counts() if row["kind"] == "upload"]
    return [
        *_imports(tally),
        *_last_import_metrics(workspace, tally),
        *_queue_metrics(workspace),
        *_lateness_metrics(workspace, now),
        _reconciliation(workspace),
        _ticks(ticks or {}),
    ]


def exposition(found: Iterable[Metric]) -> str:
    """Return metrics as text; one without samples is announced all the same."""
    return "".join(line + "\n" for metric in found for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} gauge"
    for labels, value in sorted(metric.samples.items()):
        named = ",".join(f'{name}="{_escaped(text, quoted=True)}"' for name, text in labels)
        yield f"{metric.name}{{{named}}} {value:.17g}" if named else f"{metric.name} {value:.17g}"


def _escaped(text: str, *, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text


def _imports(tally: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    counts = {(*_feed(row), ("status", row["status"])): float(row["imports"]) for row in tally}
    yield Metric(name="roster_etl_imports", help="Imports in the ledger, by how they ended.", samples=counts)
    for status in ("published", "unchanged"):
        ends = {_feed(row): row["finished_at"].timestamp() for row in tally if row["status"] == status and row["finished_at"]}
        what = "was published" if status == "published" else "was found unchanged"
        yield Metric(name=f"roster_etl_last_{status}_timestamp_seconds", help=f"When an upload {what} last.", samples=ends)


def _last_import_metrics(workspace: Workspace, tally: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield what is known of the newest import of each feed that has ended."""
    newest: dict[Labels, int] = {}
    for row in tally:
        if row["status"] != "running":
            newest[_feed(row)] = max(newest.get(_feed(row), 0), row["import_id"])
    with workspace.warehouse.read() as session:
        moments = {row["import_id"]: row for row in session.ledger.import_times([*newest.values()])}
        rows = {row["import_id"]: row for row in session.ledger.row_counts([*newest.values()])}
    lasted = {feed: _seconds(moments[number]) for feed, number in newest.items() if moments[number]["finished_at"]}
    yield Metric(name="roster_etl_last_import_id", help="The newest import that has ended.", samples=newest)
    yield Metric(name="roster_etl_last_import_duration_seconds", help="How long the newest import took.", samples=lasted)
    for what in ("read", "accepted", "rejected"):
        counts = {feed: float(rows[number][f"rows_{what}"] or 0) for feed, number in newest.items() if number in rows}
        said = "refused" if what == "rejected" else what
        yield Metric(
            name=f"roster_etl_last_import_rows_{said}",
            help=f"Rows of the newest import that were {said}.",
            samples=counts,
        )


def _queue_metrics(workspace: Workspace) -> Iterator[Metric]:
    holds: dict[Labels, float] = {}
    for hold in workspace.warehouse.ledger.holds():
        holds[_feed(hold)] = holds.get(_feed(hold), 0) + 1
    yield Metric(name="roster_etl_held", help="Imports that wait for a person's decision.", samples=holds)
    counts = workspace.outbox.counts()
    outbox: dict[Labels, float] = {
        (("kind", kind), ("state", state)): 0.0 for kind in get_args(MessageKind) for state in ("queued", "parked")
    }
    outbox |= {(("kind", kind), ("state", state)): float(count) for (kind, state), count in counts.items()}
    yield Metric(name="roster_etl_outbox_messages", help="Messages that were not sent yet.", samples=outbox)


def _lateness_metrics(workspace: Workspace, now: datetime) -> Iterator[Metric]:
    found = freshness(workspace, now)
    labels: dict[str, Labels] = {feed.key: (("district", feed.district_id), ("format", feed.source)) for feed in found}
    late = {labels[feed.key]: float(feed.state == "late") for feed in found}
    yield Metric(name="roster_etl_late", help="1: the feed is not in the roster by when it is expected.", samples=late)
    due = {labels[feed.key]: feed.next.timestamp() for feed in found}
    yield Metric(name="roster_etl_expected_timestamp_seconds", help="By when the feed is expected next.", samples=due)


def _reconciliation(workspace: Workspace) -> Metric:
    with workspace.warehouse.read_reconciliation() as session:
        rows = session.undecided_counts()
    samples: dict[Labels, float] = {
        (("district", row["district_id"]), ("format_a", row["source_a"]), ("format_b", row["source_b"])): row["differences"]
        for row in rows
    }
    text = "Differences between two feeds of a district that nobody has decided about."
    return Metric(name="roster_etl_reconciliation_open", help=text, samples=samples)


def _ticks(ticks: Mapping[str, float]) -> Metric:
    samples: dict[Labels, float] = {(("sensor", name),): when for name, when in ticks.items()}
    return Metric(name="roster_etl_sensor_last_tick_timestamp_seconds", help="When the sensor ticked last.", samples=samples)


def _feed(row: Mapping[str, Any]) -> Labels:
    return (("district", row["district_id"]), ("format", row["source"]))


def _seconds(row: Mapping[str, Any]) -> float:
    return float((row["finished_at"] - row["started_at"]).total_seconds())
