"""New records whose ids are similar to those of others are reported."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor

Change = Callable[[str], str]
FEED = Feed(format="clever", options={"delete_threshold_pct": "100"})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a published upload, beside it."""
    folder = tmp_path_factory.mktemp("similar")
    write_sample(vendor("clever"), folder / "up", students=12, seed=4)
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id="lincoln", feeds=(FEED,)))
    assert imported(workspace, folder / "up")["status"] == "published"
    workspace.close()
    return folder


def imported(workspace: Workspace, path: Path) -> dict:
    return outcome(workspace, import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(path))))


def reported(document: dict) -> list[tuple[str, str, str]]:
    found = [f for f in document["findings"] if f["code"] == "similar_id"]
    return [(f["severity"], f["field"], f["message"].partition(" ")[0]) for f in found]


def with_other_ids(folder: Path, changed: Path, ids: int, change: Change) -> Path:
    """Copy an upload with other ids of its last students."""
    shutil.copytree(folder, changed)
    known = dict.fromkeys(row["Student_id"] for row in csv.DictReader((folder / "students.csv").read_text("utf-8").splitlines()))
    renamed = {id_: change(id_) for id_ in list(known)[-ids:]}  # a student may have several rows
    for name in ("students.csv", "enrollments.csv"):
        rows = list(csv.DictReader((folder / name).read_text("utf-8").splitlines()))
        with (changed / name).open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows({**row, "Student_id": renamed.get(row["Student_id"], row["Student_id"])} for row in rows)
    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda id_: f"00{id_}", True),
        (lambda id_: f"{id_}00", False),
        (lambda id_: f"{id_}\u200b", True),
        (lambda id_: id_.translate({48 + digit: 0xFF10 + digit for digit in range(10)}), True),
    ],
)
def test_ids_that_lost_or_won_zeros_or_characters_nobody_sees_are_counted(
    first: Path, tmp_path: Path, change: Change, told: bool
):
    changed = with_other_ids(first / "up", tmp_path / "up", 3, change)
    with closing(Workspace.open(shutil.copytree(first / "home", tmp_path / "home"))) as workspace:
        documents = [imported(workspace, changed) for _ in range(2)]

    assert reported(documents[0]) == ([("warning", "users", "3")] if told else [])
    assert reported(documents[1]) == []  # nothing is new any more


def test_a_new_record_beside_one_that_stays_is_counted(first: Path, tmp_path: Path):
    upload = shutil.copytree(first / "up", tmp_path / "up")
    rows = list(csv.DictReader((upload / "students.csv").read_text("utf-8").splitlines()))
    twin = {
        **rows[-1],
        "Student_id": f"0{rows[-1]['Student_id']}",
        "Student_email": "twin@example.org",
        "Student_number": "987654",
    }
    with (upload / "students.csv").open("a", newline="", encoding="utf-8") as out:
        csv.DictWriter(out, list(rows[0])).writerow({name: twin.get(name, "") for name in rows[0]})
    with closing(Workspace.open(shutil.copytree(first / "home", tmp_path / "home"))) as workspace:
        document = imported(workspace, upload)

    assert reported(document) == [("warning", "users", "1")]


def test_ids_that_came_by_an_import_that_was_undone_are_counted_again_and_those_that_really_were_are_not(
    first: Path, tmp_path: Path
):
    changed = with_other_ids(first / "up", tmp_path / "up", 3, lambda id_: f"00{id_}")
    with closing(Workspace.open(shutil.copytree(first / "home", tmp_path / "home"))) as workspace:
        undone = plan_undo(workspace, imported(workspace, changed)["import_id"], "Pat")
        publish_undo(workspace, undone, workspace.warehouse.ledger.hold(undone)["plan_sha256"], "Pat")
        documents = [imported(workspace, path) for path in (changed, first / "up", changed)]

    assert [reported(document) for document in documents] == [[("warning", "users", "3")], [], []]
    assert [document["changes"]["users"]["created"] for document in documents] == [3, 3, 3]


def test_at_a_first_load_nothing_is_known_to_be_alike_to(first: Path):
    with closing(Workspace.open(first / "home")) as workspace:
        assert reported(outcome(workspace, 1)) == []  # the sample has the students 007 and 7
