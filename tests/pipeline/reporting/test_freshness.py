"""By when an upload is expected, and whether it came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from roster_etl.pipeline.reporting.freshness import deadlines, freshness, late_feeds, moment_of, notify_late_feed
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import Window
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import ended

CHICAGO = ZoneInfo("America/Chicago")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    feed = Feed(format="clever", expected_by="02:30", expected_days=("mon", "tue", "wed", "thu", "fri"))
    workspace.registry.add(
        District(
            id="lincoln", time_zone="America/Chicago", contacts=("data@lincoln.example.org",), feeds=(feed, Feed(format="canvas"))
        )
    )
    return workspace


def state(workspace: Workspace, now: str) -> str:
    (found,) = freshness(workspace, utc(now))
    return found.state


@pytest.mark.parametrize(
    ("day", "moment"),
    [
        (date(2026, 3, 7), "2026-03-07 08:30"),  # winter, UTC-6
        (date(2026, 3, 8), "2026-03-08 08:30"),  # 02:30 is skipped: clocks go from 02:00 to 03:00, so it is 03:30 that counts
        (date(2026, 3, 9), "2026-03-09 07:30"),  # summer, UTC-5
        (date(2026, 11, 1), "2026-11-01 08:30"),  # 02:30 comes once: clocks go from 02:00 back to 01:00
        (date(2026, 11, 2), "2026-11-02 08:30"),
    ],
)
def test_a_deadline_is_local_time_summer_and_winter(day: date, moment: str) -> None:
    assert moment_of(day, "02:30", CHICAGO) == utc(moment)


def test_a_time_that_comes_twice_is_the_later_one() -> None:
    assert moment_of(date(2026, 11, 1), "01:30", CHICAGO) == utc("2026-11-01 07:30")


def test_deadlines_are_of_the_days_that_are_named() -> None:
    feed = Feed(format="clever", expected_by="02:30", expected_days=("mon", "fri"))

    assert deadlines(feed, CHICAGO, utc("2026-11-04 12:00")) == (utc("2026-11-02 08:30"), utc("2026-11-06 08:30"))
    assert deadlines(feed, CHICAGO, utc("2026-11-06 08:30"))[0] == utc("2026-11-06 08:30")


def test_a_feed_of_which_nothing_came_yet_is_awaited_and_one_that_nobody_expects_is_left_out(workspace: Workspace) -> None:
    (found,) = freshness(workspace, utc("2026-11-03 09:00"))

    assert (found.source, found.state, found.good) == ("clever", "awaited", None)


def test_an_import_before_the_deadline_is_in_time(workspace: Workspace) -> None:
    ended(workspace, "published", at=utc("2026-11-03 08:29"))

    assert state(workspace, "2026-11-03 08:31") == "fresh"
    assert state(workspace, "2026-11-04 08:29") == "fresh"
    assert state(workspace, "2026-11-04 08:30") == "late"


def test_an_unchanged_upload_counts_and_one_that_was_held_does_not(workspace: Workspace) -> None:
    ended(workspace, "published", at=utc("2026-11-02 08:00"))
    ended(workspace, "held", at=utc("2026-11-03 08:00"))
    (late,) = late_feeds(workspace, utc("2026-11-03 09:00"))

    assert late.text == (
        "expected by 2026-11-03 02:30 (America/Chicago); the roster was last made sure of 2026-11-02 02:00. The newest import, 2, is held."
    )
    ended(workspace, "unchanged", at=utc("2026-11-03 09:30"))
    assert state(workspace, "2026-11-03 09:31") == "fresh"


def test_what_came_late_does_not_count_for_the_next_day(workspace: Workspace) -> None:
    ended(workspace, "published", at=utc("2026-11-03 12:00"))

    assert state(workspace, "2026-11-03 12:01") == "fresh"
    assert state(workspace, "2026-11-04 08:31") == "late"


def test_nobody_waits_on_a_day_off_or_for_a_paused_district(workspace: Workspace) -> None:
    ended(workspace, "published", at=utc("2026-11-06 08:00"))

    assert state(workspace, "2026-11-08 20:00") == "fresh"
    workspace.registry.pause("lincoln")
    assert state(workspace, "2026-11-09 20:00") == "paused"


def test_nobody_waits_while_a_pause_is_planned_nor_for_what_fell_into_it(workspace: Workspace) -> None:
    ended(workspace, "published", at=utc("2026-11-03 08:00"))
    district = workspace.registry.get("lincoln")
    pause = Window(first=date(2026, 11, 4), last=date(2026, 11, 5), reason="Rollover", pause=True)
    workspace.registry.update(replace(district, calendar=(pause,)))

    assert state(workspace, "2026-11-04 12:00") == "paused"
    assert state(workspace, "2026-11-06 07:00") == "paused"  # expected last on the 5th
    assert state(workspace, "2026-11-06 08:30") == "late"


def test_a_late_feed_is_told_once_for_each_time_it_is_expected(workspace: Workspace) -> None:
    (workspace.home / "roster_etl.toml").write_text('[mail]\nhost = "127.0.0.1"\nsender = "roster@example.org"\n')
    workspace = Workspace.open(workspace.home)
    ended(workspace, "published", at=utc("2026-11-02 08:00"))
    told = []
    for hours in (9, 10, 20, 33, 34):
        for late in late_feeds(workspace, utc("2026-11-03 00:00") + timedelta(hours=hours)):
            told += notify_late_feed(workspace, late)

    assert len(told) == 2
    first, _ = workspace.outbox.messages()
    assert (first.to, first.subject) == ("data@lincoln.example.org", "lincoln: clever is late")
    assert "Expected by 2026-11-03 02:30 (America/Chicago)" in first.text
    assert "roster-etl doctor --district lincoln" in first.text
    assert "<h2" in first.html
    assert "<code>roster-etl doctor --district lincoln</code>" in first.html


def test_a_late_feed_whose_newest_import_was_stopped_says_to_look_at_that_first(workspace: Workspace):
    (workspace.home / "roster_etl.toml").write_text('[mail]\nhost = "127.0.0.1"\nsender = "roster@example.org"\n')
    workspace = Workspace.open(workspace.home)
    workspace.registry.update(replace(workspace.registry.get("lincoln"), name="Lincoln <County>"))
    ended(workspace, "published", at=utc("2026-11-02 08:00"))
    held = ended(workspace, "held", at=utc("2026-11-03 08:00"))
    (late,) = late_feeds(workspace, utc("2026-11-03 09:00"))
    notify_late_feed(workspace, late)

    (mail,) = workspace.outbox.messages()
    assert mail.subject == "Lincoln <County>: clever is late"
    assert "<h1" in mail.html
    assert "Lincoln &lt;County&gt;: clever is late" in mail.html
    assert f"1. See why the newest import is held.\n   roster-etl show {held}" in mail.text
