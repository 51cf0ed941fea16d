"""Uploads of a Dyknow district as districts send them: what they take away, what holds them, and what is damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed
from tests.saved import SavedFolders

FILES = {
    "Schools": "school_id,school_name\ns1,Cedar Hill\ns2,Lakeview\n",
    "Students": "school_id,student_id,first_name,last_name,grade\n"
    + "".join(f"s{n % 2 + 1},p{n},Ana,Sato,01\n" for n in range(20)),
    "Teachers": "school_id,teacher_id,first_name,last_name\ns1,t1,Zoe,Adams\ns1,t2,Bo,Baker\ns2,t3,Al,Clark\n",
    "Sections": "school_id,section_id,teacher_id,course_name,term_start,term_end,teacher_2_id,teacher_3_id\n"
    "s1,c1,t1,Art,08/17/2026,06/04/2027,t2,t3\ns2,c2,t3,Art,08/17/2026,06/04/2027,,t1\ns1,c3,t2,Choir,,,,\n",
    "Enrollments": "school_id,section_id,student_id\n" + "".join(f"s{n % 2 + 1},c{n % 2 + 1},p{n}\n" for n in range(20)),
}
Change = Callable[[str], str]


class Oak:
    """A district with a folder to upload from, and its home."""

    def __init__(self, folder: Path) -> None:
        self.upload, self.home = folder / "upload", folder / "home"
        self.upload.mkdir(exist_ok=True)
        for name, text in FILES.items():
            (self.upload / f"{name}.csv").write_text(text, encoding="utf-8")

    def change(self, name: str, change: Change) -> None:
        path = self.upload / f"{name}.csv"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def imported(self, path: Path | None = None, **options: str) -> dict[str, Any]:
        """Import the upload and return the outcome."""
        workspace = Workspace.open(self.home)
        if not workspace.registry.exists("oak"):
            workspace.registry.add(District(id="oak", feeds=(Feed(format="dyknow"),)))
        try:
            order = Order(district_id="oak", source="dyknow", path=str(path or self.upload), options=options)
            return outcome(workspace, import_upload(workspace, order))
        finally:
            workspace.warehouse.close()

    def teachers(self, section: str) -> list[str]:
        """Return who teaches a section now."""
        workspace = Workspace.open(self.home)
        try:
            rows = workspace.warehouse.roster.current("oak", "dyknow", "enrollments").to_pylist()
        finally:
            workspace.warehouse.close()
        return sorted(row["user_id"] for row in rows if row["section_id"] == section and row["role"] == "teacher")


@pytest.fixture
def new(tmp_path: Path) -> Oak:
    """The district before its first upload."""
    return Oak(tmp_path)


@pytest.fixture
def oak(saved: SavedFolders, tmp_path: Path) -> Oak:
    """The district after its first upload was published."""
    saved.copy("dyknow", lambda folder, _: Oak(folder).imported(), tmp_path)
    return Oak(tmp_path)


def found(document: dict[str, Any], *, but: tuple[str, ...] = ()) -> list[tuple[str, str, str | None, int | None]]:
    return [(f["severity"], f["code"], f["file"], f["row"]) for f in document["findings"] if f["code"] not in but]


def removed(document: dict[str, Any]) -> dict[str, int]:
    return {table: change["deleted"] for table, change in document["changes"].items() if change["deleted"]}


def test_sections_without_students_are_kept(new: Oak) -> None:
    document = new.imported()

    assert (document["status"], found(document)) == ("published", [])
    assert document["changes"]["sections"]["created"] == 3
    assert new.teachers("c3") == ["t2"]


def test_a_section_that_gets_the_term_of_others_is_published(oak: Oak) -> None:
    oak.change("Sections", lambda text: text.replace("Choir,,,,", "Choir,08/17/2026,06/04/2027,,"))
    document = oak.imported()

    assert (document["status"], document["changes"]["sections"]["updated"]) == ("published", 1)


def test_a_teacher_who_is_taken_out_of_a_column_is_gone(oak: Oak) -> None:
    oak.change("Sections", lambda text: text.replace(",t2,t3\n", ",t2,\n"))
    document = oak.imported()

    assert removed(document) == {"enrollments": 1}
    assert oak.teachers("c1") == ["t1", "t2"]


def test_a_column_less_is_a_teacher_less(oak: Oak) -> None:
    oak.change("Sections", lambda text: "\n".join(line.rpartition(",")[0] for line in text.splitlines()) + "\n")
    oak.imported()

    assert (oak.teachers("c1"), oak.teachers("c2")) == (["t1", "t2"], ["t3"])


def test_without_any_column_of_additional_teachers_nothing_is_known_of_them(oak: Oak) -> None:
    oak.change("Sections", lambda text: "\n".join(line.rsplit(",", 2)[0] for line in text.splitlines()) + "\n")
    document = oak.imported()

    assert removed(document) == {}
    assert oak.teachers("c1") == ["t1", "t2", "t3"]
    assert found(document) == [("warning", "missing_column", "Sections.csv", None)]


def test_more_removals_than_the_district_allows_hold_the_import(oak: Oak) -> None:
    oak.change("Students", lambda text: "\n".join(text.splitlines()[:12]) + "\n")
    oak.change("Enrollments", lambda text: "\n".join(text.splitlines()[:12]) + "\n")
    held = oak.imported()
    allowed = oak.imported(delete_threshold_pct="50")

    assert (held["status"], held["hold"]["reason"]) == ("held", "change_threshold_exceeded")
    assert held["hold"]["tables"]["users"]["deleted"] == 9
    assert (allowed["status"], removed(allowed)["users"]) == ("published", 9)


def test_a_school_that_leaves_always_holds_the_import(oak: Oak) -> None:
    for name in ("Schools", "Students", "Teachers", "Sections", "Enrollments"):
        oak.change(name, lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith("s2,")))
    oak.change("Sections", lambda text: text.replace("t3", ""))

    assert oak.imported(delete_threshold_pct="99")["status"] == "held"


def test_a_district_can_have_any_refused_row_hold_the_import(new: Oak) -> None:
    new.change("Students", lambda text: f"{text}s9,p99,Cy,Ito,01\n")

    assert new.imported(refused_rows_pct="0", refused_rows_min="1")["status"] == "held"
    assert new.imported()["status"] == "published"


def test_a_row_that_is_refused_takes_nobody_away(oak: Oak) -> None:
    oak.change("Students", lambda text: text.replace("s1,p0,Ana", "s1,p0,").replace("s2,p1,Ana", "s9,p1,Ana"))
    document = oak.imported()

    assert removed(document) == {}
    assert [f for f in found(document) if f[2] == "Students.csv"] == [
        ("reject", "missing_required", "Students.csv", 2),
        ("reject", "unknown_reference", "Students.csv", 3),
    ]


def test_duplicate_ids_are_refused_and_the_first_stands(new: Oak) -> None:
    new.change("Students", lambda text: f"{text}s2,p0,Ben,Eze,02\n")
    new.change("Teachers", lambda text: f"{text}s1,t1,Zoe,Adams\ns2,t1,Zoe,Adams\n")

    assert found(new.imported()) == [
        ("reject", "duplicate_key", "Students.csv", 22),
        ("info", "duplicate_row", "Teachers.csv", 5),
        ("reject", "duplicate_key", "Teachers.csv", 6),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_file"),
        ("school_id,section_id,student_id\n", "empty_file"),
        ("school_id;section_id;student_id\ns1;c1;p1\n", "unrecognised_headers"),
        ("section_id,student_id\nc1,p1\n", "missing_column"),
        ("school_id,section_id,student_id,SECTION_ID\ns1,c1,p1,c1\n", "duplicate_column"),
        ('school_id,section_id,student_id\ns1,"c1,p1\n', "malformed_csv"),
    ],
)
def test_a_required_file_that_cannot_be_used_rejects_the_upload(oak: Oak, text: str, code: str) -> None:
    oak.change("Enrollments", lambda _: text)
    document = oak.imported()

    assert (document["status"], document["changes"]) == ("rejected", {})
    assert ("file", code, "Enrollments.csv") in [finding[:3] for finding in found(document)]


def test_files_of_any_case_may_come_in_a_zip_with_others_that_are_told(new: Oak, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "oak.zip", "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"export/{name.upper()}.CSV", text)
        archive.writestr("export/staff.csv", "a\n1\n")
        archive.writestr("export/._Schools.csv", "\0")
    document = new.imported(tmp_path / "oak.zip")

    assert (document["status"], found(document)) == (
        "published",
        [("warning", "unexpected_file", "export/staff.csv", None)],
    )


@pytest.mark.parametrize("name", ["../../schools.csv", "sch\nools.csv", "schools.csv.exe", "スクール.csv", "-rf.csv"])
def test_files_with_hostile_names_are_not_read(new: Oak, name: str) -> None:
    path = new.upload / name.replace("/", "_")
    path.write_text("school_id,school_name\ns7,Nowhere\n", encoding="utf-8")
    document = new.imported()

    assert document["changes"]["organizations"]["created"] == 2
    assert [f[:2] for f in found(document)] in ([("warning", "unexpected_file")], [("warning", "unknown_file_type")])
