"""Walking back where several plans of one file fill one table."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed

WHO = ("lincoln", "catapult_connect")
FILES = {
    "StaffExport.csv": "ID,School,Name.First,Name.Last,Email,Title\n9,10,Mei,Sato,mei@example.org,Teacher\n",
    "StudentExport.csv": "ID,School,Name.First,Name.Last,ContactNamePrimary,ContactNameSecondary\n1,20,Ana,Reed,Rosa Reed,Kofi Reed\n",
    "StaffToStudentExport.csv": "School,Teacher,Student,Period,Name\n10,9,1,1,Math\n",
    "SchoolExport.csv": "School Site Name,Merge with Site ID\nLincoln High,10\nAda Lovelace,\n",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home with one import; a site's code comes from the settings, another's from its row."""
    folder = tmp_path_factory.mktemp("trace")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    workspace = Workspace.open(folder / "home")
    options = {"site_codes": '{"Ada Lovelace": "20"}'}
    workspace.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1], options=options),)))
    import_upload(workspace, Order(district_id=WHO[0], source=WHO[1], path=str(folder)))
    return workspace


def _traced(workspace: Workspace, table: str, key: dict[str, str], field: str) -> dict[str, Any]:
    found = trace_record(workspace, WHO[0], table, key, field=field)
    fields: dict[str, Any] = found["versions"][0]["fields"][field]
    return fields


def _contact(workspace: Workspace, kind: str) -> str:
    known = workspace.warehouse.roster.current_hashes(*WHO, "contacts").column("version_id")
    rows = workspace.warehouse.roster.versions("contacts", known).to_pylist()
    return next(row["contact_id"] for row in rows if row["type"] == kind)


@pytest.mark.parametrize(("kind", "name"), [("Primary", "Rosa Reed"), ("Secondary", "Kofi Reed")])
def test_a_record_is_told_by_the_plan_whose_constants_it_has(workspace: Workspace, kind: str, name: str) -> None:
    told = _traced(workspace, "contacts", {"contact_id": _contact(workspace, kind)}, "name")

    assert (told["value"], told["rule"]) == (name, f"ContactName{kind}, as given")


def test_a_record_is_told_by_the_plan_that_derives_what_it_derived(workspace: Workspace) -> None:
    given, settings = (_traced(workspace, "organizations", {"organization_id": code}, "organization_id") for code in ("10", "20"))

    assert (given["derived"], given["rule"].partition(",")[0]) == (False, "Merge with Site ID")
    assert (settings["derived"], settings["rule"]) == (True, "looked_up(School Site Name, option site_codes)")


@pytest.mark.parametrize(("section", "course"), [("s1", "Math"), ("s1\x1f", "Art")])
def test_a_row_is_looked_up_by_the_id_as_the_import_reads_it(tmp_path: Path, section: str, course: str) -> None:
    """White space at the edges does not count, and a separator is none."""
    files = {
        "Schools.csv": "school_id,school_name\n1,North\n",
        "Students.csv": "school_id,student_id,first_name,last_name,student_email,grade\n1,11,Ana,Reed,ana@example.org,09\n",
        "Teachers.csv": "school_id,teacher_id,first_name,last_name,teacher_email\n1,9,Mei,Sato,mei@example.org\n",
        "Sections.csv": "school_id,section_id,teacher_id,course_name\n1,s1\x1f,9,Art\n1, s1\u2003,9,Math\n",
        "Enrollments.csv": f"school_id,section_id,student_id\n1,{section},11\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with closing(Workspace.open(tmp_path / "home")) as workspace:
        workspace.registry.add(District(id="lincoln", feeds=(Feed(format="dyknow"),)))
        import_upload(workspace, Order(district_id="lincoln", source="dyknow", path=str(tmp_path)))
        told = trace_record(workspace, "lincoln", "enrollments", {"section_id": section, "role": "student"}, field="course_id")

    assert course in [read["text"] for read in told["versions"][0]["fields"]["course_id"]["reads"]]


def test_a_file_in_the_declared_encoding_is_read_back_in_it(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_bytes(text.replace("Ana", "Zoë").encode("cp1252"))
    with closing(Workspace.open(tmp_path / "home")) as opened:
        options = {"site_codes": '{"Ada Lovelace": "20"}', "encoding": "cp1252"}
        opened.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1], options=options),)))
        import_upload(opened, Order(district_id=WHO[0], source=WHO[1], path=str(tmp_path)))
        told = _traced(opened, "users", {"user_kind": "student", "user_id": "1"}, "first_name")

    assert (told["value"], [cell["text"] for cell in told["reads"]]) == ("Zoë", ["Zoë"])
