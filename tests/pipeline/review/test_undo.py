"""Undo: what comes back, what stays in the history, and when it is refused. On both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.plan_decision import PlanChanged
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.reporting.next_steps import next_steps
from roster_etl.pipeline.review import approve
from roster_etl.pipeline.review.approve import discard_import
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.review.undo import NotUndoable, plan_undo, publish_undo
from roster_etl.pipeline.steps.hold_policy import _older_upload_findings
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import, newest_archived
from roster_etl.pipeline.uploads.effective_uploads import without_undone
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings
from roster_etl.store.warehouse import NoHold, Warehouse
from roster_etl.vendors import vendor
from tests.dumps import dump
from tests.saved import SavedFolders

FEED = ("lincoln", "canvas")
HEADER = "user_id,login_id,status,full_name\n"
FIRST = {"users.csv": f"{HEADER}U1,ann,active,Ann Lee\nU2,bob,active,Bob Ray\n"}
SECOND = {"users.csv": f"{HEADER}U1,ann,active,Anna Lee\nU2,bob,deleted,Bob Ray\nU3,cam,active,Cam Oak\n"}


def opened(home: Path, url: str) -> Workspace:
    """Return a home with lincoln registered and an empty warehouse."""
    workspace = Workspace(replace(Settings.load(home), warehouse=url))
    workspace.warehouse.migrate()
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
    return workspace


@pytest.fixture
def workspace(warehouse_url: str, tmp_path: Path) -> Iterator[Workspace]:
    workspace = opened(tmp_path / "home", warehouse_url)
    yield workspace
    workspace.warehouse.close()


@pytest.fixture
def twice(saved: SavedFolders, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """Two imports: the second changes one user, deletes one and adds one."""

    def make(folder: Path, url: str) -> None:
        workspace = opened(folder / "home", url)
        upload(workspace, folder / "first", FIRST)
        upload(workspace, folder / "second", SECOND)
        workspace.close()

    url = saved.copy("undo", make, tmp_path, database)
    workspace = Workspace(replace(Settings.load(tmp_path / "home"), warehouse=url))
    yield workspace
    workspace.close()
    saved.drop(url)


def upload(workspace: Workspace, folder: Path, files: dict[str, str], **options: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return outcome(
        workspace, import_upload(workspace, Order(district_id=FEED[0], source=FEED[1], path=str(folder), options=options))
    )


def names(workspace: Workspace, moment: datetime | None = None) -> dict[str, str]:
    known = workspace.warehouse.roster.as_of(moment or datetime.now(UTC), "users", *FEED).to_pylist()
    return {row["user_id"]: row["full_name"] for row in known}


def approved(workspace: Workspace, number: int) -> dict[str, Any]:
    publish_undo(workspace, number, workspace.warehouse.ledger.hold(number)["plan_sha256"], "A. Steward")
    return outcome(workspace, number)


def test_an_undo_waits_for_a_person_and_changes_nothing_until_then(twice: Workspace) -> None:
    number = plan_undo(twice, 2, "sam")

    document = outcome(twice, number)
    assert (document["kind"], document["status"], document["hold"]["reason"]) == ("undo", "held", "undo")
    assert document["changes"]["users"] == {"created": 1, "updated": 1, "deleted": 1}
    assert document["plan"]["users"]["columns"]["full_name"] == 1
    assert document["hold"]["tables"]["users"]["deleted"] == 1
    assert names(twice) == {"U1": "Anna Lee", "U3": "Cam Oak"}


def test_an_approved_undo_brings_the_state_before_back_and_keeps_the_history(twice: Workspace) -> None:
    before = datetime.now(UTC)

    document = approved(twice, plan_undo(twice, 2, "sam"))

    assert (document["status"], document["hold"]["decision"], document["hold"]["decided_by"]) == (
        "published",
        "approved",
        "A. Steward",
    )
    assert names(twice) == {"U1": "Ann Lee", "U2": "Bob Ray"}
    assert names(twice, before) == {"U1": "Anna Lee", "U3": "Cam Oak"}
    versions = twice.warehouse.roster.trace("users", {"user_id": "U1"}, *FEED).to_pylist()
    assert [(v["full_name"], v["close_reason"]) for v in versions] == [
        ("Ann Lee", "changed"),
        ("Anna Lee", "undone"),
        ("Ann Lee", None),
    ]
    assert [v["valid_from_import"] for v in versions] == [1, 2, 3]


def test_the_changes_of_an_undo_are_told_like_those_of_any_import(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))

    with twice.warehouse.reading() as connection:
        rows = connection.exec_driver_sql("SELECT change, close_reason FROM changes WHERE import_id = 3 AND table_name = 'users'")
        assert sorted(map(tuple, rows), key=str) == [("created", None), ("deleted", "undone"), ("updated", "undone")]


def test_a_trace_of_what_came_back_leads_to_where_it_was_read_and_to_who_decided(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))

    first, second, back = trace_record(twice, "lincoln", "users", {"user_id": "U1"}, field="full_name")["versions"]
    assert (first["kind"], first["decided_by"], second["close_reason"]) == ("upload", None, "undone")
    assert (back["kind"], back["decided_by"], back["import_id"], back["read_in"]) == ("undo", "A. Steward", 3, 1)
    assert back["upload_id"] == first["upload_id"]
    assert [cell["text"] for cell in back["fields"]["full_name"]["reads"] if cell["here"]] == ["Ann Lee"]


def test_a_trace_of_an_edit_of_what_came_back_leads_to_where_it_was_read(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))
    about = Target(district_id="lincoln", source="canvas", table="users", key={"user_id": "U1"}, field="pronouns")
    set_override(twice, about, "she", "sam")

    *_, edited = trace_record(twice, "lincoln", "users", {"user_id": "U1"}, field="full_name")["versions"]
    assert (edited["kind"], edited["import_id"], edited["read_in"]) == ("override", 4, 1)
    assert [cell["text"] for cell in edited["fields"]["full_name"]["reads"] if cell["here"]] == ["Ann Lee"]


def test_an_undo_can_be_undone(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))

    document = approved(twice, plan_undo(twice, 3, "sam"))

    assert document["status"] == "published"
    assert names(twice) == {"U1": "Anna Lee", "U3": "Cam Oak"}
    assert counting(twice.warehouse.roster.published_imports(*FEED)[::-1]) == [1, 2, 4]


@pytest.mark.both_databases
def test_what_followed_the_import_goes_with_it_and_stewards_edits_too(twice: Workspace, tmp_path: Path) -> None:
    set_override(
        twice,
        Target(district_id="lincoln", source="canvas", table="users", key={"user_id": "U1"}, field="pronouns"),
        "she",
        "sam",
    )

    document = approved(twice, plan_undo(twice, 2, "sam"))

    assert twice.warehouse.ledger.import_(document["import_id"])["summary"]["undoes"] == [2, 3]
    assert twice.warehouse.roster.overrides(*FEED) == []
    approved(twice, plan_undo(twice, document["import_id"], "sam"))
    (edit,) = twice.warehouse.roster.overrides(*FEED)
    assert (edit["field"], edit["value"], edit["set_by"]) == ("pronouns", "she", "sam")


def test_the_first_import_can_be_undone(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 1, "sam"))

    assert names(twice) == {}


def test_the_upload_whose_state_came_back_is_unchanged_and_the_undone_one_is_not(twice: Workspace, tmp_path: Path) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))

    assert upload(twice, tmp_path / "again", FIRST)["status"] == "unchanged"
    assert upload(twice, tmp_path / "second_again", SECOND)["status"] == "published"
    assert names(twice) == {"U1": "Anna Lee", "U3": "Cam Oak"}


UPLOAD = {"kind": "upload", "summary": {"changes": {}}}


def counting(rows: list[dict[str, Any]]) -> list[int]:
    """Return the imports in `rows` (oldest first) that still count, oldest first."""
    return sorted(row["import_id"] for row in without_undone(reversed(rows)))


def test_a_chain_of_undos_tells_what_still_counts() -> None:
    def row(number: int, *undoes: int) -> dict[str, Any]:
        return {"import_id": number, **({"kind": "undo", "summary": {"undoes": list(undoes)}} if undoes else UPLOAD)}

    uploads = [row(1), row(2), row(3)]

    assert counting(uploads) == [1, 2, 3]
    assert counting([*uploads, row(4, 2, 3)]) == [1, 4]
    assert counting([*uploads, row(4, 2, 3), row(5, 4)]) == [1, 2, 3, 5]
    assert counting([*uploads, row(4, 3), row(5, 2, 3, 4)]) == [1, 5]


def test_an_undone_upload_is_no_longer_what_the_next_one_is_compared_with(workspace: Workspace, tmp_path: Path) -> None:
    options = {"diffing_data_set_identifier": "all"}
    upload(workspace, tmp_path / "first", FIRST, **options)
    upload(workspace, tmp_path / "second", {"users.csv": f"{HEADER}U1,ann,active,Ann Lee\n"}, **options)
    assert names(workspace) == {"U1": "Ann Lee"}
    approved(workspace, plan_undo(workspace, 2, "sam"))

    upload(workspace, tmp_path / "third", {"users.csv": f"{HEADER}U1,ann,active,Ann Lee\n"}, **options)

    assert names(workspace) == {"U1": "Ann Lee"}


def test_a_plan_that_has_moved_is_refused(twice: Workspace, tmp_path: Path) -> None:
    number = plan_undo(twice, 2, "sam")
    sha256 = twice.warehouse.ledger.hold(number)["plan_sha256"]
    set_override(
        twice,
        Target(district_id="lincoln", source="canvas", table="users", key={"user_id": "U1"}, field="pronouns"),
        "she",
        "sam",
    )

    with pytest.raises(PlanChanged):
        publish_undo(twice, number, sha256, "A. Steward")
    assert names(twice) == {"U1": "Anna Lee", "U3": "Cam Oak"}


def test_an_undo_that_another_has_overtaken_says_how_to_plan_it_anew(twice: Workspace) -> None:
    early, late = plan_undo(twice, 2, "A"), plan_undo(twice, 1, "A")
    assert outcome(twice, late)["hold"]["overtaken_by"] is None

    approved(twice, early)

    document = outcome(twice, late)
    steps = next_steps(document)
    assert document["hold"]["overtaken_by"] == early < late
    assert "roster-etl undo 1 --by NAME" in [step.command for step in steps]
    assert not any("holds approve" in step.command or "rerun" in step.command for step in steps)


@pytest.mark.both_databases
def test_a_newer_upload_closes_the_hold_of_an_undo(twice: Workspace, tmp_path: Path) -> None:
    number = plan_undo(twice, 2, "sam")
    sha256 = twice.warehouse.ledger.hold(number)["plan_sha256"]
    upload(twice, tmp_path / "third", {"users.csv": f"{HEADER}U4,dee,active,Dee Fox\n"})

    assert twice.warehouse.ledger.hold(number)["decision"] == "superseded"
    with pytest.raises((PlanChanged, NoHold)):
        publish_undo(twice, number, sha256, "A. Steward")


def test_an_undo_that_is_asked_for_again_replaces_the_first_and_nobody_is_said_to_have_approved(twice: Workspace) -> None:
    first, second = plan_undo(twice, 2, "Alice"), plan_undo(twice, 2, "Bob")

    assert (twice.warehouse.ledger.hold(first)["decision"], twice.warehouse.ledger.hold(second)["decision"]) == (
        "superseded",
        None,
    )
    told = [(row["action"], row["who"], row["import_id"]) for row in twice.warehouse.ledger.audit()]
    assert told == [("undo", "Alice", first), ("undo", "Bob", second)]


def test_who_is_slower_learns_who_decided_and_so_does_the_audit(twice: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    number = plan_undo(twice, 2, "sam")
    sha256 = twice.warehouse.ledger.hold(number)["plan_sha256"]
    monkeypatch.setattr(approve, "require_open_hold", lambda *_: approved(twice, number))  # between the look and the decision

    with pytest.raises(NoHold, match=r"approved by A\. Steward"):
        discard_import(twice, number, "Bob")
    with pytest.raises(NoHold, match=r"approved by A\. Steward"):
        publish_undo(twice, number, sha256, "Cid")

    told = [(row["action"], row["who"], row["outcome"], row["about"].get("code")) for row in twice.warehouse.ledger.audit()]
    assert told[1:] == [
        ("approve", "A. Steward", "done", None),
        ("discard", "Bob", "refused", "no_open_hold"),
        ("approve", "Cid", "refused", "no_open_hold"),
    ]


def test_what_is_so_already_ends_as_unchanged(twice: Workspace) -> None:
    approved(twice, plan_undo(twice, 2, "sam"))

    assert outcome(twice, plan_undo(twice, 2, "sam"))["status"] == "unchanged"


def test_only_what_was_published_can_be_undone(twice: Workspace) -> None:
    number = plan_undo(twice, 2, "sam")

    with pytest.raises(NotUndoable, match="it is held"):
        plan_undo(twice, number, "sam")


@pytest.mark.both_databases
def test_an_undo_leaves_what_a_rebuild_needs_and_is_no_upload_to_run_again(twice: Workspace) -> None:
    number = plan_undo(twice, 2, "sam")
    approved(twice, number)

    manifest = twice.archive.read_manifest("lincoln", number)
    assert {name: manifest[name] for name in ("kind", "undoes", "status", "asked_by", "approved_by")} == {
        "kind": "undo",
        "undoes": [2],
        "status": "published",
        "asked_by": "sam",
        "approved_by": "A. Steward",
    }
    assert newest_archived(twice, *FEED) == 2
    with pytest.raises(NotArchived):
        archived_import(twice, *FEED, number)


@pytest.mark.both_databases
def test_an_undo_or_an_edit_of_one_set_of_files_leaves_the_others_of_the_format_alone(warehouse_url: str, tmp_path: Path) -> None:
    opened = Workspace(replace(Settings.load(tmp_path / "home"), warehouse=warehouse_url))
    opened.warehouse.migrate()
    known = vendor("catapult_connect")
    opened.registry.add(District(id="lincoln", feeds=(Feed(format=known.format.name),)))
    write_sample(known, tmp_path / "first", students=24, seed=2)
    sets = [found.name for found in known.format.file_sets]
    for name in sets:
        order = Order(district_id="lincoln", source=known.format.name, path=str(tmp_path / "first"), file_set=name)
        assert outcome(opened, import_upload(opened, order))["status"] == "published"
    feed, first = ("lincoln", known.format.name), known.file_set_for_table("users")
    user = opened.warehouse.roster.as_of(datetime.now(UTC), "users", *feed).to_pylist()[0]
    key = {"user_kind": user["user_kind"], "user_id": user["user_id"]}
    events = opened.warehouse.roster.count_current(*feed, "attendance")

    edited = set_override(
        opened, Target(district_id="lincoln", source=feed[1], table="users", key=key, field="pronouns"), "she", "sam"
    )
    number = plan_undo(
        opened,
        next(r["import_id"] for r in opened.warehouse.roster.published_imports(*feed)[::-1] if r["file_set"] == first),
        "sam",
    )
    document = approved(opened, number)

    assert document["undoes"] == [1 + sets.index(first), edited]
    assert (
        opened.warehouse.roster.count_current(*feed, "users"),
        opened.warehouse.roster.count_current(*feed, "attendance"),
    ) == (0, events)
    opened.warehouse.close()


def test_bytes_that_came_just_now_are_older_than_nothing() -> None:
    fresh: Any = SimpleNamespace(first_import=None)
    nowhere: Any = None  # nothing is asked

    assert _older_upload_findings(nowhere, fresh) == []


def test_undos_however_they_ended_are_rebuilt_and_the_audit_has_a_line_of_each_decision(
    twice: Workspace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    users = Target(district_id=FEED[0], source=FEED[1], table="users", key={"user_id": "U1"}, field="full_name")
    set_override(twice, users, "Ann-Marie Lee", "A. Steward")
    discard_import(twice, plan_undo(twice, 2, "sam"), "A. Steward")
    approved(twice, back := plan_undo(twice, 2, "sam"))
    approved(twice, plan_undo(twice, back, "sam"))
    with pytest.raises(NoHold):
        discard_import(twice, back, "B. Steward")
    with pytest.raises(NotUndoable):
        plan_undo(twice, 4, "sam")
    plan_undo(twice, 1, "sam")  # still open
    is_sqlite = twice.settings.warehouse.startswith("sqlite")
    url = f"sqlite:///{tmp_path}/again.sqlite" if is_sqlite else str(request.getfixturevalue("postgres_url"))

    rebuilt = rebuild_district(twice, FEED[0], url)

    assert rebuilt.differs == ()
    with Warehouse(url) as target:
        assert dump(target) == dump(twice.warehouse)
        assert target.ledger.audit() == []  # what was decided then was written down then
    told = [(row["action"], row["outcome"], row["who"], row["import_id"]) for row in twice.warehouse.ledger.audit()]
    assert told == [
        ("override_set", "done", "A. Steward", 3),
        ("undo", "done", "sam", 4),
        ("discard", "done", "A. Steward", 4),
        ("undo", "done", "sam", 5),
        ("approve", "done", "A. Steward", 5),
        ("undo", "done", "sam", 6),
        ("approve", "done", "A. Steward", 6),
        ("discard", "refused", "B. Steward", 5),
        ("undo", "refused", "sam", None),
        ("undo", "done", "sam", 7),
    ]
    assert {row["district_id"] for row in twice.warehouse.ledger.audit()} == {"lincoln"}
    assert "Lee" not in str(twice.warehouse.ledger.audit())


def test_the_plan_of_an_undo_says_by_school_what_comes_and_goes(tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "a", students=30, seed=5)
    write_next_day(vendor("clever"), tmp_path / "a", tmp_path / "b", seed=6)
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    for name in ("a", "b"):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path / name)))
    plan = outcome(workspace, plan_undo(workspace, 2, "A. Steward"))["plan"]

    changed = {name: plan[name] for name in ("sections", "enrollments") if plan[name]["created"] + plan[name]["deleted"]}
    assert changed
    for table in changed.values():
        for what in ("created", "updated", "deleted"):
            assert sum(school[what] for school in table["schools"].values()) == table[what]
    workspace.close()
