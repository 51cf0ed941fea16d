"""What a sample of Mastery Connect, and its next day, are about."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors.mastery_connect import VENDOR


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, strict=True))


@pytest.fixture
def day1(tmp_path: Path) -> Path:
    write_sample(VENDOR, tmp_path / "day1", students=120, seed=1)
    return tmp_path / "day1"


def test_a_sample_has_what_the_document_is_about(day1: Path) -> None:
    users, sections = _rows(day1, "users"), _rows(day1, "sections")

    assert sum(row["user_role"] == "student" for row in users) == 120
    assert {"007", "7", "1E5"} <= {row["user_id"] for row in users}
    assert {"Null", "None", "李"} <= {row["last_name"] for row in users}
    assert {bool(row["login_id"]) for row in users} == {bool(row["name"]) for row in sections} == {True, False}
    assert {row["status"] for name in ("users", "sections", "enrollments") for row in _rows(day1, name)} == {"active"}


def test_every_section_of_a_sample_has_a_teacher(day1: Path) -> None:
    taught = {row["section_id"] for row in _rows(day1, "enrollments") if row["role"] == "teacher"}

    assert {row["section_id"] for row in _rows(day1, "sections")} == taught


def test_the_next_day_differs_as_it_says(day1: Path, tmp_path: Path) -> None:
    changes = write_next_day(VENDOR, day1, tmp_path / "day2", seed=2)
    before, after = ({row["user_id"]: row for row in _rows(day, "users")} for day in (day1, tmp_path / "day2"))
    gone = len(before.keys() - after.keys()) + sum(row["status"] == "deleted" for row in after.values())

    assert gone == sum(change.count for change in changes if (change.kind, change.file) == ("removed", "users"))
    assert len(after.keys() - before.keys()) == next(c.count for c in changes if (c.kind, c.file) == ("created", "users"))
    assert sum(row["status"] == "inactive" for row in after.values()) == 1


@pytest.mark.parametrize("students", [1, 9])
def test_a_tiny_district_has_a_next_day_too(students: int, tmp_path: Path) -> None:
    write_sample(VENDOR, tmp_path / "day1", students=students, seed=1)
    write_next_day(VENDOR, tmp_path / "day1", tmp_path / "day2", seed=2)

    assert sum(row["user_role"] == "student" for row in _rows(tmp_path / "day2", "users")) > students
