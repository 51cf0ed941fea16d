"""Renames on the road: what is proposed, and what a person's word makes of it, before and after publishing."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.lineage.id_history import other_keys
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reporting.import_summary import outcome, read_import_summary
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.preview_approval import preview_approval
from roster_etl.pipeline.review.renames import approve_published_renames
from roster_etl.pipeline.steps.rename_proposals import BadRename, proposals
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.dumps import dump

FEED = ("lincoln", "clever")
NEW = "renamed-0001"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a published upload, and beside it the next one, in which a student has another id."""
    folder = tmp_path_factory.mktemp("renames")
    write_sample(vendor("clever"), folder / "first", students=40, seed=4)
    shutil.copytree(folder / "first", folder / "second")
    old = _rows(folder / "first" / "students.csv")[0]["Student_id"]
    for name in ("students.csv", "enrollments.csv"):
        rows = _rows(folder / "second" / name)
        for row in rows:
            row["Student_id"] = NEW if row["Student_id"] == old else row["Student_id"]
        with (folder / "second" / name).open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    (folder / "old").write_text(old)
    opened = Workspace.open(folder / "home")
    opened.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    assert run(opened, folder / "first")["status"] == "published"
    opened.warehouse.close()
    return folder


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(shutil.copytree(imported / "home", tmp_path / "home"))
    yield opened
    opened.warehouse.close()


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def run(workspace: Workspace, folder: Path, **options: str) -> dict[str, Any]:
    order = Order(district_id=FEED[0], source=FEED[1], path=str(folder), options=options)
    return outcome(workspace, import_upload(workspace, order))


def reasons(workspace: Workspace, old: str) -> dict[str, set[str | None]]:
    """Return why the versions of the old id closed, by table."""
    tables = ("users", "user_roles", "student_profiles", "enrollments")
    key = {"user_kind": "student", "user_id": old}
    return {t: {v["close_reason"] for v in workspace.warehouse.roster.trace(t, key, *FEED).to_pylist()} for t in tables}


def test_a_new_id_is_proposed_without_saying_whose(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()

    document = run(workspace, imported / "second")

    (finding,) = [finding for finding in document["findings"] if finding["code"] == "possible_rename"]
    assert document["status"] == "published"
    assert (document["renames"]["proposed"], document["renames"]["approved"]) == (1, 0)
    assert (finding["severity"], finding["count"]) == ("info", 1)
    told = json.dumps([document["renames"], finding])
    person = next(row for row in _rows(imported / "first" / "students.csv") if row["Student_id"] == old)
    assert not any(value in told for value in (old, NEW, person["Last_name"], person["First_name"]))
    assert reasons(workspace, old)["users"] == {"absent"}
    assert proposals(workspace, document["import_id"]).to_pylist() == [
        {"number": 1, "user_kind": "student", "old_id": old, "new_id": NEW, "by": "birth_date"}
    ]


def test_with_hold_renames_it_waits_and_publishes_what_a_person_says(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()
    held = run(workspace, imported / "second", hold_renames="true")
    number = held["import_id"]
    assert (held["status"], held["hold"]["reason"]) == ("held", "possible_rename")
    assert proposals(workspace, number).num_rows == 1

    shown = preview_approval(workspace, number, (), (f"{old}={NEW}",))
    decision = ApprovalRequest(import_id=number, by="A. Steward", plan=shown["plan_sha256"], renames=(f"{old}={NEW}",))
    given = validate_approval(workspace, decision)
    assert given.order().renames == ("1",)
    apply_approval(workspace, given)

    document = outcome(workspace, number)
    assert (document["status"], document["renames"]["approved"], document["changes"]) == ("published", 1, shown["changes"])
    assert document["plan"]["users"]["reasons"] == {"renamed": 1}
    assert document["plan"]["users"]["absent"] == 0
    assert set().union(*reasons(workspace, old).values()) == {"renamed"}
    (change,) = workspace.warehouse.roster.trace("id_changes", {"old_id": old}, *FEED).to_pylist()
    assert (change["entity"], change["new_id"], change["valid_from_import"]) == ("users", NEW, number)
    assert proposals(workspace, number).num_rows == 0


def test_a_manifest_learns_from_the_ledger_what_was_approved_as_a_rename(workspace: Workspace, imported: Path) -> None:
    """The process may be killed when the roster is published, and the manifest is that of the hold."""
    number = run(workspace, imported / "second", hold_renames="true")["import_id"]
    of_the_hold = workspace.archive.read_manifest("lincoln", number)
    shown = preview_approval(workspace, number, (), ("all",))["plan_sha256"]
    apply_approval(
        workspace, validate_approval(workspace, ApprovalRequest(import_id=number, by="A", plan=shown, renames=("all",)))
    )
    workspace.archive.write_manifest("lincoln", number, of_the_hold)

    refresh_manifest(workspace, read_import_summary(workspace, number))

    assert (of_the_hold["renames"], workspace.archive.read_manifest("lincoln", number)["renames"]) == ([], ["1"])


def test_approved_without_a_word_it_stays_a_removal_and_an_addition(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()
    number = run(workspace, imported / "second", hold_renames="true")["import_id"]

    apply_approval(workspace, validate_approval(workspace, ApprovalRequest(import_id=number, by="A. Steward")))

    assert reasons(workspace, old)["users"] == {"absent"}
    assert workspace.warehouse.roster.count_current(*FEED, "id_changes") == 0


def test_after_the_fact_the_history_is_joined_by_an_import_of_its_own(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()
    number = run(workspace, imported / "second")["import_id"]

    said = approve_published_renames(workspace, number, "A. Steward")

    document = outcome(workspace, said)
    assert (document["kind"], document["status"], document["changes"]) == (
        "override",
        "published",
        {"id_changes": {"created": 1, "updated": 0, "deleted": 0}},
    )
    assert workspace.archive.read_manifest("lincoln", said)["renames"]["pairs"][0]["old_id"] == old
    assert run(workspace, imported / "second")["status"] == "unchanged"
    with pytest.raises(BadRename, match="not approved already"):
        approve_published_renames(workspace, number, "A. Steward")


def test_a_trace_follows_the_record_from_one_id_to_the_other(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()
    number = run(workspace, imported / "second")["import_id"]
    alone = trace_record(workspace, "lincoln", "users", {"user_kind": "student", "user_id": NEW})
    said = approve_published_renames(workspace, number, "A. Steward")

    for table in ("users", "student_profiles"):
        for asked in (old, NEW):
            told = trace_record(workspace, "lincoln", table, {"user_kind": "student", "user_id": asked})
            assert [version["key"]["user_id"] for version in told["versions"]] == [old, NEW]
            assert told["key"]["user_id"] == asked
            assert told["id_changes"] == [
                {"entity": "users", "old_id": old, "new_id": NEW, "import_id": said, "decided_by": "A. Steward"}
            ]
    assert (len(alone["versions"]), alone["id_changes"]) == (1, [])


def test_a_trace_does_not_take_another_kind_of_person_for_the_same(workspace: Workspace, imported: Path) -> None:
    old = (imported / "old").read_text()
    key = {"user_kind": "teacher", "user_id": NEW}
    number = run(workspace, imported / "second")["import_id"]
    approve_published_renames(workspace, number, "A. Steward")

    assert other_keys(workspace.warehouse.roster, FEED, TABLES["users"], key) == []
    assert [
        under.key["user_id"]
        for under in other_keys(workspace.warehouse.roster, FEED, TABLES["users"], {**key, "user_kind": "student"})
    ] == [old]


def test_what_was_not_proposed_is_refused_without_naming_it(workspace: Workspace, imported: Path) -> None:
    number = run(workspace, imported / "second")["import_id"]

    with pytest.raises(BadRename) as refused:
        approve_published_renames(workspace, number, "A. Steward", ("ghost=other",))
    assert "ghost" not in refused.value.message
    with pytest.raises(BadRename, match="none of the 1"):
        approve_published_renames(workspace, number, "A. Steward", ("2",))


def test_the_number_of_a_proposal_does(workspace: Workspace, imported: Path) -> None:
    number = run(workspace, imported / "second")["import_id"]

    said = approve_published_renames(workspace, number, "A. Steward", ("1",))

    assert outcome(workspace, said)["changes"]["id_changes"]["created"] == 1


def test_what_was_said_afterwards_is_rebuilt_and_the_audit_names_nobody(
    workspace: Workspace, imported: Path, tmp_path: Path
) -> None:
    number = run(workspace, imported / "second", delete_threshold_pct="100")["import_id"]
    approve_published_renames(workspace, number, "A. Steward")
    with pytest.raises(BadRename):
        approve_published_renames(workspace, number, "A. Steward")
    url = f"sqlite:///{tmp_path}/again.sqlite"

    rebuilt = rebuild_district(workspace, FEED[0], url)

    assert rebuilt.differs == ()
    with Warehouse(url) as target:
        assert dump(target) == dump(workspace.warehouse)
    rows = workspace.warehouse.ledger.audit()
    assert [(row["action"], row["outcome"]) for row in rows] == [("renames_approve", "done"), ("renames_approve", "refused")]
    assert NEW not in str(rows)
    assert (imported / "old").read_text() not in str(rows)
