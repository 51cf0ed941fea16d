"""Uploads of a CatapultCONNECT district as districts send them: what a second day takes away, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed
from tests.saved import SavedFolders

WHO = ("oak", "catapult_connect")
FILES = {
    "StaffExport": "ID,School,Name.First,Name.Last,Email,Title\n9,10,Mei,Sato,mei@example.org,Teacher\n9,20,Mei,Sato,mei@example.org,Teacher\n",
    "StudentExport": "ID,School,Name.First,Name.Last,ContactNamePrimary,ContactPhonePrimary\n"
    "1,10,Ana,Reed,,5552345678\n2,10,Ben,Null,Uma Null,5552345679\n",
    "StaffToStudentExport": "School,Teacher,Student,Period,Name\n10,9,1,1,Math\n10,9,2,1,Math\n20,9,2,2,Art\n",
}
Rows = list[dict[str, Any]]


class Oak:
    """A district with a home, which uploads day by day."""

    def __init__(self, folder: Path, days: int = 0) -> None:
        self.folder = folder
        self.days = days

    def upload(self, changed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Import the first upload with some files `changed`, and return the outcome."""
        self.days += 1
        day = self.folder / f"day{self.days}"
        day.mkdir()
        for name, text in {**FILES, **(changed or {})}.items():
            (day / f"{name}.csv").write_text(text, encoding="utf-8")
        workspace = self._workspace()
        if not workspace.registry.exists(WHO[0]):
            workspace.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1]),)))
        try:
            order = Order(district_id=WHO[0], source=WHO[1], path=str(day))
            return outcome(workspace, import_upload(workspace, order))
        finally:
            workspace.warehouse.close()

    def current(self, table: str) -> Rows:
        """Return the current versions of `table`."""
        workspace = self._workspace()
        try:
            known = workspace.warehouse.roster.current_hashes(*WHO, table).column("version_id")
            return workspace.warehouse.roster.versions(table, known).to_pylist()
        finally:
            workspace.warehouse.close()

    def _workspace(self) -> Workspace:
        return Workspace.open(self.folder / "home")


@pytest.fixture
def oak(saved: SavedFolders, tmp_path: Path) -> Oak:
    """A district whose first upload was published."""

    def make(folder: Path, _: str) -> None:
        assert Oak(folder).upload()["status"] == "published"

    saved.copy("catapult_connect", make, tmp_path)
    return Oak(tmp_path, days=1)


def test_a_contact_whose_only_cell_broke_is_not_gone_and_one_that_was_blanked_is(oak: Oak) -> None:
    broken = FILES["StudentExport"].replace("5552345678", "ask").replace("Uma Null,5552345679", ",")
    document = oak.upload({"StudentExport": broken})

    assert document["status"] == "published"
    assert [(row["user_id"], row["phone"]) for row in oak.current("contacts")] == [("1", "5552345678")]


def test_a_refused_row_keeps_the_person_the_classes_and_the_sites(oak: Oak) -> None:
    before = {table: len(oak.current(table)) for table in ("organizations", "users", "user_roles", "sections", "enrollments")}
    document = oak.upload({"StaffExport": FILES["StaffExport"].replace("9,20,Mei,Sato", "9,20,,Sato")})

    assert document["status"] == "unchanged"  # nothing that was accepted is different
    assert {table: len(oak.current(table)) for table in before} == before


def test_another_order_rejects_the_upload_and_takes_nothing_away(oak: Oak) -> None:
    header, *rows = FILES["StaffExport"].splitlines()
    turned = [",".join([*reversed(line.split(",")[:2]), *line.split(",")[2:]]) for line in (header, *rows)]
    document = oak.upload({"StaffExport": "\n".join(turned) + "\n"})

    assert document["status"] == "rejected"
    assert "column_order" in {finding["code"] for finding in document["findings"]}
    assert len(oak.current("users")) == 3


def test_another_title_in_a_second_school_is_told_and_the_first_counts(oak: Oak) -> None:
    first, second = FILES["StaffExport"].rsplit("Teacher", 1)
    document = oak.upload({"StaffExport": f"{first}Coach{second}"})

    assert [(f["code"], f["row"], f["field"]) for f in document["findings"]] == [("conflicting_rows", 3, "Title")]
    assert {row["title"] for row in oak.current("user_roles") if row["user_kind"] == "staff"} == {"Teacher"}


SITES = "School Site Name,Address,Phone Number,Merge with Site ID\nElm,1 Elm Way,,10\nFir,2 Fir Way,,20\n"


@pytest.mark.parametrize(
    "row",
    [",2 Fir Way,,20", "Fir,2 Fir Way,,20,?", "Elm,2 Fir Way,,20"],
    ids=["without a name", "ragged", "with another site's name"],
)
def test_a_site_whose_row_is_refused_keeps_its_name(oak: Oak, row: str) -> None:
    oak.upload({"SchoolExport": SITES})
    known = sites(oak)
    document = oak.upload({"SchoolExport": SITES.replace("Fir,2 Fir Way,,20", row)})

    assert document["status"] == "unchanged"  # a row that was refused says nothing of its site
    assert sites(oak) == known == [("10", "Elm", "1 Elm Way"), ("20", "Fir", "2 Fir Way")]


def test_a_site_that_was_never_named_waits_for_nobody(oak: Oak) -> None:
    oak.upload({"SchoolExport": SITES.replace("Fir,2 Fir Way,,20", ",2 Fir Way,,20")})

    assert sites(oak) == [("10", "Elm", "1 Elm Way"), ("20", "20", None)]


def test_a_site_that_is_taken_out_of_the_file_goes_by_its_code_again(oak: Oak) -> None:
    oak.upload({"SchoolExport": SITES})
    document = oak.upload({"SchoolExport": SITES.replace("Fir,2 Fir Way,,20\n", "")})

    assert document["status"] == "published"
    assert sites(oak) == [("10", "Elm", "1 Elm Way"), ("20", "20", None)]


def sites(oak: Oak) -> list[tuple[str, str, str | None]]:
    return sorted((row["organization_id"], row["name"], row["street"]) for row in oak.current("organizations"))


@pytest.mark.parametrize("name", FILES)
def test_an_upload_without_a_core_file_is_rejected(oak: Oak, name: str) -> None:
    document = oak.upload({name: ""})

    assert document["status"] == "rejected"
    assert ("empty_file", f"{name}.csv") in {(finding["code"], finding["file"]) for finding in document["findings"]}
