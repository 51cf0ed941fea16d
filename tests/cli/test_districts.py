"""``districts``: the registry from the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from roster_etl.cli.districts import district_time_zone
from roster_etl.store.actor import os_user
from roster_etl.store.registry.registry import District, Feed
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


@pytest.mark.parametrize(
    ("format_", "option"),
    [
        ("canvas", "change_threshold=0"),
        ("mastery_connect", "match_source=cavnas"),
        ("mastery_connect", "match_source=mastery_connect"),
    ],
)
def test_an_option_out_of_its_range_is_refused_when_set_and_at_import(
    home: Path, tmp_path: Path, format_: str, option: str
) -> None:
    (tmp_path / "upload").mkdir()
    district = ("lincoln", "--format", format_, "--option", option, "--json")

    for words in (("districts", "add", *district), ("import", tmp_path / "upload", "--district", *district)):
        answer = call(*words, home=home)
        assert (answer.code, answer.document["error"]["code"]) == (2, "bad_option")
    assert call("districts", "list", "--json", home=home).document == []


def test_dagster_can_be_started_once_a_district_is_registered(home: Path) -> None:
    assert call("districts", "add", "lincoln", "--format", "clever", home=home).code == 0

    assert {"dagster.yaml", "workspace.yaml"} <= {file.name for file in home.iterdir()}


def test_a_district_is_registered_with_path_options_and_time_zone(home: Path) -> None:
    words = (
        "--format",
        "clever",
        "--path",
        "/in/lincoln",
        "--option",
        "min_interval=0",
        "--time-zone",
        "America/Chicago",
        "--name",
        "Lincoln County",
    )

    answer = call("districts", "add", "lincoln", *words, "--json", home=home)

    assert answer.code == 0
    assert answer.document == {
        "district_id": "lincoln",
        "name": "Lincoln County",
        "time_zone": "America/Chicago",
        "paused": False,
        "feeds": [
            {
                "format": "clever",
                "path": "/in/lincoln",
                "options": {"min_interval": "0"},
                "replacements": {},
                "pause": None,
                "expected_by": None,
                "expected_days": [],
                "freshness": None,
                "expected_next": None,
            }
        ],
        "contacts": [],
        "mail": "problems",
        "calendar": [],
    }


def test_a_feed_that_exists_is_changed_with_update_only(home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", "--path", "/in", "--option", "min_interval=0", home=home)

    refused = call("districts", "add", "lincoln", "--format", "clever", "--path", "/new", "--json", home=home)
    changed = call("districts", "add", "lincoln", "--format", "clever", "--path", "/new", "--update", "--json", home=home)

    assert (refused.code, refused.document["error"]["code"]) == (2, "district_exists")
    (feed,) = changed.document["feeds"]
    assert (feed["format"], feed["path"], feed["options"]) == ("clever", "/new", {"min_interval": "0"})


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--time-zone", "America/Chicgo"), "bad_words"),
        (("--name", "Lincoln\nCounty"), "bad_words"),
        (("--option", "min_interval=soon"), "bad_option"),
    ],
)
def test_what_is_refused_takes_no_effect_at_all(words: tuple[str, ...], code: str, home: Path) -> None:
    add = ("districts", "add", "lincoln", "--format", "clever")
    file = home / "districts" / "lincoln.toml"

    refused = call(*add, "--path", "/in", *words, "--json", home=home)
    assert (refused.code, refused.document["error"]["code"], file.exists()) == (2, code, False)

    call(*add, "--path", "/in", "--name", "Lincoln", home=home)
    before = file.read_bytes()
    refused = call(*add, "--path", "/new", "--option", "delete_threshold_pct=5", *words, "--update", "--json", home=home)
    assert (refused.code, refused.document["error"]["code"], file.read_bytes()) == (2, code, before)

    said = [(row["action"], row["outcome"]) for row in call("audit", "--json", home=home).document]
    assert said == [("district_add", "refused"), ("district_add", "done"), ("district_change", "refused")]


def test_name_and_time_zone_are_changed_with_the_feed_and_stay_where_none_is_said(home: Path) -> None:
    add = ("districts", "add", "lincoln", "--format", "clever", "--json")
    call(*add, "--name", "Lincoln", "--time-zone", "America/Chicago", home=home)

    changed = call(*add, "--path", "/new", "--name", "Lincoln County", "--update", home=home).document

    assert (changed["name"], changed["time_zone"], changed["feeds"][0]["path"]) == ("Lincoln County", "America/Chicago", "/new")


def test_a_feed_names_its_host_key_and_its_log_in(home: Path) -> None:
    words = ("districts", "add", "lincoln", "--format", "clever", "--path", "sftp://lincoln@sftp.example.org/home")

    added = call(*words, "--known-hosts", "known_hosts", "--password-env", "LINCOLN_PASSWORD", home=home)
    before = tomllib.loads((home / "districts" / "lincoln.toml").read_text("utf-8"))["feed"][0]
    call(*words, "--key-file", "keys/lincoln", "--update", home=home)
    after = tomllib.loads((home / "districts" / "lincoln.toml").read_text("utf-8"))["feed"][0]

    assert added.code == 0
    assert (before["known_hosts"], before["password_env"]) == ("known_hosts", "LINCOLN_PASSWORD")
    assert (after["known_hosts"], after["key_file"]) == ("known_hosts", "keys/lincoln")
    assert "password_env" not in after


@pytest.mark.parametrize("words", [("--password-env", "hush-hush!"), ("--password-env", "A", "--key-file", "hush-hush!")])
def test_a_log_in_that_cannot_be_meant_is_refused_and_not_repeated(words: tuple[str, ...], home: Path) -> None:
    answer = call("districts", "add", "lincoln", "--format", "clever", *words, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_words")
    assert "hush" not in answer.out + answer.err
    assert call("districts", "list", "--json", home=home).document == []


def test_a_password_in_a_path_is_refused_and_not_repeated(home: Path) -> None:
    answer = call("districts", "add", "lincoln", "--format", "clever", "--path", "sftp://u:hush-hush@host/x", "--json", home=home)

    assert answer.code == 2
    assert "hush" not in answer.out + answer.err


def test_a_district_is_paused_resumed_and_removed(home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    assert call("districts", "pause", "lincoln", "--json", home=home).document["paused"] is True
    assert "paused" in call("districts", "list", home=home).out
    assert "is resumed" in call("districts", "resume", "lincoln", home=home).out
    assert "is not paused, so nothing changed" in call("districts", "resume", "lincoln", home=home).out
    assert call("districts", "remove", "lincoln", "--json", home=home).document["removed"] is True
    assert call("districts", "list", "--json", home=home).document == []


def test_a_file_that_cannot_be_read_does_not_hide_the_others(home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)
    (home / "districts" / "broken.toml").write_text("paused = maybe")

    answer = call("districts", "list", "--json", home=home)

    assert [district["district_id"] for district in answer.document] == ["lincoln"]
    assert "broken.toml" in answer.err


def test_a_feeds_time_zone_is_the_one_that_is_listed(home: Path) -> None:
    words = ("--time-zone", "America/Chicago", "--option", "time_zone=America/Denver")
    call("districts", "add", "lincoln", "--format", "clever", *words, home=home)

    assert call("districts", "list", "--json", home=home).document[0]["time_zone"] == "America/Denver"
    assert "America/Denver" in call("districts", "list", home=home).out


def test_feeds_that_disagree_leave_the_districts_time_zone() -> None:
    feeds = (Feed(format="clever", options={"time_zone": "America/Denver"}), Feed(format="other"))
    district = District(id="lincoln", time_zone="America/Chicago", feeds=feeds)

    assert [district_time_zone(district, format_) for format_ in ("clever", "other", None)] == [
        "America/Denver",
        "America/Chicago",
        "America/Chicago",
    ]


def test_a_planned_pause_says_so_and_stops_imports(home: Path, tmp_path: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)
    days = ("--from", "2020-06-15", "--to", "2099-08-10", "--reason", "Summer")
    paused = call("districts", "pause", "lincoln", *days, "--json", home=home)
    refused = call("import", str(tmp_path), "--district", "lincoln", "--json", home=home)
    listed = call("districts", "list", home=home)
    resumed = call("districts", "resume", "lincoln", "--json", home=home)

    assert (paused.document["paused"], paused.document["feeds"][0]["pause"]) == (False, "Summer, until 2099-08-10 inclusive")
    assert paused.document["calendar"][0]["pause"]
    assert (refused.code, refused.document["error"]["code"]) == (2, "paused")
    assert "Summer, until 2099-08-10" in refused.document["error"]["message"]
    assert "paused, Summer, until 2099-08-10 inclusive" in listed.out
    assert resumed.document["calendar"] == []
    assert call("imports", "--json", home=home).document == []


@pytest.mark.parametrize(
    "days",
    [
        ("--from", "2026-06-15"),
        ("--from", "2026-06-15", "--to", "2026-08-10"),
        ("--from", "06/15/2026", "--to", "2026-08-10", "--reason", "Summer"),
        ("--from", "2026-08-10", "--to", "2026-06-15", "--reason", "Summer"),
    ],
)
def test_a_planned_pause_needs_two_days_in_order_and_a_reason(home: Path, days: tuple[str, ...]) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    assert call("districts", "pause", "lincoln", *days, "--json", home=home).document["error"]["code"] == "bad_words"


def test_an_import_in_a_format_that_a_district_does_not_have_registers_nothing(uploads: Path, home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    refused = call("import", uploads / "a", "--district", "lincoln", "--format", "canvas", "--json", home=home)

    assert (refused.code, refused.document["error"]["code"]) == (2, "unknown_feed")
    assert "districts add lincoln --format canvas" in refused.err
    assert "--register" in refused.err
    assert call("imports", "--json", home=home).document == []
    (district,) = call("districts", "list", "--json", home=home).document
    assert [feed["format"] for feed in district["feeds"]] == ["clever"]


def test_an_import_with_register_adds_the_feed(uploads: Path, home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "canvas", home=home)

    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--register", "--json", home=home)

    assert (answer.code, answer.document["status"]) == (0, "published")
    (district,) = call("districts", "list", "--json", home=home).document
    assert [feed["format"] for feed in district["feeds"]] == ["canvas", "clever"]


def test_a_district_that_is_misspelt_is_answered_with_the_nearest_one(home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    assert "did you mean lincoln?" in call("imports", "--district", "lincon", home=home).err
    assert "did you mean" not in call("imports", "--district", "washington", home=home).err


def test_a_text_in_place_of_a_number_is_said_in_plain_words(home: Path) -> None:
    answer = call("show", "abc", home=home)

    assert (answer.code, "expected a number, such as 12" in answer.err) == (2, True)


@pytest.mark.parametrize(("words", "name"), [((), "A. Steward"), (("--by", "B. Other"), "B. Other"), (None, os_user())])
def test_who_decides_is_named_in_the_call_in_the_environment_or_is_the_account(words, name, held, monkeypatch) -> None:
    monkeypatch.delenv("ROSTER_ETL_USER", raising=False)
    if words is not None:
        monkeypatch.setenv("ROSTER_ETL_USER", "A. Steward")

    assert call("holds", "discard", "3", *(words or ()), "--json", home=held).document["hold"]["decided_by"] == name
