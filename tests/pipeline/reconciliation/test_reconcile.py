"""Two feeds of one district: who is whom, where they disagree, and what stays of it; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.reconciliation.decide import UnknownDifference, decide
from roster_etl.pipeline.reconciliation.reconcile import (
    BadReconcile,
    OneFeed,
    UnknownFeedName,
    published_pairs,
    reconcile,
)
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.review.undo import plan_undo
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.district import District, Reconcile
from tests.pipeline.reconciliation.feeds import PAIR, Rows, canvas_users, of, run, students, with_a_name, write


def test_people_are_matched_by_a_rule_that_names_one_on_each_side(lincoln: Workspace, clever: Path) -> None:
    with_address = [row for row in students(clever) if row["Student_email"]]
    result = reconcile(lincoln, PAIR)

    assert result.by_rule["users"] == {"email": len(with_address)}
    assert len(with_address) > 0
    missing = of(lincoln, result, table_name="users", kind="missing_in_a")
    assert {row["key_b"]["user_kind"] for row in missing} >= {"teacher"}
    assert (result.opened, len(of(lincoln, result)) > 0) == (0, True)  # publishing the second feed has found them


def test_a_difference_stays_while_both_sides_stay_and_closes_with_a_reason(
    lincoln: Workspace, clever: Path, tmp_path: Path
) -> None:
    def renamed(name: str) -> Callable[[Rows], Rows]:
        return lambda rows: [{**row, "first_name": name} if row["email"] == address else row for row in rows]

    address = next(row["Student_email"] for row in students(clever) if row["Student_email"])
    run(lincoln, "canvas", canvas_users(clever, tmp_path / "one", renamed("Zoe")))
    first = of(lincoln, reconcile(lincoln, PAIR), field="first_name")
    again = reconcile(lincoln, PAIR)
    assert len(first) == 1
    assert (first[0]["kind"], first[0]["value_a"], first[0]["decision"]) == ("differs", "Zoe", None)
    assert (again.opened, again.closed, of(lincoln, again, field="first_name")) == (0, 0, first)

    decide(lincoln, "accept", [first[0]["difference_id"]], by="A. Steward", reason="a nickname")
    assert of(lincoln, reconcile(lincoln, PAIR), field="first_name")[0]["decision"] == "accepted"

    run(lincoln, "canvas", canvas_users(clever, tmp_path / "two", renamed("Zoey")))
    other = of(lincoln, reconcile(lincoln, PAIR), field="first_name")
    assert (other[0]["decision"], other[0]["difference_id"] > first[0]["difference_id"]) == (None, True)

    run(lincoln, "canvas", canvas_users(clever, tmp_path / "three"))
    assert of(lincoln, reconcile(lincoln, PAIR), field="first_name") == []
    with lincoln.warehouse.read_reconciliation() as session:
        closed = session.differences([first[0]["difference_id"], other[0]["difference_id"]])
    assert [row["close_reason"] for row in sorted(closed, key=lambda row: row["difference_id"])] == ["superseded", "agrees"]
    with pytest.raises(UnknownDifference):
        decide(lincoln, "ignore", [first[0]["difference_id"]], by="A. Steward")


def test_a_record_that_went_closes_its_differences_as_gone(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    before = of(lincoln, reconcile(lincoln, PAIR), table_name="users", kind="missing_in_b")
    address = next(row["Student_email"] for row in students(clever) if row["Student_email"])
    run(
        lincoln,
        "canvas",
        write(tmp_path / "more", [{"user_id": "C-new", "login_id": "new", "full_name": "Noah New", "status": "active"}]),
    )
    new = of(lincoln, reconcile(lincoln, PAIR), table_name="users", kind="missing_in_b")
    assert [row["key_a"]["user_id"] for row in new if row not in before] == ["C-new"]

    run(
        lincoln,
        "canvas",
        write(tmp_path / "less", [{"user_id": "C-new", "login_id": "new", "full_name": "Noah New", "status": "deleted"}]),
    )
    reconcile(lincoln, PAIR)

    with lincoln.warehouse.read_reconciliation() as session:
        (closed,) = session.differences([row["difference_id"] for row in new if row not in before])
    assert (closed["close_reason"], address is not None) == ("gone", True)


@pytest.mark.both_databases
def test_two_who_share_an_address_are_ambiguous_and_never_matched(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    address = next(row["Student_email"] for row in students(clever) if row["Student_email"])
    twin = [{"user_id": "C-twin", "login_id": "twin", "full_name": "Tina Twin", "email": address, "status": "active"}]
    run(lincoln, "canvas", write(tmp_path / "twin", twin))

    result = reconcile(lincoln, PAIR)

    ambiguous = of(lincoln, result, table_name="users", kind="ambiguous")
    assert len([row for row in ambiguous if row["key_a"]]) == 2
    assert len([row for row in ambiguous if row["key_b"]]) == 1


def test_the_district_may_say_how_people_are_matched_and_what_is_not_compared(lincoln: Workspace, clever: Path) -> None:
    district = lincoln.registry.get("lincoln")

    def with_(**settings: Any) -> None:
        lincoln.registry.update(District(**{**vars(district), "reconcile": Reconcile(**settings)}))

    with_(match={"users": ("username",)}, ignore={"users": ("email",)})
    result = reconcile(lincoln, PAIR)
    assert set(result.by_rule["users"]) <= {"username"}
    assert of(lincoln, result, field="email") == []
    for wrong in ({"match": {"persons": ("email",)}}, {"ignore": {"users": ("address",)}}):
        with_(**wrong)
        with pytest.raises(BadReconcile):
            reconcile(lincoln, PAIR)


@pytest.mark.both_databases
def test_an_edit_leads_to_a_comparison(lincoln: Workspace, clever: Path) -> None:
    student = next(row for row in students(clever) if row["Student_email"])
    key = {"user_kind": "student", "user_id": student["Student_id"]}
    result = reconcile(lincoln, PAIR, full=False)
    assert (of(lincoln, result, field="first_name"), result.is_full) == ([], False)

    set_override(
        lincoln, Target(district_id="lincoln", source="clever", table="users", key=key, field="first_name"), "Zed", "A. Steward"
    )

    (found,) = of(lincoln, result, field="first_name")
    assert (found["key_b"], found["value_b"]) == (key, "Zed")


def test_all_is_compared_after_other_rules_a_decision_about_people_and_a_purge(lincoln: Workspace, clever: Path) -> None:
    district = lincoln.registry.get("lincoln")
    assert (reconcile(lincoln, PAIR, full=False).is_full, reconcile(lincoln, PAIR).is_full) == (False, True)  # feeds are small
    lincoln.registry.update(District(**{**vars(district), "reconcile": Reconcile(ignore={"users": ("email",)})}))
    assert [reconcile(lincoln, PAIR, full=False).is_full for _ in range(2)] == [True, False]
    assert reconcile(lincoln, PAIR, full=True).is_full

    student = students(clever)[0]["Student_id"]
    purge(lincoln, PurgeTarget(district_id="lincoln", person=("student", student)), by="A. Steward")
    with lincoln.warehouse.read_reconciliation() as session:
        state = session.comparison_state(PAIR)
    assert state is not None  # the purge has compared all
    assert not reconcile(lincoln, PAIR, full=False).is_full
    with lincoln.warehouse.write(directly=True) as tx:
        tx.reconciliation.forget_compared("lincoln")
    again = reconcile(lincoln, PAIR, full=False)
    assert (again.is_full, again.opened, again.closed) == (True, 0, 0)


@pytest.mark.both_databases
def test_a_purge_takes_the_differences_of_the_person(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    reconcile(lincoln, PAIR)
    teacher = next(
        row for row in of(lincoln, reconcile(lincoln, PAIR), kind="missing_in_a") if row["key_b"].get("user_kind") == "teacher"
    )
    key = teacher["key_b"]

    purge(lincoln, PurgeTarget(district_id="lincoln", person=(key["user_kind"], key["user_id"])), by="A. Steward")

    with lincoln.warehouse.read_reconciliation() as session:
        assert session.differences([teacher["difference_id"]]) == []
        assert all(not key.items() <= (row["key_b"] or {}).items() for row in session.open_differences(PAIR))


def test_feeds_that_cannot_be_compared_are_named(lincoln: Workspace) -> None:
    assert published_pairs(lincoln, "lincoln") == [PAIR]
    with pytest.raises(UnknownFeedName, match="published are canvas, clever"):
        published_pairs(lincoln, "lincoln", ["clever", "dyknow"])
    with pytest.raises(OneFeed):
        published_pairs(lincoln, "adams")


def test_an_undo_leads_to_a_comparison_that_takes_differences_back(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    result = reconcile(lincoln, PAIR)
    before = of(lincoln, result)
    number = run(lincoln, "canvas", canvas_users(clever, tmp_path / "z", with_a_name))
    wrong = [row for row in of(lincoln, result) if row not in before]
    assert {row["field"] for row in wrong} == {"first_name"}

    asked = ApprovalRequest(import_id=plan_undo(lincoln, number, "A. Steward"), by="A. Steward")
    apply_approval(lincoln, validate_approval(lincoln, asked))

    assert of(lincoln, result) == before
    with lincoln.warehouse.read_reconciliation() as session:
        closed = session.differences([row["difference_id"] for row in wrong])
    assert {row["close_reason"] for row in closed} == {"agrees"}
