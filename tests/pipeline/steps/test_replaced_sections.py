"""Sections whose ids, or whose students, were exchanged are told in every format, and applied."""

from __future__ import annotations

import csv
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from tests.pipeline.steps.test_replaced_people import _first
from tests.saved import SavedFolders

SECTIONS = {
    "canvas": ("sections.csv", "section_id", "enrollments.csv", "section_id"),
    "clever": ("sections.csv", "Section_id", "enrollments.csv", "Section_id"),
    "dyknow": ("Sections.csv", "section_id", "Enrollments.csv", "section_id"),
    "mastery_connect": ("sections.csv", "section_id", "enrollments.csv", "section_id"),
    "oneroster": ("classes.csv", "sourcedId", "enrollments.csv", "classSourcedId"),
}
Rows = list[dict[str, str]]


def _read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _swap(path: Path, column: str, pair: tuple[str, str]) -> None:
    """Exchange two values in a column of a file."""
    rows, other = _read(path), dict(zip(pair, pair[::-1], strict=True))
    for row in rows:
        row[column] = other.get(row[column], row[column])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _pair(folder: Path, source: str) -> tuple[str, str]:
    """Return two sections with at least three students each, none of them in both."""
    file, id_, enrollments, section = SECTIONS[source]
    user = next(
        name for name in ("Student_id", "student_id", "user_id", "userSourcedId") if name in _read(folder / enrollments)[0]
    )
    classes: dict[str, set[str]] = {}
    for row in _read(folder / enrollments):
        if row.get("role", "student").casefold() in ("student", ""):
            classes.setdefault(row[section], set()).add(row[user])
    own = [row[id_] for row in _read(folder / file)]
    big = [one for one in own if len(classes.get(one, ())) >= 3]
    return next((one, other) for one in big for other in big if not classes[one] & classes[other])


def _imported(home: Path, source: str, folder: Path) -> dict[str, Any]:
    with closing(Workspace.open(home)) as workspace:
        return outcome(workspace, import_upload(workspace, Order(district_id="lincoln", source=source, path=str(folder))))


# A class of Canvas is not exchanged by rows that enroll its students elsewhere: they stay where they are until a row ends that.
CASES = [(source, what) for source in SECTIONS for what in ("ids", "classes") if (source, what) != ("canvas", "classes")]


@pytest.mark.parametrize(("source", "what"), CASES)
def test_exchanged_sections_are_told(source: str, what: str, saved: SavedFolders, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    saved.copy(f"replaced-{source}", lambda to, url: _first(source, to, url), folder)
    day = Path(shutil.copytree(folder / "up", tmp_path / "second"))
    file, id_, enrollments, section = SECTIONS[source]
    pair = _pair(day, source)
    _swap(day / (file if what == "ids" else enrollments), id_ if what == "ids" else section, pair)
    if source == "canvas":
        (day / "change_sis_id.csv").unlink(missing_ok=True)
    document = _imported(folder / "home", source, day)
    found = [f for f in document["findings"] if f["code"] == "another_section"]

    assert {f["severity"] for f in found} == {"warning"}
    assert sum(len(f.get("rows") or [f["row"]]) for f in found) == 2, document["status"]


def test_classes_of_which_somebody_stayed_were_not_exchanged(saved: SavedFolders, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    saved.copy("replaced-clever", lambda to, url: _first("clever", to, url), folder)
    day = Path(shutil.copytree(folder / "up", tmp_path / "second"))
    pair, path = _pair(day, "clever"), day / "enrollments.csv"
    before = _read(path)
    _swap(path, "Section_id", pair)
    after = _read(path)
    for section in pair:
        stays = next(at for at, row in enumerate(before) if row["Section_id"] == section)
        after[stays] = before[stays]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(after[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(after)

    document = _imported(folder / "home", "clever", day)

    found = [f for f in document["findings"] if f["code"] == "another_section"]
    assert (document["status"], found) == ("published", [])
