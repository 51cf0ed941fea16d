"""How every feed stands now: one document for the command `status`, the asset `operations/today` and the index of the reports.

Belongs here: the facts, and their order: what needs a person comes first. Read from the registry and the ledger, in a number of queries that
does not depend on the number of feeds. Not here: how they look (``pipeline.reporting.status_page``, ``cli.status``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from roster_etl.pipeline.reporting.freshness import Freshness, feed_freshness
from roster_etl.pipeline.reporting.hold_text import decision_commands, hold_headline
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.registry.district import District
from roster_etl.store.warehouse import SqlLedger
from roster_etl.vendors import discover_vendors

FeedKey = tuple[str, str]
NEEDS = ("held", "parked", "failed", "rejected", "late")
"""Why a feed needs a person, the most urgent first. ``parked``: failed, and not retried automatically."""
NOTHING = "nothing imported"
"""The state of a feed of which nothing was ever imported."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The number of records of a table. ``before``: None: the last upload did not change it, or it is not known."""

    before: int | None
    after: int


@dataclass(frozen=True, kw_only=True)
class OpenHold:
    """The newest hold of a feed that waits for a decision, and the imports of its others.

    ``headline``: what stopped the import; ``since``: when it was held.
    """

    import_id: int
    reason: str
    headline: str
    plan_sha256: str
    since: datetime
    others: tuple[int, ...] = ()

    @property
    def commands(self) -> dict[str, str]:
        """What a person can do, as commands."""
        return decision_commands(self.import_id)


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """The rows of a feed in quarantine. ``oldest``: since when the oldest is refused; ``as_of``: what was published then."""

    rows: int = 0
    oldest: datetime | None = None
    as_of: str = ""


KnownQuarantine = Mapping[FeedKey, Quarantine]


@dataclass(frozen=True, kw_only=True)
class FeedStatus:
    """How one feed stands.

    Attributes:
        state: status of the newest upload, or `NOTHING`.
        needs: why it needs a person (`NEEDS`), the most urgent first; empty: it does not.
        last: the ledger's row of the newest upload (number, file set, times); None: there is none.
        people, enrollments: of the roster, before and after the last upload; where an import is held, after its plan.
        is_planned: these are numbers of a plan that waits for approval.
        lateness: None: the feed is not expected by a time of day.
        paused: why nothing is imported now; None: it is.
    """

    district_id: str
    district_name: str
    source: str
    state: str
    needs: tuple[str, ...] = ()
    last: Mapping[str, Any] | None = None
    people: Change | None = None
    enrollments: Change | None = None
    is_planned: bool = False
    hold: OpenHold | None = None
    lateness: Freshness | None = None
    paused: str | None = None
    quarantine: Quarantine = Quarantine()

    @property
    def since(self) -> datetime | None:
        """Since when it needs a person, or when its newest upload ended."""
        moments = [self.hold.since] if self.hold else []
        moments += [self.lateness.deadline] if self.lateness and "late" in self.needs else []
        ended: datetime | None = (self.last["finished_at"] or self.last["received_at"]) if self.last else None
        return min(moments, default=ended)


@dataclass(frozen=True, kw_only=True)
class StatusOverview:
    """How all feeds stand at `now`, what needs a person first. ``problems``: registry files that cannot be read, with the reason."""

    now: datetime
    feeds: Sequence[FeedStatus]
    problems: Mapping[str, str] = field(default_factory=dict)

    def of_district(self, district_id: str) -> StatusOverview:
        """Return the status of the feeds of one district."""
        return replace(self, feeds=[feed for feed in self.feeds if feed.district_id == district_id], problems={})

    @property
    def waiting(self) -> list[FeedStatus]:
        """The feeds that need a person."""
        return [feed for feed in self.feeds if feed.needs]

    @property
    def needs(self) -> dict[str, int]:
        """The number of feeds that need a person, by the most urgent reason."""
        counts = Counter(feed.needs[0] for feed in self.waiting)
        return {name: counts[name] for name in NEEDS if counts[name]}

    @property
    def other_counts(self) -> dict[str, int]:
        """The number of the other feeds by state."""
        counts = Counter(feed.state if not feed.paused else "paused" for feed in self.feeds if not feed.needs)
        return dict(sorted(counts.items()))

    @property
    def summary(self) -> str:
        """The status in one or two sentences."""
        if not self.feeds:
            return "No district is registered."
        needs = ", ".join(f"{count:,} {name}" for name, count in self.needs.items())
        rest = ", ".join(f"{count:,} {name}" for name, count in self.other_counts.items())
        count = len(self.waiting)
        first = (
            f"{count:,} of {len(self.feeds):,} feeds need{'s' if count == 1 else ''} a person: {needs}."
            if count
            else (f"None of {len(self.feeds):,} feeds needs a person.")
        )
        return f"{first} The others: {rest}." if count and rest else f"{first} {rest[:1].upper()}{rest[1:]}." if rest else first


def read_status(workspace: Workspace, now: datetime, known: KnownQuarantine | None = None) -> StatusOverview:
    """Return how every registered feed stands at `now`, and every feed with an open hold.

    Args: known: the quarantine of feeds as it was read before (`known_quarantine`); where nothing was published since, it is not counted again.
    """
    scan = workspace.registry.scan()
    formats = {name: vendor.format for name, vendor in discover_vendors().items()}
    districts = {district.id: district for district in scan.districts}
    feeds = [(d.id, feed.format) for d in scan.districts for feed in d.feeds if feed.format in formats]
    with workspace.warehouse.read() as session:
        holds = _holds(session.ledger)
        registered = set(feeds)
        feeds += [key for key in holds if key not in registered and key[1] in formats]
        facts = _ledger_facts(session.ledger, [(*key, formats[key[1]].file_sets[0].name) for key in feeds])
        quarantine = _quarantine(session.ledger, facts, formats, known or {})
    found = [
        _feed_status(districts.get(key[0]), key, facts.get(key, []), holds.get(key, []), quarantine.get(key), now)
        for key in feeds
    ]
    unknown = {
        f"{d.id}.toml": f"no format is called {f.format}" for d in scan.districts for f in d.feeds if f.format not in formats
    }
    return StatusOverview(now=now, feeds=sorted(found, key=_order), problems={**scan.problems, **unknown})


def status_document(status: StatusOverview) -> dict[str, Any]:
    """Return the status as the JSON document of ``status --json``."""
    return {
        "as_of": status.now.isoformat(),
        "summary": status.summary,
        "feeds": len(status.feeds),
        "needs": status.needs,
        "others": status.other_counts,
        "problems": dict(status.problems),
        "rows": [_row_document(feed, status.now) for feed in status.feeds],
    }


def known_quarantine(document: Mapping[str, Any]) -> dict[FeedKey, Quarantine]:
    """Return the quarantine of each feed as `status_document` wrote it."""
    found = {}
    for row in document["rows"]:
        about = row["quarantine"]
        oldest = datetime.fromisoformat(about["oldest"]) if about["oldest"] else None
        found[row["district_id"], row["source"]] = Quarantine(rows=about["rows"], oldest=oldest, as_of=about["as_of"])
    return found


def _row_document(feed: FeedStatus, now: datetime) -> dict[str, Any]:
    late = feed.lateness
    return {
        "district_id": feed.district_id,
        "district_name": feed.district_name or None,
        "source": feed.source,
        "state": feed.state,
        "needs": list(feed.needs),
        "last_upload": feed.last and {name: _plain(value) for name, value in feed.last.items()},
        "people": _change_document(feed.people),
        "enrollments": _change_document(feed.enrollments),
        "planned": feed.is_planned,
        "hold": feed.hold
        and {**{name: _plain(value) for name, value in vars(feed.hold).items()}, "commands": feed.hold.commands},
        "lateness": late
        and {"state": late.state, "deadline": _plain(late.deadline), "next": _plain(late.next), "text": late.text},
        "parked": "parked" in feed.needs,
        "paused": feed.paused,
        "quarantine": {name: _plain(value) for name, value in vars(feed.quarantine).items()},
        "report": feed.last and feed.last["finished_at"] and f"{feed.district_id}/{feed.last['import_id']}.html",
    }


def _change_document(change: Change | None) -> dict[str, int | None] | None:
    return {"before": change.before, "after": change.after} if change else None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _order(feed: FeedStatus) -> tuple[Any, ...]:
    """Return the place of a feed: by its most urgent need, the longest wait first; then what runs, has rows in quarantine, or is paused."""
    urgency = NEEDS.index(feed.needs[0]) if feed.needs else len(NEEDS)
    since = feed.since.timestamp() if feed.needs and feed.since else 0.0
    return urgency, since, feed.state != "running", not feed.quarantine.rows, feed.district_id, feed.source


def _holds(ledger: SqlLedger) -> dict[FeedKey, list[dict[str, Any]]]:
    """Return the open holds of each feed, the newest first."""
    found: dict[FeedKey, list[dict[str, Any]]] = {}
    for row in ledger.holds():
        found.setdefault((row["district_id"], row["source"]), []).append(row)
    return found


def _ledger_facts(ledger: SqlLedger, feeds: Sequence[tuple[str, str, str]]) -> dict[FeedKey, list[dict[str, Any]]]:
    facts: dict[FeedKey, list[dict[str, Any]]] = {}
    for row in ledger.newest_of_feeds(feeds):
        facts.setdefault((row["district_id"], row["source"]), []).append(row)
    return facts


def _quarantine(
    ledger: SqlLedger, facts: Mapping[FeedKey, Sequence[Mapping[str, Any]]], formats: Mapping[str, Any], known: KnownQuarantine
) -> dict[FeedKey, Quarantine]:
    """Return the quarantine of each feed of `facts`: the known one, unless something was published since."""
    states = {key: _published_state(rows) for key, rows in facts.items()}
    found = {key: known[key] for key, state in states.items() if key in known and known[key].as_of == state}
    changed = [key for key in states if key not in found]
    snapshots = [
        (*key, file_set.name) for key in changed if formats[key[1]].mode != "changes" for file_set in formats[key[1]].file_sets
    ]
    deltas = [(*key, "") for key in changed if formats[key[1]].mode == "changes"]
    imports = ledger.quarantined_imports(snapshots, deltas)
    totals = {row["import_id"]: row for row in ledger.quarantine_totals(sorted({row["import_id"] for row in imports}))}
    by_feed: dict[FeedKey, list[int]] = {}
    for row in imports:
        by_feed.setdefault((row["district_id"], row["source"]), []).append(row["import_id"])
    for key in changed:
        parts = [totals[number] for number in by_feed.get(key, ()) if number in totals]
        oldest = min((part["oldest"] for part in parts if part["oldest"]), default=None)
        found[key] = Quarantine(rows=sum(part["rows"] for part in parts), oldest=oldest, as_of=states[key])
    return found


def _published_state(facts: Sequence[Mapping[str, Any]]) -> str:
    """Return what was published for a feed, as a text that is another one after every import that publishes, approvals included."""
    published = (row for row in facts if row["status"] == "published")
    return ",".join(sorted(f"{row['import_id']}@{row['finished_at']:%Y%m%dT%H%M%S%f}" for row in published))


def _feed_status(
    district: District | None,
    key: FeedKey,
    facts: Sequence[Mapping[str, Any]],
    holds: Sequence[Mapping[str, Any]],
    quarantine: Quarantine | None,
    now: datetime,
) -> FeedStatus:
    uploads = [row for row in facts if row["kind"] == "upload"]
    newest = max(uploads, key=lambda row: row["import_id"], default=None)
    lateness = _lateness(district, key[1], uploads, now)
    people, enrollments = _changes(facts, newest, holds[0] if holds else None)
    return FeedStatus(
        district_id=key[0],
        district_name=district.name if district else "",
        source=key[1],
        state=newest["status"] if newest else NOTHING,
        needs=_needs(newest, lateness, is_held=bool(holds)),
        last=newest and {name: newest[name] for name in ("import_id", "file_set", "received_at", "finished_at")},
        people=people,
        enrollments=enrollments,
        is_planned=bool(holds),
        hold=_open_hold(holds) if holds else None,
        lateness=lateness,
        paused=district.pause_reason(key[1], now) if district else None,
        quarantine=quarantine or Quarantine(),
    )


def _open_hold(holds: Sequence[Mapping[str, Any]]) -> OpenHold:
    newest, *others = holds
    return OpenHold(
        import_id=newest["import_id"],
        reason=newest["reason"],
        headline=hold_headline(newest["reason"], newest["summary"] or {}),
        plan_sha256=newest["plan_sha256"],
        since=newest["created_at"],
        others=tuple(row["import_id"] for row in others),
    )


def _needs(newest: Mapping[str, Any] | None, lateness: Freshness | None, *, is_held: bool) -> tuple[str, ...]:
    found = {"held"} if is_held else set()
    if newest and newest["status"] == "failed":
        found.add("parked" if newest["parked"] in (1, True, "true", "1") else "failed")
    elif newest and newest["status"] == "rejected":
        found.add("rejected")
    if lateness and lateness.state == "late":
        found.add("late")
    return tuple(name for name in NEEDS if name in found)


def _changes(
    facts: Sequence[Mapping[str, Any]], newest: Mapping[str, Any] | None, hold: Mapping[str, Any] | None
) -> tuple[Change | None, Change | None]:
    """Return the numbers of people and enrollments: of the plan that is held, else of what was published last."""
    if hold is not None:
        plan = (hold["summary"] or {}).get("plan") or {}
        numbers = {f"{t}_{n}": v for t in ("users", "enrollments") for n, v in (plan.get(t) or {}).items()}
        return _change(numbers, "users"), _change(numbers, "enrollments")
    roster = next((row for row in facts if row["is_roster"]), None)
    if roster is None:
        return None, None
    is_last = newest is not None and roster["import_id"] == newest["import_id"]
    return _change(roster, "users", changed=is_last), _change(roster, "enrollments", changed=is_last)


def _change(numbers: Mapping[str, Any], table: str, *, changed: bool = True) -> Change | None:
    current, created, deleted = (numbers.get(f"{table}_{name}") for name in ("current", "created", "deleted"))
    if current is None:
        return None
    return Change(before=int(current) if changed else None, after=int(current) + int(created or 0) - int(deleted or 0))


def _lateness(district: District | None, source: str, uploads: Sequence[Mapping[str, Any]], now: datetime) -> Freshness | None:
    if district is None:
        return None
    try:
        feed = district.feed(source)
    except RosterError:
        return None
    return feed_freshness(district, feed, uploads, now) if feed.expected_by else None
