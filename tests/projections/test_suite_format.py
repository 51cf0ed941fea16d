"""What a suite file may say."""

import json
import re

import pytest

from roster_etl.projections.suite_format import (
    SuiteError,
    check_suite,
    expectation_types,
    label,
    least_rows,
    nearest_name_hint,
    parse_suite,
)


def suite(**changes):
    expectation = {"type": "expect_rule_to_hold", "kwargs": {"rule": "Grade: present", "mostly": 0.95}, "severity": "warning"}
    kwargs = {**expectation["kwargs"], **changes.pop("kwargs", {})}
    return {"name": "demo/students", "expectations": [{**expectation, **changes, "kwargs": kwargs}]}


def test_a_well_formed_suite_passes():
    assert parse_suite(json.dumps(suite()), "s.json") == suite()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "expect_rule_to_hol"}, 'type "expect_rule_to_hol" is not known; the nearest is "expect_rule_to_hold"'),
        ({"type": None}, "type null is not known"),
        ({"severity": "error"}, 'severity "error" is none of critical, warning, info'),
        ({"meta": [1]}, '"meta" is not an object'),
        ({"meta": None}, '"meta" is not an object'),
        ({"kwargs": {"mostly": 95}}, "mostly 95 is not a share between 0 and 1; 95 % is written 0.95"),
        ({"kwargs": {"mostly": "0.95"}}, 'mostly "0.95" is not a share'),
        ({"kwargs": {"mostly": True}}, "mostly true is not a share"),
        ({"kwargs": {"rule": None}}, '"rule" is missing in kwargs'),
        ({"kwargs": {"most": 0.9}}, "kwargs has most; allowed are rule, column, mostly, at_least"),
        ({"kwargs": {"column": 3}}, "column 3 is not a name; write the column that the rule is about"),
        ({"kwargs": {"at_least": 0}}, "at_least 0 is not a number of rows from 1 on"),
        ({"kwargs": {"at_least": 3}}, "at_least 3 is too few: a percentage is critical from 10 failing rows on"),
    ],
)
def test_what_cannot_be_followed_is_named_with_its_place(changes, message):
    with pytest.raises(SuiteError, match=re.escape(message)) as caught:
        check_suite(suite(**changes), "expectations/demo/students.json")

    assert caught.value.message.startswith("expectations/demo/students.json: expectation 1")


def test_all_problems_are_named_at_once():
    with pytest.raises(SuiteError) as caught:
        check_suite(suite(severity="error", kwargs={"mostly": 95}), "s.json")

    assert len(caught.value.problems) == 2


def test_brackets_without_end_are_no_suite():
    with pytest.raises(SuiteError, match=r"s.json: brackets are nested too deep"):
        parse_suite("[" * 100_000, "s.json")


@pytest.mark.parametrize("wrong", [[], {"name": "x"}, {"name": "x", "expectations": {}}, None])
def test_what_is_no_suite_is_refused(wrong):
    with pytest.raises(SuiteError, match='expected an object with "name" and a list "expectations"'):
        check_suite(wrong, "s.json")


def test_a_suite_needs_a_name_and_expectations_that_are_objects():
    with pytest.raises(SuiteError) as caught:
        check_suite({"expectations": ["x"]}, "s.json")

    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        '"name" is missing',
        'expectation 1: expected an object with "type" and "kwargs"',
    ]


def test_a_rule_that_stands_twice_is_refused():
    twice = suite()
    twice["expectations"] *= 2

    with pytest.raises(SuiteError, match='expectation 2 "Grade: present": the rule occurs twice'):
        check_suite(twice, "s.json")


def test_the_share_of_refused_rows_may_be_critical_on_fewer_than_ten():
    check_suite(suite(kwargs={"rule": "file: rows refused", "at_least": 3}), "s.json")


@pytest.mark.parametrize(
    ("kwargs", "rows"), [({}, 1), ({"mostly": 0.9}, 10), ({"mostly": 1.0}, 10), ({"mostly": 0.9, "at_least": 25}, 25)]
)
def test_a_percentage_is_critical_from_ten_failing_rows_on_and_a_promise_without_one_from_the_first(kwargs, rows):
    assert least_rows(kwargs) == rows


def test_expectations_of_great_expectations_are_known_without_loading_it():
    assert "expect_column_values_to_be_unique" in expectation_types()


def test_an_expectation_is_called_by_its_rule_or_by_type_and_columns():
    assert label({"type": "expect_rule_to_hold", "kwargs": {"rule": "A: form"}}) == "A: form"
    assert label({"type": "expect_x", "kwargs": {"column": "a"}}) == "expect_x (a)"
    assert label({"type": "expect_x", "kwargs": {"column_list": ["a", "b"]}}) == "expect_x (a, b)"
    assert label({"type": "expect_x", "kwargs": {}}) == "expect_x"


def test_where_no_name_is_near_the_number_of_known_ones_is_told():
    assert nearest_name_hint("zzz", ("Grade: present",)) == "none of the 1 known is near"
