"""The rows that are refused now, by age."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.reporting.quarantine_age import refused_rows
from roster_etl.pipeline.workspace import Workspace
from tests.ledgers import NOON, ended

TODAY = NOON + timedelta(days=60)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def row(number: int, cells: str, code: str = "missing_required", file: str = "students.csv") -> dict[str, Any]:
    return {"file": file, "row": number, "code": code, "record": cells}


def ages(workspace: Workspace, source: str = "clever") -> dict[tuple[str, str], list[int]]:
    found = refused_rows(workspace, "lincoln", source, TODAY)
    return {(line.file, line.code): [*line.ages.values()] for line in found}


def test_a_row_is_as_old_as_the_first_import_that_refused_the_same_cells(workspace: Workspace) -> None:
    ended(workspace, "published", at=NOON, rejected=[row(2, "a"), row(3, "gone")])
    ended(workspace, "held", at=TODAY - timedelta(days=9), rejected=[row(4, "b"), row(2, "a")])
    ended(workspace, "published", at=TODAY - timedelta(days=2), rejected=[row(7, "a"), row(4, "b"), row(9, "c")])
    ended(workspace, "published", at=TODAY, rejected=[row(5, "a"), row(6, "b"), row(7, "c"), row(8, "d"), row(9, "d")])

    assert ages(workspace) == {("students.csv", "missing_required"): [2, 1, 1, 1]}
    (line,) = refused_rows(workspace, "lincoln", "clever", TODAY)
    assert line.oldest == NOON - timedelta(minutes=2)


def test_a_row_counts_once_and_files_reasons_and_feeds_are_kept_apart(workspace: Workspace) -> None:
    ended(workspace, "published", at=NOON, district="monroe", rejected=[row(2, "a")])
    two = [row(2, "a", "bad_date"), row(2, "a"), row(2, "a", file="staff.csv"), row(3, "e", "bad_date")]
    ended(workspace, "published", at=TODAY, rejected=two)

    assert ages(workspace) == {
        ("staff.csv", "missing_required"): [1, 0, 0, 0],
        ("students.csv", "bad_date"): [2, 0, 0, 0],
    }


def test_of_changes_every_row_that_waits_counts(workspace: Workspace) -> None:
    for days, cells in ((40, "a"), (0, "b")):
        ended(workspace, "published", source="canvas", at=TODAY - timedelta(days=days), rejected=[row(2, cells)])

    assert ages(workspace, "canvas") == {("students.csv", "missing_required"): [1, 0, 0, 1]}
    assert ages(workspace) == {}
