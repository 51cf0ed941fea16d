"""A second day on which rows of other people stand first under known ids: who they are is not decided by the order of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.published_identities import published_records
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import discover_vendors

Upload = dict[str, list[str]]
FIRST: Upload = {
    "schools.csv": ["School_id,School_name,School_number", "e1,Birch Elementary,11", "m1,Alder Middle,21"],
    "teachers.csv": ["School_id,Teacher_id,First_name,Last_name", "e1,t1,Ines,Vale", "m1,t2,Otto,Lund"],
    "students.csv": [
        "School_id,Student_id,Student_number,First_name,Last_name,DOB",
        *(f"e1,s{n},50{n},Nora{n},Quill,0{n + 1}/05/2016" for n in range(8)),
        *(f"m1,s{n},50{n},Milo{n},Stone,0{n % 9 + 1}/06/2012" for n in range(8, 16)),
    ],
    "sections.csv": ["School_id,Section_id,Teacher_id,Course_name,Period", "e1,x1,t1,Math 3,1", "m1,x2,t2,Math 7,1"],
    "enrollments.csv": [
        "School_id,Section_id,Student_id",
        *(f"e1,x1,s{n}" for n in range(8)),
        *(f"m1,x2,s{n}" for n in range(8, 16)),
    ],
}


@pytest.fixture
def workspace(tmp_path: Path, warehouse_url: str) -> Iterator[Workspace]:
    """A home whose warehouse is each database in turn, with a published upload."""
    opened = _opened(tmp_path / "home", warehouse_url)
    opened.registry.add(District(id="birch", feeds=(Feed(format="clever"),)))
    assert imported(opened, tmp_path / "first", FIRST)["status"] == "published"
    yield opened
    opened.warehouse.close()


def _opened(home: Path, url: str) -> Workspace:
    home.mkdir()
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
    return Workspace.open(home)


def imported(workspace: Workspace, folder: Path, files: Upload) -> dict[str, Any]:
    folder.mkdir()
    for name, rows in files.items():
        (folder / name).write_text("".join(f"{row}\n" for row in rows), "utf-8")
    order = Order(district_id="birch", source="clever", path=str(folder))
    return outcome(workspace, import_upload(workspace, order))


def with_rows(**rows: list[str]) -> Upload:
    """Return the first upload with further rows directly under the header of some files."""
    return {name: [text[0], *rows.get(name.removesuffix(".csv"), []), *text[1:]] for name, text in FIRST.items()}


def roster(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    tables = ("organizations", "users", "user_roles", "student_profiles", "sections", "enrollments")
    return {name: current(workspace, name) for name in tables}


def current(workspace: Workspace, table: str) -> list[dict[str, Any]]:
    ids = workspace.warehouse.roster.current_hashes("birch", "clever", table).column("version_id")
    rows = workspace.warehouse.roster.versions(table, ids).to_pylist()
    return sorted(({k: row[k] for k in row if not k.startswith(("source_row", "valid", "version"))} for row in rows), key=str)


def refused(document: dict[str, Any]) -> set[tuple[str, str, int]]:
    return {(f["code"], f["file"], f["row"]) for f in document["findings"] if f["severity"] == "reject"}


@pytest.mark.both_databases
def test_strangers_that_stand_first_rename_neither_people_nor_schools_nor_sections(workspace: Workspace, tmp_path: Path) -> None:
    before = roster(workspace)
    strangers = with_rows(
        schools=["e1,Cedar High,31"],
        teachers=["m1,t1,Otis,Lang"],
        students=["m1,s0,601,Rex,Wirth,01/01/2011"],
        sections=["m1,x1,t2,Art 7,2"],
    )
    del strangers["schools.csv"][1]  # a second school of an id leaves every reference to it ambiguous; see below
    document = imported(workspace, tmp_path / "second", strangers)

    assert refused(document) == {
        ("duplicate_key", "teachers.csv", 2),
        ("duplicate_key", "students.csv", 2),
        ("duplicate_key", "sections.csv", 2),
    }
    assert roster(workspace) == before


@pytest.mark.both_databases
def test_a_second_school_under_a_known_id_keeps_the_school_and_doubts_what_refers_to_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    before = roster(workspace)
    document = imported(workspace, tmp_path / "second", with_rows(schools=["e1,Cedar High,31"]))

    assert ("duplicate_key", "schools.csv", 2) in refused(document)
    assert {code for code, _, _ in refused(document)} == {"duplicate_key", "unknown_reference"}
    assert roster(workspace) == before


def test_a_stranger_alone_with_a_broken_row_of_the_known_child_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    before = roster(workspace)
    files = with_rows(students=["e1,s0,601,Rex,Wirth,01/01/2011"])
    files["students.csv"][2] = "e1,s0,500,,Quill,01/05/2016"
    document = imported(workspace, tmp_path / "second", files)

    assert {(f, r) for code, f, r in refused(document) if f == "students.csv"} == {("students.csv", 2), ("students.csv", 3)}
    assert roster(workspace) == before


@pytest.mark.both_databases
def test_the_order_of_rows_changes_neither_the_roster_nor_what_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    more = with_rows(students=["m1,s0,601,Rex,Wirth,01/01/2011", "m1,s16,516,Yara,Zorn,03/04/2012"], teachers=["m1,t1,Otis,Lang"])
    more["enrollments.csv"].append("m1,x2,s16")
    backwards = {name: [rows[0], *reversed(rows[1:])] for name, rows in more.items()}
    told = refused(imported(workspace, tmp_path / "second", more))
    after = roster(workspace)
    again = imported(workspace, tmp_path / "third", backwards)

    assert {row["user_id"] for row in after["users"]} >= {"s16"}
    assert roster(workspace) == after
    assert {(code, file) for code, file, _ in refused(again)} == {(code, file) for code, file, _ in told}


@pytest.mark.parametrize(
    ("source", "file"),
    [(name, file.name) for name, vendor in discover_vendors().items() for file in vendor.format.files if file.identity],
)
def test_what_identifies_a_record_can_be_looked_up_in_the_roster(source: str, file: str) -> None:
    class Upload:
        vendor = discover_vendors()[source]

    found = published_records(None, Upload, discover_vendors()[source].format.file(file))  # type: ignore[arg-type]

    assert found is not None
    assert found.comparable.keys() <= set(discover_vendors()[source].format.file(file).identity.columns)  # type: ignore[union-attr]


def test_a_person_of_admins_csv_is_not_taken_over_by_another_one_of_staff_csv(tmp_path: Path) -> None:
    opened = _opened(tmp_path / "home", f"sqlite:///{tmp_path}/warehouse.sqlite")
    opened.registry.add(District(id="birch", feeds=(Feed(format="clever"),)))
    admins = ["School_id,Staff_id,Admin_email,First_name,Last_name,Role", "m1,p1,bob@example.org,Bob,Bell,STL"]
    staff = ["School_id,Staff_id,Staff_email,First_name,Last_name,Role", "e1,p1,ann@example.org,Ann,Abel,"]
    imported(opened, tmp_path / "first", {**FIRST, "admins.csv": admins})
    before = roster(opened)
    document = imported(opened, tmp_path / "second", {**FIRST, "admins.csv": admins, "staff.csv": staff})

    assert refused(document) == {("duplicate_key", "staff.csv", 2)}
    assert roster(opened) == before
    opened.warehouse.close()
