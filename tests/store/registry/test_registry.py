"""The registry of districts."""

import dataclasses
import datetime
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from roster_etl.spec.errors import BadDistrictId, DistrictExists, RegistryError, RegistryUnlocked, UnknownDistrict, UnknownFeed
from roster_etl.store.registry.registry import District, Feed, Gate, Registry, Window, open_registry
from roster_etl.store.settings import Settings

GATE = Gate(expectation="clever/students/grade", mostly=0.9, severity="warning", reason="new SIS", date=datetime.date(2026, 8, 1))
FEED = Feed(
    format="clever",
    path="sftp://lincoln@sftp.example.org:2022/upload",
    options={"quiet_period": "300", "encoding": "cp1252"},
    known_hosts="/etc/roster/known_hosts",
    password_env="LINCOLN_PASSWORD",
    contacts=("data@lincoln.example.org",),
    gates=(GATE,),
    replacements={"Grade": {"Kinder": "KG"}},
)
SUMMER = Window(first=datetime.date(2026, 6, 15), last=datetime.date(2026, 8, 10), reason="Summer", pause=True)
ROLLOVER = Window(
    first=datetime.date(2026, 8, 11),
    last=datetime.date(2026, 8, 20),
    reason="Rollover",
    options={"delete_threshold_pct": "100"},
    feeds=("clever",),
)
LINCOLN = District(
    id="lincoln",
    name="Lincoln Unified",
    time_zone="America/Chicago",
    feeds=(FEED, Feed(format="canvas")),
    calendar=(SUMMER, ROLLOVER),
)
NOW = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)

BY_HAND = """\
# Lincoln: call Ann before any change
name = "Lincoln"   # as on their letterhead
paused = false

[[feed]]
format = "clever"
# the SIS exports at 02:00
path = "/srv/lincoln"
[feed.options]
quiet_period = "600"  # slow uplink
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "districts"))


def test_a_district_is_read_as_it_was_added(registry: Registry) -> None:
    registry.add(LINCOLN)

    assert registry.get("lincoln") == LINCOLN
    assert registry.list() == (LINCOLN,)
    assert registry.ids() == ("lincoln",)
    assert registry.get("lincoln").feed("clever") == FEED


def test_the_file_is_for_its_owner_only(registry: Registry, tmp_path: Path) -> None:
    registry.add(LINCOLN)

    assert stat.S_IMODE((tmp_path / "districts" / "lincoln.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "districts").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "districts").iterdir()] == ["lincoln.toml"]


def test_the_registry_may_lie_behind_any_url() -> None:
    registry = Registry("memory://districts-of-test", lock=nullcontext)
    registry.add(LINCOLN)
    registry.pause("lincoln")
    registry.remove("lincoln")
    registry.add(LINCOLN)

    assert registry.list() == (LINCOLN,)


def test_a_registry_in_an_object_store_that_nothing_locks_is_only_read(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "home", {"ROSTER_ETL_DISTRICTS": "memory://unlocked"})
    Registry("memory://unlocked", lock=nullcontext).add(LINCOLN)
    registry = open_registry(settings)

    assert registry.get("lincoln") == LINCOLN
    for change in (lambda: registry.pause("lincoln"), lambda: registry.remove("lincoln"), lambda: registry.add(LINCOLN)):
        with pytest.raises(RegistryUnlocked, match="memory://unlocked: it can be read here, not changed"):
            change()


@pytest.mark.pg
def test_hosts_that_share_a_registry_change_it_one_at_a_time(postgres_url: str, tmp_path: Path) -> None:
    given = {"ROSTER_ETL_DISTRICTS": f"memory://{tmp_path.name}", "ROSTER_ETL_WAREHOUSE": postgres_url}
    hosts = [open_registry(Settings.load(tmp_path / name, given)) for name in ("east", "west")]
    hosts[0].add(replace(LINCOLN, feeds=(FEED,)))
    formats = ("canvas", "dyknow", "mastery_connect", "catapult_connect")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: hosts[n % 2].add_feed("lincoln", Feed(format=formats[n])), range(4)))

    assert {feed.format for feed in hosts[1].get("lincoln").feeds} == {"clever", *formats}


def test_comments_and_order_survive_an_edit(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "districts" / "lincoln.toml"
    file.parent.mkdir()
    file.write_text(BY_HAND, "utf-8")
    registry.pause("lincoln")
    registry.add_feed("lincoln", Feed(format="canvas", path="/srv/canvas"))
    text = file.read_text("utf-8")

    assert text.startswith('# Lincoln: call Ann before any change\nname = "Lincoln"   # as on their letterhead\n')
    assert "# the SIS exports at 02:00" in text
    assert "# slow uplink" in text
    assert registry.get("lincoln").paused
    assert [feed.format for feed in registry.get("lincoln").feeds] == ["clever", "canvas"]


def test_pause_and_resume_leave_the_rest_alone(registry: Registry) -> None:
    registry.add(LINCOLN)

    assert registry.pause("lincoln").paused
    assert registry.get("lincoln").paused
    assert registry.resume("lincoln", NOW) == LINCOLN
    assert registry.get("lincoln") == LINCOLN


def test_a_feed_is_replaced_only_when_that_is_said(registry: Registry) -> None:
    registry.add(LINCOLN)
    changed = Feed(format="clever", path="/elsewhere")
    with pytest.raises(DistrictExists, match="--update"):
        registry.add_feed("lincoln", changed)
    registry.add_feed("lincoln", changed, update=True)

    assert registry.get("lincoln").feeds == (changed, Feed(format="canvas"))


def test_update_takes_away_what_is_no_longer_said(registry: Registry) -> None:
    registry.add(LINCOLN)
    smaller = District(id="lincoln", feeds=(Feed(format="canvas"),))
    registry.update(smaller)

    assert registry.get("lincoln") == smaller


def test_a_district_without_feeds_reads_back(registry: Registry) -> None:
    registry.add(District(id="lincoln"))
    registry.add_feed("lincoln", FEED)
    registry.update(District(id="lincoln"))

    assert registry.get("lincoln") == District(id="lincoln")


def test_a_removed_district_is_kept_aside_and_can_come_back(registry: Registry, tmp_path: Path) -> None:
    for _ in range(2):
        registry.add(LINCOLN)
        registry.remove("lincoln")

    assert registry.list() == ()
    assert sorted(path.name for path in (tmp_path / "districts" / "removed").iterdir()) == ["lincoln.1.toml", "lincoln.2.toml"]
    with pytest.raises(UnknownDistrict, match="not registered"):
        registry.get("lincoln")


@pytest.mark.parametrize("bad", ["", "../../x", "Lincoln", "a/b", "-a", "a" * 65, "a\n", "ä", "a.b", "."])
def test_an_id_that_could_leave_the_folder_makes_no_path(registry: Registry, bad: str) -> None:
    for act in (registry.get, registry.remove, registry.pause, registry.exists, lambda id_: District(id=id_)):
        with pytest.raises(BadDistrictId):
            act(bad)


def test_adding_twice_is_refused(registry: Registry) -> None:
    registry.add(LINCOLN)
    with pytest.raises(DistrictExists):
        registry.add(LINCOLN)
    with pytest.raises(UnknownFeed, match="it has: clever, canvas"):
        registry.get("lincoln").feed("dyknow")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam = 'x'", 'unknown key "nam"; did you mean "name"?'),
        ("[[feed]]\nformat='clever'\npathh='x'", 'unknown key "feed\\[1\\].pathh"; did you mean "path"?'),
        ("[[feed]]\npath='x'", '"feed\\[1\\].format" is missing'),
        ("[[feed]]\nformat='a'\npath='sftp://u:secret@h/x'", "must not hold a password"),
        ("[[feed]]\nformat='a'\n[[feed]]\nformat='a'", "two feeds have the format a"),
        ("[[feed]]\nformat='a'\n[feed.options]\nx = 1", "put numbers and true/false in quotes"),
        ("[[feed]]\nformat='a'\n[[feed.gate]]\nexpectation='e'\nmostly=0.5", '"feed\\[1\\].gate\\[1\\].reason" is missing'),
        ("[[feed]]\nformat='a'\n[[feed.gate]]\nexpectation='e'\nreason='r'\ndate=2026-01-01", "is needed"),
        ("[[feed]]\nformat='a'\n[[feed.gate]]\nexpectation='e'\nreason='r'\ndate=2026-01-01\nmostly=90", "share from 0 to 1"),
        ("[[feed]]\nformat='a'\n[[feed.gate]]\nexpectation='e'\nreason='r'\ndate='soon'\nmostly=1", "must be a date"),
        ("time_zone = 'Mars'", "IANA time zone"),
        ("paused = 'no'", '"paused" must be true or false'),
        ("feed = 'clever'", '"feed" must be a list'),
        ("feed = ['clever']", '"feed\\[1\\]" must be a table'),
        ("name = ", "not a TOML file"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(registry: Registry, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "districts").mkdir()
    (tmp_path / "districts" / "lincoln.toml").write_text(text, "utf-8")
    with pytest.raises(RegistryError, match=message) as caught:
        registry.get("lincoln")

    assert "districts/lincoln.toml" in caught.value.message
    assert "secret" not in caught.value.message


def test_one_broken_file_hurts_no_other(registry: Registry, tmp_path: Path) -> None:
    registry.add(LINCOLN)
    (tmp_path / "districts" / "adams.toml").write_text("x = 1", "utf-8")
    (tmp_path / "districts" / "Not An Id.toml").write_text("", "utf-8")
    (tmp_path / "districts" / "latin.toml").write_bytes(b"name = '\xe9'")
    scan = registry.scan()

    assert scan.districts == (LINCOLN,)
    assert sorted(scan.problems) == ["Not An Id.toml", "adams.toml", "latin.toml"]
    with pytest.raises(RegistryError, match="unknown key"):
        registry.list()


def test_a_password_in_the_url_is_never_written(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="password_env"):
        registry.add(District(id="lincoln", feeds=(Feed(format="clever", path="sftp://u:secret@h/x"),)))

    assert not registry.exists("lincoln")


def test_no_feed_is_lost_where_many_are_added_at_one_moment(tmp_path: Path) -> None:
    formats = [f"format_{number}" for number in range(8)]
    start = threading.Barrier(len(formats))

    def add(format_: str) -> None:
        registry = Registry(str(tmp_path / "districts"))
        start.wait()
        try:
            registry.add(District(id="lincoln", feeds=(Feed(format=format_),)))
        except DistrictExists:
            registry.add_feed("lincoln", Feed(format=format_))

    with ThreadPoolExecutor(len(formats)) as pool:
        list(pool.map(add, formats))

    assert {feed.format for feed in Registry(str(tmp_path / "districts")).get("lincoln").feeds} == set(formats)


def test_a_day_of_the_calendar_begins_in_the_districts_time_zone() -> None:
    early = datetime.datetime(2026, 6, 15, 4, 59, tzinfo=datetime.UTC)  # 23:59 the day before, in Chicago

    assert LINCOLN.pause_reason("clever", early) is None
    assert LINCOLN.pause_reason("clever", early + datetime.timedelta(minutes=1)) == "Summer, until 2026-08-10 inclusive"
    assert LINCOLN.pause_reason("canvas", datetime.datetime(2026, 8, 11, 4, 59, tzinfo=datetime.UTC))
    assert LINCOLN.pause_reason("canvas", datetime.datetime(2026, 8, 11, 5, 0, tzinfo=datetime.UTC)) is None


def test_a_time_of_the_calendar_may_be_about_one_feed() -> None:
    day = datetime.datetime(2026, 8, 15, tzinfo=datetime.UTC)

    assert (LINCOLN.windows("clever", day), LINCOLN.windows("canvas", day)) == ((ROLLOVER,), ())


def test_resuming_ends_the_planned_pause_that_is_under_way_and_no_other(registry: Registry) -> None:
    registry.add(LINCOLN)

    assert registry.resume("lincoln", NOW).calendar == LINCOLN.calendar
    assert registry.resume("lincoln", datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)).calendar == (ROLLOVER,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("from = 2026-06-15\nto = 2026-06-14\nreason = 'r'\npause = true", '"calendar[1].to" is before'),
        ("from = 2026-06-15\nto = 2026-06-16\nreason = 'r'", '"calendar[1].pause" or "calendar[1].options" is needed'),
        ("from = 2026-06-15\nto = 2026-06-16\npause = true", '"calendar[1].reason" is missing'),
        ("from = '2026-06-15'\nto = 2026-06-16\nreason = 'r'\npause = true", '"calendar[1].from" must be a date'),
        ("from = 2026-06-15\nto = 2026-06-16\nreason = 'r'\noptions = {encoding = 'cp1252'}", "not encoding"),
        (
            "from = 2026-06-15\nto = 2026-06-16\nreason = 'r'\npause = true\nfeeds = ['clevr']",
            "of which the district has no feed",
        ),
        ('from = 2026-06-15\nto = 2026-06-16\nreason = "a\\nb"\npause = true', '"calendar[1].reason" must be text on one line'),
    ],
)
def test_a_time_that_cannot_be_followed_is_refused(registry: Registry, tmp_path: Path, text: str, problem: str) -> None:
    registry.add(District(id="lincoln"))
    (tmp_path / "districts" / "lincoln.toml").write_text(f"[[calendar]]\n{text}\n", "utf-8")

    with pytest.raises(RegistryError) as caught:
        registry.get("lincoln")
    assert problem in caught.value.message


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\u2028b", "x" * 201])
def test_a_name_that_is_no_line_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(RegistryError, match='"name" must be text on one line, of at most 200 signs'):
        registry.add(District(id="lincoln", name=name))


@pytest.mark.parametrize("name", ["Łódź", "مدرسة\u200f الأمل", "می\u200cخواهم", "A\u00a0B 👩\u200d🏫", "x" * 200])
def test_a_name_in_any_script_is_taken(registry: Registry, name: str) -> None:
    registry.add(District(id="lincoln", name=name))

    assert registry.get("lincoln").name == name


def test_what_is_expected_and_who_is_told_is_kept(registry: Registry, tmp_path: Path) -> None:
    feed = Feed(format="clever", expected_by="02:30", expected_days=("mon", "tue"), expected_hours=6)
    told = District(id="lincoln", mail="always", contacts=("data@lincoln.example.org",), feeds=(feed,))
    registry.add(told)
    registry.add(District(id="usual", feeds=(Feed(format="clever", expected_by="02:30"),)))

    assert registry.get("lincoln") == told
    text = (tmp_path / "districts" / "usual.toml").read_text()
    assert registry.get("usual").mail == "problems"
    assert ("mail" in text, "expected_hours" in text) == (False, False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('mail = "sometimes"', '"mail" must be one of always, problems, never'),
        ('contacts = ["Ann <ann@example.org>"]', '"contacts[1]" must be a plain e-mail address'),
        ('contacts = ["a@example.org\\nBcc: b@example.org"]', "must be a plain e-mail address"),
        ('[[feed]]\nformat = "clever"\nexpected_by = "24:00"', '"feed[1].expected_by" must be a time of day'),
        ('[[feed]]\nformat = "clever"\nexpected_by = 02:30:00', '"feed[1].expected_by" must be a time of day'),
        ('[[feed]]\nformat = "clever"\nexpected_by = "02:30"\nexpected_days = ["monday"]', "must be one of mon, tue"),
        ('[[feed]]\nformat = "clever"\nexpected_by = "02:30"\nexpected_hours = 0', "hours from 1 to 168"),
        ('[[feed]]\nformat = "clever"\nexpected_days = ["mon"]', '"feed[1].expected_by" is missing'),
    ],
)
def test_what_cannot_be_expected_or_told_is_refused(registry: Registry, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "districts").mkdir()
    (tmp_path / "districts" / "lincoln.toml").write_text(text, "utf-8")
    with pytest.raises(RegistryError) as caught:
        registry.get("lincoln")
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("format_name", "moment", "pause"),
    [
        ("clever", "2026-06-15T04:59Z", None),  # still the day before in Chicago
        ("clever", "2026-06-15T05:00Z", "Summer, until 2026-08-10 inclusive"),
        ("canvas", "2026-08-11T04:59Z", "Summer, until 2026-08-10 inclusive"),
        ("clever", "2026-08-11T05:00Z", None),  # in a window that is no pause
    ],
)
def test_a_planned_pause_lasts_whole_days_of_the_district(format_name: str, moment: str, pause: str | None) -> None:
    assert LINCOLN.pause_reason(format_name, datetime.datetime.fromisoformat(moment)) == pause


def test_a_pause_of_some_feeds_leaves_the_others_alone() -> None:
    district = dataclasses.replace(LINCOLN, calendar=(dataclasses.replace(SUMMER, feeds=("canvas",)),))
    july = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)

    assert [district.pause_reason(name, july) is None for name in ("clever", "canvas")] == [True, False]


def test_a_paused_district_is_paused_whatever_is_planned() -> None:
    assert dataclasses.replace(LINCOLN, paused=True).pause_reason("clever", NOW) == "until it is resumed"


def test_resuming_leaves_a_time_that_changes_settings_as_it_is(registry: Registry) -> None:
    day = datetime.timedelta(days=1)
    open_house = Window(first=NOW.date() - day, last=NOW.date() + day, reason="new year", options={"delete_threshold_pct": "100"})
    registry.add(replace(LINCOLN, paused=True, calendar=(open_house,)))

    resumed = registry.resume("lincoln", NOW)

    assert (resumed.paused, resumed.calendar) == (False, (open_house,))
