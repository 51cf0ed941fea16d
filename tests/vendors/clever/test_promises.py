"""What Clever's files promise beside what holds for every format: terms, and the repeated rows of students."""

from __future__ import annotations

import pytest

from roster_etl.spec import Column
from roster_etl.vendors.clever import FORMAT, VENDOR
from tests.vendors.breaking import assert_broken, group_of, judged, lines_of, place_of
from tests.walking import found


def test_a_term_that_ends_before_it_starts_has_no_end() -> None:
    sections = FORMAT.file("sections")
    lines = lines_of(VENDOR, sections)
    lines[-1] |= {"Term_start": "08/02/2024", "Term_end": "08/01/2024"}
    result = judged(VENDOR, sections, lines)

    assert_broken(result, len(lines) + 1, sections, sections.column("Term_end"), "bad_date")


def test_a_second_contact_is_no_second_student() -> None:
    students = FORMAT.file("students")
    lines = lines_of(VENDOR, students)
    line = lines[place_of(students, lines)]

    assert found(judged(VENDOR, students, [*lines, line | {"Contact_name": "Someone Else"}])) == []


@pytest.mark.parametrize("name", [file.name for file in FORMAT.files if not file.repeats])
def test_an_extension_makes_a_second_row_of_a_key_a_different_one(name: str) -> None:
    file = FORMAT.file(name)
    lines = lines_of(VENDOR, file)
    result = judged(VENDOR, file, [*lines, lines[place_of(file, lines)] | {"ext.other": "x"}])

    assert found(result) == [("reject", "duplicate_key", len(lines) + 2, ", ".join(file.key))]


@pytest.mark.parametrize(
    "column", [c for c in FORMAT.file("students").columns if c.name not in ("Student_id", "Password")], ids=lambda c: c.name
)
def test_rows_of_one_student_may_differ_in_the_contact_only(column: Column) -> None:
    students = FORMAT.file("students")
    lines = lines_of(VENDOR, students)
    line = lines[place_of(students, lines)]
    other = next(
        row[column.name] for row in [*lines, {column.name: ""}, {column.name: "x"}] if row[column.name] != line[column.name]
    )
    result = judged(VENDOR, students, [*lines, line | {column.name: other, "Contact_sis_id": "another"}])
    contact = students.repeats is not None and column.name in students.repeats.columns
    expected = [] if contact else [("warning", "conflicting_rows", len(lines) + 2, column.name)]

    if students.identity is not None and column.name in students.identity.columns and other and line[column.name]:
        expected = [("reject", "duplicate_key", len(lines) + 2, "Student_id")]
    if group_of(students, column.name) and not other:
        expected = [("warning", "missing_required", len(lines) + 2, column.name)]
    assert found(result) == expected
