"""The report of an import."""

from __future__ import annotations

import csv
import io
from typing import Any

from roster_etl.pipeline.causes import causes
from roster_etl.pipeline.report import CSV_COLUMNS, findings_csv, report_page


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
    found = causes(
        [
            finding(1),
            finding(2, code="unknown_reference", cause_id=1, count=5),
            finding(3),
            finding(4, severity="file", code="empty_file"),
        ]
    )

    assert [(cause.code, cause.count, cause.following) for cause in found] == [("empty_file", 1, 0), ("missing_required", 2, 5)]
    assert found[1].places[0].where == "students.csv row 1 Last_name"


def test_a_cause_counts_rows_and_writes_their_numbers_as_they_are_searched_for() -> None:
    (dates,) = causes([finding(number, code="bad_date", severity="warning") for number in (4711, 4712, 4713)])
    (refused,) = causes([finding(1, row=None, field="users", file=None, code="change_threshold_exceeded", severity="upload")])

    assert (dates.amount, dates.places[0].where) == ("3 rows", "students.csv row 4711 Last_name")
    assert refused.amount == "1"


def test_a_page_says_what_changed_and_what_to_do() -> None:
    page = report_page(
        document(
            changes={"users": {"created": 3, "updated": 1, "deleted": 0}, "terms": {"created": 0, "updated": 0, "deleted": 0}},
            plan={"users": {"columns": {"last_name": 1}}},
            findings=[finding(n) for n in range(2, 30)],
        )
    )

    assert "<td>users <span" in page
    assert "<td>terms" not in page
    assert "last_name 1" in page
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
    page = report_page(document())

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


def test_no_cell_of_the_list_is_a_formula() -> None:
    names = ["=1+1.csv", "+x.csv", "-x.csv", "@x.csv", "\tx.csv", "fine.csv"]
    text = findings_csv([finding(n, file=name) for n, name in enumerate(names, start=2)])

    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert [row["file"] for row in rows] == ["'=1+1.csv", "'+x.csv", "'-x.csv", "'@x.csv", "'\tx.csv", "fine.csv"]
