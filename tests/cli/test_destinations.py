"""``destinations``: outgoing feeds in the district's file, the gates before sending, and what is told of a refusal."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.pipeline.exports import export_roster
from roster_etl.spec.errors import LandingUnavailable
from roster_etl.store.files.export_target import LocalTarget
from roster_etl.store.landing.sftp_target import SftpTarget
from roster_etl.store.run_locks import RunLocks
from tests.cli.calling import call
from tests.exporting import make_home

pytestmark = pytest.mark.usefixtures("direct_imports")


@pytest.fixture
def home(saved, tmp_path, uploads) -> Path:
    """A home where the first day of the district ``lincoln`` was imported."""
    saved.copy("one-day", lambda folder, url: make_home(folder, url, uploads / "a"), tmp_path)
    return tmp_path / "home"


def add(home: Path, to: Path, *more: object):
    words = ("destinations", "add", "app", "--district", "lincoln", "--format", "dyknow", "--to", to, *more)
    return call(*words, "--json", home=home)


def send(home: Path, *more: object):
    return call("destinations", "send", "app", "--district", "lincoln", "--json", *more, home=home)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text, strict=True))


def half_of_the_students(uploads: Path, folder: Path) -> Path:
    """Return an upload in which every second student is missing, with all enrollments."""
    folder.mkdir()
    header, *students = rows_of(uploads / "a" / "students.csv")
    ids = sorted({row[header.index("Student_id")] for row in students})
    for path in (uploads / "a").iterdir():
        header, *rows = rows_of(path)
        kept = [row for row in rows if "Student_id" not in header or row[header.index("Student_id")] not in ids[::2]]
        with (folder / path.name).open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows([header, *kept])
    return folder


def test_a_destination_stands_in_the_districts_file_until_it_is_removed(home, tmp_path):
    assert add(home, tmp_path / "out", "--leave-out", "contacts").code == 0
    assert "[[destination]]" in (home / "districts" / "lincoln.toml").read_text("utf-8")
    listed = call("destinations", "list", "--json", home=home).document
    assert [(one["district_id"], one["name"], one["leave_out"], one["last"]) for one in listed] == [
        ("lincoln", "app", ["contacts"], None)
    ]
    assert call("destinations", "remove", "app", "--district", "lincoln", home=home).code == 0
    assert call("destinations", "list", "--json", home=home).document == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--format", "nonsense"), "unknown_format"),
        (("--option", "colour=blue"), "bad_option"),
        (("--leave-out", "users.last_name"), "needed"),
        (("--when", "at night"), "bad_words"),
        (("--formulas", "maybe"), "bad_words"),
        (("--to", "sftp://app:secret@sftp.example.org/in"), "password_in_path"),
        (("--to", "nosuch://bucket/out"), "bad_option"),
        (("--to", ""), "bad_words"),
    ],
)
def test_a_wrong_destination_is_refused_at_once(home, tmp_path, words, code):
    answer = add(home, tmp_path / "out", *words)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)
    assert "secret" not in answer.out + answer.err


def test_a_destination_names_one_of_several_feeds(home, tmp_path):
    unknown = add(home, tmp_path / "out", "--source", "canvas")
    assert (unknown.code, unknown.document["error"]["code"]) == (2, "unknown_feed")
    assert add(home, tmp_path / "out").code == 0

    more = call("districts", "add", "lincoln", "--format", "canvas", home=home)

    assert (more.code, "app: destinations that name no feed" in more.err) == (0, True)
    unclear = add(home, tmp_path / "out", "--update")
    assert (unclear.code, unclear.document["error"]["code"]) == (2, "several_feeds")
    assert add(home, tmp_path / "out", "--update", "--source", "clever").code == 0


def test_a_second_destination_of_one_name_needs_update(home, tmp_path):
    assert add(home, tmp_path / "a").code == 0
    again = add(home, tmp_path / "b")
    assert (again.code, again.document["error"]["code"]) == (2, "destination_exists")
    assert add(home, tmp_path / "b", "--update").code == 0
    assert call("destinations", "list", "--json", home=home).document[0]["to"] == str(tmp_path / "b")


def test_an_unchanged_roster_is_sent_once(home, tmp_path):
    add(home, tmp_path / "out")
    first, second = send(home), send(home)

    assert (first.code, first.document["status"]) == (0, "written")
    assert (second.code, second.document["status"]) == (0, "unchanged")
    rows = call("exports", "--json", home=home).document
    assert [(row["destination_name"], row["status"]) for row in rows] == [("app", "written")]
    assert call("destinations", "check", "app", "--district", "lincoln", home=home).code == 0


def test_a_file_that_shrinks_is_not_sent_until_a_person_accepts_it(home, uploads, tmp_path):
    add(home, tmp_path / "out")
    assert send(home).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    words = ("--option", "delete_threshold_pct=100", "--option", "update_threshold_pct=100")
    upload = half_of_the_students(uploads, tmp_path / "half")
    assert call("import", upload, "--district", "lincoln", *words, home=home).code == 0

    refused = send(home)
    assert (refused.code, refused.document["refused"]["reason"]) == (4, "shrunk")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    accepted = send(home, "--accept-shrink", "--by", "A. Steward")
    assert (accepted.code, accepted.document["status"]) == (0, "written")
    assert (tmp_path / "out" / "Students.csv").read_bytes() != before["Students.csv"]
    assert [row["status"] for row in call("exports", "--json", home=home).document] == ["written", "refused", "written"]


def test_a_destination_that_is_not_there_is_a_slip(home):
    answer = send(home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "unknown_destination")


def test_check_says_what_is_wrong_with_the_place(home, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    add(home, tmp_path / "out")
    answer = call("destinations", "check", "app", "--district", "lincoln", "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "not_empty")


@pytest.mark.sftp
@pytest.mark.parametrize("place", ["/in/roster", "/OneRoster.zip"])
def test_a_roster_is_sent_over_sftp_to_a_server_with_a_pinned_key(home, tmp_path, monkeypatch, place):
    monkeypatch.setenv("APP_PASSWORD", "open-Sesame-4711")
    with SftpServer(tmp_path / "sftp", [Account(user="app", password="open-Sesame-4711")]) as server:
        login = ("--known-hosts", server.known_hosts, "--password-env", "APP_PASSWORD")
        add(home, server.url("app", place), *login)
        first, second = send(home), send(home)
        there = {path.name for path in server.home("app").rglob("*") if path.is_file()}

        assert [(answer.code, answer.document["status"]) for answer in (first, second)] == [(0, "written"), (0, "unchanged")]
        assert there == ({"OneRoster.zip"} if place.endswith(".zip") else {file["file"] for file in first.document["files"]})
        monkeypatch.setenv("APP_PASSWORD", "another")
        refused = call("destinations", "check", "app", "--district", "lincoln", "--json", home=home)
        assert (refused.code, refused.document["error"]["code"]) == (1, "login_refused")
        assert "open-Sesame" not in first.out + first.err + refused.out + refused.err


@pytest.mark.sftp
@pytest.mark.parametrize(("place", "name"), [("/in", "thesis.txt"), ("/in/out.zip", "out.zip")])
def test_what_others_left_on_a_server_is_left_alone(home, tmp_path, monkeypatch, place, name):
    monkeypatch.setenv("APP_PASSWORD", "open-Sesame-4711")
    with SftpServer(tmp_path / "sftp", [Account(user="app", password="open-Sesame-4711")]) as server:
        add(home, server.url("app", place), "--known-hosts", server.known_hosts, "--password-env", "APP_PASSWORD")
        (server.home("app") / "in").mkdir(exist_ok=True)
        (server.home("app") / "in" / name).write_text("mine")
        answer = send(home)
        there = {path.name: path.read_text() for path in (server.home("app") / "in").iterdir()}

    assert (answer.code, answer.document["error"]["code"]) == (2, "not_empty")
    assert there == {name: "mine"}
    assert call("exports", "--json", home=home).document == []


def test_a_transfer_that_broke_off_is_recorded_with_its_files_and_can_be_repeated(home, tmp_path, monkeypatch):
    monkeypatch.setenv("APP_PASSWORD", "open-Sesame-4711")
    put, sent = SftpTarget._put, []

    def break_off(target: SftpTarget, server: object, source: Path, name: str) -> None:
        if len(sent) == 2:
            raise LandingUnavailable(where="sftp://app", problem="the connection was lost")
        put(target, server, source, name)
        sent.append(name)

    with SftpServer(tmp_path / "sftp", [Account(user="app", password="open-Sesame-4711")]) as server:
        add(home, server.url("app", "/in/roster"), "--known-hosts", server.known_hosts, "--password-env", "APP_PASSWORD")
        with monkeypatch.context() as patch:
            patch.setattr(SftpTarget, "_put", break_off)
            broken = send(home)
        there = {path.name for path in server.home("app").rglob("*") if path.is_file()}
        (row,) = call("exports", "--district", "lincoln", "--json", home=home).document
        repeated = send(home)

    assert (broken.code, broken.document["status"], broken.document["error"]["retryable"]) == (1, "failed", True)
    assert there == set(sent) < {file["file"] for file in row["files"]}  # what may have been disclosed is in the ledger
    assert (repeated.code, repeated.document["status"]) == (0, "written")


def test_rows_that_a_broken_transfer_left_under_a_temporary_name_are_removed_by_the_next_one(home, tmp_path, monkeypatch):
    monkeypatch.setenv("APP_PASSWORD", "open-Sesame-4711")
    with SftpServer(tmp_path / "sftp", [Account(user="app", password="open-Sesame-4711")]) as server:
        add(home, server.url("app", "/in"), "--known-hosts", server.known_hosts, "--password-env", "APP_PASSWORD")
        folder = server.home("app") / "in"
        folder.mkdir(exist_ok=True)
        left, other = ".Students.csv.0123456789ab.part", ".thesis.0123456789ab.part"
        for name in (left, other):
            (folder / name).write_text("half")
        answer = send(home)
        there = {path.name for path in folder.iterdir()}

    assert answer.document["status"] == "written"
    assert there == {other, *(file["file"] for file in answer.document["files"])}


def test_a_file_that_the_server_cut_off_is_a_failed_transfer(home, tmp_path, monkeypatch):
    monkeypatch.setenv("APP_PASSWORD", "open-Sesame-4711")
    put = SftpTarget._put

    def cut_off(target: SftpTarget, server: Any, source: Path, name: str) -> None:
        put(target, server, source, name)
        if name == "Students.csv":
            with server.open(target._path(name), "wb") as out:
                out.write(source.read_bytes()[:-1])

    monkeypatch.setattr(SftpTarget, "_put", cut_off)
    with SftpServer(tmp_path / "sftp", [Account(user="app", password="open-Sesame-4711")]) as server:
        add(home, server.url("app", "/in"), "--known-hosts", server.known_hosts, "--password-env", "APP_PASSWORD")
        answer = send(home)

    assert (answer.code, answer.document["status"], answer.document["error"]["retryable"]) == (1, "failed", True)
    assert "not there as they were sent: 1 of" in answer.document["error"]["message"]
    assert "Students.csv" in answer.document["error"]["message"]


def test_an_export_waits_for_another_one_to_its_place_and_exchanges_what_that_left(home, tmp_path, monkeypatch):
    assert call("export", "clever", "--district", "lincoln", "--to", tmp_path / "out", home=home).code == 0
    move, inner = LocalTarget.move, []

    def beside(target: LocalTarget, *given: Any, **more: Any) -> None:
        monkeypatch.undo()
        words = ("export", "dyknow", "--district", "lincoln", "--to", tmp_path / "out", "--replace", "--json")
        inner.append(pool.submit(call, *words, home=home))
        wait(inner, 1)
        done.append(inner[0].done())
        move(target, *given, **more)

    done: list[bool] = []
    with ThreadPoolExecutor() as pool:
        monkeypatch.setattr(LocalTarget, "move", beside)
        first = call("export", "clever", "--district", "lincoln", "--to", tmp_path / "out", "--replace", "--json", home=home)
        second = inner[0].result()

    assert (done, first.document["status"], second.document["status"]) == ([False], "written", "written")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {file["file"] for file in second.document["files"]}


def test_what_another_export_left_since_the_place_was_looked_at_is_exchanged_as_well(home, tmp_path, monkeypatch):
    words = ("--district", "lincoln", "--to", tmp_path / "out", "--replace", "--json")
    turn = RunLocks.one_at_a_time

    def late(locks: RunLocks, work: str) -> Any:
        monkeypatch.setattr(RunLocks, "one_at_a_time", turn)
        assert call("export", "dyknow", *words, home=home).code == 0
        return turn(locks, work)

    monkeypatch.setattr(RunLocks, "one_at_a_time", late)
    document = call("export", "clever", *words, home=home).document

    assert document["status"] == "written"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {file["file"] for file in document["files"]}


def test_refusals_however_many_do_not_hide_what_an_export_has_left_there(home, uploads, tmp_path, monkeypatch):
    monkeypatch.setattr(export_roster, "_FORMER", 1)
    add(home, tmp_path / "out")
    assert send(home).document["status"] == "written"
    words = ("--option", "delete_threshold_pct=100", "--option", "update_threshold_pct=100")
    upload = half_of_the_students(uploads, tmp_path / "half")
    assert call("import", upload, "--district", "lincoln", *words, home=home).code == 0
    assert [send(home).document["status"] for _ in range(2)] == ["refused", "refused"]

    assert send(home, "--accept-shrink").document["status"] == "written"


def test_an_unchanged_roster_is_sent_to_a_destination_that_is_at_another_place_now(home, tmp_path):
    add(home, tmp_path / "a")
    assert send(home).code == 0
    assert add(home, tmp_path / "b", "--update").code == 0

    moved = send(home)

    assert (moved.code, moved.document["status"]) == (0, "written")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(path.name for path in (tmp_path / "a").iterdir())
