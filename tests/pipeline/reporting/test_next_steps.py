"""What a person should do after each ending of an import, and by which command."""

from __future__ import annotations

import pytest

from roster_etl.pipeline.reporting.next_steps import closed_holds_text, next_steps
from tests.pipeline.reporting.findings import document

FEED = "--district lincoln --format clever"


@pytest.mark.parametrize(
    ("rows", "words"), [((0,), ""), ((1,), "Correct the 1 row that was rejected"), ((999, 3), "1,002 rows that were rejected")]
)
def test_rejected_rows_of_a_published_import_are_corrected_at_their_source(rows: tuple[int, ...], words: str) -> None:
    steps = next_steps(document(files=[{"kind": "students", "rows_rejected": number} for number in (*rows, None)]))

    assert len(steps) == bool(words)
    assert all(words in step.text and "7.csv" in step.text and "retries" not in step.text for step in steps)


def test_in_a_format_of_changes_each_later_upload_retries_them() -> None:
    (step,) = next_steps(document(source="canvas", files=[{"kind": "users", "rows_rejected": 2}]))

    assert "Each later upload retries them" in step.text


HOLD = {"reason": "change_threshold_exceeded", "decision": None}


@pytest.mark.parametrize(
    ("hold", "says", "command"),
    [
        ({}, "The new upload replaces this one.", "roster-etl holds approve 7 --by NAME"),
        ({"outlasts_uploads": True}, "Discard this import, too", "roster-etl holds approve 7 --by NAME"),
        ({"overtaken_by": 9}, "The new upload replaces this one.", f"roster-etl rerun {FEED} --import 7 --rollback"),
    ],
)
def test_a_held_import_is_looked_at_corrected_approved_or_discarded(hold: dict[str, object], says: str, command: str) -> None:
    steps = next_steps(document(status="held", hold=HOLD | hold))

    assert [step.command for step in steps] == ["roster-etl holds show 7", "", command, "roster-etl holds discard 7 --by NAME"]
    assert says in steps[1].text
    assert ("import 9 was published since" in steps[2].text) == ("overtaken_by" in hold)


def test_of_an_undo_that_was_overtaken_the_same_import_is_undone_again() -> None:
    steps = next_steps(document(status="held", hold=HOLD | {"overtaken_by": 9}, undoes=[5]))

    assert steps[2].command == "roster-etl undo 5 --by NAME"


def test_nothing_is_to_do_about_a_hold_that_was_decided_or_an_unchanged_upload() -> None:
    assert next_steps(document(status="held", hold=HOLD | {"decision": "discarded"})) == []
    assert next_steps(document(status="unchanged")) == []


@pytest.mark.parametrize(
    ("parts", "command"),
    [
        ({"files": [{"kind": "students"}]}, f"roster-etl rerun {FEED} --import 7"),
        ({"parked": True}, f"roster-etl backfill {FEED}"),
        ({"given_path": "/up/a b"}, f"roster-etl import '/up/a b' {FEED}"),
        ({}, ""),
    ],
)
def test_after_a_failure_the_cause_is_found_and_the_upload_comes_again(parts: dict[str, object], command: str) -> None:
    look, again = next_steps(document(status="failed", **parts))

    assert (look.command, again.command) == ("roster-etl doctor --district lincoln", command)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("unchanged", "is closed: the roster already has that state."),
        ("held", "is closed: this import waits in its place."),
        ("published", "is closed: the roster changed with this import, so that its plan can no longer be published."),
    ],
)
def test_a_hold_that_is_closed_says_why(status: str, why: str) -> None:
    closed = [{"import_id": 5, "kind": "upload"}]

    assert closed_holds_text(document(status=status, closed_holds=closed)) == f"The hold of import 5 {why}"
    assert closed_holds_text(document(status=status)) == ""


def test_several_holds_are_closed_at_once_and_an_undo_is_named_as_one() -> None:
    closed = [{"import_id": 5, "kind": "upload"}, {"import_id": 6, "kind": "undo"}]
    text = closed_holds_text(document(closed_holds=closed))

    assert text.startswith("The holds of import 5, the undo that waited as import 6 are closed: ")
    assert "their plans" in text
