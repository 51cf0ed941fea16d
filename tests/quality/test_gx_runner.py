"""Expectations of any kind, run over a frame: only counts come out."""

import json
import logging
import re
from dataclasses import asdict

import pandas as pd
import pytest

from roster_etl.projections.suite_format import RULE_TYPE
from roster_etl.quality import SuiteBroken, gx_runner
from roster_etl.quality.expectation_result import ExpectationResult
from roster_etl.quality.gx_runner import run_expectations, run_suites

CANARY = "Zebrafink-4711"


def expect(kind, **kwargs):
    return {"type": kind, "kwargs": kwargs, "severity": "warning"}


def test_failing_rows_are_counted():
    rows = pd.DataFrame({"user_id": [CANARY, CANARY, "b"]})
    found = run_expectations("demo/students", [expect("expect_column_values_to_be_unique", column="user_id")], rows)

    assert found == (ExpectationResult(passed=False, judged=3, failing=2),)


def test_what_was_prepared_serves_one_suite(monkeypatch):
    made, own = [], gx_runner.whole_frames
    monkeypatch.setattr(gx_runner, "whole_frames", lambda: made.append(1) or own())
    gx_runner.prepare()
    rows, unique = pd.DataFrame({"user_id": ["a", "a"]}), expect("expect_column_values_to_be_unique", column="user_id")
    first = run_expectations("demo/students", [unique], rows)
    assert len(made) == 1
    again = run_expectations("demo/students", [unique], rows.head(1))

    assert len(made) == 2
    assert (first[0].passed, again[0].passed) == (False, True)


def test_an_expectation_that_cannot_be_evaluated_breaks_the_suite_and_is_no_bad_data():
    absent = expect("expect_column_values_to_be_unique", column="user")

    with pytest.raises(
        SuiteBroken, match=re.escape("suite demo/students is broken: expect_column_values_to_be_unique (user) raised ")
    ):
        run_expectations("demo/students", [absent], pd.DataFrame({"user_id": ["a"]}))


def test_an_expectation_that_cannot_be_built_breaks_the_suite():
    misspelt = expect("expect_column_values_to_be_unique", colum="a")

    with pytest.raises(SuiteBroken, match="colum: extra fields not permitted"):
        run_expectations("demo/students", [misspelt], pd.DataFrame({"user_id": ["a"]}))


@pytest.mark.parametrize(
    "expectation",
    [
        expect("expect_column_values_to_be_unique", column="name"),
        expect("expect_column_values_to_be_in_set", column="name", value_set=["x"]),
        expect("expect_column_distinct_values_to_be_in_set", column="name", value_set=["x"]),
        expect("expect_column_most_common_value_to_be_in_set", column="name", value_set=["x"]),
        expect("expect_column_min_to_be_between", column="name", min_value="a"),
        expect("expect_column_mean_to_be_between", column="name", min_value=1),
        expect("expect_column_values_to_match_strftime_format", column="name", strftime_format="%Y"),
    ],
    ids=lambda expectation: expectation["type"],
)
def test_no_cell_reaches_an_observation_an_error_or_a_log(expectation, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    try:
        found = run_expectations("demo/students", [expectation], pd.DataFrame({"name": [CANARY, CANARY, None]}))
        told = json.dumps([asdict(one) for one in found])
    except SuiteBroken as error:
        told = f"{error} {error.__cause__} {error.__context__}"

    assert CANARY not in told + caplog.text + "".join(capfd.readouterr())


def rule(name, **kwargs):
    return expect(RULE_TYPE, rule=name, **kwargs)


def lines(**counts):
    return {"rule": list(counts), "judged": [judged for judged, _ in counts.values()], "failing": [f for _, f in counts.values()]}


def test_suites_that_run_together_observe_what_each_does_alone():
    suites = [
        ("demo/students", [rule("id"), rule("name", mostly=0.5), rule("absent")], lines(id=(9, 0), name=(9, 4))),
        ("demo/empty", [], lines()),
        ("demo/unread", [rule("id")], lines()),
        ("demo/teachers", [rule("id"), rule("id", mostly=0.1), rule("1 id")], lines(id=(3, 2), name=(3, 3))),
    ]

    alone = [run_expectations(name, expectations, pd.DataFrame(counts)) for name, expectations, counts in suites]

    assert run_suites(suites) == alone
    assert run_suites([]) == []


def test_among_several_suites_the_broken_one_is_named():
    whole, misspelt = ("demo/students", [rule("id")], lines(id=(1, 0))), {**rule("id"), "kwargs": {"rule": "id", "share": 1}}

    with pytest.raises(SuiteBroken, match=re.escape("suite demo/teachers is broken: id: share: extra fields not permitted")):
        run_suites([whole, ("demo/teachers", [misspelt], lines())])
    with pytest.raises(
        SuiteBroken, match=re.escape("demo/teachers is broken: expect_column_values_to_be_unique (a): only rules")
    ):
        run_suites([whole, ("demo/teachers", [expect("expect_column_values_to_be_unique", column="a")], lines())])
