"""Over random histories on a real warehouse, what is read and tried for an upload comes to what reading and trying everything comes to.

Every upload is applied both ways and compared (`applied_twice`), on both databases: waiting rows, removed records, ID changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.pipeline.steps.earlier_id_changes import EarlierIdChanges
from tests.engine.changes.test_retries import WaitingRows
from tests.pipeline.steps.test_apply_changes import Roster, applied_twice
from tests.sampling import ALL, every

pytestmark = [pytest.mark.sampled, pytest.mark.both_databases]
UPLOADS = 10 if ALL else 5
OLD = 120
"""ID changes of a first upload, about records that nothing else names: more than an upload has IDs, so that not all are read."""


@pytest.fixture
def roster(warehouse_url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Roster]:
    """A district with ID changes of old."""
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{warehouse_url}"\n', "utf-8")
    made = applied_twice(Roster(home, tmp_path / "uploads"), monkeypatch)
    rows = "".join(f"O{number},,Old,active\n" for number in range(OLD))
    made.upload(accounts=f"account_id,parent_account_id,name,status\n{rows}")
    renames = "".join(f"O{number},N{number},account\n" for number in range(OLD))
    made.upload(change_sis_id=f"old_id,new_id,type\n{renames}")
    yield made
    made.workspace.close()


def without_marks(text: str) -> str:
    """Return a file of `WaitingRows`: rows that it marks as refused have a status that does not exist."""
    head, *lines = text.split("\n")
    at = head.split(",").index("status") if "status" in head.split(",") else None
    return "\n".join([head, *(_broken(line.removeprefix("!"), at) if line.startswith("!") else line for line in lines), ""])


def _broken(line: str, at: int | None) -> str:
    cells = line.split(",")
    return ",".join("unheard" if number == at else cell for number, cell in enumerate(cells))


def decided(roster: Roster, document: dict[str, Any]) -> None:
    """Approve an upload that is held."""
    if document["status"] == "held":
        apply_approval(
            roster.workspace, validate_approval(roster.workspace, ApprovalRequest(import_id=document["import_id"], by="Pat"))
        )


def interrupted(roster: Roster, rows: WaitingRows, published: list[int]) -> None:
    """Let a person edit a record, undo an import, or purge somebody; most nights nobody does anything."""
    what, workspace = rows.choose.choice(("edit", "undo", "purge", *[""] * 4)), roster.workspace
    people = [user for (user,) in roster.records("users", "user_id")]
    if what == "edit" and people:
        key = {"user_id": rows.choose.choice(people)}
        set_override(
            workspace, Target(district_id="lincoln", source="canvas", table="users", key=key, field="pronouns"), "she", "Pat"
        )
    elif what == "undo" and published:
        number = plan_undo(workspace, published.pop(), "Pat")
        hold = workspace.warehouse.ledger.hold(number)
        if hold:  # it would change something
            publish_undo(workspace, number, hold["plan_sha256"], "Pat")
    elif what == "purge" and people:
        purge(workspace, PurgeTarget(district_id="lincoln", person=("user", rows.choose.choice(people))), by="Pat")


@pytest.mark.parametrize("seed", every(30, range(30)))
def test_what_is_read_and_tried_comes_to_reading_and_trying_everything(seed: int, roster: Roster) -> None:
    rows, published = WaitingRows(seed), list[int]()
    options = {name: str(value).lower() for name, value in rows.options().items() if not name.startswith("batch")}
    for _ in range(UPLOADS):
        files = {name: without_marks(text) for name, text in rows.upload(most=4).items()}
        document = roster.upload(options | {"delete_threshold_pct": "100"}, **files)
        decided(roster, document)
        if document["status"] == "published":
            published.append(document["import_id"])
        interrupted(roster, rows, published)


def test_id_changes_are_read_of_the_ids_that_are_asked_for_each_once(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    with roster.workspace.warehouse.read() as session:
        reader = session.roster
        original = reader.id_changes_of

        def noted(district_id: str, source: str, ids: pa.Array) -> pa.Table:
            asked.append(ids.to_pylist())
            return original(district_id, source, ids)

        monkeypatch.setattr(reader, "id_changes_of", noted)
        earlier = EarlierIdChanges(reader, ("lincoln", "canvas"))
        first = [(change.old, change.new) for change in earlier.of(pa.array(["O3", "N7"]))]
        again = [(change.old, change.new) for change in earlier.of(pa.array(["O3", "N7", "O9"]))]

    assert first == [("O3", "N3"), ("O7", "N7")]
    assert again == [("O3", "N3"), ("O7", "N7"), ("O9", "N9")]
    assert asked == [["O3", "N7"], ["O9"]]
    assert earlier.current.num_rows == 3
