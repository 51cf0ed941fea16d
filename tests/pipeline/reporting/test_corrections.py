"""What a district should correct."""

from __future__ import annotations

from roster_etl.pipeline.reporting.corrections import corrections_by_file
from tests.pipeline.reporting.findings import finding


def test_errors_are_grouped_by_file_and_column_with_their_rows() -> None:
    found = corrections_by_file(
        [
            finding(1, row=9, code="bad_date", severity="warning", field="DOB", message="Expected a date."),
            finding(2, row=4),
            finding(3, row=2),
            finding(4, file="schools.csv", row=None, field=None, code="empty_file", severity="file", message="It has no rows."),
            finding(5, file="enrollments.csv", code="unknown_reference", cause_id=2, count=5),
        ]
    )

    assert [(one.file, [(c.column, c.amount, c.rows) for c in one.corrections]) for one in found] == [
        ("schools.csv", [(None, "", "")]),
        ("students.csv", [("Last_name", "2 rows", "2, 4"), ("DOB", "1 row", "9")]),
    ]
    assert found[1].corrections[0].following == 5
    assert found[1].corrections[1].expected == "Expected a date."


def test_notes_and_what_would_change_are_no_errors_of_a_file() -> None:
    shrunk = finding(1, code="change_threshold_exceeded", severity="upload", file=None, row=None, field="users")

    assert corrections_by_file([shrunk, finding(2, severity="info", code="duplicate_row")]) == []
