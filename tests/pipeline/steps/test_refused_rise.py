"""When a rise of the share of refused rows is a sudden one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.steps.refused_rise import SUMMARY_KEY, rise_messages
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.options import COMMON_OPTIONS, parse_option
from roster_etl.store.registry.registry import District, Feed

VALUES = {option.name: parse_option(option, option.default) for option in COMMON_OPTIONS if option.name.startswith("refused_")}


@pytest.mark.parametrize(
    ("before", "now", "holds"),
    [
        ([75, 0], [75, 25], True),
        ([75, 25], [75, 25], False),
        ([750, 250], [75, 25], False),
        ([75, 10], [75, 17], False),
        ([1000, 0], [1000, 100], False),
        ([1000, 0], [1000, 101], True),
        ([1000, 30], [1000, 131], True),
        ([48, 0], [48, 8], True),
        ([48, 0], [48, 7], False),
        ([12, 0], [12, 5], True),
        ([12, 0], [12, 4], False),
        ([0, 0], [12, 5], True),
        ([75, 25], [75, 0], False),
    ],
)
def test_a_rise_is_measured_against_the_last_published_upload(before: list[int], now: list[int], *, holds: bool) -> None:
    assert bool(rise_messages({"enrollments": now}, {"enrollments": before}, VALUES, "clever")) is holds


def test_a_file_that_was_not_published_before_is_not_compared() -> None:
    assert rise_messages({"enrollments": [75, 75]}, {"students": [75, 0]}, VALUES, "clever") == {}


def test_a_rise_says_both_shares() -> None:
    (text,) = rise_messages({"enrollments": [75, 25]}, {"enrollments": [80, 4]}, VALUES, "clever").values()

    assert text == (
        "clever/enrollments: 33.3 % of 75 rows are refused, 5.0 % in the last published upload; more than 10 points above it hold"
    )


def test_a_hundred_points_are_off() -> None:
    assert rise_messages({"a": [75, 75]}, {"a": [75, 0]}, {**VALUES, "refused_rise_pct": 100.0}, "clever") == {}


def test_rows_of_changes_that_could_not_be_applied_are_refused_rows_too(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "users.csv").write_text("user_id,login_id,status\nU1,ann,active\nU2,bob,gone\n", "utf-8")
    (upload / "enrollments.csv").write_text(
        "course_id,user_id,role,section_id,status\n,U1,student,S9,active\n,U1,student,S8,wrong\n,U1,teacher,S7,active\n", "utf-8"
    )
    with closing(Workspace.open(tmp_path / "home")) as workspace:
        workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
        number = import_upload(workspace, Order(district_id="lincoln", source="canvas", path=str(upload)))
        summary = workspace.warehouse.ledger.import_(number)["summary"]

    assert summary[SUMMARY_KEY] == {"users": [2, 1], "enrollments": [3, 3]}
