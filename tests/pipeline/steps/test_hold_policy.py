"""Uploads that would damage what is known: one school of many, a column that cannot be read, rows that are suddenly refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_and_report
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings
from roster_etl.vendors import vendor
from tests.saved import SavedFolders

Rows = list[dict[str, str]]
Files = dict[str, Rows]
STEWARD = "A. Steward"


def clever(pupils: int = 12, schools: tuple[str, ...] = ("E1", "M1")) -> Files:
    """Return a district of which each school has two teachers and a section, and each pupil an address, a birth date and a contact."""
    files: Files = {"schools": [], "students": [], "teachers": [], "sections": [], "enrollments": []}
    for at, school in enumerate(schools):
        files["schools"].append({"School_id": school, "School_name": f"School {school}", "School_number": str(at + 1)})
        for n in range(2):
            files["teachers"].append({"School_id": school, "Teacher_id": f"T{at}{n}", "Last_name": "Ray", "First_name": f"Jo{n}"})
        files["sections"].append(
            {"School_id": school, "Section_id": f"X{at}", "Teacher_id": f"T{at}0", "Name": "Math", "Course_name": "Math"}
        )
        for n in range(pupils):
            person = f"{at}{n:02}"
            files["students"].append(
                {
                    "School_id": school,
                    "Student_id": person,
                    "Last_name": f"Lee{person}",
                    "First_name": f"Kim{n}",
                    "Student_email": f"k{person}@example.org",
                    "DOB": f"{n % 12 + 1}/{n % 9 + 1}/2015",
                    "Contact_name": f"Ann {person}",
                    "Contact_relationship": "Mother",
                    "Contact_type": "Primary",
                    "Contact_email": f"a{person}@example.org",
                }
            )
            files["enrollments"].append({"School_id": school, "Section_id": f"X{at}", "Student_id": person})
    return files


def write(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (folder / f"{name}.csv").write_text(text.getvalue(), "utf-8")
    return folder


def changed(files: Files, name: str, change: Callable[[dict[str, str]], dict[str, str]]) -> Files:
    return {**files, name: [{**row, **change(row)} for row in files[name]]}


def opened(home: Path, url: str, source: str = "clever") -> Workspace:
    workspace = Workspace(replace(Settings.load(home), warehouse=url))
    workspace.warehouse.migrate()
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format=source),)))
    return workspace


def run(workspace: Workspace, files: Files | Path, source: str = "clever", **options: str) -> dict[str, Any]:
    folder = (
        files
        if isinstance(files, Path)
        else write(workspace.home.parent / f"up{len(list(workspace.home.parent.iterdir()))}", files)
    )
    order = Order(district_id="lincoln", source=source, path=str(folder), options=options)
    return dict(import_and_report(workspace, order).document)


@pytest.fixture
def published(saved: SavedFolders, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """A district of two schools, with twelve pupils each."""

    def make(folder: Path, url: str) -> None:
        workspace = opened(folder / "home", url)
        assert run(workspace, clever())["status"] == "published"
        workspace.close()

    url = saved.copy("two-schools", make, tmp_path, database)
    workspace = Workspace(replace(Settings.load(tmp_path / "home"), warehouse=url))
    yield workspace
    workspace.close()
    saved.drop(url)


def codes(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding["code"], finding["field"]) for finding in document["findings"]}


def values(workspace: Workspace, table: str, column: str, source: str = "clever") -> set[object]:
    versions = workspace.warehouse.roster.versions(
        table, workspace.warehouse.roster.current("lincoln", source, table)["version_id"]
    )
    return set(versions[column].to_pylist())


def _swapped(row: dict[str, str]) -> dict[str, str]:
    return {"First_name": row["Last_name"], "Last_name": row["First_name"]} if row["School_id"] == "E1" else {}


@pytest.mark.parametrize(
    ("change", "table"),
    [
        (_swapped, "users"),
        (lambda row: {"DOB": "9/9/2009"} if row["School_id"] == "E1" else {}, "student_profiles"),
        (lambda row: {"Contact_email": ""} if row["School_id"] == "E1" else {}, "contacts"),
    ],
    ids=["users", "student_profiles", "contacts"],
)
def test_one_school_of_many_that_is_overwritten_is_held(
    published: Workspace, change: Callable[[dict[str, str]], dict[str, str]], table: str
) -> None:
    document = run(published, changed(clever(), "students", change))

    (part,) = [part for part in document["hold"]["schools"] if part["table"] == table]
    assert document["status"] == "held"
    assert (part["school"], part["role"], part["updated"], part["current"], part["pct"]) == ("E1", "student", 12, 12, 100.0)


@pytest.mark.both_databases
def test_three_quarters_of_a_school_are_published(published: Workspace) -> None:
    document = run(published, changed(clever(), "students", lambda row: _swapped(row) if row["Student_id"] < "009" else {}))

    assert (document["status"], document["changes"]["users"]["updated"]) == ("published", 9)


@pytest.mark.both_databases
def test_a_person_counts_for_each_school(published: Workspace) -> None:
    both = clever()
    both["teachers"] += [{**row, "School_id": "M1"} for row in both["teachers"] if row["School_id"] == "E1"]
    run(published, both)

    document = run(published, changed(both, "teachers", lambda _: {"Last_name": "Fox"}), delete_threshold_min="2")

    schools = [part["school"] for part in document["hold"]["schools"] if part["table"] == "users"]
    assert (document["status"], schools) == ("held", ["E1", "M1"])


UNREADABLE = [("DOB", "31.12.2015", "student_profiles", "birth_date"), ("Student_email", "kim at example", "users", "email")]


@pytest.mark.both_databases
@pytest.mark.parametrize(("column", "text", "table", "target"), UNREADABLE)
def test_a_column_of_which_too_much_cannot_be_read_keeps_its_known_values(
    published: Workspace, column: str, text: str, table: str, target: str
) -> None:
    before = values(published, table, target)
    some = changed(clever(), "students", lambda row: {column: text} if row["Student_id"] < "006" else {})
    some["students"][20]["Last_name"] = "Fox"  # what else the file says applies

    document = run(published, some)

    (warning,) = [finding for finding in document["findings"] if finding["field"] == column]
    assert (document["status"], warning["severity"], warning["code"], warning["count"]) == (
        "published",
        "warning",
        "unreadable_column",
        6,
    )
    assert "6 of 24 filled cells (25.0 %)" in warning["message"]
    assert text not in str(document)
    assert values(published, table, target) == before
    assert "Fox" in values(published, "users", "last_name")
    assert document["changes"][table]["updated"] == (table == "users")
    assert run(published, clever())["changes"]["users"]["updated"] == 1  # the next upload fills the column again


@pytest.mark.both_databases
def test_a_column_that_can_be_read_again_is_filled_again_and_new_records_get_its_values(published: Workspace) -> None:
    grown = clever(13)
    bad = changed(grown, "students", lambda row: {"DOB": "31.12.2015"} if row["Student_id"] < "010" else {})
    run(published, bad)
    assert None in values(published, "student_profiles", "birth_date")  # a new pupil's: nothing of the column is believed

    run(published, grown)
    assert None not in values(published, "student_profiles", "birth_date")


def test_a_few_cells_that_cannot_be_read_are_emptied_and_count_as_updates(published: Workspace) -> None:
    few = changed(clever(), "students", lambda row: {"DOB": "31.12.2015"} if row["Student_id"] < "004" else {})

    document = run(published, few)

    assert (document["status"], document["plan"]["student_profiles"]["counted_updates"]) == ("published", 4)
    assert ("bad_date", "DOB") in codes(document)
    assert None in values(published, "student_profiles", "birth_date")


def test_the_limit_for_unreadable_cells_can_be_lifted_and_then_a_school_of_them_is_held(published: Workspace) -> None:
    bad = changed(clever(), "students", lambda row: {"DOB": "31.12.2015"} if row["School_id"] == "E1" else {})

    document = run(published, bad, unreadable_cells_pct="100")

    assert (document["status"], document["hold"]["schools"][0]["table"]) == ("held", "student_profiles")


def test_the_first_upload_has_nothing_to_keep(tmp_path: Path) -> None:
    workspace = opened(tmp_path / "home", f"sqlite:///{tmp_path}/w.sqlite")

    document = run(workspace, changed(clever(), "students", lambda _: {"DOB": "31.12.2015"}))

    assert {code for code, field in codes(document) if field == "DOB"} == {"bad_date"}
    workspace.close()


def _cut(files: Files, students: int) -> Files:
    """Return `files` with the first `students` pupils of the first school in another school that is not known, which refuses them."""
    known = {row["Student_id"] for row in files["students"][:students]}
    return changed(files, "students", lambda row: {"School_id": "Z9"} if row["Student_id"] in known else {})


def test_a_sudden_share_of_refused_rows_is_held_in_a_small_district_too(published: Workspace) -> None:
    cut = _cut(clever(), 8)

    document = run(published, cut)

    assert (document["status"], document["hold"]["reason"]) == ("held", "quality_gate_failed")
    messages = [finding["message"] for finding in document["findings"] if finding["code"] == "quality_gate_failed"]
    assert "clever/enrollments: 33.3 % of 24 rows are refused, 0.0 % in the last published upload" in " ".join(messages)
    folder = write(published.home.parent / "again", cut)
    assert check_upload(published, str(folder), "clever", district_id="lincoln")["status"] == "held"


def test_a_share_that_was_published_before_is_no_sudden_one(published: Workspace) -> None:
    held = run(published, _cut(clever(), 8))
    given = validate_approval(published, ApprovalRequest(import_id=held["import_id"], by=STEWARD))
    assert apply_approval(published, given).document["status"] == "published"

    again = changed(_cut(clever(), 8), "schools", lambda row: {"School_name": f"{row['School_name']} New"})
    assert run(published, again)["status"] == "published"
    assert run(published, _cut(clever(), 10))["status"] == "held"


@pytest.mark.parametrize(("students", "options"), [(5, {}), (8, {"refused_rise_pct": "100"})])
def test_few_refused_rows_or_other_limits_hold_nothing(published: Workspace, students: int, options: dict[str, str]) -> None:
    assert run(published, _cut(clever(), students), **options)["hold"] is None


# ---- each format

BROKEN = {
    "canvas": ("courses.csv", "start_date", "not a day", "courses", "start_at"),
    "catapult_connect": ("StudentExport.csv", "Email", "not an address", "users", "email"),
    "clever": ("students.csv", "DOB", "not a day", "student_profiles", "birth_date"),
    "dyknow": ("Teachers.csv", "teacher_email", "not an address", "users", "email"),
    "mastery_connect": ("users.csv", "student_grade", "not a grade", "student_profiles", "grade"),
    "oneroster": ("demographics.csv", "birthDate", "not a day", "student_profiles", "birth_date"),
}
"""Of each format a column with optional cells that have a form, what breaks it, and where its values go."""


@pytest.mark.parametrize("source", sorted(BROKEN))
def test_in_each_format_an_unreadable_column_empties_nothing(source: str, tmp_path: Path) -> None:
    file, column, text, table, target = BROKEN[source]
    workspace = opened(tmp_path / "home", f"sqlite:///{tmp_path}/w.sqlite", source)
    write_sample(vendor(source), tmp_path / "up", students=12, seed=3)
    options = {"unreadable_cells_min": "1"}
    assert run(workspace, tmp_path / "up", source, **options)["status"] == "published"
    before = values(workspace, table, target, source)
    assert before - {None}
    with (tmp_path / "up" / file).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    write(tmp_path / "up", {file.removesuffix(".csv"): [{**row, column: text if row[column] else ""} for row in rows]})

    document = run(workspace, tmp_path / "up", source, **options)

    assert [(f["code"], f["severity"]) for f in document["findings"] if f["field"] == column] == [
        ("unreadable_column", "warning")
    ]
    assert (document["status"] in ("published", "unchanged"), values(workspace, table, target, source)) == (True, before)
    workspace.close()
