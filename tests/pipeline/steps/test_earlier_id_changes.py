"""ID changes of earlier imports: which are read, in which order, and that rows of a later upload follow them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.steps.earlier_id_changes import EarlierIdChanges
from tests.pipeline.steps.test_apply_changes import ENROLLMENT, USERS, Roster

pytestmark = pytest.mark.both_databases
RENAME = "old_id,new_id,type\n"


@pytest.fixture
def roster(warehouse_url: str, home: Path, tmp_path: Path) -> Iterator[Roster]:
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', "utf-8")
    made = Roster(home, tmp_path / "uploads")
    yield made
    made.workspace.close()


def test_a_waiting_row_applies_under_the_id_that_an_import_between_gave(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\n", e=ENROLLMENT)
    roster.upload(r=f"{RENAME}u1,n1,user\n")
    roster.upload(c="course_id,short_name,long_name,status\nc1,C,Course,active\n")

    assert roster.records("enrollments", "course_id", "user_id") == [("c1", "n1")]


def test_a_change_that_was_made_twice_is_there_twice_in_order_and_one_that_was_undone_is_not(roster: Roster) -> None:
    roster.upload(u=f"{USERS}u1,a,active,Ann\nu2,b,active,Bob\n")
    for old, new in (("u1", "n1"), ("n1", "u1"), ("u1", "n1")):
        roster.upload(r=f"{RENAME}{old},{new},user\n")
    undone = roster.upload(r=f"{RENAME}u2,n2,user\n")["import_id"]
    number = plan_undo(roster.workspace, undone, "Pat")
    hold = roster.workspace.warehouse.ledger.hold(number)
    assert hold
    publish_undo(roster.workspace, number, hold["plan_sha256"], "Pat")

    with roster.workspace.warehouse.read() as session:
        earlier = EarlierIdChanges(session.roster, ("lincoln", "canvas"))
        found = [(change.import_id, change.old, change.new) for change in earlier.of(pa.array(["u1", "u2"]))]
        again = [(change.import_id, change.old, change.new) for change in earlier.of(pa.array(["n1"]))]
        assert (found, again) == ([(2, "u1", "n1"), (3, "n1", "u1"), (4, "u1", "n1")], found)
        assert earlier.of(pa.array(["u2"])) == []
        assert earlier.current.num_rows == 2
