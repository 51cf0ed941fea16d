"""``undo`` and ``renames``: what a person at the prompt sees and can do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    """A home of one's own with two published imports."""
    return shutil.copytree(told, tmp_path / "home")


def as_of(home: Path, moment: str) -> list[str]:
    answer = call("as-of", moment, "users", "--district", "lincoln", "--json", home=home)
    return sorted(row["row_hash"] for row in answer.document)


def test_an_undo_is_held_shown_and_approved(home: Path) -> None:
    published = [call("show", number, "--json", home=home).document["finished_at"] for number in (1, 2)]
    first, second = (as_of(home, moment) for moment in published)

    asked = call("undo", "2", "--by", "A. Steward", "--json", home=home)
    assert (asked.code, asked.document["status"], asked.document["kind"]) == (4, "held", "undo")
    assert asked.document["undoes"] == [2]
    assert as_of(home, "now") == second

    shown = call("holds", "show", "3", home=home).out
    assert "an undo: the state before import 2" in shown
    assert "holds approve 3 --by NAME" in shown
    assert "--leave-out" not in shown
    done = call("holds", "approve", "3", "--by", "B. Boss", "--json", home=home)
    assert (done.code, done.document["status"], done.document["hold"]["decided_by"]) == (0, "published", "B. Boss"), done.err
    assert as_of(home, "now") == first
    assert as_of(home, published[1]) == second
    assert (home / "reports" / "lincoln" / "3.html").exists()


def test_an_undo_of_which_the_roster_has_moved_stays_held(home: Path, uploads: Path) -> None:
    call("undo", "2", "--by", "A", home=home)
    words = ("users", "user_kind=student", f"user_id={_student(uploads)}", "--district", "lincoln")
    assert call("override", "set", *words, "--field", "pronouns", "--value", "they", "--by", "A", home=home).code == 0

    answer = call("holds", "approve", "3", "--by", "A", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["error"]["code"]) == (4, "held", "roster_moved")


def _student(uploads: Path) -> str:
    header, row, *_ = (line.split(",") for line in (uploads / "b" / "students.csv").read_text("utf-8").splitlines())
    return row[header.index("Student_id")].strip('"')


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("undo", "9", "--by", "A"), "unknown_import"),
        (("undo", "2", "--by", " "), "bad_words"),
        (("purge", "--district", "lincoln", "--user", "student:nosuch", "--by", "A"), "nobody_to_purge"),
        (("renames", "approve", "1", "--by", "A"), "bad_rename"),
        (("renames", "approve", "2", "--by", "A", "--rename", "a=b"), "bad_rename"),
    ],
)
def test_what_cannot_be_is_said(told: Path, words: tuple[str, ...], code: str) -> None:
    answer = call(*words, "--json", home=told)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)


def test_a_discarded_undo_cannot_be_undone(home: Path) -> None:
    call("undo", "2", "--by", "A", home=home)
    assert call("holds", "discard", "3", "--by", "A", "--json", home=home).document["status"] == "discarded"

    answer = call("undo", "3", "--by", "A", "--json", home=home)
    assert (answer.code, answer.document["error"]["code"]) == (2, "not_undoable")


def test_where_nobody_was_renamed_nothing_is_listed(told: Path) -> None:
    assert call("renames", "list", "1", "--json", home=told).document == []
    assert "Nothing that looks like a rename" in call("renames", "list", "1", home=told).out


def test_an_edit_by_hand_survives_an_upload_of_the_whole_district(home: Path, uploads: Path) -> None:
    student = _student(uploads)
    words = ("users", "user_kind=student", f"user_id={student}", "--district", "lincoln", "--field", "preferred_first_name")
    assert call("override", "set", *words, "--value", "Kit", "--by", "A. Steward", home=home).code == 0

    call("import", uploads / "a", "--district", "lincoln", home=home)

    told = call("trace", *words, "--json", home=home).document["versions"]
    assert told[-1]["fields"]["preferred_first_name"]["value"] == "Kit"
    assert "set by hand, by A. Steward" in call("trace", *words, home=home).out
    edited = next(version for version in told if version["kind"] == "override")
    assert edited["decided_by"] == "A. Steward"
    listed = call("show", edited["import_id"], home=home).out
    assert "an edit by hand of users.preferred_first_name begins" in listed
