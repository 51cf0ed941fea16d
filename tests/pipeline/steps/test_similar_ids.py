"""New records whose ids are those of others but for leading zeros or case are reported."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
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
    """Copy an upload with other ids of its first students."""
    shutil.copytree(folder, changed)
    students = list(csv.DictReader((folder / "students.csv").open(encoding="utf-8")))[:ids]
    renamed = {row["Student_id"]: change(row["Student_id"]) for row in students}
    for name in ("students.csv", "enrollments.csv"):
        rows = list(csv.DictReader((folder / name).open(encoding="utf-8")))
        with (changed / name).open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows({**row, "Student_id": renamed.get(row["Student_id"], row["Student_id"])} for row in rows)
    return changed


@pytest.mark.parametrize(("change", "told"), [(lambda id_: f"00{id_}", True), (lambda id_: f"{id_}00", False)])
def test_ids_that_lost_or_won_zeros_are_counted(first: Path, tmp_path: Path, change: Change, told: bool):
    workspace = Workspace.open(shutil.copytree(first / "home", tmp_path / "home"))
    changed = with_other_ids(first / "up", tmp_path / "up", 3, change)

    assert reported(imported(workspace, changed)) == ([("warning", "users", "3")] if told else [])
    assert reported(imported(workspace, changed)) == []  # nothing is new any more


def test_two_new_records_that_are_alike_are_both_counted_at_a_first_load(first: Path, tmp_path: Path):
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(FEED,)))
    upload = shutil.copytree(first / "up", tmp_path / "up")
    with (upload / "students.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    twin = {**rows[0], "Student_id": f"0{rows[0]['Student_id']}", "Student_email": "twin@example.org", "Student_number": "987654"}
    with (upload / "students.csv").open("a", newline="", encoding="utf-8") as out:
        csv.DictWriter(out, list(rows[0])).writerow({name: twin.get(name, "") for name in rows[0]})

    assert reported(imported(workspace, upload)) == [("warning", "users", "2")]
