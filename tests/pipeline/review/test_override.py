"""Stewards' edits: what they change at once, and what imports do with them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.engine.transform.overrides import BadEdit
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated
from roster_etl.pipeline.lineage.trace import UnknownColumn, UnknownRecord, UnknownTable, trace_record
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review import override
from roster_etl.pipeline.review.override import NotEdited, Target, clear_override, set_override
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse import RosterChanged
from roster_etl.vendors import vendor

FILES = {
    "users.csv": "user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU2,bob,active,Bob Ray\n",
    "courses.csv": "course_id,short_name,long_name,status\nC1,ART,Art,active\n",
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    """A home with a published Canvas upload."""
    home = tmp_path_factory.mktemp("edited") / "home"
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
    workspace.warehouse.close()
    opened = Workspace.open(home)
    assert upload(opened, home.parent / "first", FILES)["status"] == "published"
    opened.warehouse.close()
    return home


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(shutil.copytree(imported, tmp_path / "home"))
    yield opened
    opened.warehouse.close()


def upload(workspace: Workspace, folder: Path, files: dict[str, str], **options: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    order = Order(district_id="lincoln", source="canvas", path=str(folder), options=options)
    return outcome(workspace, import_upload(workspace, order))


def target(field: str = "full_name", table: str = "users", **key: str) -> Target:
    return Target(district_id="lincoln", source="canvas", table=table, key=key or {"user_id": "U1"}, field=field)


def names(workspace: Workspace) -> dict[str, str]:
    ids = workspace.warehouse.roster.current_hashes("lincoln", "canvas", "users").column("version_id")
    return {row["user_id"]: row["full_name"] for row in workspace.warehouse.roster.versions("users", ids).to_pylist()}


def renamed(name: str) -> dict[str, str]:
    return {"users.csv": f"user_id,login_id,status,full_name\nU1,ann,active,{name}\n"}


def test_an_edit_takes_effect_at_once_as_an_import_of_its_own(workspace: Workspace) -> None:
    import_id = set_override(workspace, target(), "Anna Lee", "sam")

    document = outcome(workspace, import_id)
    assert (document["status"], document["changes"]["users"]["updated"]) == ("published", 1)
    versions = workspace.warehouse.roster.trace("users", {"user_id": "U1"}, "lincoln", "canvas").to_pylist()
    assert [(v["full_name"], v["close_reason"]) for v in versions] == [("Ann Lee", "overridden"), ("Anna Lee", None)]
    (edit,) = workspace.warehouse.roster.overrides("lincoln", "canvas")
    assert (edit["field"], edit["value"], edit["set_by"]) == ("full_name", "Anna Lee", "sam")
    assert workspace.archive.read_manifest("lincoln", import_id)["kind"] == "override"


def test_imports_leave_an_edit_alone_until_it_is_cleared(workspace: Workspace, tmp_path: Path) -> None:
    set_override(workspace, target(), "Anna Lee", "sam")
    upload(workspace, tmp_path / "a", renamed("Ann Smith"))
    assert names(workspace)["U1"] == "Anna Lee"

    clear_override(workspace, target(), "sam")
    assert names(workspace)["U1"] == "Anna Lee"
    upload(workspace, tmp_path / "b", renamed("Ann Smith"))

    assert names(workspace)["U1"] == "Ann Smith"
    assert workspace.warehouse.roster.overrides("lincoln", "canvas") == []


def test_an_import_may_publish_its_own_value_and_keep_or_end_the_edit(workspace: Workspace, tmp_path: Path) -> None:
    set_override(workspace, target(), "Anna Lee", "sam")
    upload(workspace, tmp_path / "a", renamed("Ann Smith"), override_sis_stickiness="true")
    assert names(workspace)["U1"] == "Ann Smith"
    assert len(workspace.warehouse.roster.overrides("lincoln", "canvas")) == 1

    options = {"override_sis_stickiness": "true", "clear_sis_stickiness": "true"}
    upload(workspace, tmp_path / "b", renamed("Ann Jones"), **options)

    assert workspace.warehouse.roster.overrides("lincoln", "canvas") == []


def test_a_cell_that_was_set_by_hand_says_so_and_the_others_still_lead_to_their_upload(
    workspace: Workspace, tmp_path: Path
) -> None:
    set_override(workspace, target(), "Anna Lee", "sam")
    upload(workspace, tmp_path / "a", {"users.csv": "user_id,login_id,status,full_name\nU1,ann2,active,Ann Smith\n"})

    document = trace_record(workspace, "lincoln", "users", {"user_id": "U1"})
    told = [(v["fields"]["full_name"]["rule"], v["fields"]["username"]["reads"][0]["text"]) for v in document["versions"]]
    assert told == [
        ("full_name of users, where blank keeps what was there", "ann"),
        ("set by hand, by sam", "ann"),
        ("set by hand, by sam", "ann2"),
    ]


def test_once_an_edit_is_cleared_the_same_value_of_an_upload_leads_to_the_upload(workspace: Workspace, tmp_path: Path) -> None:
    set_override(workspace, target(), "Anna Lee", "sam")
    clear_override(workspace, target(), "sam")
    upload(workspace, tmp_path / "a", {"users.csv": "user_id,login_id,status,full_name\nU1,ann2,active,Anna Lee\n"})

    document = trace_record(workspace, "lincoln", "users", {"user_id": "U1"}, field="full_name")
    cells = [version["fields"]["full_name"] for version in document["versions"]]
    assert [(cell["value"], cell["rule"].partition(",")[0], [read["text"] for read in cell["reads"]]) for cell in cells] == [
        ("Ann Lee", "full_name of users", ["Ann Lee"]),
        ("Anna Lee", "set by hand", []),
        ("Ann Lee", "full_name of users", ["Ann Lee"]),
        ("Anna Lee", "full_name of users", ["Anna Lee"]),
    ]


def test_a_trace_of_an_edit_of_a_retried_row_leads_to_the_upload_that_had_it(workspace: Workspace, tmp_path: Path) -> None:
    section = {"sections.csv": "section_id,course_id,name,status\nS1,C9,Drawing,active\n"}
    upload(workspace, tmp_path / "a", section)
    upload(workspace, tmp_path / "b", {"courses.csv": "course_id,short_name,long_name,status\nC9,DRAW,Draw,active\n"})
    set_override(workspace, target("name", "sections", section_id="S1"), "Drawing I", "sam")

    first, edited = trace_record(workspace, "lincoln", "sections", {"section_id": "S1"}, field="course_id")["versions"]
    assert [(v["import_id"], v["read_in"]) for v in (first, edited)] == [(3, 2), (4, 2)]
    assert {cell["text"] for cell in edited["fields"]["course_id"]["reads"]} == {"C9"}


def test_several_records_with_the_key_are_told_apart_by_what_the_message_names(tmp_path: Path) -> None:
    opened = Workspace.open(tmp_path / "home")
    opened.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    write_sample(vendor("clever"), tmp_path / "a", students=20, seed=5)
    import_upload(opened, Order(district_id="lincoln", source="clever", path=str(tmp_path / "a")))
    several = Target(district_id="lincoln", source="clever", table="users", key={"user_id": "1001"}, field="title")
    try:
        with pytest.raises(UnknownRecord, match="several records have this key; say also user_kind=student or user_kind=teacher"):
            set_override(opened, several, "Dr.", "sam")
    finally:
        opened.warehouse.close()


def test_an_edit_of_a_record_that_moves_meanwhile_is_refused_and_leaves_a_failed_import(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = override._record

    def overtaken(*about: Any) -> Any:
        record = found(*about)
        monkeypatch.setattr(override, "_record", found)
        set_override(workspace, target(), "Faster", "kim")
        return record

    monkeypatch.setattr(override, "_record", overtaken)
    with pytest.raises(RosterChanged, match="say it again"):
        set_override(workspace, target(), "Slower", "sam")

    failed = workspace.warehouse.ledger.import_(3)
    assert (failed["status"], failed["summary"]["error"]["class"]) == ("failed", "ConcurrentPublish")
    assert is_manifest_outdated(workspace, failed) is False
    assert names(workspace)["U1"] == "Faster"


def test_an_edit_names_records_that_are_there(workspace: Workspace) -> None:
    course = {"course_id": "C1"}
    for field, table in (("organization_id", "organizations"), ("term_id", "terms"), ("blueprint_course_id", "courses")):
        with pytest.raises(BadEdit, match=f"courses.{field}: expected the id of a current record of {table}"):
            set_override(workspace, target(field, "courses", **course), "nowhere", "sam")

    assert set_override(workspace, target("blueprint_course_id", "courses", **course), "C1", "sam") == 2
    assert set_override(workspace, target("blueprint_course_id", "courses", **course), None, "sam") == 3


def test_an_edit_that_no_upload_could_bring_changes_nothing(workspace: Workspace) -> None:
    with pytest.raises(BadEdit, match="one of: active, suspended"):
        set_override(workspace, target("status"), "garbage", "sam")

    assert len(workspace.warehouse.ledger.imports("lincoln")) == 1
    (line,) = [line for line in workspace.warehouse.ledger.audit("lincoln") if line["action"] == "override_set"]
    assert (line["outcome"], line["about"]["code"]) == ("refused", "bad_edit")


def test_an_edit_is_kept_as_a_cell_would_be(workspace: Workspace) -> None:
    set_override(workspace, target("status"), " SUSPENDED ", "sam")

    (edit,) = workspace.warehouse.roster.overrides("lincoln", "canvas")
    assert edit["value"] == "suspended"


def test_an_edit_that_was_set_once_is_set_again_as_it_was(workspace: Workspace) -> None:
    assert override.reapply_override(workspace, target("status"), "garbage", "sam") == 2


def test_an_edit_of_nothing_is_refused(workspace: Workspace) -> None:
    for wrong, error in (
        (target(table="pupils"), UnknownTable),
        (target(table="contacts"), UnknownTable),
        (target("nickname"), UnknownColumn),
        (target("user_id"), UnknownColumn),
        (target(user_id="U9"), UnknownRecord),
        (target(user_kind="user"), UnknownRecord),
    ):
        with pytest.raises(error):
            set_override(workspace, wrong, "x", "sam")
    with pytest.raises(NotEdited):
        clear_override(workspace, target(), "sam")

    assert [row["kind"] for row in workspace.warehouse.ledger.imports("lincoln")] == ["upload"]
