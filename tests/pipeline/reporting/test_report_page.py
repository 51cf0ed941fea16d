"""The page of a report."""

from __future__ import annotations

import re

import pytest

from roster_etl.pipeline.reporting.report_page import report_page
from tests.pipeline.reporting.findings import document, finding


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
    assert "2, 3, 4, 5, 6, 7 and 22 more" in page


def test_a_page_names_the_district_and_the_run() -> None:
    page = report_page(document(district_name="Lincoln County", run_id="4f2a"))

    assert "<h1>Lincoln County</h1>" in page
    assert "clever · import 7 · <code>lincoln</code>" in page
    assert "<code>4f2a</code> (/runs/4f2a in the UI)" in page
    assert "<h1>lincoln</h1>" in report_page(document())


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
    assert '<p class="headline">1,200 of 2,000 users would be removed</p>' in page
    assert "holds approve 7" in page


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
    first, second = page.index("<td>S1</td>"), page.index("<td>S2</td>")
    assert first < second
    assert "400 → 363<small>40 removed (10 %), 3 new</small>" in page[first:second]
    assert "30<small>−4</small>" in page[second:]


def test_signs_that_turn_text_around_are_shown_as_unreadable() -> None:
    page = report_page(document(findings=[finding(2, file="students\u202evsc.exe\x07")]))

    assert "\u202e" not in page
    assert "\x07" not in page
    assert "students\ufffdvsc.exe" in page


SCHOOL = {"current": 400, "created": 0, "updated": 0, "deleted": 40}


def test_schools_have_their_names_and_are_marked_where_they_are_over_a_threshold() -> None:
    part = {"table": "users", "school": "S2", "role": "student", "deleted": 40, "current": 60, "pct": 66.7}
    hold = {"reason": "change_threshold_exceeded", "tables": {}, "schools": [part], "plan_sha256": "ab", "decision": None}
    plan = {"users": {"current": 900, "deleted": 80, "columns": {}, "schools": {"S1": SCHOOL, "S2": SCHOOL}}}
    page = report_page(document(status="held", hold=hold, plan=plan, school_names={"S2": "Cedar <Hill>"}))

    assert "Cedar &lt;Hill&gt;" in page
    assert "over the threshold: 40 of 60 removed (student)" in page
    assert page.index("Cedar &lt;Hill&gt;") < page.index("<td>S1</td>")


def test_a_page_begins_with_the_numbers_before_and_after() -> None:
    users = {"current": 324, "created": 3, "updated": 5, "deleted": 158, "columns": {}}
    file = {"file": "students.csv", "kind": "students", "rows_read": 200, "rows_accepted": 199, "rows_rejected": 1}
    page = report_page(document(plan={"users": users, "sections": {"current": 9}}, files=[file]))

    assert "324 <i>→</i> 169</b>" in page
    assert "158 removed (48.8 %), 3 new, 5 updated" in page
    assert "0.5 % of 200 rows read" in page


def test_what_a_hold_says_of_tables_and_schools_is_said_once() -> None:
    hold = {
        "reason": "change_threshold_exceeded",
        "tables": {"users": {"deleted": 12, "current": 20, "pct": 60.0}},
        "plan_sha256": "ab",
        "decision": None,
    }
    said = finding(1, code="change_threshold_exceeded", severity="upload", file=None, row=None, field="users", message="12 of 20")
    page = report_page(document(status="held", hold=hold, findings=[said, finding(2)]))

    assert "change_threshold_exceeded" not in page
    assert "missing_required" in page


def test_the_contents_lead_to_each_section_that_the_page_has() -> None:
    page = report_page(document(findings=[finding(2)], changes={"users": {"created": 1, "updated": 0, "deleted": 0}}))

    targets = re.findall(r'<a href="#(\w+)">', page)
    assert targets == ["findings", "changes", "about"]
    assert [f'id="{target}"' in page for target in targets] == [True] * 3


def test_a_page_leads_to_its_run_the_forms_and_the_archive() -> None:
    links = {
        "report": "https://reports.example.org/lincoln/7.html",
        "run": "https://dagster.example.org/runs/4f2a",
        "approve": "https://dagster.example.org/locations/roster_etl/jobs/approve_hold",
        "archive": "/srv/archive/manifests/lincoln/7.json",
    }
    page = report_page(document(run_id="4f2a", links=links))

    assert '<a href="https://dagster.example.org/runs/4f2a">4f2a</a>' in page
    assert '<a href="https://dagster.example.org/locations/roster_etl/jobs/approve_hold" class="main">Approve</a>' in page
    assert '<a href="file:///srv/archive/manifests/lincoln/7.json">' in page
    assert '<a href="https://reports.example.org/lincoln/7.csv">' in page


@pytest.mark.parametrize("name", ['Lincoln"; } body { display: none', "</style><script>", "Zürich\u202e"])
def test_a_name_cannot_end_the_text_of_the_page_header(name: str) -> None:
    style = report_page(document(district_name=name)).partition("</style>")[0]

    content = re.search(r'@top-left { content: "([^"]*)"', style)
    assert content
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\[0-9a-f]+ )+", content[1])


def test_a_page_lists_its_sections_and_what_to_do_about_a_hold_comes_first() -> None:
    hold = {"reason": "change_threshold_exceeded", "tables": {}, "schools": [], "plan_sha256": "ab", "decision": None}
    page = report_page(document(status="held", hold=hold, findings=[finding(2)]))
    listed = re.findall(r'href="#(\w+)"', page)

    assert listed[:2] == ["todo", "findings"]
    assert {name for name in listed if f'id="{name}"' not in page} == set()
    assert "todo" not in re.findall(r'href="#(\w+)"', report_page(document(findings=[])))
