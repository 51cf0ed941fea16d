"""Which imports close a hold, what they say of it, and which leave it open. On both databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_and_report
from roster_etl.pipeline.lifecycle.close_superseded_holds import fulfilled_holds
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.reporting.next_steps import closed_holds_text
from roster_etl.pipeline.reporting.notifications import is_problem, summary_text
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings
from roster_etl.vendors import discover_vendors, vendor
from tests.sampling import kinds
from tests.saved import SavedFolders

STEWARD = "A. Steward"
FORMATS = kinds(sorted(discover_vendors()))
HEADER = "School_id,School_name,School_number\n"
DAY1 = {
    "schools.csv": f"{HEADER}S1,Oak,1\nS2,Elm,2\n",
    "students.csv": "School_id,Student_id,Last_name,First_name\n" + "".join(f"S1,{n},Lee,Kim\n" for n in range(20)),
    "teachers.csv": "School_id,Teacher_id,Last_name,First_name\nS1,T1,Ray,Jo\n",
    "sections.csv": "School_id,Section_id,Teacher_id,Name,Grade,Course_name,Period,Subject\nS1,X1,T1,Math,1,Math,1,math\n",
    "enrollments.csv": "School_id,Section_id,Student_id\n" + "".join(f"S1,X1,{n}\n" for n in range(20)),
}
NEW_YEAR = {**DAY1, "enrollments.csv": "School_id,Section_id,Student_id\nS1,X1,1\n"}  # 19 of 20 enrollments would be removed
OTHER_YEAR = {**DAY1, "enrollments.csv": "School_id,Section_id,Student_id\nS1,X1,2\n"}
NEXT_DAY = {**DAY1, "schools.csv": f"{HEADER}S1,Oak Street,1\nS2,Elm,2\n"}
GARBAGE = {name: text.replace(",", ";") for name, text in DAY1.items()}


def run(workspace: Workspace, files: dict[str, str] | Path, source: str = "clever", **options: str) -> dict[str, Any]:
    folder = files if isinstance(files, Path) else workspace.home.parent / str(len(list(workspace.home.parent.iterdir())))
    if isinstance(files, dict):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    order = Order(district_id="lincoln", source=source, path=str(folder), options=options)
    return dict(import_and_report(workspace, order).document)


def opened(home: Path, url: str, source: str = "clever") -> Workspace:
    workspace = Workspace(replace(Settings.load(home), warehouse=url))
    workspace.warehouse.migrate()
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format=source),)))
    return workspace


@pytest.fixture
def held(saved: SavedFolders, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """Import 1 is published, import 2 held."""

    def make(folder: Path, url: str) -> None:
        workspace = opened(folder / "home", url)
        assert run(workspace, DAY1)["status"] == "published"
        assert run(workspace, NEW_YEAR)["status"] == "held"
        workspace.close()

    url = saved.copy("one-hold", make, tmp_path, database)
    workspace = Workspace(replace(Settings.load(tmp_path / "home"), warehouse=url))
    yield workspace
    workspace.close()
    saved.drop(url)


def waiting(workspace: Workspace) -> list[int]:
    return sorted(hold["import_id"] for hold in workspace.warehouse.ledger.holds("lincoln"))


def approve(workspace: Workspace, number: int) -> dict[str, Any]:
    given = validate_approval(workspace, ApprovalRequest(import_id=number, by=STEWARD))
    return dict(apply_approval(workspace, given).document)


def closed(document: dict[str, Any]) -> list[int]:
    return [hold["import_id"] for hold in document["closed_holds"]]


def test_a_rejected_upload_leaves_a_hold_open_which_can_be_approved(held: Workspace) -> None:
    rejected = run(held, GARBAGE)

    assert (rejected["status"], rejected["closed_holds"], waiting(held)) == ("rejected", [], [2])
    assert approve(held, 2)["status"] == "published"


def test_an_upload_that_the_roster_has_leaves_the_hold_of_another_open(held: Workspace) -> None:
    unchanged = run(held, DAY1)

    assert (unchanged["status"], unchanged["closed_holds"], waiting(held)) == ("unchanged", [], [2])


def test_an_upload_that_changes_nothing_leaves_an_undo_open(held: Workspace) -> None:
    approve(held, 2)
    undo = plan_undo(held, 2, STEWARD)

    assert run(held, NEW_YEAR)["status"] == "unchanged"
    assert run(held, GARBAGE)["status"] == "rejected"

    assert waiting(held) == [undo]
    publish_undo(held, undo, held.warehouse.ledger.hold(undo)["plan_sha256"], STEWARD)
    assert held.warehouse.roster.count_current("lincoln", "clever", "enrollments") == 21


def test_a_failed_import_leaves_a_hold_open(held: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("roster_etl.pipeline.import_upload.gate_upload", breaks)

    with pytest.raises(OSError, match="full"):
        run(held, NEXT_DAY)

    assert (held.warehouse.ledger.import_(3)["status"], waiting(held)) == ("failed", [2])


def test_a_published_upload_says_which_hold_it_closes(held: Workspace) -> None:
    document = run(held, NEXT_DAY)

    reason = "change_threshold_exceeded"
    assert document["closed_holds"] == [{"import_id": 2, "kind": "upload", "reason": reason}]
    assert outcome(held, 3)["closed_holds"] == document["closed_holds"]
    text = "The hold of import 2 is closed: the roster changed with this import, so that its plan can no longer be published."
    assert closed_holds_text(document) == text
    assert text in Path(document["report"]).read_text("utf-8")
    assert text in summary_text(document)
    assert is_problem(held, document)  # who was asked to decide gets mail
    assert waiting(held) == []


def test_an_upload_that_is_held_takes_the_place_of_the_hold_and_says_so_once_it_is_published_too(held: Workspace) -> None:
    document = run(held, OTHER_YEAR)

    assert (document["status"], closed(document), waiting(held)) == ("held", [2], [3])
    assert "this import waits in its place" in closed_holds_text(document)
    assert closed(approve(held, 3)) == [2]
    assert closed(held.archive.read_manifest("lincoln", 3)["ledger"]["summary"]) == [2]


def test_an_unchanged_upload_closes_a_hold_whose_state_the_roster_has(held: Workspace) -> None:
    strange = {**DAY1, "students.csv": DAY1["students.csv"].replace("\nS1,", "\nS9,")}  # each row is refused, no record is gone
    assert (run(held, strange)["status"], waiting(held)) == ("held", [3])

    document = run(held, DAY1)

    assert (document["status"], closed(document), waiting(held)) == ("unchanged", [3], [])
    assert closed_holds_text(document) == "The hold of import 3 is closed: the roster already has that state."


@pytest.mark.parametrize(
    ("changes", "source", "found"),
    [
        ({"users": {"created": 0, "updated": 0, "deleted": 0}}, "clever", [3]),
        ({"users": {"created": 0, "updated": 1, "deleted": 0}}, "clever", []),
        ({"users": {"created": 0, "updated": 0, "deleted": 0}}, "canvas", []),
    ],
)
def test_an_empty_plan_of_a_whole_state_is_fulfilled(changes: dict[str, Any], source: str, found: list[int]) -> None:
    hold = {"import_id": 3, "file_set": "", "summary": {"changes": changes, "content": "a", "settings": "s"}}

    assert fulfilled_holds([hold], [("b", "s")], before=5, file_set="", source=source) == found
    assert fulfilled_holds([hold], [("b", "s")], before=3, file_set="", source=source) == []
    assert (
        fulfilled_holds([{**hold, "summary": {**hold["summary"], "undoes": [1]}}], [], before=5, file_set="", source=source) == []
    )


@pytest.mark.both_databases
def test_an_approved_upload_closes_an_undo_that_was_planned_after_it(held: Workspace) -> None:
    undo = plan_undo(held, 1, STEWARD)
    assert waiting(held) == [2, undo]

    document = approve(held, 2)

    assert (closed(document), waiting(held)) == ([undo], [])
    assert f"the undo that waited as import {undo}" in closed_holds_text(document)


def test_an_approved_undo_closes_a_rerun_that_was_held_after_it(held: Workspace) -> None:
    run(held, NEXT_DAY)
    undo = plan_undo(held, 3, STEWARD)
    back = import_and_report(held, Order(district_id="lincoln", source="clever", archived=2, rollback=True)).document
    assert (back["status"], waiting(held)) == ("held", [undo, back["import_id"]])

    publish_undo(held, undo, held.warehouse.ledger.hold(undo)["plan_sha256"], STEWARD)

    assert (closed(outcome(held, undo)), waiting(held)) == ([back["import_id"]], [])


@pytest.mark.sampled
@pytest.mark.parametrize("source", FORMATS)
def test_in_each_format_only_a_usable_upload_closes_an_undo(source: str, tmp_path: Path) -> None:
    workspace = opened(tmp_path / "home", f"sqlite:///{tmp_path}/warehouse.sqlite", source)
    write_sample(vendor(source), tmp_path / "a", students=6, seed=1)
    write_next_day(vendor(source), tmp_path / "a", tmp_path / "b", seed=2)
    garbage = shutil.copytree(tmp_path / "a", tmp_path / "garbage")
    for file in garbage.iterdir():
        file.write_bytes(b"\xff\xfe\x00" + file.read_bytes()[:40])
    lenient = {"delete_threshold_pct": "100", "update_threshold_pct": "100", "refused_rows_pct": "100"}

    first = run(workspace, tmp_path / "a", source, **lenient)
    undo = plan_undo(workspace, first["import_id"], STEWARD)
    again, rejected = run(workspace, tmp_path / "a", source, **lenient), run(workspace, garbage, source, **lenient)
    assert (again["status"], rejected["status"], waiting(workspace)) == ("unchanged", "rejected", [undo])

    document = run(workspace, tmp_path / "b", source, **lenient)
    assert (document["status"], closed(document), waiting(workspace)) == ("published", [undo], [])
    workspace.close()
