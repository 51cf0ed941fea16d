"""One look at the landing zones: what is asked for, what waits, and what one district cannot do to another."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.orchestration.sensors import poll_decisions as watching
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.polling import PollBudget
from roster_etl.orchestration.sensors.steady_clock import SteadyClock
from roster_etl.orchestration.sensors.tick import LandingTickResult, TickLimits, settle_rules
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import LandingUnavailable
from roster_etl.store.registry.registry import Feed, Window
from roster_etl.store.warehouse import ImportResult, SqlLedger
from tests.ledgers import in_transaction
from tests.orchestration.conftest import Remembered, register

NOON = 1_800_000_000.0
QUIET = {"quiet_period": "5m", "min_interval": "0"}


class Zone:
    """A landing base with a folder per district, a registry, and the ticks so far."""

    def __init__(self, tmp_path: Path, sample: Path) -> None:
        self.base = tmp_path / "landing"
        self.base.mkdir()
        self.sample = sample
        home = tmp_path / "home"
        home.mkdir()
        (home / "roster_etl.toml").write_text(f'[landing]\nbase = "{self.base}"\n')
        self.workspace = Workspace.open(home)
        self.cursor: str | None = None
        self.memory = Remembered()
        self.busy: set[tuple[str, str, str]] = set()

    def district(self, district_id: str = "lincoln", *, uploads: bool = True, **options: str) -> Path:
        register(self.workspace, district_id, options={**QUIET, **options})
        folder = self.base / district_id
        if uploads:
            shutil.copytree(self.sample, folder)
            settle(folder, 1)
        return folder

    def tick(self, minutes: float, *, requests: int = 25, answers: int = 200, **pace: float) -> LandingTickResult:
        tick = poll_landing_zones(
            self.workspace,
            self.cursor,
            state_store=self.memory,
            clock=lambda: NOON + 60 * minutes,
            read_busy_feeds=lambda: self.busy,
            bounds=TickLimits(requests=requests, max_ledger_queries=answers, poll_budget=PollBudget(**pace)),  # type: ignore[arg-type]
        )
        self.cursor = tick.cursor
        return tick

    def asked(self, minutes: float, **bounds: int) -> list[str]:
        return [request.district_id for request in self.tick(minutes, **bounds).requests]

    def imported(self, minutes: float, status: str = "unchanged", code: str | None = None, **summary: bool) -> None:
        """Write an import of lincoln into the ledger."""
        at = datetime.fromtimestamp(NOON + 60 * minutes, UTC)
        number = in_transaction(self.workspace.warehouse).open_import(
            kind="upload", district_id="lincoln", source="clever", started_at=at
        )
        if status != "running":
            about = {**({"error": {"class": "X", "code": code}} if code else {}), **summary}
            ended = ImportResult(import_id=number, status=status, finished_at=at, summary=about)  # type: ignore[arg-type]
            in_transaction(self.workspace.warehouse).conclude(ended)


def settle(folder: Path, stamp: int) -> None:
    """Give all files of an upload times of their own making."""
    for file in folder.iterdir():
        os.utime(file, (stamp, stamp))


@pytest.fixture
def zone(tmp_path: Path, sample: Path) -> Zone:
    return Zone(tmp_path, sample)


# ── arrival ──


def test_an_upload_is_asked_for_once_it_stood_still_for_the_quiet_period(zone: Zone):
    zone.district()

    assert [zone.asked(0), zone.asked(4), zone.asked(5), zone.asked(6)] == [[], [], ["lincoln"], []]


def test_an_upload_that_changes_starts_the_quiet_period_anew(zone: Zone):
    folder = zone.district()
    zone.tick(0)
    settle(folder, 2)

    assert [zone.asked(5), zone.asked(9), zone.asked(10)] == [[], [], ["lincoln"]]


@pytest.mark.parametrize("leap", [3600, -3600], ids=["forward", "back"])
@pytest.mark.parametrize("at", [1, 3, 6], ids=["early", "among the last files", "while it stands still"])
def test_no_half_upload_is_asked_for_when_the_wall_clock_leaps_while_files_arrive(zone: Zone, leap: int, at: int):
    folder = zone.district(uploads=False)
    folder.mkdir()
    files, asked, seen = sorted(zone.sample.iterdir()), [], []
    for minute in range(14):
        wall = NOON + 60 * minute + (leap if minute >= at else 0)
        if minute < len(files):  # a file a minute, with the time of the clock that leaps
            shutil.copy(files[minute], folder)
            os.utime(folder / files[minute].name, (wall, wall))
        clock = SteadyClock(zone.cursor, boot="one", monotonic=lambda: 60 * minute, wall=lambda: wall)  # noqa: B023 - used within the round
        tick = poll_landing_zones(
            zone.workspace,
            zone.cursor,
            state_store=zone.memory,
            clock=clock,
            wall_clock=lambda: wall,  # noqa: B023
            read_busy_feeds=set,
        )
        zone.cursor = clock.add_to_cursor(tick.cursor)
        asked.append(len(tick.requests))
        seen.append(len(list(folder.iterdir())))

    arrived = len(files) - 1
    assert asked.index(1) == arrived + 5  # minutes of the quiet period, by a clock that does not leap
    assert sum(asked) == 1
    assert seen[asked.index(1)] == len(files)


def test_the_quiet_period_begins_when_the_first_look_ends_and_ends_when_another_begins(zone: Zone, monkeypatch):
    zone.district()
    moment, real = [NOON], watching._list_feed

    def look(*feed):
        found = real(*feed)
        moment[0] += 5
        return found

    monkeypatch.setattr(watching, "_list_feed", look)
    asked = []
    for second in (0, 304, 310):
        moment[0] = NOON + second
        tick = poll_landing_zones(
            zone.workspace, zone.cursor, state_store=zone.memory, clock=lambda: moment[0], read_busy_feeds=set
        )
        zone.cursor = tick.cursor
        asked.append(len(tick.requests))

    assert asked == [0, 0, 1]


def test_a_log_that_grows_beside_an_upload_does_not_keep_it_from_settling(zone: Zone):
    folder = zone.district()
    asked = []
    for minutes in range(7):
        with (folder / "transfer.log").open("a") as log:
            log.write("one more line\n")
        asked.append(zone.asked(minutes))

    assert asked == [[], [], [], [], [], ["lincoln"], []]


def test_a_then_b_then_a_are_three_arrivals_with_keys_of_their_own(zone: Zone):
    folder = zone.district()
    keys = []
    for number, stamp in enumerate((1, 2, 1)):
        settle(folder, stamp)
        zone.tick(10 * number)
        keys += [request.key for request in zone.tick(10 * number + 5).requests]

    assert len(set(keys)) == len(keys) == 3


def test_a_tick_that_is_repeated_asks_under_the_same_key(zone: Zone):
    zone.district()
    zone.tick(0)
    before = zone.cursor
    first = zone.tick(5).requests
    zone.cursor = before

    assert zone.tick(5).requests == first


def test_a_lost_cursor_does_not_make_old_keys_again(zone: Zone):
    zone.district()
    zone.tick(0)
    (first,) = zone.tick(5).requests
    zone.cursor = None
    zone.tick(20)
    (second,) = zone.tick(25).requests

    assert first.key != second.key


def test_required_files_that_are_missing_are_waited_for(zone: Zone):
    folder = zone.district()
    (folder / "sections.csv").unlink()

    assert [zone.asked(0), zone.asked(60)] == [[], []]
    assert zone.tick(61).waiting_counts == {"missing_files": 1}
    assert "Required files are not there yet: lincoln/clever (sections.csv)." in zone.tick(62).summary


def test_stragglers_are_waited_for_and_then_reported(zone: Zone):
    folder = zone.district()
    zone.tick(0)
    zone.tick(5)
    os.utime(folder / "students.csv", (9, 9))
    zone.tick(10)

    assert zone.asked(20) == []
    waits = "while others have: lincoln/clever (enrollments.csv, schools.csv, sections.csv, teachers.csv, until "
    assert waits in zone.tick(20).summary
    (request,) = zone.tick(41).requests
    assert request.stale == ("enrollments.csv", "schools.csv", "sections.csv", "teachers.csv")


def test_no_more_often_than_the_interval(zone: Zone):
    folder = zone.district(min_interval="1h")
    zone.tick(0)
    zone.tick(5)
    settle(folder, 2)

    assert [zone.asked(10), zone.asked(30), zone.asked(66)] == [[], [], ["lincoln"]]


def test_a_paused_district_is_left_alone(zone: Zone):
    zone.district()
    zone.workspace.registry.pause("lincoln")

    assert [zone.asked(0), zone.asked(5)] == [[], []]
    assert zone.tick(5).waiting_counts == {"paused": 1}
    zone.workspace.registry.resume("lincoln", datetime.fromtimestamp(NOON, UTC))
    assert [zone.asked(6), zone.asked(11)] == [[], ["lincoln"]]


def test_a_planned_pause_begins_and_ends_by_itself(zone: Zone):
    zone.district()
    day = datetime.fromtimestamp(NOON, UTC).date()
    zone.workspace.registry.add_window("lincoln", Window(first=day, last=day, reason="Moving", pause=True))

    assert [zone.asked(0), zone.asked(5)] == [[], []]
    assert "Paused: lincoln/clever." in zone.tick(5).summary
    assert [zone.asked(24 * 60), zone.asked(24 * 60 + 5)] == [[], ["lincoln"]]


def test_a_feed_without_a_folder_is_not_watched(tmp_path: Path):
    workspace = Workspace.open(tmp_path)
    register(workspace, "lincoln")

    tick = poll_landing_zones(workspace, None, state_store=Remembered(), clock=lambda: NOON, read_busy_feeds=set)

    assert (tick.requests, tick.notes, tick.waiting_counts) == ((), (), {})
    assert tick.summary == "No feed has a landing folder to watch; uploads are imported by command."


def test_a_district_with_a_run_under_way_waits(zone: Zone):
    zone.district()
    zone.busy = {("lincoln", "clever", "")}
    zone.tick(0)

    assert zone.tick(5).waiting_counts == {"running": 1}
    zone.busy = set()
    assert zone.asked(6) == ["lincoln"]


def test_folders_of_nobody_are_reported_and_not_imported(zone: Zone):
    zone.district()
    (zone.base / "stranger").mkdir()

    assert "stranger" in " ".join(zone.tick(0).notes)
    assert zone.asked(5) == ["lincoln"]


# ── one hurts no other ──


def test_a_district_that_cannot_be_read_backs_off_and_hurts_no_other(zone: Zone):
    zone.district()
    zone.district("monroe", uploads=False)
    first = zone.tick(0)

    assert "monroe/clever" in " ".join(first.notes)
    second = zone.tick(0.5)
    assert (second.waiting_counts, second.notes) == ({"quiet": 1}, ())
    assert second.summary == (
        f"Cannot be looked at: monroe/clever ({second.problems['monroe/clever']}). Nothing to import. "
        "Has not stood still for the quiet period: lincoln/clever."
    )
    assert zone.asked(5) == ["lincoln"]


def test_a_problem_that_has_passed_is_forgotten(zone: Zone):
    folder = zone.district(uploads=False)
    assert zone.tick(0).problems
    folder.mkdir()
    tick = zone.tick(2)

    assert (tick.problems, tick.summary) == ({}, "Nothing to import. Empty landing zone: lincoln/clever.")


def test_a_summary_of_many_names_a_few(zone: Zone):
    for number in range(7):
        zone.district(f"d{number}", uploads=False).mkdir()

    assert zone.tick(0).summary.endswith("d4/clever and 2 more.")


def test_the_wait_after_an_error_grows(zone: Zone):
    zone.district(uploads=False)

    looks = [minute for minute in range(40) if "failed" in zone.tick(minute).waiting_counts]

    assert looks == [0, 1, 3, 7, 15, 31]


def test_a_district_file_that_cannot_be_read_hurts_no_other(zone: Zone):
    zone.district()
    (zone.workspace.home / "districts" / "broken.toml").write_text("feed = 7 7\n")
    zone.tick(0)
    tick = zone.tick(5)

    assert [request.district_id for request in tick.requests] == ["lincoln"]
    assert "broken.toml" in " ".join(tick.notes)
    assert tick.summary.startswith("Cannot be looked at: districts/broken.toml (")


def test_a_bad_option_of_one_district_hurts_no_other(zone: Zone):
    zone.district()
    zone.district("monroe", quiet_period="soon")
    zone.tick(0)
    tick = zone.tick(5)

    assert [request.district_id for request in tick.requests] == ["lincoln"]
    assert "soon" not in " ".join(tick.notes)


def test_an_error_that_nobody_foresaw_stays_with_its_district(zone: Zone, monkeypatch):
    zone.district()
    zone.district("monroe")
    monkeypatch.setattr(watching, "settle_rules", lambda feed: _broken(zone, feed))
    tick = zone.tick(0)

    assert tick.waiting_counts == {"failed": 2}
    assert "Jane" not in " ".join(tick.notes)


def _broken(zone: Zone, feed: Feed) -> None:
    raise KeyError("Jane Sample")


def test_a_peer_that_does_not_answer_does_not_hold_up_the_tick(zone: Zone, monkeypatch):
    zone.district()
    zone.district("monroe")
    answer, lists = threading.Event(), watching._list_feed
    monkeypatch.setattr(
        watching, "_list_feed", lambda district, *rest: (district.id == "monroe" and answer.wait(10)) or lists(district, *rest)
    )
    begun = time.monotonic()
    tick = zone.tick(0, seconds=0.3, answer_timeout=0.1)
    answer.set()

    assert time.monotonic() - begun < 3
    assert tick.waiting_counts == {"quiet": 1, "failed": 1}


# ── bounds ──


def test_no_more_than_so_many_requests_a_tick_and_the_rest_in_the_next(zone: Zone):
    for name in ("a", "b", "c"):
        zone.district(name)
    zone.tick(0)

    assert [zone.asked(5, requests=2), zone.asked(6, requests=2)] == [["a", "b"], ["c"]]


def test_feeds_take_turns(zone: Zone):
    for name in ("a", "b", "c"):
        zone.district(name)
    zone.tick(0)

    assert [zone.asked(minute, max_feeds=1) for minute in (5, 6, 7, 8)] == [["a"], ["b"], ["c"], []]


def test_who_has_waited_longest_is_asked_for_first(zone: Zone):
    for name in ("a", "b", "c"):
        zone.district(name)
    zone.tick(0)
    settle(zone.base / "a", 2)
    zone.tick(1)

    assert [zone.asked(minute, requests=1) for minute in (10, 11, 12)] == [["b"], ["c"], ["a"]]


def test_nobody_is_passed_over_for_a_district_that_uploads_all_the_time(zone: Zone):
    for number in range(6):
        zone.district(f"district-{number}", quiet_period="0")
    order = []
    for minute in range(8):
        settle(zone.base / "district-0", 2 + minute)
        order += zone.asked(minute, requests=1)

    assert order.index("district-5") <= 5


def test_a_look_that_failed_is_tried_again_and_takes_nobodys_turn(zone: Zone, monkeypatch):
    for name in ("a", "b", "c"):
        zone.district(name)
    shutil.rmtree(zone.base / "a")
    zone.tick(0)
    still, real = threading.Event(), watching._list_feed
    monkeypatch.setattr(watching, "_list_feed", lambda d, *rest: (d.id == "a" and still.wait(5), real(d, *rest))[1])
    tick = zone.tick(2, threads=1, seconds=0.2, answer_timeout=0.1)
    still.set()

    assert tick.waiting_counts == {"quiet": 2, "failed": 1}
    assert (tick.polled, tick.remaining) == (3, 0)


def test_a_look_that_failed_is_tried_again_however_many_others_there_are(zone: Zone):
    for name in ("a", "b", "c", "d"):
        zone.district(name)
    shutil.rmtree(zone.base / "a")
    ticks = [zone.tick(minute, max_feeds=1) for minute in range(8)]

    assert [minute for minute, tick in enumerate(ticks) if "failed" in tick.waiting_counts] == [0, 1, 3, 7]
    assert [tick.waiting["quiet"] for tick in ticks[1:4]] == [["b/clever"], ["c/clever"], ["d/clever"]]


def test_one_that_fails_does_not_stop_the_round_of_the_others(zone: Zone, monkeypatch):
    for name in ("a", "b", "c", "d", "e"):
        zone.district(name)
    shutil.rmtree(zone.base / "a")
    zone.tick(0)
    still, real, looked = threading.Event(), watching._list_feed, []

    def look(district, *rest):
        looked.append(district.id)
        if district.id == "a" or len(looked) % 3 == 0:  # there is time for two in a tick
            still.wait(5)
        return real(district, *rest)

    monkeypatch.setattr(watching, "_list_feed", look)
    for minute in range(2, 5):
        zone.tick(minute, threads=1, seconds=0.2, answer_timeout=3, retry_threads=1)
    still.set()

    assert {"b", "c", "d", "e"} <= set(looked)


def test_what_was_not_looked_at_in_time_begins_the_next_tick(zone: Zone, monkeypatch):
    for name in ("a", "b", "c", "d"):
        zone.district(name)
    looked, slow = [], threading.Event()
    real = watching._list_feed

    def look(district, *rest):
        looked.append(district.id)
        if district.id == "b" and looked.count("b") == 1:
            slow.wait(5)
        return real(district, *rest)

    monkeypatch.setattr(watching, "_list_feed", look)
    zone.tick(0, threads=1, seconds=0.2, answer_timeout=0.1)
    slow.set()
    del looked[:]
    zone.tick(0.5, threads=1)

    assert looked == ["c", "d", "a"]  # b had its time, and backs off


def test_a_look_that_began_too_late_to_be_answered_begins_the_next_tick(zone: Zone, monkeypatch):
    for name in ("a", "b", "c"):
        zone.district(name)
    slow, real = threading.Event(), watching._list_feed
    monkeypatch.setattr(watching, "_list_feed", lambda d, *rest: (d.id == "b" and slow.wait(5), real(d, *rest))[1])
    first = zone.tick(0, threads=1, seconds=0.2, answer_timeout=3)
    slow.set()

    assert (first.problems, json.loads(first.cursor)["first"], json.loads(first.cursor)["next"]) == ({}, ["b/clever"], "c/clever")
    assert (first.polled, first.remaining) == (1, 2)
    assert first.summary.endswith("Looked at 1 feeds in the time of a tick; 2 more in the next ones.")
    assert zone.tick(0.5).waiting_counts == {"quiet": 3}


def test_the_cursor_holds_what_a_tick_asked_for_and_nothing_of_other_feeds(zone: Zone):
    for number in range(30):
        zone.district(f"district-{number:02}")
    waiting, asking, after = zone.tick(0), zone.tick(5), zone.tick(6)

    assert [len(json.loads(tick.cursor)["asked"]) for tick in (waiting, asking, after)] == [0, 25, 5]
    assert max(len(tick.cursor) for tick in (waiting, asking, after)) < 25 * 400
    assert len(zone.tick(7).cursor) < 100


def test_a_feed_is_remembered_in_few_bytes(zone: Zone):
    zone.district()
    for minute in (0, 5, 6):
        zone.tick(minute)

    assert len(zone.memory.texts["lincoln/clever"]) < 400


def test_a_tick_whose_cursor_was_lost_is_asked_for_again_under_the_same_key(zone: Zone):
    zone.district("a")
    zone.district("b")
    zone.tick(0)
    before = zone.cursor
    first = zone.tick(5, requests=1).requests
    zone.cursor = before  # neither the requests nor the cursor of that tick were kept; the memory was

    assert zone.tick(6).requests[0] == first[0]
    assert zone.asked(7) == []


def test_states_of_a_cursor_of_an_older_version_are_taken_over(zone: Zone):
    zone.district()
    for minute in (0, 5, 6):
        zone.tick(minute)
    zone.cursor = json.dumps({"next": "", "feeds": {"lincoln/clever": json.loads(zone.memory.texts["lincoln/clever"])}})
    zone.memory.texts.clear()

    assert zone.asked(7) == []


def test_districts_that_are_gone_are_forgotten(zone: Zone):
    zone.district("a")
    zone.district("b")
    zone.tick(0)
    zone.workspace.registry.remove("b")
    zone.tick(1)

    assert list(zone.memory.texts) == ["a/clever"]


# ── the ledger has the last word ──


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        ("failed", "landing_unavailable", True),
        ("failed", "upload_moved", True),
        ("failed", "frame_missing", False),
        ("unchanged", None, False),
        ("rejected", None, False),
        ("running", None, False),
    ],
)
def test_an_import_that_failed_for_a_passing_reason_is_asked_for_again(zone: Zone, status, code, again):
    zone.district()
    zone.tick(0)
    zone.tick(5)
    zone.imported(5.1, status, code)

    assert zone.asked(9) == []
    assert zone.asked(11) == (["lincoln"] if again else [])


def test_an_import_that_never_began_is_asked_for_again(zone: Zone):
    zone.district()
    zone.imported(-1)
    zone.tick(0)
    zone.tick(5)

    assert [zone.asked(9), zone.asked(11)] == [[], ["lincoln"]]


def test_a_tick_that_was_repeated_late_does_not_ask_for_what_was_held(zone: Zone):
    zone.district()
    zone.tick(0)
    before = zone.cursor
    zone.tick(5)
    zone.imported(5.1, "rejected")
    zone.cursor = before
    zone.tick(6)

    assert zone.asked(12) == []


def test_a_run_that_is_still_queued_is_not_asked_for_again(zone: Zone):
    zone.district()
    zone.tick(0)
    zone.tick(5)
    zone.busy = {("lincoln", "clever", "")}

    assert zone.asked(11) == []


def test_a_feed_whose_settings_no_run_could_use_is_not_watched(zone: Zone):
    zone.district()
    feed = zone.workspace.registry.get("lincoln").feed("clever")
    zone.workspace.registry.add_feed("lincoln", replace(feed, replacements={"Grde": {"K": "1"}}), update=True)
    first, later = zone.tick(0), zone.tick(6)

    assert (first.requests, later.requests) == ((), ())
    assert '"Grde" is no column of the format' in first.problems["lincoln/clever"]


def test_the_waits_of_a_feed_come_from_its_options():
    rules = settle_rules(Feed(format="clever", options={"quiet_period": "10s"}))

    assert (rules.quiet_period, rules.straggler_wait, rules.min_interval) == (10, 1800, 3600)
    assert "students.csv" in rules.required


def test_a_note_holds_no_text_of_foreign_errors():
    assert watching._error_text(KeyError("Jane")) == "KeyError"
    assert watching._error_text(LandingUnavailable(where="x", problem="gone")) == "x: gone"


# ── parked ──


def test_an_upload_that_is_parked_is_asked_for_no_more_until_it_changes(zone: Zone):
    folder = zone.district(min_interval="0s")
    zone.tick(0)
    zone.tick(5)
    zone.imported(5.1, "failed", "abandoned", parked=True)
    tick = zone.tick(30)

    assert (tick.requests, tick.waiting_counts) == ((), {"parked": 1})
    assert "dead-lettered (parked) after repeated failures" in tick.summary.casefold()
    settle(folder, 2)
    assert [zone.asked(40), zone.asked(45)] == [[], ["lincoln"]]


def test_a_failure_that_nobody_foresaw_is_tried_again(zone: Zone):
    zone.district()
    zone.tick(0)
    zone.tick(5)
    zone.imported(5.1, "failed")

    assert zone.asked(11) == ["lincoln"]


def test_the_ledger_is_asked_no_more_once_it_has_the_answer(zone: Zone, monkeypatch):
    zone.district()
    zone.tick(0)
    zone.tick(5)
    zone.imported(5.1)
    zone.tick(11)
    monkeypatch.setattr(SqlLedger, "imports", None)

    assert zone.tick(12).waiting_counts == {"nothing_new": 1}


def test_the_ledger_is_asked_so_often_a_tick_and_further_in_the_next(zone: Zone, monkeypatch):
    for name in ("a", "b", "c"):
        zone.district(name)
    zone.tick(0)
    zone.tick(5)
    asked, real = [], SqlLedger.imports
    monkeypatch.setattr(
        SqlLedger, "imports", lambda self, *names, **rest: (asked.append(names[0]), real(self, *names, **rest))[1]
    )

    assert [len(zone.tick(minute, answers=2).requests) for minute in (11, 12)] == [2, 1]
    assert asked == ["a", "b", "a", "b", "c", "c"]  # for the answer, and with the new request
