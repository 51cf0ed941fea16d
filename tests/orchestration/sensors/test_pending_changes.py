"""Uploads of changes: each that settles is taken in at once, and imported in its turn, whatever happens to the folder meanwhile."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest

from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.orchestration.sensors.import_requests import poll_landing_zones
from roster_etl.orchestration.sensors.polling import PollBudget
from roster_etl.orchestration.sensors.tick import LandingTickResult, TickLimits
from roster_etl.pipeline import import_upload as road
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.pending_uploads import pending_numbers
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.orchestration.conftest import Remembered

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

    def tick(self, minutes: float, seconds: float = 5) -> LandingTickResult:
        bounds = TickLimits(poll_budget=PollBudget.for_tick(seconds), retry_seconds=60)
        tick = poll_landing_zones(
            self.workspace,
            self.cursor,
            state_store=self.memory,
            clock=lambda: NOON + 60 * minutes,
            read_busy_feeds=lambda: self.busy,
            bounds=bounds,
        )
        self.cursor = tick.cursor
        return tick

    def settle(self, minutes: float) -> LandingTickResult:
        """Look twice, with the quiet period between."""
        self.tick(minutes)
        return self.tick(minutes + 5)

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

    assert [r.key for r in zone.settle(0).requests] == [r.key for r in zone.tick(5.5).requests]


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
    assert not [p for p in (tmp_path / "home").rglob("*") if p.is_file() and b"Sesame" in p.read_bytes()]


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


def test_uploads_that_do_not_fit_into_a_tick_are_taken_in_by_the_next(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.upload("1")
    shutil.copytree(zone.folder, zone.folder.with_name("monroe"))
    zone.workspace.registry.add(District(id="monroe", feeds=(Feed(format="canvas"),)))
    zone.tick(0)
    taken: list[str] = []
    monkeypatch.setattr(
        "roster_etl.orchestration.sensors.pending_changes.archive_settled_upload",
        lambda _, district, __: (taken.append(district), sleep(0.5)),
    )
    first = zone.tick(6, seconds=0.2)
    second = zone.tick(7, seconds=0.2)

    assert (taken, first.waiting["next_tick"]) == (["lincoln", "monroe"], ["monroe/canvas"])
    assert "next_tick" not in second.waiting


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
