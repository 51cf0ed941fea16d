"""The index of the reports: a page of all feeds, and how often runs write it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from roster_etl.pipeline.reporting.feed_status import Change, FeedStatus, OpenHold, Quarantine, StatusOverview
from roster_etl.pipeline.reporting.freshness import Freshness, State
from roster_etl.pipeline.reporting.status_page import (
    LARGE_BYTES,
    age_text,
    change_text,
    index_page,
    index_path,
    refresh_index,
    refresh_index_after_run,
    status_line,
)
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import NOON, ended

HOLD = OpenHold(
    import_id=7,
    reason="change_threshold_exceeded",
    headline="158 of 324 users would be removed",
    plan_sha256="ab" * 32,
    since=NOON,
)
LAST = {"import_id": 7, "file_set": "", "received_at": NOON, "finished_at": NOON}
HELD = FeedStatus(
    district_id="lincoln", district_name="Lincoln <b>Schools", source="clever", state="held", needs=("held",), last=LAST,
    people=Change(before=324, after=166), is_planned=True, hold=HOLD, quarantine=Quarantine(rows=3, oldest=NOON - timedelta(days=12)),
)  # fmt: skip


def quiet(number: int) -> FeedStatus:
    return FeedStatus(
        district_id=f"d{number:04}", district_name="", source="clever", state="published", last={**LAST, "import_id": number}
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    ended(workspace, "published")
    return workspace


def test_the_page_links_to_each_report_and_says_how_to_decide() -> None:
    page = index_page(StatusOverview(now=NOON, feeds=[HELD, quiet(1), quiet(2)]))

    for text in ('href="lincoln/7.html"', 'href="d0001/1.html"', "324 → 166", "holds approve 7 --by NAME", "3 rows, 12 d"):
        assert text in page
    assert "<b>Schools" not in page
    assert page.index("Needs a person") < page.index("All feeds")


def test_a_thousand_feeds_are_summed_up_before_they_are_listed() -> None:
    page = index_page(StatusOverview(now=NOON, feeds=[HELD, *(quiet(number) for number in range(999))]))

    assert page.count("<tr>") == 1001
    assert "1 of 1,000 feeds needs a person: 1 held. The others: 999 published." in page


def test_the_page_and_its_document_say_the_same(workspace: Workspace) -> None:
    status = refresh_index(workspace)
    document = json.loads(index_path(workspace).with_suffix(".json").read_text())

    assert (document["summary"], document["rows"][0]["report"]) == (status.summary, "lincoln/1.html")
    assert status.summary in index_path(workspace).read_text()


def test_runs_leave_a_page_alone_that_was_just_written(workspace: Workspace) -> None:
    assert refresh_index_after_run(workspace, pause=10.0) is not None
    assert refresh_index_after_run(workspace, pause=10.0) is None
    before = time.time() - 11
    os.utime(index_path(workspace).with_suffix(".json"), (before, before))
    assert refresh_index_after_run(workspace, pause=10.0) is not None


def test_runs_leave_a_page_of_many_feeds_to_the_sensor(workspace: Workspace) -> None:
    """It writes the page each minute; where none does, runs do after a while."""
    refresh_index(workspace)
    document = index_path(workspace).with_suffix(".json")
    document.write_bytes(document.read_bytes() + b" " * LARGE_BYTES)
    for age, written in ((5, False), (65, False), (91, True)):
        moment = time.time() - age
        os.utime(document, (moment, moment))

        assert (refresh_index_after_run(workspace) is not None) is written, age


def test_a_page_that_cannot_be_written_does_not_stop_a_run(workspace: Workspace) -> None:
    (workspace.home / "reports").write_text("in the way")

    assert refresh_index_after_run(workspace) is None


def test_texts_are_short() -> None:
    assert [age_text(timedelta(minutes=n)) for n in (5, 119, 300, 60 * 24 * 12)] == ["5 min", "119 min", "5 h", "12 d"]
    assert (change_text(None), change_text(Change(before=3, after=3)), change_text(Change(before=None, after=1200))) == (
        "",
        "3",
        "1,200",
    )
    assert status_line(HELD, NOON).what == "import 7: 158 of 324 users would be removed"


@pytest.mark.parametrize(("state", "text"), [("late", "5 h"), ("good", "")])
def test_a_feed_that_is_late_says_for_how_long(state: State, text: str) -> None:
    deadline = NOON - timedelta(hours=5)
    lateness = Freshness(
        district_id="lincoln", source="clever", time_zone="UTC", state=state, deadline=deadline, next=NOON, good=None, last=None
    )  # fmt: skip

    assert status_line(replace(HELD, lateness=lateness), NOON).late == text
