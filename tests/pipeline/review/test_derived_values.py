"""What is derived follows stewards' edits at once, and after the next import, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.override import Target, clear_override, set_override
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed

CLEVER = {
    "schools.csv": "School_id,School_name,School_number\ne1,Birch,11\n",
    "teachers.csv": "School_id,Teacher_id,First_name,Last_name\ne1,t1,Ines,Vale\ne1,t2,Otto,Lund\n",
    "students.csv": "School_id,Student_id,First_name,Last_name\ne1,s1,Nora,Quill\ne1,s2,Milo,Stone\n",
    "sections.csv": "School_id,Section_id,Teacher_id,Teacher_2_id,Course_name,Period\ne1,x1,t1,t2,Math,1\ne1,x2,t2,,Art,2\n",
    "enrollments.csv": "School_id,Section_id,Student_id\ne1,x1,s1\ne1,x2,s2\n",
}
CANVAS = {
    "users.csv": "user_id,login_id,status,first_name,last_name\nU1,ann,active,Nora,Quill\n",
}


@pytest.fixture
def workspace(tmp_path: Path, warehouse_url: str) -> Iterator[Workspace]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', "utf-8")
    opened = Workspace.open(home)
    opened.registry.add(District(id="birch", feeds=(Feed(format="clever"), Feed(format="canvas"))))
    yield opened
    opened.warehouse.close()


def imported(workspace: Workspace, source: str, folder: Path, files: dict[str, str]) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    status: str = outcome(workspace, import_upload(workspace, Order(district_id="birch", source=source, path=str(folder))))[
        "status"
    ]
    return status


def edit(workspace: Workspace, source: str, table: str, field: str, value: str | None, **key: str) -> None:
    set_override(workspace, Target(district_id="birch", source=source, table=table, key=key, field=field), value, "steward")


def clear(workspace: Workspace, source: str, table: str, field: str, **key: str) -> None:
    clear_override(workspace, Target(district_id="birch", source=source, table=table, key=key, field=field), "steward")


def value(workspace: Workspace, source: str, table: str, field: str, **key: str) -> Any:
    rows = workspace.warehouse.roster.trace(table, key, "birch", source).to_pylist()
    (current,) = [row for row in rows if row["valid_to_import"] is None]
    return current[field]


def test_a_full_name_follows_the_edited_first_name_at_once_and_after_the_next_import(
    workspace: Workspace, tmp_path: Path
) -> None:
    key = {"user_kind": "student", "user_id": "s1"}
    imported(workspace, "clever", tmp_path / "1", CLEVER)
    edit(workspace, "clever", "users", "first_name", "Eleanor", **key)
    at_once = [value(workspace, "clever", "users", name, **key) for name in ("full_name", "derived")]
    imported(
        workspace, "clever", tmp_path / "2", {**CLEVER, "students.csv": CLEVER["students.csv"].replace("Quill", "Quill-Rowe")}
    )

    assert at_once == ["Eleanor Quill", '["full_name", "status"]']
    assert [value(workspace, "clever", "users", name, **key) for name in ("first_name", "last_name", "full_name")] == [
        "Eleanor",
        "Quill-Rowe",
        "Eleanor Quill-Rowe",
    ]


@pytest.mark.both_databases
def test_an_edited_full_name_stays_when_a_part_is_edited(workspace: Workspace, tmp_path: Path) -> None:
    key = {"user_kind": "student", "user_id": "s1"}
    imported(workspace, "clever", tmp_path / "1", CLEVER)
    edit(workspace, "clever", "users", "full_name", "N. Q.", **key)
    edit(workspace, "clever", "users", "first_name", "Eleanor", **key)

    assert value(workspace, "clever", "users", "full_name", **key) == "N. Q."


def test_names_of_sections_follow_their_primary_teacher_and_their_course(workspace: Workspace, tmp_path: Path) -> None:
    imported(workspace, "clever", tmp_path / "1", CLEVER)
    course = value(workspace, "clever", "sections", "course_id", section_id="x1")
    edit(workspace, "clever", "users", "last_name", "Valen", user_kind="teacher", user_id="t1")
    edit(workspace, "clever", "users", "last_name", "Lunde", user_kind="teacher", user_id="t2")
    edit(workspace, "clever", "courses", "name", "Mathematics", course_id=course)
    at_once = [value(workspace, "clever", "sections", "name", section_id=id_) for id_ in ("x1", "x2")]
    traced = trace_record(workspace, "birch", "sections", {"section_id": "x1"}, source="clever")
    imported(workspace, "clever", tmp_path / "2", {**CLEVER, "students.csv": CLEVER["students.csv"].replace("Milo", "Mila")})

    assert at_once == ["Mathematics - Valen - 1", "Art - Lunde - 2"]
    assert [value(workspace, "clever", "sections", "name", section_id=id_) for id_ in ("x1", "x2")] == at_once
    assert traced


@pytest.mark.both_databases
def test_names_of_a_person_of_canvas_follow_the_edited_first_name_at_once(workspace: Workspace, tmp_path: Path) -> None:
    imported(workspace, "canvas", tmp_path / "1", CANVAS)
    edit(workspace, "canvas", "users", "first_name", "Eleanor", user_id="U1")

    names = [value(workspace, "canvas", "users", name, user_id="U1") for name in ("full_name", "sortable_name", "short_name")]
    assert names == ["Eleanor Quill", "Quill, Eleanor", "Eleanor Quill"]


@pytest.mark.parametrize("imported_since", [False, pytest.param(True, marks=pytest.mark.both_databases)])
def test_a_cleared_edit_gives_the_uploads_value_back_at_once_with_all_that_is_derived(
    workspace: Workspace, tmp_path: Path, imported_since: bool
) -> None:
    imported(workspace, "clever", tmp_path / "1", CLEVER)
    for table, field, new, key in (
        ("users", "last_name", "Valen", {"user_kind": "teacher", "user_id": "t1"}),
        ("users", "full_name", "N. Q.", {"user_kind": "student", "user_id": "s1"}),
    ):
        edit(workspace, "clever", table, field, "Before", **key)
        edit(workspace, "clever", table, field, new, **key)
    files = {**CLEVER, "teachers.csv": CLEVER["teachers.csv"].replace("Vale", "Vale-Roe")}
    if imported_since:
        imported(workspace, "clever", tmp_path / "2", files)
    clear(workspace, "clever", "users", "last_name", user_kind="teacher", user_id="t1")
    clear(workspace, "clever", "users", "full_name", user_kind="student", user_id="s1")
    at_once = [
        [value(workspace, "clever", "users", name, user_kind="teacher", user_id="t1") for name in ("last_name", "full_name")],
        [value(workspace, "clever", "users", name, user_kind="student", user_id="s1") for name in ("full_name", "derived")],
        value(workspace, "clever", "sections", "name", section_id="x1"),
    ]
    last = files if imported_since else CLEVER
    again = imported(
        workspace, "clever", tmp_path / "3", {**last, "schools.csv": last["schools.csv"].replace("Birch", "Birch E")}
    )
    changed = workspace.warehouse.ledger.imports("birch", "clever", limit=1)[0]["summary"]["changes"]

    name = "Vale-Roe" if imported_since else "Vale"
    assert at_once == [[name, f"Ines {name}"], ["Nora Quill", '["full_name", "status"]'], f"Math - {name} - 1"]
    assert again == "published"
    assert {table for table, counts in changed.items() if any(counts.values())} == {"organizations"}  # nothing was left to do


def test_a_cleared_edit_of_a_delta_format_gives_back_what_was_there_before_it(workspace: Workspace, tmp_path: Path) -> None:
    imported(workspace, "canvas", tmp_path / "1", CANVAS)
    edit(workspace, "canvas", "users", "first_name", "Eleanor", user_id="U1")
    clear(workspace, "canvas", "users", "first_name", user_id="U1")

    assert [value(workspace, "canvas", "users", n, user_id="U1") for n in ("full_name", "sortable_name")] == [
        "Nora Quill",
        "Quill, Nora",
    ]


@pytest.mark.both_databases
def test_the_common_grade_of_a_section_follows_an_edited_grade_at_once(workspace: Workspace, tmp_path: Path) -> None:
    graded = {
        **CLEVER,
        "students.csv": "School_id,Student_id,First_name,Last_name,Grade\n"
        + "".join(f"e1,s{n},N,Q{n},{4 if n < 3 else 5}\n" for n in range(5)),
        "enrollments.csv": "School_id,Section_id,Student_id\n" + "".join(f"e1,x1,s{n}\n" for n in range(5)) + "e1,x2,s4\n",
    }
    imported(workspace, "clever", tmp_path / "1", graded)
    before = value(workspace, "clever", "sections", "grade", section_id="x1")
    edit(workspace, "clever", "student_profiles", "grade", "05", user_kind="student", user_id="s0")
    after = value(workspace, "clever", "sections", "grade", section_id="x1")
    clear(workspace, "clever", "student_profiles", "grade", user_kind="student", user_id="s0")

    assert (before, after, value(workspace, "clever", "sections", "grade", section_id="x1")) == ("04", "05", "04")
