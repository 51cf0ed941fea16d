"""A roster by night and absences by day, in one landing zone: neither waits for the other, and nothing is imported twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.demo_server.sftp_server import HOST, Account, SftpServer
from roster_etl.demo_server.sftp_upload import upload_files
from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.orchestration.assets.step_context import PRIORITY
from roster_etl.orchestration.definitions import JOBS, defs
from roster_etl.orchestration.jobs.build import job_name
from roster_etl.orchestration.jobs.in_process_runs import home_instance, run_import
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.partitions import DISTRICTS, add_partitions
from roster_etl.orchestration.sensors.landing_sensor import busy_feeds, landing_zone_sensor
from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
from roster_etl.orchestration.sensors.tick import LandingTickResult, TickLimits
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests.bells import ABSENCES, FORMAT, absence, write_absences, write_roster
from tests.orchestration.conftest import Remembered
from tests.saved import SavedFolders

NOON = 1_800_000_000.0
DISTRICT = "lincoln"


def stamp(folder: Path, when: int, *names: str) -> None:
    """Give files (all of them unless named) times of their own making."""
    for file in folder.iterdir():
        if not names or file.name in names:
            os.utime(file, (when, when))


def published_roster(folder: Path, _: str) -> None:
    """Make a home in which the roster of the landing folder beside it was published."""
    landing = write_absences(write_roster(folder / "landing"), [absence(1)])
    with closing(Workspace.open(folder / "home")) as workspace:
        workspace.registry.add(District(id=DISTRICT, feeds=(Feed(format=FORMAT, path=str(landing)),)))
        import_upload(workspace, Order(district_id=DISTRICT, source=FORMAT, path=str(landing), file_set="roster"))


class Zone:
    """A landing folder with both sets, and the ticks so far."""

    def __init__(self, tmp_path: Path, saved: SavedFolders, *, published: bool = True, **options: str) -> None:
        self.folder = tmp_path / "landing"
        if published:
            saved.copy("zone", published_roster, tmp_path)
        self.workspace = Workspace.open(tmp_path / "home")
        feed = Feed(format=FORMAT, path=str(self.folder), options={"min_interval": "0", **options})
        if published:
            self.workspace.registry.add_feed(DISTRICT, feed, update=True)
        else:
            self.workspace.registry.add(District(id=DISTRICT, feeds=(feed,)))
        write_absences(write_roster(self.folder), [absence(1)])
        stamp(self.folder, 1)
        self.cursor: str | None = None
        self.memory = Remembered()
        self.busy: set[tuple[str, str, str]] = set()

    def tick(self, minutes: float) -> LandingTickResult:
        patient = TickLimits(retry_seconds=10**9)  # here nobody carries out what is asked for
        tick = poll_landing_zones(
            self.workspace,
            self.cursor,
            state_store=self.memory,
            clock=lambda: NOON + 60 * minutes,
            read_busy_feeds=lambda: self.busy,
            bounds=patient,
        )
        self.cursor = tick.cursor
        return tick

    def asked(self, minutes: float) -> list[str]:
        return [request.file_set for request in self.tick(minutes).requests]


def test_each_set_is_asked_for_once_it_stood_still_for_its_own_quiet_period(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)

    assert [zone.asked(0), zone.asked(1), zone.asked(4), zone.asked(5), zone.asked(6)] == [[], ["attendance"], [], ["roster"], []]


def test_a_district_may_set_the_rhythm_of_a_set(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved, attendance_quiet_period="3m", attendance_min_interval="1h")
    assert [zone.asked(0), zone.asked(2), zone.asked(3)] == [[], [], ["attendance"]]
    write_absences(zone.folder, [absence(2)])

    assert (zone.asked(10), zone.asked(20), zone.asked(63)) == (["roster"], [], ["attendance"])


def test_fresh_absences_neither_delay_nor_repeat_the_roster_and_the_other_way(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)
    zone.tick(0)
    zone.tick(5)
    zone.tick(6)
    write_absences(zone.folder, [absence(2)])
    assert [zone.asked(10), zone.asked(11), zone.asked(30)] == [[], ["attendance"], []]
    write_roster(zone.folder, first_name="Anna")

    assert [zone.asked(40), zone.asked(41), zone.asked(45), zone.asked(60)] == [[], [], ["roster"], []]


def test_absences_wait_where_they_lie_until_a_roster_is_published(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved, published=False)
    zone.tick(0)
    waiting = zone.tick(5)
    assert [request.file_set for request in waiting.requests] == ["roster"]
    assert waiting.waiting == {"unpublished": [f"{DISTRICT}/{FORMAT}/attendance"]}
    import_upload(zone.workspace, Order(district_id=DISTRICT, source=FORMAT, file_set="roster"))

    assert zone.asked(6) == ["attendance"]


def test_a_roster_at_work_does_not_keep_absences_from_being_asked_for(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)
    zone.busy = {(DISTRICT, FORMAT, "roster")}
    zone.tick(0)

    assert zone.asked(1) == ["attendance"]
    assert zone.tick(5).waiting_counts == {"nothing_new": 1, "running": 1}


def test_the_day_of_an_arrival_is_when_it_was_first_seen(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)
    zone.tick(0)
    (request,) = zone.tick(1).requests

    assert request.received_at == "2027-01-15T08:00:00+00:00"


def test_a_folder_without_absences_is_no_empty_landing_zone(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)
    (zone.folder / ABSENCES).unlink()
    zone.tick(0)
    zone.tick(5)

    assert zone.tick(6).waiting == {"nothing_new": [f"{DISTRICT}/{FORMAT}/roster"]}


def test_a_feed_that_failed_and_answers_again_keeps_what_its_sets_know(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved)
    zone.tick(0)
    zone.tick(5)
    hidden = zone.folder.rename(tmp_path / "away")
    assert list(zone.tick(6).problems) == [f"{DISTRICT}/{FORMAT}"]
    hidden.rename(zone.folder)

    after = zone.tick(8)

    assert (after.requests, after.problems) == ((), {})


# ── jobs and runs ──


def test_a_set_has_a_job_of_its_own_which_goes_before_others_if_it_is_urgent():
    jobs = {job.name: job for job in JOBS}

    assert (job_name(FORMAT), job_name(FORMAT, "roster"), job_name(FORMAT, "attendance")) == (
        "import_catapult_connect",
        "import_catapult_connect",
        "import_catapult_connect_attendance",
    )
    assert jobs[job_name(FORMAT, "attendance")].tags[PRIORITY] == "1"
    assert PRIORITY not in jobs[job_name(FORMAT)].tags
    keys = defs.resolve_job_def(job_name(FORMAT, "attendance")).asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in keys} == {
        "catapult_connect/upload",
        "catapult_connect/attendance",
        "catapult_connect/mapped",
        "catapult_connect/planned",
        "catapult_connect/published",
        "catapult_connect/reported",
    }


def test_runs_that_have_not_ended_are_known_by_set(instance: dg.DagsterInstance):
    job = defs.resolve_job_def(job_name(FORMAT, "attendance"))
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={**job.tags, "district": DISTRICT})

    assert busy_feeds(instance) == {(DISTRICT, FORMAT, "attendance")}


def test_a_run_of_all_assets_of_a_district_imports_the_newest_upload_of_each_feed_and_set(
    tmp_path: Path, instance: dg.DagsterInstance
):
    home = tmp_path / "home"
    workspace = Workspace.open(home)
    feeds = []
    for name in ("clever", FORMAT):
        write_sample(vendor(name), tmp_path / name, students=10, seed=1)
        feeds.append(Feed(format=name, path=str(tmp_path / name), options={"quiet_period": "0s"}))
    workspace.registry.add(District(id=DISTRICT, feeds=tuple(feeds)))
    add_partitions(instance, DISTRICT)
    with use_home(home):
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, partition_key=DISTRICT, raise_on_error=False, asset_selection=[*of_districts()]
        )

    imports = workspace.warehouse.ledger.imports()
    assert done.success
    assert {(row["source"], row["file_set"]): row["status"] for row in imports} == {
        ("clever", ""): "published",
        (FORMAT, "roster"): "published",
        (FORMAT, "attendance"): "published",
    }


def of_districts() -> set[dg.AssetKey]:
    """Return the assets that have one partition for each district, whatever its formats."""
    graph = defs.resolve_asset_graph()
    return {key for key in graph.executable_asset_keys if graph.get(key).partitions_def == DISTRICTS}


def test_a_run_of_a_format_that_the_district_lacks_ends_well(tmp_path: Path, instance: dg.DagsterInstance):
    home = tmp_path / "home"
    Workspace.open(home).registry.add(District(id=DISTRICT, feeds=(Feed(format=FORMAT),)))
    add_partitions(instance, DISTRICT, "clever")
    with use_home(home):
        done = defs.resolve_job_def(job_name("clever")).execute_in_process(instance=instance, partition_key=DISTRICT)

    assert done.success
    assert Workspace.open(home).warehouse.ledger.imports() == []


def test_materialize_takes_the_set_that_the_job_is_for(tmp_path: Path, saved: SavedFolders):
    zone = Zone(tmp_path, saved, published=True)
    order, why = default_order(zone.workspace, DISTRICT, FORMAT, file_set="attendance")
    assert (order.file_set, order.archived, why) == ("attendance", None, "what is in the landing zone; nothing is archived yet")
    import_upload(zone.workspace, order)
    (zone.folder / ABSENCES).unlink()

    order, why = default_order(zone.workspace, DISTRICT, FORMAT, file_set="attendance")

    assert (order.archived, why.rpartition(": ")[2]) == (2, "the landing zone has no attendance file")


def test_two_feeds_of_one_district_live_side_by_side(tmp_path: Path, sample: Path):
    home = tmp_path / "home"
    workspace = Workspace.open(home)
    workspace.registry.add(District(id=DISTRICT, feeds=(Feed(format="clever"), Feed(format=FORMAT))))
    roster = write_roster(tmp_path / "up")
    run_import(home, Order(district_id=DISTRICT, source="clever", path=str(sample)))
    run_import(home, Order(district_id=DISTRICT, source=FORMAT, path=str(roster)))
    run_import(home, Order(district_id=DISTRICT, source=FORMAT, path=str(write_absences(tmp_path / "day", [absence(1)]))))

    rows = workspace.warehouse.ledger.imports(DISTRICT)
    assert [(row["source"], row["file_set"], row["status"]) for row in rows] == [
        (FORMAT, "attendance", "published"),
        (FORMAT, "roster", "published"),
        ("clever", "", "published"),
    ]
    counts = {source: workspace.warehouse.roster.count_current(DISTRICT, source, "users") for source in ("clever", FORMAT)}
    assert counts[FORMAT] == 7
    assert counts["clever"] > 40


# ── over a real server ──


class Server:
    """A home whose one district uploads over SFTP; ticks of the real sensor, whose runs are carried out at once."""

    def __init__(self, tmp_path: Path, server: SftpServer, warehouse: str | None) -> None:
        self.home, self.server, self.tmp = tmp_path / "home", server, tmp_path
        self.home.mkdir()
        if warehouse:
            (self.home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse}"\n')
        (self.home / "password").write_text("open-Sesame-4711")
        (self.home / "password").chmod(0o600)
        self.workspace = Workspace.open(self.home)
        self.workspace.warehouse.migrate()
        feed = Feed(
            format=FORMAT,
            path=f"sftp://{DISTRICT}@{HOST}:{server.port}/",
            known_hosts=str(server.known_hosts),
            password_file="password",
            options={"quiet_period": "2s", "min_interval": "0", "attendance_quiet_period": "1s"},
        )
        self.workspace.registry.add(District(id=DISTRICT, time_zone="America/Chicago", feeds=(feed,)))
        self.cursor: str | None = None

    def upload(self, folder: Path) -> None:
        upload_files(
            sorted(folder.iterdir()),
            user=DISTRICT,
            port=self.server.port,
            known_hosts=self.server.known_hosts,
            password="open-Sesame-4711",
        )

    def tick(self) -> list[str]:
        """Evaluate the sensor once, carry out what it asks for, and return the jobs."""
        with home_instance(self.home) as instance, use_home(self.home):
            with dg.build_sensor_context(instance=instance, cursor=self.cursor) as context:
                result: Any = landing_zone_sensor(JOBS)(context)
            self.cursor = result.cursor
            for request in result.run_requests:
                job = defs.resolve_job_def(request.job_name)
                job.execute_in_process(
                    run_config=request.run_config,
                    instance=instance,
                    partition_key=request.partition_key,
                    tags=dict(request.tags),
                    raise_on_error=False,
                )
        return [request.job_name for request in result.run_requests]

    def until(self, jobs: list[str], seconds: float = 240) -> None:
        """Tick until just these jobs have run."""
        done: list[str] = []
        end = time.monotonic() + seconds
        while done != jobs and time.monotonic() < end:
            done += self.tick()
            time.sleep(0.3)
        assert done == jobs

    def ended(self) -> list[tuple[str, str, int]]:
        """Return the set, the status and the number of new records of each import, oldest first."""
        rows = reversed(self.workspace.warehouse.ledger.imports())
        return [
            (row["file_set"], row["status"], sum(t["created"] for t in (row["summary"].get("changes") or {}).values()))
            for row in rows
        ]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with SftpServer(tmp_path / "sftp", [Account(user=DISTRICT, password="open-Sesame-4711")]) as server:
        town = Server(tmp_path, server, url)
        yield town
        town.workspace.warehouse.close()


@pytest.mark.sftp
def test_a_roster_by_night_and_absences_three_times_the_next_day(served: Server, tmp_path: Path):
    night, day = job_name(FORMAT), job_name(FORMAT, "attendance")
    served.upload(write_roster(tmp_path / "night", students=8))
    served.until([night])
    for number in (1, 2, 3):
        served.upload(write_absences(tmp_path / f"bell{number}", [absence(n, period=n % 2 + 1) for n in range(number)]))
        served.until([day])
    assert served.tick() == []

    assert served.ended() == [
        ("roster", "published", 49),
        ("attendance", "published", 1),
        ("attendance", "published", 1),
        ("attendance", "published", 1),
    ]
    current = served.workspace.warehouse.roster.as_of(
        served.workspace.warehouse.ledger.imports(limit=1)[0]["finished_at"], "attendance", DISTRICT
    )
    assert sorted(current.column("user_id").to_pylist()) == ["s0", "s1", "s2"]
    served.upload(write_roster(tmp_path / "next", students=9))  # the absences still lie there, and are old
    served.until([night])
    assert served.tick() == []
