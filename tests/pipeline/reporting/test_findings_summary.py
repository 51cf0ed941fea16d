"""Findings by cause."""

from __future__ import annotations

from roster_etl.pipeline.reporting.findings_summary import group_by_cause
from tests.pipeline.reporting.findings import finding


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
