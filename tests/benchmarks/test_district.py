"""The changing district that the benchmarks import night after night."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.district import CLEVER_DAMAGE, ChangingDistrict, Row
from roster_etl.projections.samples import write_sample
from roster_etl.vendors import vendor

STUDENTS = 60


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("district") / "day1"
    write_sample(vendor("clever"), folder, students=STUDENTS, seed=1)
    return folder


def rows(folder: Path, name: str) -> list[Row]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_night_edits_removes_and_adds_a_third_of_the_churn_each(first_day: Path, tmp_path: Path) -> None:
    district = ChangingDistrict(first_day)
    before = {row["Student_id"]: row for row in district.files["students.csv"]}
    district.next_night(0.1)
    after = {row["Student_id"]: row for row in rows(district.write(tmp_path / "day2", 0), "students.csv")}

    assert (len(before.keys() - after.keys()), len(after.keys() - before.keys())) == (2, 2)
    assert sum(before[student] != after[student] for student in before.keys() & after.keys()) <= 2


def test_rows_of_those_who_left_go_and_those_who_joined_have_enrollments(first_day: Path, tmp_path: Path) -> None:
    district = ChangingDistrict(first_day)
    for _ in range(5):
        district.next_night(0.1)
    day = district.write(tmp_path / "day6", 0)
    students = {row["Student_id"] for row in rows(day, "students.csv")}

    assert {row["Student_id"] for row in rows(day, "enrollments.csv")} <= students
    assert len(students) == STUDENTS


def test_damage_is_another_each_night_and_leaves_the_district_as_it_is(first_day: Path, tmp_path: Path) -> None:
    district = ChangingDistrict(first_day)
    one, other, clean = (
        rows(district.write(tmp_path / str(n), share), "enrollments.csv") for n, share in enumerate((0.1, 0.1, 0))
    )
    bad = {value for _, value in CLEVER_DAMAGE["enrollments.csv"] if value}
    found = [{n for n, row in enumerate(day) if bad & set(row.values())} for day in (one, other, clean)]

    assert all(found[:2])
    assert found[0] != found[1]
    assert clean == rows(first_day, "enrollments.csv")


def test_a_canvas_district_changes_as_a_clever_one_does(tmp_path: Path) -> None:
    write_sample(vendor("canvas"), tmp_path / "day1", students=STUDENTS, seed=1)
    district = ChangingDistrict(tmp_path / "day1")
    before = {row["user_id"]: row for row in district.files["users.csv"]}
    district.next_night(0.1)
    after = {row["user_id"]: row for row in rows(district.write(tmp_path / "day2", 0), "users.csv")}
    gone = before.keys() - after.keys()

    assert (len(gone), len(after.keys() - before.keys())) == (2, 2)
    assert {row["user_id"] for row in rows(tmp_path / "day2", "enrollments.csv")}.isdisjoint(gone)
    assert {before[one]["declared_user_type"] for one in gone} == {"student"}
