"""A district's own tolerances."""

import datetime as dt
import re

import pytest

from roster_etl.projections.suite_format import SuiteError
from roster_etl.quality import ToleranceOverride, apply_overrides, apply_refused_rows_limits, check_overrides, registry_overrides
from roster_etl.store.registry.toml_file import Gate

SUITE = {
    "name": "demo/students",
    "expectations": [
        {"type": "expect_rule_to_hold", "kwargs": {"rule": "Grade: present", "mostly": 0.95}, "severity": "warning"},
        {
            "type": "expect_rule_to_hold",
            "kwargs": {"rule": "file: rows refused", "mostly": 0.75, "at_least": 10},
            "severity": "critical",
        },
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "user_id"}, "severity": "critical"},
    ],
}
DAY = dt.date(2026, 9, 1)


def override(**changes):
    values = {"suite": "demo/students", "expectation": "Grade: present", "reason": "New system.", "date": DAY, "mostly": 0.8}
    return ToleranceOverride(**{**values, **changes})


def test_an_override_changes_what_it_names_and_says_why():
    changed = apply_overrides(SUITE, [override(severity="critical")])["expectations"]

    assert changed[0]["kwargs"] == {"rule": "Grade: present", "mostly": 0.8}
    assert changed[0]["severity"] == "critical"
    assert changed[0]["meta"]["override"] == {"reason": "New system.", "date": "2026-09-01"}
    assert changed[1:] == SUITE["expectations"][1:]


def test_the_suite_itself_is_left_alone():
    apply_overrides(SUITE, [override()])

    assert SUITE["expectations"][0]["kwargs"]["mostly"] == 0.95


def test_an_override_of_another_suite_is_passed_over():
    assert apply_overrides(SUITE, [override(suite="demo/teachers")]) == SUITE


def test_any_expectation_can_be_overridden_by_the_name_that_verdicts_show():
    changed = apply_overrides(SUITE, [override(expectation="expect_column_values_to_be_unique (user_id)", severity="info")])

    assert changed["expectations"][2]["severity"] == "info"


def test_an_override_that_matches_nothing_names_the_nearest():
    message = 'tolerance of "demo/students: Grad: present": no such expectation; the nearest is "Grade: present"'

    with pytest.raises(SuiteError, match=re.escape(message)):
        apply_overrides(SUITE, [override(expectation="Grad: present")])


def test_an_override_of_no_suite_names_the_nearest():
    with pytest.raises(SuiteError, match=re.escape('no such suite; the nearest is "demo/students"')):
        check_overrides([override(suite="demo/student")], {"demo/students": SUITE})


def test_overrides_that_can_be_followed_are_accepted():
    check_overrides([override()], {"demo/students": SUITE})


def test_an_override_out_of_range_is_refused():
    with pytest.raises(SuiteError, match="mostly 80 is not a share between 0 and 1"):
        apply_overrides(SUITE, [override(mostly=80)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"reason": " "}, "a reason is needed"), ({"mostly": None}, "nothing is overridden; give mostly or severity")],
)
def test_an_override_needs_a_reason_and_something_to_override(changes, message):
    with pytest.raises(SuiteError, match=message):
        override(**changes)


def gate(**changes):
    values = {"expectation": "demo/students: Grade: present", "reason": "New system.", "date": DAY, "mostly": 0.8}
    return Gate(**{**values, **changes})


def test_the_registry_names_an_expectation_as_reports_do():
    assert registry_overrides([gate()]) == (override(),)


def test_an_error_in_the_registry_is_critical_in_a_suite():
    assert registry_overrides([gate(severity="error")])[0].severity == "critical"


def test_a_name_without_its_suite_is_refused():
    with pytest.raises(SuiteError, match="name suite and rule as reports do"):
        registry_overrides([gate(expectation="Grade")])


def test_a_districts_options_set_the_share_of_refused_rows():
    changed = apply_refused_rows_limits(SUITE, percent=12.5, min_rows=3)["expectations"]

    assert changed[1]["kwargs"] == {"rule": "file: rows refused", "mostly": 0.875, "at_least": 3}
    assert [changed[0], changed[2]] == [SUITE["expectations"][0], SUITE["expectations"][2]]
