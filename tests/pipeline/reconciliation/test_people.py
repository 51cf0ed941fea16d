"""Links between the records of people, as imports and stewards make them; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.engine.reconcile.rosters import key_json
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reconciliation.decide import decide
from roster_etl.pipeline.reconciliation.decide_people import (
    ConflictingDecision,
    PersonDecision,
    SameRecord,
    UnknownPersonRecord,
    Verb,
    decide_people,
    preview_decision,
)
from roster_etl.pipeline.reconciliation.people import as_link
from roster_etl.pipeline.reconciliation.person_ids import person_ids
from roster_etl.pipeline.reconciliation.reconcile import reconcile
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse.reconciliation import DIFFERENCE
from tests.pipeline.reconciliation.feeds import PAIR, Rows, canvas_users, of, run, students, write


def links(workspace: Workspace, *, past: bool = False) -> list[dict[str, Any]]:
    with workspace.warehouse.read_people() as session:
        return session.links("lincoln", past=past)


def decision(verb: Verb, one: PersonRecord, other: PersonRecord) -> PersonDecision:
    return PersonDecision(district_id="lincoln", verb=verb, one=one, other=other, by="A. Steward", reason="seen")


@pytest.mark.both_databases
def test_who_a_rule_names_is_linked_and_keeps_the_person_when_one_record_leaves(
    lincoln: Workspace, clever: Path, tmp_path: Path
) -> None:
    before = links(lincoln)
    assert {row["rule"] for row in before} == {"email"}
    assert {row["verdict"] for row in before} == {"same"}
    assert len({row["person_id"] for row in before}) == len(before) > 1
    reconcile(lincoln, PAIR)
    assert links(lincoln, past=True) == before  # nothing is said twice

    leaves, renamed = before[0], before[1]

    def next_day(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        for row in rows:
            row["status"] = "deleted" if row["user_id"] == leaves["user_id_a"] else row["status"]
            row["email"] = "other@lincoln.example" if row["user_id"] == renamed["user_id_a"] else row["email"]
        return rows

    number = run(lincoln, "canvas", canvas_users(clever, tmp_path / "next", next_day))
    after = {row["link_id"]: row for row in links(lincoln, past=True)}
    assert after[leaves["link_id"]] == leaves  # gone from one feed: nothing speaks against the link
    closed = after[renamed["link_id"]]
    assert (closed["close_reason"], closed["valid_to_import"]) == ("not_named", number)

    run(lincoln, "canvas", canvas_users(clever, tmp_path / "back"))
    again = [row for row in links(lincoln) if row["user_id_a"] == renamed["user_id_a"]]
    assert [row["person_id"] for row in again] == [renamed["person_id"]]


def test_a_decision_sticks_and_is_undone_by_one(lincoln: Workspace) -> None:
    known = as_link(links(lincoln)[0])
    assert preview_decision(lincoln, decision("unlink", known.a, known.b)).closed == {known.number: "unlinked"}
    assert len(links(lincoln, past=True)) == len(links(lincoln))  # a preview changes nothing

    decide_people(lincoln, decision("unlink", known.b, known.a))
    assert not decide_people(lincoln, decision("unlink", known.a, known.b)).opened
    result = reconcile(lincoln, PAIR)
    (apart,) = [row for row in links(lincoln) if as_link(row).pair == known.pair]
    assert (apart["verdict"], apart["person_id"], apart["decided_by"]) == ("apart", None, "A. Steward")
    missing = of(lincoln, result, table_name="users", kind="missing_in_b")
    assert known.a.user_id in {row["key_a"]["user_id"] for row in missing}

    decide_people(lincoln, decision("link", known.a, known.b))
    (same,) = [row for row in links(lincoln) if as_link(row).pair == known.pair]
    assert (same["verdict"], same["person_id"], same["rule"]) == ("same", known.person_id, "decision")
    assert reconcile(lincoln, PAIR).by_rule["users"]["decision"] == 1
    assert [row["verb"] for row in _decisions(lincoln)] == ["unlink", "link"]
    assert lincoln.archive.decisions("lincoln") == tuple(row["decision_id"] for row in _decisions(lincoln))


def test_decisions_that_cannot_be_are_refused(lincoln: Workspace) -> None:
    one, other = (as_link(row) for row in links(lincoln)[:2])
    nobody = PersonRecord("clever", "student", "nobody")
    with pytest.raises(UnknownPersonRecord):
        decide_people(lincoln, decision("link", one.a, nobody))
    with pytest.raises(SameRecord):
        decide_people(lincoln, decision("link", one.a, one.a))
    decide_people(lincoln, decision("unlink", one.a, other.a))
    decide_people(lincoln, decision("link", one.a, one.b))
    with pytest.raises(ConflictingDecision):
        decide_people(lincoln, decision("link", one.b, other.a))
    assert len(_decisions(lincoln)) == 2


@pytest.mark.both_databases
def test_a_purge_takes_links_and_what_decisions_say_of_the_person(lincoln: Workspace, clever: Path) -> None:
    gone, stays = (as_link(row) for row in links(lincoln)[:2])
    for one in (gone, stays):
        decide_people(lincoln, decision("link", one.a, one.b))
    assert len(students(clever)) > 2

    purge(lincoln, PurgeTarget(district_id="lincoln", person=(gone.b.user_kind, gone.b.user_id)), by="A. Steward")

    assert all(gone.b not in as_link(row).pair for row in links(lincoln, past=True))
    assert [row["about"][0]["b"]["user_id"] for row in _decisions(lincoln)] == [stays.b.user_id]
    (number,) = lincoln.archive.decisions("lincoln")
    assert lincoln.archive.read_decision("lincoln", number)["about"] == _decisions(lincoln)[0]["about"]
    assert any(as_link(row).pair == stays.pair for row in links(lincoln))


def test_a_purge_removes_exactly_what_is_about_the_person(lincoln: Workspace, tmp_path: Path) -> None:
    first = as_link(links(lincoln)[0])
    person = first.b
    run(
        lincoln,
        "canvas",
        write(tmp_path / "more", [{"user_id": "C-two", "login_id": "two", "full_name": "Ann Two", "status": "active"}]),
    )
    decide_people(lincoln, decision("link", first.a, PersonRecord("canvas", "user", "C-two")))
    others = [{"section_id": person.user_id}, {"user_kind": "teacher", "user_id": person.user_id}]
    theirs = {"course_id": "c1", "section_id": "s1", "user_kind": person.user_kind, "user_id": person.user_id, "role": "student"}
    with lincoln.warehouse.write(directly=True) as tx:
        rows = [
            dict.fromkeys(DIFFERENCE) | {"table_name": table, "kind": "missing_in_a", "key_b": key_json(key)}
            for table, key in (("sections", others[0]), ("users", others[1]), ("enrollments", theirs))
        ]
        tx.reconciliation.add_differences(PAIR, rows, datetime(2026, 9, 1, tzinfo=UTC))
    assert {row["person_id"] for row in links(lincoln) if first.a in as_link(row).pair} == {first.person_id}

    purge(lincoln, PurgeTarget(district_id="lincoln", person=(person.user_kind, person.user_id)), by="A. Steward")

    with lincoln.warehouse.read_reconciliation() as session, lincoln.warehouse.read_people() as people:
        keys = [row["key_b"] for row in session.all_differences("lincoln")]
        own = person_ids(people, "lincoln", "canvas").own
    assert all(key in keys for key in others)
    assert theirs not in keys
    left = links(lincoln, past=True)
    assert all(person not in as_link(row).pair for row in left)
    assert first.person_id not in {row["person_id"] for row in left}  # it is made of the ID of the person who is gone
    (kept,) = [row for row in links(lincoln) if first.a in as_link(row).pair]
    assert (kept["rule"], kept["person_id"] in {own[record] for record in as_link(kept).pair}) == ("decision", True)


@pytest.mark.both_databases
def test_a_rebuild_gives_links_differences_and_decisions_back(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    one, other = (as_link(row) for row in links(lincoln)[:2])
    decide_people(lincoln, decision("unlink", one.a, one.b))
    open_ = of(lincoln, reconcile(lincoln, PAIR), table_name="users")
    decide(lincoln, "accept", [open_[0]["difference_id"], open_[-1]["difference_id"]], by="A. Steward", reason="known")

    def changed(rows: Rows) -> Rows:
        return [{**row, "email": f"x{row['email']}" if row["user_id"] == other.a.user_id else row["email"]} for row in rows]

    run(lincoln, "canvas", canvas_users(clever, tmp_path / "next", changed))
    before = _everything(lincoln)
    assert {row["verdict"] for row in before["links"]} == {"same", "apart"}
    assert {row["decision"] for row in before["differences"]} == {None, "accepted"}

    _require_rebuilt(lincoln, tmp_path / "one.sqlite", before)
    person = as_link(links(lincoln)[-1]).b
    purge(lincoln, PurgeTarget(district_id="lincoln", person=(person.user_kind, person.user_id)), by="A. Steward")
    _require_rebuilt(lincoln, tmp_path / "two.sqlite", _everything(lincoln))


def _require_rebuilt(workspace: Workspace, target: Path, before: dict[str, list[dict[str, Any]]]) -> None:
    rebuild_district(workspace, "lincoln", f"sqlite:///{target}")
    again = Workspace(replace(workspace.settings, warehouse=f"sqlite:///{target}"))
    found = _everything(again)
    again.close()
    for name, rows in before.items():
        assert found[name] == rows, name


def _everything(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Return all links, differences and decisions, without what a rebuild numbers anew."""
    with workspace.warehouse.read_people() as people, workspace.warehouse.read_reconciliation() as session:
        found = {
            "links": people.links("lincoln", past=True),
            "differences": session.all_differences("lincoln"),
            "decisions": session.decisions("lincoln"),
        }
    numbers = ("link_id", "difference_id")
    plain = {name: [{k: v for k, v in row.items() if k not in numbers} for row in rows] for name, rows in found.items()}
    return {name: sorted(rows, key=str) for name, rows in plain.items()}


def _decisions(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.warehouse.read_reconciliation() as session:
        return session.decisions("lincoln")
