"""Watching the landing zones: one look at every feed, and what is to be imported because of it.

Belongs here: the plain function behind the sensor: bounded in time, fair between districts, none of which can hurt another. What has
settled is decided in ``store.landing.quiet_period``; what is known already, by the memory, the cursor and, in doubt, the ledger. No Dagster.
The memory has each feed's state. That an import was asked for goes into the cursor first, which is kept together with the request, and
into the memory with the next tick: a tick that is repeated, or lost, asks again under the same key.
Source: ARCHITECTURE.md, section 5, "Arrival".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from roster_etl.orchestration.sensors.feed_state_store import Memory
from roster_etl.orchestration.sensors.polling import Listing, Look, Looks, Pace, Turn, look_at, place_after, turn_of
from roster_etl.pipeline.lifecycle.retry_policy import is_parked, may_be_tried_again
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.uploads.pending_uploads import take_in, waiting
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import FileSet
from roster_etl.spec.errors import ArchiveError, RosterError
from roster_etl.spec.options import resolve
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.landing import open_folder, open_landing, quiet_period, unregistered
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings, landing_folder
from roster_etl.vendors import discover, vendor

DAY = 86_400.0
Running = Callable[[], set[tuple[str, str, str]]]
_BASE = ""  # the key of the look at the landing base; those of feeds are never empty


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


def watch(
    workspace: Workspace,
    cursor: str | None,
    *,
    memory: Memory,
    clock: Callable[[], float],
    running: Running,
    bounds: Bounds | None = None,
) -> Tick:
    """Look at the landing zone of every feed whose turn it is, and return what is to be imported.

    Args: cursor: what the last tick returned; none: all that was remembered is forgotten. memory: what is remembered of each feed.
        clock: our own, in seconds; running: the (district, format, set of files) with a run that has not ended.
    """
    last = json.loads(cursor) if cursor else {}
    bounds = bounds or Bounds()
    until = time.monotonic() + 2 * bounds.pace.seconds  # looking has one half of it at most
    tick = _Watch(workspace=workspace, now=clock(), bounds=bounds, running=running, states={}, take_in_until=until)
    _remember(tick, last, memory.load() if cursor else {})
    districts, unread = _districts(tick)
    feeds = {_key(d, feed): (d, feed) for d in districts for feed in d.feeds if is_watched(workspace.settings, d, feed)}
    _pause(tick, feeds)
    healthy, failed = _due(tick, feeds)
    turn = turn_of(healthy, failed, last, tick.bounds.pace.feeds)
    looks = _looks(tick, turn, feeds, clock)
    for key, look in looks.by_key.items():
        if key in feeds:
            _take(tick, key, *feeds[key], look)
    asked = _ask(tick)
    unread |= _strangers(tick, looks.by_key.get(_BASE), districts)
    problems = _failing(tick, feeds)
    memory.save({key: _written(state, problems.get(key)) for key, state in tick.states.items() if _feed_of(key) in feeds})
    fault_point("cursor.asked")
    looked_at = sum(key in feeds for key in looks.by_key)
    return Tick(
        requests=tuple(tick.requests),
        cursor=json.dumps({**place_after(turn, looks, healthy), "asked": asked}, separators=(",", ":")),
        notes=tuple(tick.notes),
        waiting=tick.waiting,
        problems={**unread, **{key: text for key, text in problems.items() if key not in tick.paused}},
        watched=len(feeds),
        looked_at=looked_at,
        left=len(healthy) + len(failed) - looked_at,
    )


def _failing(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> dict[str, str]:
    """Return what is wrong with each feed whose last look failed."""
    return {key: text for key, text in tick.problems.items() if key in feeds and key in tick.states and tick.states[key].failures}


def _remember(tick: _Watch, last: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Take in what is known of each feed: from the memory, and from the cursor what the last tick asked for."""
    values = {key: json.loads(text) for key, text in texts.items()}
    tick.problems.update({key: value.pop("problem") for key, value in values.items() if "problem" in value})
    of_cursor = {**last.get("feeds", {}), **last.get("asked", {})}  # "feeds": a cursor of a version that kept every state there
    tick.states.update({key: quiet_period.load_state(value) for key, value in {**values, **of_cursor}.items()})


def _written(state: quiet_period.FeedState, problem: str | None) -> str:
    values = quiet_period.dump_state(state) | ({"problem": problem} if problem else {})
    return json.dumps(values, separators=(",", ":"))


def _pause(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> None:
    moment = datetime.fromtimestamp(tick.now, UTC)
    tick.paused.update(key for key, (district, feed) in feeds.items() if district.pause_of(feed.format, moment))
    for key in sorted(tick.paused):
        _wait(tick, "paused", key)


def _ask(tick: _Watch) -> dict[str, Any]:
    """Ask for the uploads that have stood longest, as many as a tick may, and return their feeds' states, for the cursor."""
    ordered = sorted(tick.settled, key=lambda found: (found.since, found.key))
    for found in ordered[tick.bounds.requests :]:
        _wait(tick, "next_tick", found.key)
    chosen = ordered[: tick.bounds.requests]
    tick.requests.extend(found.request for found in chosen)
    return {found.key: quiet_period.dump_state(found.after) for found in chosen if found.after is not None}


def is_watched(settings: Settings, district: District, feed: Feed) -> bool:
    """Return whether a feed has a folder to look at, its own or one under the landing base; else its uploads are imported by command."""
    return bool(landing_folder(settings, district.id, feed.path))


def _every_upload_counts(feed: Feed) -> bool:
    """Return whether uploads of the feed are changes: then they are taken in even while its imports are paused.

    An unknown format is nobody's: whoever looks at the feed next says so.
    """
    return feed.format in discover() and vendor(feed.format).format.mode == "changes"


def _key(district: District, feed: Feed) -> str:
    return f"{district.id}/{feed.format}"


def _feed_of(key: str) -> str:
    """Return the key of the feed of which `key` names a set of files, or itself."""
    return "/".join(key.split("/")[:2])


def _districts(tick: _Watch) -> tuple[tuple[District, ...], dict[str, str]]:
    """Return the districts that can be read, and for each file that cannot, why."""
    scan = tick.workspace.registry.scan()
    tick.notes.extend(scan.problems.values())
    return scan.districts, {f"districts/{name}": problem for name, problem in scan.problems.items()}


def _due(tick: _Watch, feeds: Mapping[str, tuple[District, Feed]]) -> tuple[list[str], dict[str, float]]:
    """Return the feeds that may be looked at now: those of which the last look succeeded, or none was; and the others, since when."""
    due = [
        key
        for key, (_, feed) in feeds.items()
        if (key not in tick.paused or _every_upload_counts(feed)) and not _backing_off(tick, key)
    ]
    failed = {key: tick.states[key].next_try for key in due if key in tick.states and tick.states[key].failures}
    return [key for key in due if key not in failed], failed


def _backing_off(tick: _Watch, key: str) -> bool:
    return quiet_period.may_look(tick.states.get(key), tick.now) is not None


# ── looking, in threads ──


def _looks(tick: _Watch, turn: Turn, feeds: Mapping[str, tuple[District, Feed]], clock: Callable[[], float]) -> Looks:
    """List what lies there for each feed whose turn it is, and in the landing base, before all others."""

    def look(key: str) -> Listing:
        return _list_feed(*feeds[key], tick.workspace) if key else _list_base(tick.workspace)

    base = (_BASE,) if tick.workspace.settings.landing.base else ()
    return look_at(replace(turn, first=base + turn.first), look, pace=tick.bounds.pace, clock=clock)


def _strangers(tick: _Watch, base: Look | None, districts: Sequence[District]) -> dict[str, str]:
    """Note the folders of the landing base that are nobody's; return why it could not be looked at, if so."""
    if base is None:
        return {}
    if isinstance(base.found, Exception):
        tick.notes.append(f"landing base: {_text(base.found)}")
        return {"landing base": _text(base.found)}
    if strangers := unregistered(base.found, districts, tick.workspace.settings):
        tick.notes.append(f"folders of no registered district, not imported: {', '.join(strangers[:20])}")
    return {}


def _list_feed(district: District, feed: Feed, workspace: Workspace) -> Listing:
    with open_landing(district.id, feed, workspace.settings) as landing:
        return landing.listing()


def _list_base(workspace: Workspace) -> Listing:
    with open_folder(workspace.settings.landing.base, workspace.settings) as folder:
        return folder.listing()


# ── deciding, feed by feed ──


def _take(tick: _Watch, key: str, district: District, feed: Feed, look: Look) -> None:
    """Take in the look at one feed; whatever is wrong with it is noted, and stays with it."""
    try:
        if _every_upload_counts(feed):
            _decide_changes(tick, key, district, feed, look)
            return
        if not isinstance(look.found, Exception):
            for arrival in _arrivals(key, district, feed, look.found):
                _decide(tick, arrival, look)
            return
        problem = look.found
    except Exception as error:  # noqa: BLE001 - whatever it is, no other district may suffer from it
        problem = error
    tick.states[key] = quiet_period.failed(tick.states.get(key), tick.now)
    minutes = (tick.states[key].next_try - tick.now) / 60
    tick.notes.append(f"{key}: {_text(problem)}; looking again in {minutes:.0f} min")
    tick.problems[key] = _text(problem)[:_TEXT]
    _wait(tick, "failed", key)


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """What lies in a landing zone of one set of a feed's files. ``key``: of its state; that of the feed where it has no sets."""

    key: str
    district_id: str
    feed: Feed
    file_set: FileSet
    listing: Listing
    optional: bool

    @property
    def name(self) -> tuple[str, str, str]:
        return self.district_id, self.feed.format, self.file_set.name


def _arrivals(key: str, district: District, feed: Feed, listing: Listing) -> Iterator[_Arrival]:
    """Part what lies there by sets: none waits for another. Those that are urgent come first."""
    format_ = vendor(feed.format).format
    for file_set in sorted(format_.file_sets, key=lambda found: not found.urgent):
        yield _Arrival(
            key=f"{key}/{file_set.name}" if file_set.name else key,
            district_id=district.id,
            feed=feed,
            file_set=file_set,
            listing=tuple(entry for entry in listing if format_.set_of(entry.name) == file_set.name),
            optional=file_set.name != format_.file_sets[0].name,
        )


def _decide(tick: _Watch, arrival: _Arrival, look: Look) -> None:
    key, listing = arrival.key, arrival.listing
    if key != _feed_of(key):
        tick.states.pop(_feed_of(key), None)  # the look at the feed succeeded: its failures are over
    rules = rules_of(arrival.feed, arrival.file_set)
    state, decision = quiet_period.settle(tick.states.get(key), listing, look.ended, rules, begun=look.begun)
    parked = False
    if decision.reason == "nothing_new" and not state.answered:
        state, parked = _with_answer(tick, arrival, state)
        state, decision = quiet_period.settle(state, listing, look.ended, rules, begun=look.begun)
    tick.states[key] = state
    if parked:
        _wait(tick, "parked", key)
    elif not decision.import_now:
        if not (arrival.optional and decision.reason == "empty"):
            _wait(tick, decision.reason, key)
    elif arrival.name in _busy(tick):
        _wait(tick, "running", key)
    elif not _is_ready(tick, arrival):
        _wait(tick, "unpublished", key)
    else:
        name = f"{key}/{state.sequence + 1}/{state.listing}/{state.since:.0f}"
        after = quiet_period.imported(state, listing, tick.now, rules)
        request = _request(arrival, name, state, decision)
        tick.settled.append(_Settled(key=key, since=state.since, request=request, after=after))


def _request(arrival: _Arrival, name: str, state: quiet_period.FeedState, decision: quiet_period.Decision) -> Request:
    seen = datetime.fromtimestamp(state.since, UTC).isoformat() if arrival.file_set.mode == "events" else None
    return Request(
        district_id=arrival.district_id,
        source=arrival.feed.format,
        key=name,
        stale=decision.stale,
        file_set=arrival.file_set.name,
        received_at=seen,
    )


def _is_ready(tick: _Watch, arrival: _Arrival) -> bool:
    """Return whether what the files refer to, in other sets, was ever published: until then they lie where they are."""
    needed = vendor(arrival.feed.format).format.needs(arrival.file_set.name)
    feed = (arrival.district_id, arrival.feed.format)
    return all(tick.workspace.warehouse.base(*feed, name) is not None for name in needed)


def _decide_changes(tick: _Watch, key: str, district: District, feed: Feed, look: Look) -> None:
    """Take in what has settled, and ask for the import of the upload that waits longest: of changes, every upload counts.

    Raises: what went wrong with the landing zone, once the uploads that wait have had their turn.
    """
    problem = look.found if isinstance(look.found, Exception) else None
    if not isinstance(look.found, Exception):
        rules, listing = rules_of(feed), look.found
        state, decision = quiet_period.settle(tick.states.get(key), listing, look.ended, rules, begun=look.begun)
        tick.states[key] = state
        if decision.import_now and time.monotonic() >= tick.take_in_until:
            _wait(tick, "next_tick", key)
        elif decision.import_now:
            try:
                take_in(tick.workspace, district.id, feed)
                tick.states[key] = quiet_period.imported(state, listing, tick.now, rules)
            except RosterError as error:
                problem = error
        elif key not in tick.paused:
            _wait(tick, decision.reason, key)
    _ask_for_the_first(tick, key, district, feed)
    if problem is not None:
        raise problem


def _ask_for_the_first(tick: _Watch, key: str, district: District, feed: Feed) -> None:
    if key in tick.paused:
        return
    numbers = waiting(tick.workspace, district.id, feed.format)
    newest = _newest(tick, district.id, feed.format, "") if numbers or _is_of_late(tick, tick.states.get(key)) else None
    again = _left_behind(tick, newest) if newest else None
    if newest and is_parked(newest) and (not numbers or not _is_archived(tick, newest)):
        _wait(tick, "parked", key)  # where its bytes are archived, a newer upload has its turn
    elif again is None and not numbers:
        return
    elif (district.id, feed.format, "") in _busy(tick):
        _wait(tick, "running", key)
    else:  # a run that never began is asked for again, under another name
        arrival = numbers[0] if again is None else None
        what = f"arrival/{arrival}" if again is None else f"again/{again}"
        name = f"{key}/{what}/{tick.now // tick.bounds.again_seconds:.0f}"
        request = Request(district_id=district.id, source=feed.format, key=name, arrival=arrival, archived=again)
        since = tick.states[key].imported_at if key in tick.states else None
        tick.settled.append(_Settled(key=key, since=since or 0.0, request=request, after=None))


def _left_behind(tick: _Watch, newest: dict[str, Any]) -> int | None:
    """Return the newest import if it took an upload over, failed, and is to be tried again before a later upload has its turn."""
    if not may_be_tried_again(newest) or not _is_archived(tick, newest):
        return None
    ended = newest["finished_at"].timestamp()
    return None if ended <= tick.now < ended + tick.bounds.again_seconds else int(newest["import_id"])


def _is_archived(tick: _Watch, row: dict[str, Any]) -> bool:
    """Return whether the upload of an import can be run again from the archive."""
    try:
        archived_import(tick.workspace, row["district_id"], row["source"], row["import_id"])
    except (NotArchived, ArchiveError):
        return False
    return True


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


def _with_answer(tick: _Watch, arrival: _Arrival, state: quiet_period.FeedState) -> tuple[quiet_period.FeedState, bool]:
    """Return the state with what the ledger says of the import that was asked for, and whether its upload is parked.

    Again, if it never began, or failed for a reason that may have passed. It began if any did since the listing came to be what it is:
    a tick that was repeated may have asked before this one did. Who has an answer is not asked about any more.
    """
    asked = state.imported_at
    if asked is None or not tick.bounds.again_seconds <= tick.now - asked < DAY or arrival.name in _busy(tick):
        return state, False
    if tick.questions >= tick.bounds.answers:
        return state, False
    tick.questions += 1
    newest = _newest(tick, *arrival.name)
    if newest is None or newest["started_at"].timestamp() < state.since:
        return replace(state, imported="", files={}), False
    if newest["status"] == "running" or is_parked(newest):  # of a run that is gone: the sweep ends it
        return state, is_parked(newest)
    if may_be_tried_again(newest):
        return replace(state, imported="", files={}), False
    return replace(state, answered=True), False


def _busy(tick: _Watch) -> set[tuple[str, str, str]]:
    if tick.known_busy is None:
        tick.known_busy = tick.running()
    return tick.known_busy


def _wait(tick: _Watch, reason: str, key: str) -> None:
    tick.waiting.setdefault(reason, []).append(key)


def _text(error: Exception) -> str:
    return error.message if isinstance(error, RosterError) else f"{type(error).__name__}"
