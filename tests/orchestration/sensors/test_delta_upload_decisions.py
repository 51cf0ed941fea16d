"""Uploads of changes: each that settles is archived once, and imported in its turn, whatever happens to the folder meanwhile."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest

from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.orchestration.sensors import poll_decisions
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.polling import PollBudget
from roster_etl.orchestration.sensors.tick import ARCHIVING, ArchiveRequest, LandingTickResult, RunResults, TickLimits
from roster_etl.pipeline import import_upload as road
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.pending_uploads import UploadReplaced, archive_settled_upload, pending_numbers
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.orchestration.conftest import Remembered
from tests.stored import stored_bytes

NOON = 1_800_000_000.0
USER = "user_id,login_id,status,full_name,password\n{0},l{0},active,Ann {0},Sesame-4711\n"


class Zone:
    """A landing folder of one Canvas district, and the ticks so far."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "landing" / "lincoln"
        self.folder.mkdir(parents=True)
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        (home / "roster_etl.toml").write_text(f'[landing]\nbase = "{self.folder.parent}"\n')
        self.workspace = Workspace.open(home)
        self.workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
        self.cursor: str | None = None
        self.memory = Remembered()
        self.busy: set[tuple[str, str, str]] = set()

    def upload(self, name: str) -> None:
        """Replace what lies in the folder."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / "u.csv").write_text(USER.format(name))

    def tick(self, minutes: float, **limits: float) -> LandingTickResult:
        """Evaluate a tick, and archive what it asks for, as Dagster would."""
        tick = self.look(minutes, **limits)
        for request in tick.archive_requests:
            self.archive(request)
        return tick

    def archive(self, request: ArchiveRequest) -> int | None:
        feed = self.workspace.registry.get(request.district_id).feed(request.source)
        return archive_settled_upload(self.workspace, request.district_id, feed, request=request.request, listing=request.listing)

    def look(self, minutes: float, **limits: float) -> LandingTickResult:
        """Evaluate a tick, whose requests never lead to a run."""
        bounds = TickLimits(poll_budget=PollBudget.for_tick(5), retry_seconds=60, **limits)  # type: ignore[arg-type]
        tick = poll_landing_zones(
            self.workspace,
            self.cursor,
            state_store=self.memory,
            clock=lambda: NOON + 60 * minutes,
            read_busy_feeds=lambda: self.busy,
            results=RunResults(read_archive_problem=lambda _: "the server did not answer in time"),
            bounds=bounds,
        )
        self.cursor = tick.cursor
        return tick

    def settle(self, minutes: float) -> LandingTickResult:
        """Look twice, with the quiet period between, and once more when what settled is archived."""
        self.tick(minutes)
        self.tick(minutes + 5)
        return self.tick(minutes + 5.1)

    def import_(self, number: int | None) -> dict:
        order = Order(district_id="lincoln", source="canvas", arrival=number)
        return outcome(self.workspace, import_upload(self.workspace, order))

    @property
    def queue(self) -> tuple[int, ...]:
        return pending_numbers(self.workspace, "lincoln", "canvas")


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def users(zone: Zone) -> list[str]:
    return sorted(zone.workspace.warehouse.roster.current("lincoln", "canvas", "users")["user_id"].to_pylist())


def test_an_upload_that_a_newer_one_replaces_before_its_import_begins_is_not_lost(zone: Zone) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    zone.upload("2")
    zone.busy = {("lincoln", "canvas", "")}
    assert zone.settle(10).requests == ()
    zone.upload("3")
    assert zone.settle(20).requests == ()

    asked = [first.arrival]
    documents = [zone.import_(first.arrival)]
    zone.busy = set()
    for minutes in (30, 40):
        (request,) = zone.tick(minutes).requests
        asked.append(request.arrival)
        documents.append(zone.import_(request.arrival))
    assert [document["status"] for document in documents] == ["published"] * 3
    assert asked == sorted(asked)
    assert users(zone) == ["1", "2", "3"]
    assert zone.queue == ()
    assert zone.tick(50).requests == ()


def test_an_upload_is_asked_for_again_while_no_import_has_taken_it(zone: Zone) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    (again,) = zone.tick(7).requests

    assert first.arrival == again.arrival
    assert first.key != again.key


def test_a_tick_that_is_repeated_within_the_minute_asks_under_the_same_key(zone: Zone) -> None:
    zone.upload("1")

    assert [r.key for r in zone.settle(0).requests] == [r.key for r in zone.tick(5.5).requests] != []


def test_a_folder_that_cannot_be_read_does_not_keep_what_waits_from_its_import(zone: Zone) -> None:
    zone.upload("1")
    zone.settle(0)
    shutil.rmtree(zone.folder)
    tick = zone.tick(10)

    assert len(tick.requests) == 1
    assert "lincoln/canvas" in tick.problems


def test_the_same_files_once_more_are_an_arrival_that_changes_nothing(zone: Zone) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    zone.import_(first.arrival)
    (zone.folder / "u.csv").touch()
    (second,) = zone.settle(10).requests

    assert zone.import_(second.arrival)["status"] == "unchanged"
    assert zone.queue == ()


def test_no_password_waits_with_an_upload(zone: Zone, tmp_path: Path) -> None:
    zone.upload("1")
    zone.settle(0)

    assert zone.queue
    assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file() and b"Sesame" in stored_bytes(p)]


def test_what_is_refused_at_the_door_is_told_by_the_import(zone: Zone) -> None:
    zone.upload("1")
    (zone.folder / "odd.csv").write_text("Name,Age\nAnn,9\n")
    (request,) = zone.settle(0).requests
    document = zone.import_(request.arrival)

    assert document["status"] == "published"
    assert [(f["severity"], f["code"], f["file"]) for f in document["findings"]] == [("file", "unrecognised_headers", "odd.csv")]


def test_an_unsafe_archive_is_taken_in_and_rejected(zone: Zone) -> None:
    (zone.folder / "up.zip").write_bytes(b"PK\x05\x06" + b"\0" * 10)
    (request,) = zone.settle(0).requests
    document = zone.import_(request.arrival)

    assert document["status"] == "rejected"
    assert "unsafe_archive" in {f["code"] for f in document["findings"]}


def test_two_ticks_that_overlap_archive_an_upload_once(zone: Zone) -> None:
    zone.upload("1")
    zone.tick(0)
    cursor = zone.cursor
    (first,) = zone.look(5).archive_requests
    zone.cursor = cursor
    (second,) = zone.look(5.1).archive_requests
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(zone.archive, (first, second, first, second)))

    assert first == second
    assert [number for number in numbers if number is not None] == list(zone.queue)
    assert len(zone.queue) == 1


def test_a_run_that_is_repeated_after_the_import_archives_nothing(zone: Zone) -> None:
    zone.upload("1")
    zone.tick(0)
    (request,) = zone.look(5).archive_requests
    number = zone.archive(request)
    zone.import_(number)

    assert zone.queue == ()
    assert zone.archive(request) is None
    assert zone.queue == ()


def test_the_next_upload_is_archived_after_the_one_before(zone: Zone) -> None:
    zone.upload("1")
    zone.tick(0)
    (first,) = zone.look(5).archive_requests
    zone.busy = {("lincoln", "canvas", ARCHIVING)}
    (zone.folder / "more.csv").write_text(USER.format("2"))
    zone.look(6)
    waiting = zone.look(12)
    with pytest.raises(UploadReplaced):
        zone.archive(first)
    zone.busy = set()

    assert (waiting.archive_requests, waiting.waiting["archiving"]) == ((), ["lincoln/canvas"])


def test_an_upload_that_is_replaced_before_it_is_archived_is_told_as_lost_and_the_new_one_archived(zone: Zone) -> None:
    zone.upload("1")
    zone.tick(0)
    assert zone.look(5).archive_requests
    zone.upload("2")
    zone.look(5.5)
    told = zone.tick(7)
    (request,) = zone.tick(11).archive_requests

    assert [note for note in told.notes if "was replaced before it was archived" in note]
    assert len(zone.queue) == 1
    assert request.request.startswith("lincoln/canvas/2/")


def test_an_upload_that_cannot_be_archived_is_tried_again_later_and_later_and_the_tick_says_why(zone: Zone) -> None:
    zone.upload("1")
    zone.look(0)
    asked = []
    for half_minutes in range(10, 60):
        tick = zone.look(half_minutes / 2)
        asked += [(half_minutes / 2, request.key.rpartition("/")[2]) for request in tick.archive_requests]

    assert asked == [(5.0, "1"), (6.0, "2"), (8.0, "3"), (12.0, "4"), (20.0, "5")]
    assert tick.problems == {"lincoln/canvas": "its upload could not be archived: the server did not answer in time"}
    assert "Cannot be looked at: lincoln/canvas (its upload could not be archived" in tick.summary
    zone.tick(60)
    assert zone.tick(61).problems == {}


def test_feeds_that_a_tick_has_no_time_for_begin_the_next(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("monroe", "nixon"):
        shutil.copytree(zone.folder, zone.folder.with_name(name))
        zone.workspace.registry.add(District(id=name, feeds=(Feed(format="canvas"),)))
    decided: list[str] = []
    real = poll_decisions.decide_delta_upload
    monkeypatch.setattr(
        poll_decisions,
        "decide_delta_upload",
        lambda tick, key, *rest: (decided.append(key), sleep(0.3), real(tick, key, *rest)),
    )
    first = zone.look(0, decide_seconds=-4.8)  # 0.2 s in all
    zone.look(1)

    assert (first.polled, first.remaining) == (1, 2)
    assert decided == [f"{name}/canvas" for name in ("lincoln", "monroe", "nixon", "lincoln")]


def test_materializing_takes_the_upload_that_waits_longest(zone: Zone) -> None:
    zone.upload("1")
    zone.settle(0)
    order, why = default_order(zone.workspace, "lincoln", "canvas")

    assert order.arrival == zone.queue[0]
    assert "waits" in why


def test_what_arrives_while_imports_are_paused_waits_for_their_end(zone: Zone) -> None:
    zone.workspace.registry.pause("lincoln")
    zone.upload("1")
    first = zone.settle(0)
    zone.upload("2")
    second = zone.settle(10)
    queue = zone.queue
    zone.workspace.registry.resume("lincoln", datetime.now(UTC))
    (request,) = zone.tick(20).requests

    assert (first.requests, second.requests) == ((), ())
    assert len(queue) == 2
    assert request.arrival == queue[0]


def broken(zone: Zone, number: int | None, times: int = 1, **order: int) -> dict:
    """Let the import of an upload fail at its first step behind the door."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(road, "run_steps", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            import_upload(zone.workspace, Order(district_id="lincoln", source="canvas", arrival=number, **order))
    return zone.workspace.warehouse.ledger.imports("lincoln", limit=1)[0]


def test_an_upload_that_was_taken_over_and_failed_is_tried_again_before_a_later_one(zone: Zone) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    row = broken(zone, first.arrival)
    zone.upload("2")
    (again,) = zone.settle(10).requests

    assert (again.archived, again.arrival) == (row["import_id"], None)
    assert len(zone.queue) == 1
    order = Order(district_id="lincoln", source="canvas", archived=again.archived)
    assert outcome(zone.workspace, import_upload(zone.workspace, order))["status"] == "published"
    (second,) = zone.tick(20).requests
    assert second.arrival == zone.queue[0]


def test_an_upload_that_is_parked_lets_the_next_one_pass(zone: Zone) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    number = broken(zone, first.arrival)["import_id"]
    for _ in range(2):
        number = broken(zone, None, archived=number)["import_id"]

    assert zone.tick(10).waiting_counts == {"nothing_new": 1, "parked": 1}
    zone.upload("2")
    (second,) = zone.settle(20).requests
    assert second.arrival == zone.queue[0]


def test_an_upload_waits_until_an_import_answers_for_it(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.upload("1")
    (first,) = zone.settle(0).requests
    with monkeypatch.context() as patch:
        patch.setattr("roster_etl.pipeline.steps.receive.write_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            zone.import_(first.arrival)

    assert zone.queue == (first.arrival,)
