"""Files that are given once: what an upload without one, or with a broken one, goes on with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Feed
from tests.saved import SavedFolders

WHO = ("lincoln", "catapult_connect")
FILES = {
    "StaffExport.csv": "ID,School,Name.First,Name.Last,Email,Title\n9,10,Mei,Sato,mei@example.org,Teacher\n",
    "StudentExport.csv": "ID,School,Name.First,Name.Last\n1,10,Ana,Reed\n2,20,Ben,Null\n",
    "StaffToStudentExport.csv": "School,Teacher,Student,Period,Name\n10,9,1,1,Math\n",
}
SITES = "School Site Name,Address,Phone Number,Merge with Site ID\nLincoln High,1 Main Street,(555) 201-0001,10\n"


def _with_workspace(home: Path, act: Callable[[Workspace], Any]) -> Any:
    workspace = Workspace.open(home)
    try:
        return act(workspace)
    finally:
        if "warehouse" in vars(workspace):
            workspace.warehouse.close()


def _import(home: Path, upload: Path | None, **order: Any) -> dict[str, Any]:
    def act(workspace: Workspace) -> dict[str, Any]:
        path = str(upload) if upload else None
        return outcome(workspace, import_upload(workspace, Order(district_id=WHO[0], source=WHO[1], path=path, **order)))

    return _with_workspace(home, act)


def _upload(folder: Path, **changed: str) -> Path:
    """Write an upload without the site file, but for what is `changed` (file stem → text)."""
    folder.mkdir()
    for name, text in (FILES | {f"{stem}.csv": text for stem, text in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _sites(home: Path) -> dict[str, str]:
    def act(workspace: Workspace) -> dict[str, str]:
        warehouse = workspace.warehouse
        known = warehouse.roster.current_hashes(*WHO, "organizations").column("version_id")
        rows = warehouse.roster.versions("organizations", known).to_pylist()
        return {row["organization_id"]: row["name"] for row in rows}

    return _with_workspace(home, act)


def _found(document: dict[str, Any], code: str) -> list[tuple[str, str | None]]:
    return [(finding["severity"], finding["file"]) for finding in document["findings"] if finding["code"] == code]


@pytest.fixture
def home(saved: SavedFolders, tmp_path: Path) -> Path:
    """A home into which an upload with the site file was imported."""

    def make(folder: Path, _: str) -> None:
        home = folder / "home"
        home.mkdir(mode=0o700)
        _with_workspace(home, lambda w: w.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1]),))))
        assert _import(home, _upload(folder / "day1", SchoolExport=SITES))["status"] == "published"

    saved.copy("lasting", make, tmp_path)
    return tmp_path / "home"


STUDENTS = FILES["StudentExport.csv"] + "3,10,Cy,Test\n"
NAMED = {"10": "Lincoln High", "20": "20"}


def test_an_upload_without_the_file_goes_on_with_the_newest_published_one(home: Path, tmp_path: Path) -> None:
    document = _import(home, _upload(tmp_path / "day2", StudentExport=STUDENTS))

    assert document["status"] == "published"
    assert _found(document, "lasting_file") == [("info", "SchoolExport.csv")]
    assert _sites(home) == NAMED
    assert [file["kind"] for file in document["files"] if file["file"] == "SchoolExport.csv"] == ["schools"]


def test_the_file_is_a_member_that_says_where_it_came_from(home: Path, tmp_path: Path) -> None:
    for day in (2, 3):
        _import(home, _upload(tmp_path / f"day{day}", StudentExport=STUDENTS + f"{day + 2},10,Di,Test\n"))
    manifest = _with_workspace(home, lambda w: w.archive.read_manifest(WHO[0], 3))
    member = next(member for member in manifest["members"] if member["kind"] == "schools")

    assert member["lasts_from"] == 1
    assert _with_workspace(home, lambda w: w.archive.get(member["key"])).decode() == SITES


def test_the_same_files_without_it_are_unchanged(home: Path, tmp_path: Path) -> None:
    document = _import(home, _upload(tmp_path / "day2"))

    assert document["status"] == "unchanged"
    assert _found(document, "lasting_file") == [("info", "SchoolExport.csv")]


def test_a_new_one_counts_from_then_on(home: Path, tmp_path: Path) -> None:
    _import(home, _upload(tmp_path / "day2", SchoolExport=SITES.replace("Lincoln", "Ada Lovelace")))
    document = _import(home, _upload(tmp_path / "day3", StudentExport=STUDENTS))

    assert _found(document, "lasting_file")
    assert _sites(home) == {"10": "Ada Lovelace High", "20": "20"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("School Site Name,Address\n", "empty_file"),
        ("", "empty_file"),
        ("Site,Street\nLincoln,1 Main Street\n", "unrecognised_headers"),
        ("Address\n1 Main Street\n", "missing_column"),
        ("Address,School Site Name\n1 Main Street,Lincoln\n", "column_order"),
        ('School Site Name,Address\n"Lin"coln","1 Main\n', "malformed_csv"),
    ],
)
def test_a_broken_one_is_reported_and_the_earlier_one_goes_on(home: Path, tmp_path: Path, text: str, code: str) -> None:
    document = _import(home, _upload(tmp_path / "day2", StudentExport=STUDENTS, SchoolExport=text))

    assert document["status"] == "published"
    assert [file for _, file in _found(document, code)] == ["SchoolExport.csv"]
    assert _sites(home) == NAMED


def test_one_in_another_order_counts_where_the_district_allows_it(home: Path, tmp_path: Path) -> None:
    text = "Merge with Site ID,School Site Name\n10,Lincoln\n"
    document = _import(home, _upload(tmp_path / "day2", SchoolExport=text), options={"allow_column_order": "true"})

    assert (document["status"], _found(document, "lasting_file")) == ("published", [])
    assert _sites(home) == {"10": "Lincoln", "20": "20"}


def test_one_of_an_upload_that_was_not_published_is_not_gone_on_with(home: Path, tmp_path: Path) -> None:
    broken = _upload(tmp_path / "day2", SchoolExport=SITES.replace("Lincoln", "Wrong"), StudentExport="ID,School\n")

    assert _import(home, broken)["status"] == "rejected"
    _import(home, _upload(tmp_path / "day3", StudentExport=STUDENTS))
    assert _sites(home) == NAMED


def test_an_archived_upload_runs_again_with_the_file_that_it_went_on_with(home: Path, tmp_path: Path) -> None:
    _import(home, _upload(tmp_path / "day2", StudentExport=STUDENTS))
    again = _import(home, None, archived=2, options={"delete_threshold_pct": "20"})

    assert again["status"] == "published"
    assert "SchoolExport.csv" in [file["file"] for file in again["files"]]
    assert _sites(home) == NAMED


def test_a_held_upload_keeps_it_until_its_plan_is_approved(home: Path, tmp_path: Path) -> None:
    many = "".join(f"{number},10,Di,Test\n" for number in range(100, 130))
    _import(home, _upload(tmp_path / "day2", StudentExport=STUDENTS + many))
    held = _import(home, _upload(tmp_path / "day3", StudentExport=STUDENTS))
    plan = (held["import_id"], held["hold"]["plan_sha256"], "Ada")
    approved = _import(home, None, approves=plan)

    assert (held["status"], approved["status"]) == ("held", "published")
    assert "SchoolExport.csv" in [file["file"] for file in approved["files"]]
    assert _sites(home) == NAMED


def test_a_check_goes_on_with_it_too(home: Path, tmp_path: Path) -> None:
    upload = _upload(tmp_path / "day2", StudentExport=STUDENTS)
    document = _with_workspace(home, lambda w: check_upload(w, str(upload), WHO[1], district_id=WHO[0]))

    assert (document["status"], _found(document, "lasting_file")) == ("publishable", [("info", "SchoolExport.csv")])
    assert document["changes"]["organizations"] == {"created": 0, "updated": 0, "deleted": 0}


def test_a_feed_that_never_had_one_goes_without(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    _with_workspace(home, lambda w: w.registry.add(District(id=WHO[0], feeds=(Feed(format=WHO[1]),))))
    for day in (1, 2):
        shutil.rmtree(tmp_path / "day", ignore_errors=True)
        document = _import(home, _upload(tmp_path / "day", StudentExport=STUDENTS + f"{day + 5},10,Di,Test\n"))

    assert (document["status"], _found(document, "lasting_file")) == ("published", [])
    assert _sites(home) == {"10": "10", "20": "20"}
