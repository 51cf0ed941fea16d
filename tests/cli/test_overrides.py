"""``override set``, ``clear`` and ``list``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Answer, call

TITLE = ("--district", "lincoln", "--field", "title")
STUDENT = ("users", "user_kind=student", "user_id=007")


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    """A copy of the home with two imports, to be changed."""
    return shutil.copytree(told, tmp_path / "home")


def override(home: Path, *words: str) -> Answer:
    return call("override", *words, "--json", home=home)


def listed(home: Path) -> list[dict[str, Any]]:
    return override(home, "list", "--district", "lincoln").document


def test_an_edit_is_published_listed_and_kept_by_the_next_import(home: Path, uploads: Path) -> None:
    answer = override(home, "set", *STUDENT, *TITLE, "--value", "Captain", "--by", "sam")
    assert (answer.code, answer.document["import_id"], answer.document["status"]) == (0, 3, "published")

    line = call("override", "list", home=home).out.splitlines()[1].split()
    assert line[:2] == ["lincoln", "users"]
    assert line[-5:-2] == ["title", "Captain", "sam"]

    (edit,) = listed(home)
    assert (edit["table_name"], edit["field"], edit["value"], edit["set_by"]) == ("users", "title", "Captain", "sam")

    again = call("import", uploads / "a", "--district", "lincoln", "--json", home=home)
    assert again.code == 0, again.err
    now = call("trace", *STUDENT, *TITLE, "--json", home=home).document["versions"][-1]
    assert (now["fields"]["title"]["value"], now["valid_to"]) == ("Captain", None)


def test_a_cleared_edit_is_not_in_force(home: Path) -> None:
    override(home, "set", *STUDENT, *TITLE, "--value", "Captain", "--by", "sam")
    answer = override(home, "clear", *STUDENT, *TITLE, "--by", "kim")

    assert (answer.code, listed(home)) == (0, [])
    assert call("override", "list", home=home).out == "No edit is in force.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "users", "user_id=nobody", *TITLE, "--value", "x", "--by", "sam"), "unknown_record"),
        (("set", *STUDENT, "--district", "lincoln", "--field", "nickname", "--value", "x", "--by", "sam"), "unknown_column"),
        (("set", *STUDENT, "--district", "lincoln", "--field", "status", "--value", "garbage", "--by", "sam"), "bad_edit"),
        (("set", *STUDENT, *TITLE, "--value", "x", "--by", " "), "bad_words"),
        (("clear", *STUDENT, *TITLE, "--by", "sam"), "not_edited"),
    ],
)
def test_what_cannot_be_followed_is_said_with_its_code(home: Path, words: tuple[str, ...], code: str) -> None:
    answer = override(home, *words)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)
