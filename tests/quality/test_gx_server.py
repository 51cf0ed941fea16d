"""The gates' process from the inside."""

import io
import json
import subprocess
import sys
from types import ModuleType

import pytest

from roster_etl.quality import gx_server

RULE = {"type": "expect_rule_to_hold", "kwargs": {"rule": "Grade: form"}, "severity": "warning"}
HALF = {**RULE, "kwargs": {"rule": "Grade: form", "mostly": 0.5}}


def request(*expectations):
    lines = {"rule": ["Grade: form"], "judged": [4], "failing": [1]}
    return {"suites": [{"suite": "demo/students", "expectations": [one], "lines": lines} for one in expectations]}


def test_every_line_is_answered_with_a_line_until_the_input_ends():
    asked, said = io.BytesIO(b'{"n": 1}\n{"n": 2}\n'), io.BytesIO()
    gx_server.serve(asked, said, lambda one: {"twice": 2 * one["n"]})

    assert said.getvalue() == b'{"twice": 2}\n{"twice": 4}\n'


def test_an_answer_is_what_each_expectation_observed():
    assert gx_server.handle_request(request(RULE, HALF)) == {"observed": [[(False, 4, 1)], [(True, 4, 1)]]}


def test_an_answer_says_why_a_suite_is_broken():
    misspelt = {"type": "expect_column_values_to_be_unique", "kwargs": {"colum": "a"}, "severity": "warning"}

    (problem, *_) = gx_server.handle_request(request(misspelt))["broken"]
    assert "extra fields not permitted" in problem or "field required" in problem


def test_the_process_says_nothing_but_answers_and_ends_with_its_input():
    asked = json.dumps(request(RULE)) + "\n"
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "roster_etl.quality.gx_server"],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(said.stdout) == {"observed": [[[False, 4, 1]]]}
    assert said.stderr == ""


def test_a_module_is_loaded_later(tmp_path, monkeypatch):
    (tmp_path / "seldom_used.py").write_text("VALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    gx_server.defer_import("seldom_used")
    module = sys.modules["seldom_used"]
    import seldom_used

    assert type(module) is gx_server.LazyModule
    assert seldom_used.VALUE == 7
    assert type(sys.modules.pop("seldom_used")) is ModuleType


@pytest.mark.parametrize("name", ["json", "no_such_module_anywhere"])
def test_a_module_that_is_loaded_or_not_there_stays_as_it_is(name):
    before = sys.modules.get(name)
    gx_server.defer_import(name)

    assert sys.modules.get(name) is before


def test_the_modules_that_are_seldom_used_work_when_they_are():
    code = """
from roster_etl.quality import gx_server
for name in gx_server.DEFERRED_MODULES:
    gx_server.defer_import(name)
from scipy import stats
import altair
print(stats.entropy([1.0]), altair.Chart.__name__)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["0.0", "Chart"]


def test_clients_of_object_stores_and_databases_are_not_loaded_though_they_are_installed():
    code = """
import io, sys
from roster_etl.quality import gx_server
sys.stdin = io.TextIOWrapper(io.BytesIO())
gx_server.main()
sys.stderr.write(" ".join(name for name in gx_server.BLOCKED_MODULES if name in sys.modules) or "none")
"""
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)

    assert said.stderr == "none"
