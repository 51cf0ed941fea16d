"""The report of an import."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.reporting.charts import change_bars, chart, rows_bars
from roster_etl.pipeline.reporting.findings_summary import group_by_cause
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.report_files import CSV_COLUMNS, findings_csv, report_page, write_report
from roster_etl.pipeline.workspace import Workspace
from tests.ledgers import ended, refused


def finding(number: int, **columns: Any) -> dict[str, Any]:
    usual = {
        "severity": "reject",
        "code": "missing_required",
        "file": "students.csv",
        "row": number,
        "field": "Last_name",
        "key": "•••",
    }
    return {"id": number, **usual, "message": "It is empty.", "cause_id": None, "count": 1, **columns}


def document(**parts: Any) -> dict[str, Any]:
    usual = dict.fromkeys(("upload_id", "run_id", "received_at", "started_at", "finished_at", "hold", "error"))
    lists: dict[str, Any] = {"files": [], "changes": {}, "findings": [], "checks": [], "plan": {}}
    return {"import_id": 7, "district_id": "lincoln", "source": "clever", "status": "published", **usual, **lists, **parts}


def test_findings_are_grouped_by_cause_with_what_follows() -> None:
    found = group_by_cause(
        [
            finding(1),
            finding(2, code="unknown_reference", cause_id=1, count=5),
            finding(3),
            finding(4, severity="file", code="empty_file"),
        ]
    )

    assert [(cause.code, cause.count, cause.following) for cause in found] == [("empty_file", 1, 0), ("missing_required", 2, 5)]
    assert found[1].locations[0].where == "students.csv row 1 Last_name"


def test_a_cause_counts_rows_and_writes_their_numbers_as_they_are_searched_for() -> None:
    (dates,) = group_by_cause([finding(number, code="bad_date", severity="warning") for number in (4711, 4712, 4713)])
    (refused,) = group_by_cause(
        [finding(1, row=None, field="users", file=None, code="change_threshold_exceeded", severity="upload")]
    )

    assert (dates.amount, dates.locations[0].where) == ("3 rows", "students.csv row 4711 Last_name")
    assert refused.amount == "1"


def test_a_page_says_what_changed_and_what_to_do() -> None:
    page = report_page(
        document(
            changes={"users": {"created": 3, "updated": 1, "deleted": 0}, "terms": {"created": 0, "updated": 0, "deleted": 0}},
            plan={"users": {"columns": {"last_name": 1}}},
            findings=[finding(n) for n in range(2, 30)],
        )
    )

    assert "<td>users</td>" in page
    assert "<td>terms" not in page
    assert "updated: last_name 1" in page
    assert "Fill the cell in the source system" in page
    assert "and 8 more places" in page


def test_a_page_names_the_district_and_the_run() -> None:
    page = report_page(document(district_name="Lincoln County", run_id="4f2a"))

    assert "<h1>Import 7: Lincoln County, clever</h1>" in page
    assert "district <code>lincoln</code>" in page
    assert "Dagster run <code>4f2a</code>" in page
    assert "<h1>Import 7: lincoln, clever</h1>" in report_page(document())


def test_a_page_says_what_is_counted_as_a_check() -> None:
    checks = [{"name": "clever/students: suite", "passed": True, "severity": "error", "details": {}}]

    assert "two for each file of the upload and each table" in report_page(document(checks=checks))


def test_a_page_needs_nothing_else_and_fits_a_phone() -> None:
    past = [{"import_id": n, "status": "held", "rows_accepted": 5, "rows_rejected": 0, "changes": {}} for n in (1, 2)]
    page = report_page(document(history=past))
    assert "<svg" in page

    assert 'name="viewport"' in page
    assert "@media print" in page
    assert "<script" not in page
    assert "http" not in page


def test_names_from_outside_are_text_on_the_page() -> None:
    page = report_page(document(findings=[finding(2, file="<script>alert(1)</script>.csv")]))

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_hold_says_how_to_decide() -> None:
    hold = {
        "reason": "change_threshold_exceeded",
        "tables": {"users": {"deleted": 1200, "current": 2000, "pct": 60.0}},
        "plan_sha256": "ab",
        "decision": None,
    }
    page = report_page(document(status="held", hold=hold))

    assert "More would change than the threshold allows." in page
    assert "1,200 of 2,000 current records (60.0 %)" in page
    assert "holds approve 7" in page


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *((f"{sign}1+1.csv", f"'{sign}1+1.csv") for sign in "=+-@\t\r＝＋－＠"),
        ("fine.csv", "fine.csv"),
        ("a-b=c@d+e.csv", "a-b=c@d+e.csv"),
        ("a;=1+1.csv", "a;'=1+1.csv"),  # where cells end at semicolons
        ("a\n=1+1.csv", "a\n'=1+1.csv"),
        ("a\t@1.csv", "a\t'@1.csv"),
    ],
)
def test_no_cell_of_the_list_is_a_formula(name: str, written: str) -> None:
    text = findings_csv([finding(2, file=name)])

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert list(row) == list(CSV_COLUMNS)
    assert row["file"] == written


def test_effects_of_effects_belong_to_the_first_cause() -> None:
    (school, other) = group_by_cause(
        [
            finding(1, code="missing_required"),
            finding(2, code="bad_value", file="schools.csv"),
            finding(3, code="unknown_reference", cause_id=2),
            finding(4, code="unknown_reference", file="enrollments.csv", cause_id=3, count=9),
        ]
    )

    assert (school.code, school.count, school.following) == ("bad_value", 1, 10)
    assert (other.code, other.following) == ("missing_required", 0)


def test_of_equals_that_with_most_effects_comes_first_and_a_verdict_last() -> None:
    found = group_by_cause(
        [
            finding(1, row=None, file=None, code="quality_gate_failed", severity="upload"),
            finding(2, severity="warning", code="bad_date", count=9),
            finding(3),
            finding(4, code="bad_value", count=7),
            finding(5, severity="file", code="empty_file"),
        ]
    )

    assert [cause.code for cause in found] == ["empty_file", "bad_value", "missing_required", "quality_gate_failed", "bad_date"]


def test_a_page_shows_the_plan_by_table_and_school_with_reasons() -> None:
    school = {"current": 400, "created": 3, "updated": 0, "counted": 0, "deleted": 40, "absent": 38}
    plan = {
        "users": {"current": 2000, "columns": {}, "reasons": {"absent": 38, "cascade": 2}, "schools": {"S1": school}},
        "sections": {"current": 90, "absent": 4, "deleted": 5, "columns": {}, "schools": {"S2": [30, 4]}},
    }
    changes = {"users": {"created": 3, "updated": 0, "deleted": 40}, "sections": {"created": 0, "updated": 0, "deleted": 5}}
    page = report_page(document(plan=plan, changes=changes))

    assert "removed: 38 no longer in the upload, 2 went with what they refer to" in page
    assert "removed: 4 no longer in the upload, 1 went with what they refer to" in page
    line = '<tr><td>S1</td><td>users</td><td class="n">400</td><td class="n">3</td><td class="n">0</td><td class="n">40</td></tr>'
    assert line in page
    assert '<td>S2</td><td>sections</td><td class="n">30</td><td class="n"></td><td class="n"></td><td class="n">4</td>' in page


def test_charts_say_in_words_what_they_show() -> None:
    history = [
        {
            "import_id": n,
            "status": status,
            "rows_accepted": 90 + n,
            "rows_rejected": 10,
            "changes": {"users": dict.fromkeys(CHANGES, n)},
        }
        for n, status in enumerate(("published", "held", "published"), start=1)
    ]
    rows = chart("Rows", ("accepted", "refused"), rows_bars(history))
    changes = chart("Changed records", CHANGES, change_bars(history))

    assert 'aria-label="Rows, imports 1 to 3: at most 103, in the last 103"' in rows
    assert "<title>import 2, held: 92 accepted, 10 refused</title>" in rows
    assert rows.count('class="part1"') == 3
    assert "<title>import 2, held: 0 created, 0 updated, 0 deleted</title>" in changes
    assert 'class="end held"' in changes


def test_a_first_load_does_not_dwarf_what_came_after_it() -> None:
    loads = [{"import_id": 1, "status": "published", "first": True, "changes": {"users": dict.fromkeys(CHANGES, 9)}}]
    later = [
        {"import_id": n, "status": "published", "first": False, "changes": {"users": dict.fromkeys(CHANGES, 1)}} for n in (2, 3)
    ]

    assert "imports 2 to 3: at most 3, in the last 3" in chart("Changed records", CHANGES, change_bars([*loads, *later]))


CHANGES = ("created", "updated", "deleted")


def test_one_import_is_nothing_to_compare() -> None:
    assert not chart(
        "Rows", ("accepted",), rows_bars([{"import_id": 1, "status": "held", "rows_accepted": 5, "rows_rejected": 0}])
    )


def test_signs_that_turn_text_around_are_shown_as_unreadable() -> None:
    page = report_page(document(findings=[finding(2, file="students\u202evsc.exe\x07")]))

    assert "\u202e" not in page
    assert "\x07" not in page
    assert "students\ufffdvsc.exe" in page


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("published", "No record is different."),
        ("unchanged", "is published already"),
        ("held", "roster-etl holds approve 1 --by NAME"),
        ("rejected", "upload all files again"),
        ("failed", "roster-etl rerun --district lincoln --format clever --import 1"),
    ],
)
def test_every_ending_has_a_report_that_says_what_to_do(workspace: Workspace, status: str, says: str) -> None:
    page = write_report(workspace, read_import_summary(workspace, ended(workspace, status))).page

    assert says in page.read_text("utf-8")


def test_a_failed_import_that_took_nothing_cannot_be_run_again(workspace: Workspace) -> None:
    page = write_report(workspace, read_import_summary(workspace, ended(workspace, "failed", files=()))).page.read_text("utf-8")

    assert "roster-etl doctor --district lincoln" in page
    assert "rerun" not in page


def test_a_report_is_kept_with_the_import_and_the_same_each_time(workspace: Workspace) -> None:
    number = ended(workspace, "held", findings=refused(3))
    page = write_report(workspace, read_import_summary(workspace, number)).page
    kinds = ("html", "json", "csv")
    first = {kind: page.with_suffix(f".{kind}").read_bytes() for kind in kinds}
    ended(workspace, "published")
    write_report(workspace, read_import_summary(workspace, number))

    archived = {kind: workspace.archive.read_report("lincoln", 1, kind) for kind in kinds}
    assert {kind: page.with_suffix(f".{kind}").read_bytes() for kind in kinds} == first == archived


def test_the_charts_are_of_this_feed_up_to_this_import(workspace: Workspace) -> None:
    numbers = [ended(workspace, "published", district=who) for who in ("lincoln", "east", "lincoln", "lincoln")]
    page = write_report(workspace, read_import_summary(workspace, numbers[2])).page.read_text("utf-8")

    assert "Rows, imports 1 to 3: at most 100, in the last 100" in page
    assert "import 2," not in page
