"""State of one tick of the landing sensor: bounds, requests, and what is known of each feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from roster_etl.orchestration.sensors.polling import Pace
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import FileSet
from roster_etl.spec.options import resolve
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.landing import quiet_period
from roster_etl.store.registry.district import Feed
from roster_etl.vendors import vendor

DAY = 86_400.0


Running = Callable[[], set[tuple[str, str, str]]]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much one tick may do. ``pace``: of looking; ``answers``: questions to the ledger; ``again_seconds``: before a run that came to
    nothing is asked for again.
    """

    requests: int = 25
    pace: Pace = field(default_factory=Pace)
    answers: int = 200
    again_seconds: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """An import that is to be started. ``key`` is another for every arrival, also of the same content; ``stale``: files older than the rest.

    ``file_set``: the set of the format's files that has arrived; ``received_at``: when it was first seen as it is (ISO, UTC).
    ``arrival``: the upload was taken in, and waits under this number; ``archived``: an import took it over and failed; neither: it lies in
    the landing zone.
    """

    district_id: str
    source: str
    key: str
    stale: tuple[str, ...] = ()
    file_set: str = ""
    received_at: str | None = None
    arrival: int | None = None
    archived: int | None = None


WORDS = {
    "nothing_new": "nothing new",
    "empty": "empty landing zone",
    "quiet": "has not stood still for the quiet period",
    "missing_files": "required files are not there yet",
    "stragglers": "waits for files that are older than the rest",
    "min_interval": "imported a short while ago",
    "unpublished": "refers to files of which nothing is published yet",
    "running": "an import is under way",
    "parked": "parked, as it failed again and again: until the upload changes, or `roster-etl rerun --district ID`",
    "paused": "paused",
    "next_tick": "its turn comes in the next tick",
}


_NAMED, _TEXT = 5, 300  # feeds that a summary names of each kind; characters of a problem that are kept


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What came of one tick. ``notes``: what is new that a person should hear of; ``waiting``: the feeds that wait, by reason;
    ``problems``: what hinders a look, by feed (or file of the registry), also where nobody looked because it is too soon to try again.
    ``looked_at``: how many feeds were, and ``left`` how many more would have been: the next ticks begin with them.
    """

    requests: tuple[Request, ...]
    cursor: str
    notes: tuple[str, ...]
    waiting: Mapping[str, Sequence[str]]
    problems: Mapping[str, str]
    watched: int
    looked_at: int
    left: int

    @property
    def waits(self) -> dict[str, int]:
        """How many feeds wait, by reason."""
        return {reason: len(keys) for reason, keys in self.waiting.items()}

    @property
    def summary(self) -> str:
        """A few sentences for people: what is wrong first, and of whom, then what is imported and what waits for what."""
        said = (
            [f"Cannot be looked at: {_some([f'{key} ({text})' for key, text in self.problems.items()])}."]
            if self.problems
            else []
        )
        if not self.watched and not self.problems:
            return "No feed has a landing folder to watch; uploads are imported by command."
        asked = ["/".join(filter(None, (r.district_id, r.source, r.file_set))) for r in self.requests]
        said.append(f"To import: {_some(asked)}." if asked else "Nothing to import.")
        said += [
            f"{words.capitalize()}: {_some(self.waiting[reason])}." for reason, words in WORDS.items() if reason in self.waiting
        ]
        if self.left:
            said.append(f"Looked at {self.looked_at:,} feeds in the time of a tick; {self.left:,} more in the next ones.")
        return " ".join(said)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


@dataclass(kw_only=True)
class _Watch:
    """One tick under way."""

    workspace: Workspace
    now: float
    bounds: Bounds
    running: Running
    states: dict[str, quiet_period.FeedState]
    take_in_until: float
    requests: list[Request] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    settled: list[_Settled] = field(default_factory=list)
    known_busy: set[tuple[str, str, str]] | None = None
    questions: int = 0


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """An upload that could be imported now. ``since``: when it was first seen as it is; ``after``: the feed's state once it is asked for."""

    key: str
    since: float
    request: Request
    after: quiet_period.FeedState | None


def rules_of(feed: Feed, file_set: FileSet | None = None) -> quiet_period.Rules:
    """Return how long a set of the feed's files (the first one unless given) waits for what.

    Raises: UnknownVendor, UnknownOption, BadOption, BadReplacements.
    """
    format_ = vendor(feed.format).format
    chosen = file_set or format_.file_sets[0]
    values = resolve(format_, feed.options)
    check_replacements(format_, feed.replacements)  # a run could do nothing but fail, again and again

    def seconds(name: str) -> float:
        value = values[chosen.option(name)]
        assert isinstance(value, timedelta)
        return value.total_seconds()

    return quiet_period.Rules(
        quiet=seconds("quiet_period"),
        straggler_wait=seconds("straggler_wait"),
        min_interval=seconds("min_interval"),
        required=frozenset(file.file_name for file in format_.of_set(chosen.name).files if file.required),
    )


def _is_of_late(tick: _Watch, state: quiet_period.FeedState | None) -> bool:
    """Return whether an import was asked for within a day: the ledger need not be asked about all others in each tick."""
    return state is not None and state.imported_at is not None and tick.now - state.imported_at < DAY


def _newest(tick: _Watch, district_id: str, source: str, file_set: str) -> dict[str, Any] | None:
    return next(iter(tick.workspace.warehouse.imports(district_id, source, limit=1, file_set=file_set)), None)


def _busy(tick: _Watch) -> set[tuple[str, str, str]]:
    if tick.known_busy is None:
        tick.known_busy = tick.running()
    return tick.known_busy


def _wait(tick: _Watch, reason: str, key: str) -> None:
    tick.waiting.setdefault(reason, []).append(key)
