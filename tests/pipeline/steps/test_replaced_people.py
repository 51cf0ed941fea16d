"""Other people under known ids are told row by row in every format, and hold where they are too many."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.sampling import kinds
from tests.saved import SavedFolders

Rows = list[dict[str, str]]
Change = Callable[[Rows, "People"], list[int]]


class People:
    """A format's file of people: its name, the column of the id, and what becomes of the columns that identify a stranger."""

    def __init__(self, file: str, id_: str, **stranger: str) -> None:
        self.file, self.id, self.stranger = file, id_, stranger


FORMATS = {
    "canvas": People(
        "users.csv", "user_id", first_name="Zoltan{}", last_name="Quux", full_name="", sortable_name="", email="z{}@q.test"
    ),
    "catapult_connect": People(
        "StudentExport.csv", "ID", **{"Name.First": "Zoltan{}", "Name.Last": "Quux", "Email": "z{}@q.test"}
    ),
    "clever": People(
        "students.csv", "Student_id", First_name="Zoltan{}", Last_name="Quux", DOB="03/03/2013", Student_email="z{}@q.test"
    ),
    "dyknow": People("Students.csv", "student_id", first_name="Zoltan{}", last_name="Quux", student_email="z{}@q.test"),
    "mastery_connect": People("users.csv", "user_id", first_name="Zoltan{}", last_name="Quux", email="z{}@q.test"),
    "oneroster": People("users.csv", "sourcedId", givenName="Zoltan{}", familyName="Quux", email="z{}@q.test"),
}
EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def imported(name: str, saved: SavedFolders, tmp_path: Path) -> Iterator[Callable[[Change], tuple[dict[str, Any], list[int]]]]:
    """Import the sample with its people changed, beside a published one; return the outcome, and the rows that were changed."""
    people, folder = FORMATS[name], tmp_path / "case"
    saved.copy(f"replaced-{name}", lambda to, url: _first(name, to, url), folder)
    with closing(Workspace.open(folder / "home")) as workspace:

        def run(change: Change) -> tuple[dict[str, Any], list[int]]:
            changed = Path(shutil.copytree(folder / "up", tmp_path / "second")) / people.file
            rows = list(csv.DictReader(io.StringIO(changed.read_text("utf-8"))))
            places = change(rows, people)
            with changed.open("w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            order = Order(district_id="lincoln", source=name, path=str(changed.parent))
            return outcome(workspace, import_upload(workspace, order)), sorted(place + 2 for place in places)

        yield run


def _first(name: str, folder: Path, url: str) -> None:
    (folder / "home").mkdir()
    (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
    write_sample(vendor(name), folder / "up", students=40, seed=5)
    with closing(Workspace.open(folder / "home")) as workspace:
        workspace.registry.add(District(id="lincoln", feeds=(Feed(format=name),)))
        order = Order(district_id="lincoln", source=name, path=str(folder / "up"))
        assert outcome(workspace, import_upload(workspace, order))["status"] == "published"


def told(document: dict[str, Any], file: str) -> list[int]:
    found = [f for f in document["findings"] if f["code"] == "another_person" and f["severity"] == "warning"]
    assert {f["file"] for f in found} <= {file}
    return sorted(row for f in found for row in (f.get("rows") or [f["row"]]))


def _alone(rows: Rows, people: People) -> list[int]:
    """Return the places of people with one row, the last ones first."""
    ids = [row[people.id] for row in rows]
    return [place for place in reversed(range(len(rows))) if ids.count(ids[place]) == 1]


def _strangers(count: int) -> Change:
    def change(rows: Rows, people: People) -> list[int]:
        places = _alone(rows, people)[:count]
        for number, place in enumerate(places):
            rows[place] |= {column: cell.format(number) for column, cell in people.stranger.items()}
        return places

    return change


def _stranger_and_swap(rows: Rows, people: People) -> list[int]:
    """Make somebody a stranger, and swap what identifies two others."""
    places = _alone(rows, people)[1:3]
    one, other = (rows[place] for place in places)
    for column in people.stranger:
        one[column], other[column] = other[column], one[column]
    return [*places, *_strangers(1)(rows, people)]


@EVERY_FORMAT
def test_a_stranger_and_people_whose_ids_were_swapped_are_applied_and_told(imported: Callable[[Change], Any], name: str) -> None:
    document, places = imported(_stranger_and_swap)

    assert document["status"] == "published"
    assert told(document, FORMATS[name].file) == places


@pytest.mark.sampled
@pytest.mark.parametrize("name", kinds(FORMATS))
def test_more_strangers_than_people_may_be_removed_hold(imported: Callable[[Change], Any], name: str) -> None:
    document, places = imported(_strangers(14))

    assert document["status"] == "held"
    assert (document["hold"]["reason"], document["hold"]["replaced"]["people"]) == ("another_person", len(places))
    assert document["hold"]["replaced"]["current"] == document["plan"]["users"]["current"]
    assert told(document, FORMATS[name].file) == places
