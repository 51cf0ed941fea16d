"""The page of a report in a browser: on a desktop, a phone, paper and in dark mode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.reporting.report_page import report_page
from tests.pipeline.reporting.findings import document, finding

pytestmark = pytest.mark.browser
TABLES = ("users", "user_roles", "courses", "sections", "enrollments", "terms", "groups", "memberships")
COUNTS = {"current": 12_345, "created": 123, "updated": 4_567, "deleted": 2_345}
CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const node of document.querySelectorAll("body *")) {
    if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) || node.closest("svg")) continue;
    const [one, other] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) weak.push(node.tagName + "." + node.className + ": " + node.textContent.trim().slice(0, 30));
  }
  return weak;
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a held import with long names, many tables by school, every kind of finding and a history."""
    school = {**COUNTS, "absent": 3, "counted": 3}
    plan = {name: {**COUNTS, "columns": {f"column_{n}": n for n in range(20)}, "schools": {"S-1": school}} for name in TABLES}
    hold = {
        "reason": "change_threshold_exceeded",
        "tables": {"users": {"deleted": 2_345, "current": 12_345, "pct": 19.0}},
        "schools": [{"table": "users", "school": "S-1", "role": "student", "deleted": 45, "current": 90, "pct": 50.0}],
        "plan_sha256": "ab" * 32,
        "decision": None,
    }
    history = [
        {
            "import_id": n,
            "status": "published",
            "rows_accepted": 99_000 + n,
            "rows_rejected": n,
            "users": 12_000 + n,
            "changes": {},
        }
        for n in range(1, 21)
    ]
    made = document(
        status="held",
        district_name="Santa Ana y San Cristóbal de los Llanos Unified School District",
        hold=hold,
        plan=plan,
        changes={name: {what: COUNTS[what] for what in ("created", "updated", "deleted")} for name in TABLES},
        findings=[
            finding(n, file="a_rather_long_name_of_a_file_with_students.csv", field="Contact_relationship_to_student")
            for n in range(2, 9)
        ],
        files=[{"file": "students.csv", "kind": "students", "rows_read": 99_020, "rows_accepted": 99_000, "rows_rejected": 20}],
        history=history,
        school_names={"S-1": "Doctor Martin Luther King Junior Elementary School and Early Learning Center"},
        links={
            "run": "https://dagster.example.org/runs/1",
            "approve": "https://dagster.example.org/approve",
            "archive": "/srv/a.json",
        },
        run_id="4f2a",
        finished_at="2026-11-02T12:00:00+00:00",
    )
    path = tmp_path_factory.mktemp("report") / "7.html"
    path.write_text(report_page(made), "utf-8")
    return path


@pytest.mark.parametrize(
    ("width", "media", "scheme"),
    [(1280, "screen", "light"), (1280, "screen", "dark"), (390, "screen", "light"), (794, "print", "light")],
)
def test_the_page_fits_and_can_be_read(report: Path, page: Any, width: int, media: str, scheme: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(report.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    assert asked == [report.as_uri()]  # it needs nothing else
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 23, 28)") is (scheme == "dark")


def test_what_an_operator_looks_for_first_is_on_the_first_screen(report: Path, page: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(report.as_uri())

    for text in ("2,345 of 12,345 users would be removed", "2,345 removed (19 %), 123 new", "Approve"):
        bottom = page.get_by_text(text).first.bounding_box()
        assert bottom, text
        assert bottom["y"] + bottom["height"] < 900, text


def test_paper_has_district_import_and_page_numbers_on_each_page(report: Path, page: Any) -> None:
    page.goto(report.as_uri())
    rules = page.evaluate(
        "[...document.styleSheets[0].cssRules].flatMap((rule) => [...(rule.cssRules || [])]).filter((rule) => rule instanceof CSSPageRule)"
        ".map((rule) => rule.cssText).join('')"
    )

    assert 'content: "Page " counter(page) " of " counter(pages)' in rules
    assert "Santa Ana y San Cristóbal de los Llanos" in rules
    assert "Import 7, clever: held" in rules
    paper = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 2
