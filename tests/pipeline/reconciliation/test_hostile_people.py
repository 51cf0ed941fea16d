"""People whom a program could mistake for each other: twins, swapped IDs, decisions in between, imports taken back."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.pipeline.reconciliation import reconcile as comparison
from roster_etl.pipeline.reconciliation.decide_people import PersonDecision, Verb, decide_people
from roster_etl.pipeline.reconciliation.people import as_link
from roster_etl.pipeline.reconciliation.reconcile import reconcile
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.undo import plan_undo
from roster_etl.pipeline.workspace import Workspace
from tests.pipeline.reconciliation.feeds import PAIR, Rows, canvas_users, of, run, students

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # no SQL of its own


def links(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.warehouse.read_people() as session:
        return session.links("lincoln")


def partners(workspace: Workspace) -> dict[str, str]:
    """Return whom rules and stewards join: ID in Canvas → ID in Clever."""
    return {row["user_id_a"]: row["user_id_b"] for row in links(workspace) if row["verdict"] == "same"}


def decision(verb: Verb, one: PersonRecord, other: PersonRecord) -> PersonDecision:
    return PersonDecision(district_id="lincoln", verb=verb, one=one, other=other, by="A. Steward")


def clever_with(clever: Path, folder: Path, change: Callable[[Rows], Rows]) -> Path:
    copytree(clever, folder)
    rows = change(list(csv.DictReader((clever / "students.csv").read_text("utf-8").splitlines())))
    with (folder / "students.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def approved(workspace: Workspace, number: int) -> int:
    if {row["import_id"]: row["status"] for row in workspace.warehouse.ledger.imports("lincoln")}[number] == "held":
        apply_approval(workspace, validate_approval(workspace, ApprovalRequest(import_id=number, by="A. Steward")))
    return number


def test_twins_are_joined_by_nobody_but_a_steward(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    one, other = [row for row in students(clever) if row["Student_email"]][:2]
    ids = one["Student_id"], other["Student_id"]
    same = {name: one[name] for name in ("First_name", "Last_name", "Student_email")} | (
        {"Dob": one["Dob"]} if "Dob" in one else {}
    )

    def twins(rows: Rows) -> Rows:
        return [{**row, **same} if row["Student_id"] in ids else row for row in rows]

    folder = clever_with(clever, tmp_path / "twins", twins)
    approved(lincoln, run(lincoln, "clever", folder))
    approved(lincoln, run(lincoln, "canvas", canvas_users(folder, tmp_path / "canvas")))
    result = reconcile(lincoln, PAIR)

    found = of(lincoln, result, table_name="users", kind="ambiguous")
    assert {row["key_b"]["user_id"] for row in found if row["key_b"]} == set(ids)
    assert len([row for row in found if row["key_a"]]) == 2
    assert not set(ids) & set(partners(lincoln).values())

    key = next(row["key_a"] for row in found if row["key_a"])
    record = PersonRecord("canvas", key["user_kind"], key["user_id"])
    decide_people(lincoln, decision("link", record, PersonRecord("clever", "student", ids[0])))
    assert partners(lincoln)[key["user_id"]] == ids[0]


def test_ids_that_were_swapped_move_the_links_and_no_person(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    before, persons = partners(lincoln), {row["user_id_b"]: row["person_id"] for row in links(lincoln)}
    one, other = list(before)[:2]

    def swapped(rows: Rows) -> Rows:
        by_id = {row["user_id"]: row for row in rows}
        ids = {one: other, other: one}
        return [
            {**by_id[ids.get(row["user_id"], row["user_id"])], "user_id": row["user_id"], "login_id": row["login_id"]}
            for row in rows
        ]

    approved(lincoln, run(lincoln, "canvas", canvas_users(clever, tmp_path / "swapped", swapped)))
    assert partners(lincoln) == before | {one: before[other], other: before[one]}
    assert {row["user_id_b"]: row["person_id"] for row in links(lincoln)} == persons


def test_who_moves_to_the_other_feed_is_joined_by_a_steward_only(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    address = "new@lincoln.example"

    def with_another(rows: Rows) -> Rows:
        ids = {name: "N-1" for name in ("Student_id", "Student_number", "State_id") if name in rows[0]}
        return [*rows, {**rows[0], **ids, "Student_email": address}]

    def and_the_same(rows: Rows) -> Rows:
        return [*rows, {**rows[0], "user_id": "C-NEW", "login_id": address, "email": address}]

    approved(lincoln, run(lincoln, "clever", clever_with(clever, tmp_path / "new", with_another)))
    approved(lincoln, run(lincoln, "clever", clever))
    approved(lincoln, run(lincoln, "canvas", canvas_users(clever, tmp_path / "came", and_the_same)))
    assert "C-NEW" not in partners(lincoln)

    decide_people(lincoln, decision("link", PersonRecord("canvas", "user", "C-NEW"), PersonRecord("clever", "student", "N-1")))
    assert partners(lincoln)["C-NEW"] == "N-1"


def test_a_decision_made_while_feeds_are_compared_holds(
    lincoln: Workspace, clever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = as_link(links(lincoln)[0])
    compare, decided = comparison.compare_all, list[bool]()

    def compare_and_decide(*args: Any) -> Any:
        found = compare(*args)
        if not decided:
            decided.append(True)
            decide_people(lincoln, decision("unlink", known.a, known.b))
        return found

    monkeypatch.setattr(comparison, "compare_all", compare_and_decide)
    run(
        lincoln,
        "canvas",
        canvas_users(
            clever, tmp_path / "next", lambda rows: [{**row, "last_name": "Ray"} if row is rows[0] else row for row in rows]
        ),
    )
    assert decided
    assert known.a.user_id not in partners(lincoln)
    again = reconcile(lincoln, PAIR, full=True)
    assert (again.opened, again.closed) == (0, 0)


def test_who_was_unlinked_stays_so_whatever_is_imported(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    known = as_link(links(lincoln)[0])
    decide_people(lincoln, decision("unlink", known.a, known.b))
    for name in ("Ray", "Lee"):
        changed = canvas_users(
            clever,
            tmp_path / name,
            lambda rows, name=name: [{**row, "last_name": name} if row["user_id"] == known.a.user_id else row for row in rows],
        )
        approved(lincoln, run(lincoln, "canvas", changed))
        assert known.a.user_id not in partners(lincoln)


def test_an_undo_takes_the_link_back_that_the_import_brought(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    before = partners(lincoln)
    one, other = list(before)[:2]

    def exchanged(rows: Rows) -> Rows:
        emails = {row["user_id"]: row["email"] for row in rows}
        ids = {one: other, other: one}
        return [{**row, "email": emails[ids.get(row["user_id"], row["user_id"])]} for row in rows]

    number = approved(lincoln, run(lincoln, "canvas", canvas_users(clever, tmp_path / "wrong", exchanged)))
    assert partners(lincoln) == before | {one: before[other], other: before[one]}
    approved(lincoln, plan_undo(lincoln, number, "A. Steward"))
    assert partners(lincoln) == before
