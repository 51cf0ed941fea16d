"""What sample uploads hold."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from roster_etl.projections.samples import NoNextDay, write_next_day, write_sample
from roster_etl.vendors import _template, vendor

CLEVER = vendor("clever")


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, strict=True))


@pytest.fixture
def day1(tmp_path: Path) -> Path:
    write_sample(CLEVER, tmp_path / "day1", students=120, seed=1)
    return tmp_path / "day1"


def test_the_number_of_students_is_the_one_asked_for(day1: Path) -> None:
    assert len({row["Student_id"] for row in _rows(day1, "students.csv")}) == 120


def test_hard_names_and_ids_are_in_every_sample(day1: Path) -> None:
    students = _rows(day1, "students.csv")

    assert {"O'Brien", "Null", "None", "李"} <= {row["Last_name"] for row in students}
    assert {"NA", "José"} <= {row["First_name"] for row in students}
    assert {"007", "7", "1E5"} <= {row["Student_id"] for row in students}


def test_a_sample_has_what_the_document_is_about(day1: Path) -> None:
    sections, staff = _rows(day1, "sections.csv"), _rows(day1, "staff.csv")

    assert any(row["Teacher_3_id"] for row in sections)
    assert any("-" in row["Grade"] for row in sections)
    assert any(not row["Subject"] for row in sections)
    assert {"DEFAULT_DISTRICT_OFFICE", "district"} <= {row["School_id"] for row in staff}
    assert any(row["Role"].casefold() == "stl" for row in staff)
    assert any(name.startswith("ext.") for name in sections[0])


def test_every_section_of_a_sample_has_students(day1: Path) -> None:
    enrolled = {row["Section_id"] for row in _rows(day1, "enrollments.csv")}

    assert {row["Section_id"] for row in _rows(day1, "sections.csv")} == enrolled


def test_the_next_day_differs_as_it_says(day1: Path, tmp_path: Path) -> None:
    changes = write_next_day(CLEVER, day1, tmp_path / "day2", seed=2)
    before = {row["Student_id"]: row for row in _rows(day1, "students.csv")}
    after = {row["Student_id"]: row for row in _rows(tmp_path / "day2", "students.csv")}
    told = {(change.kind, change.file): change.count for change in changes}

    assert len(before.keys() - after.keys()) == told["removed", "students"]
    assert len(after.keys() - before.keys()) == told["created", "students"]
    assert sum(not row["Last_name"] for row in after.values()) == told["refused", "students"]
    assert "no-such-student" in {row["Student_id"] for row in _rows(tmp_path / "day2", "enrollments.csv")}


def test_the_next_day_stays_far_from_the_thresholds(day1: Path, tmp_path: Path) -> None:
    write_next_day(CLEVER, day1, tmp_path / "day2", seed=2)
    before, after = ({tuple(row.values()) for row in _rows(day, "enrollments.csv")} for day in (day1, tmp_path / "day2"))

    assert len(before - after) < 0.05 * len(before)


def test_days_can_follow_each_other(day1: Path, tmp_path: Path) -> None:
    write_next_day(CLEVER, day1, tmp_path / "day2", seed=2)
    write_next_day(CLEVER, tmp_path / "day2", tmp_path / "day3", seed=3)
    names = {(row["Student_id"], row["Student_number"]) for row in _rows(tmp_path / "day3", "students.csv")}

    assert len({student for student, _ in names}) == len(names)


@pytest.mark.parametrize("students", [1, 2, 9])
def test_a_tiny_district_has_a_next_day_too(students: int, tmp_path: Path) -> None:
    write_sample(CLEVER, tmp_path / "day1", students=students, seed=1)
    write_next_day(CLEVER, tmp_path / "day1", tmp_path / "day2", seed=2)

    assert len({row["Student_id"] for row in _rows(tmp_path / "day2", "students.csv")}) > students


def test_a_vendor_without_facts_has_no_next_day(tmp_path: Path) -> None:
    write_sample(_template.VENDOR, tmp_path / "day1", students=5, seed=1)

    with pytest.raises(NoNextDay):
        write_next_day(_template.VENDOR, tmp_path / "day1", tmp_path / "day2", seed=2)
