"""ID changes of earlier imports: which are read, in which order, and that rows of a later upload follow them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.steps.earlier_id_changes import EarlierIdChanges
from tests.pipeline.steps.test_apply_changes import COURSE, ENROLLMENT, USERS, Roster, told

pytestmark = pytest.mark.both_databases
RENAME = "old_id,new_id,type\n"


@pytest.fixture
def roster(warehouse_url: str, home: Path, tmp_path: Path) -> Iterator[Roster]:
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', "utf-8")
    made = Roster(home, tmp_path / "uploads")
    yield made
    made.workspace.close()


def undone(roster: Roster, import_id: int) -> int:
    """Undo an import, and return the number of the undo."""
    number = plan_undo(roster.workspace, import_id, "Pat")
    hold = roster.workspace.warehouse.ledger.hold(number)
    assert hold
    publish_undo(roster.workspace, number, hold["plan_sha256"], "Pat")
    return number


def renamed(roster: Roster, *pairs: tuple[str, str]) -> list[int]:
    """Rename users in an upload each, which must not be refused, and return the numbers of the imports."""
    documents = [roster.upload(r=f"{RENAME}{old},{new},user\n") for old, new in pairs]
    assert not [finding for document in documents for finding in told(document) if finding[0] == "reject"]
    return [document["import_id"] for document in documents]


def changes_of(roster: Roster, *ids: str) -> list[tuple[int, str, str]]:
    """Return the changes from or to IDs that are read: import, old ID, new ID."""
    with roster.workspace.warehouse.read() as session:
        earlier = EarlierIdChanges(session.roster, ("lincoln", "canvas"))
        return [(change.import_id, change.old, change.new) for change in earlier.of(pa.array(ids))]


def test_a_waiting_row_applies_under_the_id_that_an_import_between_gave(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n", e=ENROLLMENT)
    roster.upload(r=f"{RENAME}u1,n1,user\n")
    roster.upload(c=COURSE)

    assert roster.records("enrollments", "course_id", "user_id") == [("c1", "n1")]


def test_a_change_that_was_made_twice_is_there_twice_in_order_and_one_that_was_undone_is_not(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n")
    for old, new in (("u1", "n1"), ("n1", "u1"), ("u1", "n1")):
        roster.upload(r=f"{RENAME}{old},{new},user\n")
    undone(roster, roster.upload(r=f"{RENAME}u2,n2,user\n")["import_id"])

    with roster.workspace.warehouse.read() as session:
        earlier = EarlierIdChanges(session.roster, ("lincoln", "canvas"))
        found = [(change.import_id, change.old, change.new) for change in earlier.of(pa.array(["u1", "u2"]))]
        again = [(change.import_id, change.old, change.new) for change in earlier.of(pa.array(["n1"]))]
        assert (found, again) == ([(2, "u1", "n1"), (3, "n1", "u1"), (4, "u1", "n1")], found)
        assert earlier.of(pa.array(["u2"])) == []
        assert earlier.current.num_rows == 2


def test_a_change_that_was_undone_can_be_made_again_and_counts_from_then(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u2,b,active,Bob\n")
    number = undone(roster, *renamed(roster, ("u2", "n2")))

    again = renamed(roster, ("u2", "n2"), ("n2", "u2"), ("u2", "n2"))

    assert again == [number + 1, number + 2, number + 3]
    assert changes_of(roster, "u2") == [(number + 1, "u2", "n2"), (number + 2, "n2", "u2"), (number + 3, "u2", "n2")]
    assert roster.records("users", "user_id") == [("n2",)]


def test_changes_that_an_undo_brought_back_count_from_the_imports_that_made_them(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u2,b,active,Bob\n")
    first = renamed(roster, ("u2", "n2"), ("n2", "u2"), ("u2", "n2"))
    number = undone(roster, first[2])
    assert changes_of(roster, "u2") == [(first[0], "u2", "n2"), (first[1], "n2", "u2")]

    undone(roster, number)

    assert changes_of(roster, "u2") == [(first[0], "u2", "n2"), (first[1], "n2", "u2"), (first[2], "u2", "n2")]


def test_a_trace_takes_another_record_with_the_old_id_for_another_one_though_an_undo_brought_the_change_back(
    roster: Roster,
) -> None:
    roster.upload(u=f"{USERS}u2,b,active,Bob\n")
    (first,) = renamed(roster, ("u2", "n2"))
    roster.upload(u=f"{USERS}u2,c,active,Cy\n")
    undone(roster, undone(roster, first))

    found = trace_record(roster.workspace, "lincoln", "users", {"user_id": "n2"}, field="full_name")

    assert {version["fields"]["full_name"]["value"] for version in found["versions"]} == {"Bob"}
    assert [change["import_id"] for change in found["id_changes"]] == [first]


def test_a_person_with_an_id_that_another_one_had_keeps_the_person_id_through_an_undo_and_its_undo(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u2,b,active,Bob\n")
    (first,) = renamed(roster, ("u2", "n2"))
    roster.upload(u=f"{USERS}u2,c,active,Cy\n")

    def person_ids() -> list[str]:
        found = (trace_record(roster.workspace, "lincoln", "users", {"user_id": user}) for user in ("u2", "n2"))
        return [one["person"]["person_id"] for one in found]

    before = person_ids()
    undone(roster, undone(roster, first))

    assert person_ids() == before
    assert len({*before}) == 2


def test_who_came_by_an_import_that_was_undone_never_was(roster: Roster) -> None:
    """A person, a login, and a person who was removed before the undo."""
    logins = "user_id,login_id,existing_user_id\n"
    roster.upload(c=COURSE, u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n")
    added = roster.upload(u=f"{USERS}x1,x,active,Xi\nx2,y,active,Yu\n", l=f"{logins}l1,z,u1\n")["import_id"]
    roster.upload(u=f"{USERS}x2,y,deleted,\n")
    undone(roster, added)

    enrolled = roster.upload(
        e="course_id,user_id,role,status\nc1,x1,student,active\nc1,x2,student,active\nc1,l1,student,active\n"
    )
    assert [code for _, code, _, _ in told(enrolled)] == ["unknown_reference"] * 3
    renamed(roster, ("u1", "x1"), ("u2", "x2"), ("x2", "l1"))


def test_who_left_before_an_import_that_was_undone_is_deleted_as_at_last(roster: Roster) -> None:
    """The import brought two back, one of whom under another name, renamed one, and removed one more."""
    gone = "u1,a,deleted,\nu2,b,deleted,\nu3,c,deleted,\n"
    roster.upload(c=COURSE, u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\nu3,c,active,Cy\nu4,d,active,Di\n")
    roster.upload(u=f"{USERS}{gone}")
    back = "u1,a,active,Anna\nu2,b,active,Bob\nu4,,deleted,\n"
    undone(roster, roster.upload(u=f"{USERS}{back}", r=f"{RENAME}u3,n3,user\n")["import_id"])

    document = roster.upload(
        e="course_id,user_id,role,status\n" + "".join(f"c1,{user},student,active\n" for user in ("u1", "u2", "u3", "n3", "u4")),
        r=f"{RENAME}u4,u1,user\nu4,n3,user\n",
    )

    codes = {(file, row): code for _, code, file, row in told(document)}
    assert codes == {
        ("r.csv", 2): "already_exists",
        ("e.csv", 2): "deleted_reference",
        ("e.csv", 3): "deleted_reference",
        ("e.csv", 4): "deleted_reference",
        ("e.csv", 6): "unknown_reference",
    }
    roster.upload(u="user_id,login_id,status\nu1,a,active\n")
    assert roster.records("users", "user_id", "full_name") == [("n3", "Di"), ("u1", "Ann")]


def test_a_row_that_an_undone_import_rejected_never_applies_although_what_stood_in_its_way_is_gone(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n")
    added = roster.upload(u=f"{USERS}x1,x,active,Xi\n")["import_id"]
    roster.upload(u=f"{USERS}x1,x,deleted,\n")
    assert [code for _, code, _, _ in told(roster.upload(r=f"{RENAME}u1,x1,user\n", c=COURSE))] == ["already_exists"]
    undone(roster, added)

    roster.upload(c=COURSE)

    assert roster.records("users", "user_id") == [("u1",)]


def test_rows_that_an_undone_import_rejected_wait_again_once_the_undo_is_undone(roster: Roster) -> None:
    """The first row waited before: the undo is none of its business."""
    later, course = ENROLLMENT.replace("u1", "u2"), f"{COURSE}c2,D,Other,active\n"
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n", e=ENROLLMENT)
    undo = undone(roster, roster.upload(f=later, t="term_id,name,status\nt1,Term,active\n")["import_id"])
    assert roster.quarantine == [("e.csv", 2)]

    undone(roster, undo)
    assert roster.quarantine == [("e.csv", 2), ("f.csv", 2)]
    released = [(file, row) for _, code, file, row in told(roster.upload(c=course)) if code == "released"]
    assert (released, roster.quarantine) == ([("e.csv", 2), ("f.csv", 2)], [])


def test_what_an_undone_import_rejected_is_not_found_by_what_it_waits_for(roster: Roster) -> None:
    """The upload after the undo tries all rows and records them; the next one reads those that wait for what it brings."""
    terms = "term_id,name,status\n"
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n", e=ENROLLMENT)
    undone(roster, roster.upload(f=ENROLLMENT.replace("u1", "u2"), t=f"{terms}t1,Term,active\n")["import_id"])
    roster.upload(t=f"{terms}t2,Term,active\n")

    document = roster.upload(c=COURSE)

    assert [(file, row) for _, code, file, row in told(document) if code == "released"] == [("e.csv", 2)]
    assert roster.records("enrollments", "user_id") == [("u1",)]
