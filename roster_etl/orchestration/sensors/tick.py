"""State of one tick of the landing sensor: limits, requests, and the state of each feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from roster_etl.orchestration.sensors.polling import PollBudget
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import FileSet
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.landing import quiet_period
from roster_etl.store.registry.district import Feed
from roster_etl.store.registry.registry import Scan
from roster_etl.vendors import vendor

DAY_SECONDS = 86_400.0


ARCHIVING, REREADING = (
    "+archiving",
    "+rereading",
)  # in the place of a file set: a run archives an upload, or reads landing zones again
ReadBusyFeeds = Callable[[], set[tuple[str, str, str]]]


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """Reads what ended runs found out.

    ``read_archive_problem``: why the last run for a request to archive an upload failed, None if no run says so.
    ``read_rewritten``: landing zones whose files were rewritten since their import, by key: the number of imports requested until
    then, and the listing.
    """

    read_archive_problem: Callable[[str], str | None] = lambda _: None
    read_rewritten: Callable[[], Mapping[str, list[Any]]] = dict


@dataclass(frozen=True, kw_only=True)
class TickLimits:
    """The limits of one tick.

    ``requests``: runs requested; ``poll_budget``: for polling; ``decide_seconds``: for decisions after it; feeds that are not
    reached begin the next tick; ``max_ledger_queries``: ledger queries; ``retry_seconds``: delay before a run without a result is
    requested again.
    """

    requests: int = 25
    poll_budget: PollBudget = field(default_factory=PollBudget)
    decide_seconds: float = 3.0
    max_ledger_queries: int = 200
    retry_seconds: float = 300.0


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """An import to start. ``key``: unique per arrival, also of equal content; ``stale``: files older than the rest.

    ``file_set``: the file set that has arrived; ``received_at``: when it was first seen unchanged (ISO, UTC). ``arrival``: number
    of the pending upload; ``archived``: failed import whose archived upload is imported again; neither: the upload is in the
    landing zone.
    """

    district_id: str
    source: str
    key: str
    stale: tuple[str, ...] = ()
    file_set: str = ""
    received_at: str | None = None
    arrival: int | None = None
    archived: int | None = None


@dataclass(frozen=True, kw_only=True)
class ArchiveRequest:
    """A settled delta upload to archive. ``request``: names the arrival; ``key``: unique per attempt.

    ``listing``: fingerprint of what settled.
    """

    district_id: str
    source: str
    key: str
    request: str
    listing: str
    file_set: str = ""


@dataclass(frozen=True, kw_only=True)
class RereadFeed:
    """A landing zone with nothing new. ``key``: of its state; ``listing``, ``sequence``: what was imported, by which request."""

    key: str
    district_id: str
    source: str
    file_set: str
    listing: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class RereadRequest:
    """Landing zones to read once more. ``key``: unique."""

    key: str
    feeds: tuple[RereadFeed, ...]


WAIT_REASON_TEXTS = {
    "nothing_new": "nothing new",
    "empty": "empty landing zone",
    "quiet": "has not stood still for the quiet period",
    "missing_files": "required files are not there yet",
    "stragglers": "waits for files that have not changed since the upload before, while others have",
    "min_interval": "imported a short while ago",
    "unpublished": "refers to files of which nothing is published yet",
    "archiving": "is being archived",
    "running": "an import is under way",
    "parked": "dead-lettered (parked) after repeated failures: until the upload changes, or `roster-etl rerun --district ID`",
    "paused": "paused",
    "next_tick": "its turn comes in the next tick",
}


_MAX_NAMES, MAX_PROBLEM_CHARS = 5, 300  # feeds listed per kind in a summary; stored characters of a problem


@dataclass(frozen=True, kw_only=True)
class LandingTickResult:
    """The result of one tick. ``requests``: imports to start; ``archive_requests``: settled delta uploads to archive.

    ``notes``: news for people; ``waiting``: waiting feeds, by reason; ``problems``: poll errors by feed (or registry file), also
    of feeds that back off and were not polled. ``polled``: number of feeds polled; ``remaining``: number left for the next ticks,
    which begin with them. ``registry``: as it was read for this tick.
    """

    requests: tuple[ImportRequest, ...]
    cursor: str
    notes: tuple[str, ...]
    waiting: Mapping[str, Sequence[str]]
    problems: Mapping[str, str]
    watched: int
    polled: int
    remaining: int
    archive_requests: tuple[ArchiveRequest, ...] = ()
    reread_request: RereadRequest | None = None
    registry: Scan = field(default_factory=lambda: Scan(districts=(), problems={}))

    @property
    def waiting_counts(self) -> dict[str, int]:
        """The number of waiting feeds, by reason."""
        return {reason: len(keys) for reason, keys in self.waiting.items()}

    @property
    def summary(self) -> str:
        """The result in a few sentences: problems first, then requested imports, then waiting feeds by reason."""
        said = (
            [f"Cannot be looked at: {shorten_list([f'{key} ({text})' for key, text in self.problems.items()])}."]
            if self.problems
            else []
        )
        if not self.watched and not self.problems:
            return "No feed has a landing folder to watch; uploads are imported by command."
        said.append(f"To import: {_named(self.requests)}." if self.requests else "Nothing to import.")
        if self.archive_requests:
            said.append(f"To archive, for their turn: {_named(self.archive_requests)}.")
        said += [
            f"{words.capitalize()}: {shorten_list(self.waiting[reason])}."
            for reason, words in WAIT_REASON_TEXTS.items()
            if reason in self.waiting
        ]
        if self.remaining:
            said.append(f"Looked at {self.polled:,} feeds in the time of a tick; {self.remaining:,} more in the next ones.")
        return " ".join(said)


def _named(requests: Sequence[ImportRequest | ArchiveRequest]) -> str:
    return shorten_list(["/".join(filter(None, (r.district_id, r.source, r.file_set))) for r in requests])


def shorten_list(names: Sequence[str]) -> str:
    """Return the names as text, the first few by name and the others counted."""
    more = f" and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


@dataclass(kw_only=True)
class TickState:
    """The mutable state of a running tick. ``now``: by the clock that never leaps; ``wall_now``: seconds since 1970."""

    workspace: Workspace
    now: float
    wall_now: float
    bounds: TickLimits
    read_busy_feeds: ReadBusyFeeds
    results: RunResults
    states: dict[str, quiet_period.FeedPollState]
    requests: list[ImportRequest | ArchiveRequest] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    settled: list[SettledUpload] = field(default_factory=list)
    rewritten: Mapping[str, list[Any]] = field(default_factory=dict)
    to_reread: list[tuple[float, RereadFeed]] = field(default_factory=list)
    cached_busy_feeds: set[tuple[str, str, str]] | None = None
    ledger_queries: int = 0


@dataclass(frozen=True, kw_only=True)
class SettledUpload:
    """An upload ready to import. ``since``: when it was first seen unchanged; ``next_state``: the feed's, once requested."""

    key: str
    since: float
    request: ImportRequest | ArchiveRequest
    next_state: quiet_period.FeedPollState | None


def settle_rules(feed: Feed, file_set: FileSet | None = None) -> quiet_period.QuietPeriodRules:
    """Return the waiting times of a feed's file set (default: the first).

    Raises: UnknownVendor, UnknownOption, BadOption, BadReplacements.
    """
    format_ = vendor(feed.format).format
    chosen = file_set or format_.file_sets[0]
    values = resolve_options(format_, feed.options)
    check_replacements(format_, feed.replacements)  # else every run would fail

    def seconds(name: str) -> float:
        value = values[chosen.option(name)]
        assert isinstance(value, timedelta)
        return value.total_seconds()

    return quiet_period.QuietPeriodRules(
        quiet_period=seconds("quiet_period"),
        straggler_wait=seconds("straggler_wait"),
        min_interval=seconds("min_interval"),
        required=frozenset(file.file_name for file in format_.for_file_set(chosen.name).files if file.required),
    )


def was_requested_recently(tick: TickState, state: quiet_period.FeedPollState | None) -> bool:
    """Return whether an import was requested within a day; for older ones the ledger is not queried in each tick."""
    return state is not None and state.imported_at is not None and tick.now - state.imported_at < DAY_SECONDS


def newest_import(tick: TickState, district_id: str, source: str, file_set: str) -> dict[str, Any] | None:
    """Return the ledger row of the newest import of a file set, None: there is none."""
    return next(iter(tick.workspace.warehouse.ledger.imports(district_id, source, limit=1, file_set=file_set)), None)


def busy_feeds(tick: TickState) -> set[tuple[str, str, str]]:
    """Return the feeds and file sets that a run is working on, read once a tick."""
    if tick.cached_busy_feeds is None:
        tick.cached_busy_feeds = tick.read_busy_feeds()
    return tick.cached_busy_feeds


def add_waiting(tick: TickState, reason: str, key: str) -> None:
    """Record that a feed waits, and for what."""
    tick.waiting.setdefault(reason, []).append(key)
