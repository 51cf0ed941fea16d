"""Great Expectations' pages, in a frame of ours."""

import re

import pytest

from roster_etl.quality import SuiteBroken
from roster_etl.quality.data_docs import write_pages
from roster_etl.quality.gx_client import GxClient

ABOUT = {"title": "import 7 of lincoln", "district": "lincoln", "run": "import 7", "at": "2026-11-03T02:30:00+00:00"}
FORM = {
    "type": "expect_rule_to_hold",
    "kwargs": {"rule": "Grade: form", "column": "Grade", "mostly": 0.95},
    "severity": "critical",
}
PRESENT = {"type": "expect_rule_to_hold", "kwargs": {"rule": "Grade: present"}, "severity": "warning"}
LINES = {"rule": ["Grade: form"], "judged": [200], "failing": [25]}
STUDENTS = {"suite": "clever/students", "expectations": [FORM, PRESENT], "lines": LINES}
STAFF = {"suite": "clever/staff", "expectations": [PRESENT], "lines": {"rule": [], "judged": [], "failing": []}}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    assert write_pages(folder, ABOUT, [STUDENTS, STAFF]) == 5
    return {page.name: page.read_text("utf-8") for page in folder.iterdir()}


def text(page):
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split()).replace(" ,", ",")


def test_the_index_names_each_suite_and_how_it_came_out(pages):
    assert "clever.students failed (critical) 2 1" in text(pages["index.html"])
    assert "clever.staff holds 1 0" in text(pages["index.html"])


def test_a_page_says_what_each_expectation_found(pages):
    page = text(pages["clever.students.html"])

    assert "Grade: form, at least 95 % of rows 25 of 200 fail (12.5 %)" in page
    assert "Grade: present, every row not evaluated" in page


def test_every_link_leads_to_a_page_that_is_there(pages):
    links = {link for page in pages.values() for link in re.findall(r'href="([^"#]+)"', page)}

    assert {"clever.students.html", "clever.students.suite.html", "index.html"} <= links <= set(pages)


def test_nothing_is_loaded_from_anywhere(pages):
    assert not [name for name, page in pages.items() if re.search(r"<script|<link|<img|https?://", page)]
    assert all("default-src 'none'" in page for page in pages.values())


def test_the_same_verdicts_make_the_same_pages(pages, tmp_path):
    write_pages(tmp_path, ABOUT, [STUDENTS, STAFF])

    assert {page.name: page.read_text("utf-8") for page in tmp_path.iterdir()} == pages


def test_pages_of_the_gates_process_are_nobody_elses_and_a_broken_suite_is_named(tmp_path):
    gates = GxClient()
    try:
        assert gates.render_data_docs(tmp_path, ABOUT, [STAFF]) == 3
        with pytest.raises(SuiteBroken, match=r"suite clever\.staff is broken"):
            gates.render_data_docs(
                tmp_path, ABOUT, [{**STAFF, "expectations": [{**PRESENT, "kwargs": {"rule": "x", "columns": "y"}}]}]
            )
    finally:
        gates.close()

    assert {page.stat().st_mode & 0o777 for page in tmp_path.iterdir()} == {0o600}
