"""The person across feeds, in exports that can carry it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from roster_etl.pipeline.reconciliation.person_ids import person_ids
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors.export_formats import export_formats
from tests.cli.calling import call

WORDS = {
    "clever": (("students.csv", "Student_id", "", "ext.roster_etl.person_id"), ()),
    "oneroster": (("users.csv", "sourcedId", "student-", "metadata.roster_etl.person_id"), ("--option", "user_ids=kinded")),
}
"""Format → the file of students, its column with the ID, what students' IDs begin with, the column with the person; and further options."""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", WORDS)
def test_the_person_is_a_column_of_ones_own(name: str, lincoln: Workspace, tmp_path: Path) -> None:
    (file, id_column, kind, column), words = WORDS[name]
    place = ("--district", "lincoln", "--source", "clever", "--to", tmp_path / "out", "--option", "person_id=true")
    answer = call("export", name, *place, *words, "--json", home=tmp_path / "home")
    assert answer.code == 0, answer.err

    rows = list(csv.DictReader((tmp_path / "out" / file).read_text("utf-8").splitlines()))
    said = {row[id_column].removeprefix(kind): row[column] for row in rows if row[id_column].startswith(kind)}
    with lincoln.warehouse.read_people() as session:
        people = person_ids(session, "lincoln", "clever")
    assert said == {one: people["student", one] for one in said}
    assert {one for of, one in people.linked if of == "student"} <= set(said)


def test_formats_that_allow_columns_of_ones_own_have_the_option() -> None:
    offered = {
        name
        for name, found in export_formats().items()
        if any(option.name == "person_id" for option in found.options) and name != "canonical"
    }

    assert offered == {name for name, found in export_formats().items() if found.person_column}
