"""``reconcile``: what a person at the prompt, or a script, sees of two feeds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")

HEADER = "user_id,login_id,first_name,last_name,email,status\n"


@pytest.fixture(scope="module")
def two_feeds(told: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose district has a Canvas feed, too: one student under another first name, and one whom Clever does not have."""
    home = shutil.copytree(told, tmp_path_factory.mktemp("two") / "home")
    people = call("as-of", "now", "users", "--district", "lincoln", "--json", home=home).document
    student = next(row for row in people if row["user_kind"] == "student" and row["email"])
    upload = home.parent / "canvas"
    upload.mkdir()
    rows = f"C1,c1,Zoe,{student['last_name']},{student['email'].upper()},active\nC2,c2,Noah,New,noah@lincoln.example,active\n"
    (upload / "users.csv").write_text(HEADER + rows, "utf-8")
    assert call("districts", "add", "lincoln", "--format", "canvas", home=home).code == 0
    assert call("import", upload, "--district", "lincoln", "--format", "canvas", home=home).code == 0
    return home


@pytest.fixture
def home(two_feeds: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_feeds, tmp_path / "home")


def test_differences_have_numbers_and_values_only_on_request(home: Path) -> None:
    answer = call("reconcile", "--district", "lincoln", "--json", home=home)
    document = answer.document

    assert (answer.code, [feed["source"] for feed in document["feeds"]]) == (0, ["canvas", "clever"])
    users = document["tables"]["users"]
    assert (users["matched"], users["by_rule"], users["missing_in_b"]) == (1, {"email": 1}, 1)
    (name,) = [one for one in document["differences"] if one["field"] == "first_name"]
    assert (name["kind"], name["key_a"]["user_id"], "value_a" in name) == ("differs", "C1", False)
    assert "Zoe" not in answer.out
    assert "Zoe" in call("reconcile", "--district", "lincoln", "--values", home=home).out
    assert document["open"] == len(document["differences"])


def test_a_decision_sticks_and_counts(home: Path) -> None:
    document = call("reconcile", "--district", "lincoln", "--table", "users", "--json", home=home).document
    numbers = [one["number"] for one in document["differences"]]

    assert call("reconcile", "--district", "lincoln", "--fail-over", len(numbers) - 1, "--table", "users", home=home).code == 4
    assert call("reconcile", "accept", numbers[0], "--by", "A. Steward", "--reason", "known", home=home).code == 0
    assert call("reconcile", "ignore", *numbers[1:], "--by", "A. Steward", home=home).code == 0
    after = call("reconcile", "--district", "lincoln", "--table", "users", "--fail-over", "0", "--json", home=home)
    assert (after.code, after.document["open"], after.document["accepted"]) == (0, 0, 1)
    assert call("reconcile", "reopen", numbers[0], "--by", "A. Steward", home=home).code == 0
    actions = [row["action"] for row in call("audit", "--district", "lincoln", "--json", home=home).document]
    assert actions[-3:] == ["difference_accept", "difference_ignore", "difference_reopen"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "bad_words"),
        (("--district", "nobody"), "unknown_district"),
        (("--district", "lincoln", "--between", "clever"), "bad_words"),
        (("--district", "lincoln", "--between", "clever,dyknow"), "unknown_feed"),
        (("--district", "lincoln", "--table", "contacts"), "unknown_table"),
        (("accept",), "bad_words"),
        (("accept", "999999", "--by", "A"), "unknown_difference"),
        (("approve", "1", "--by", "A"), "bad_words"),
    ],
)
def test_words_that_are_off_are_named(home: Path, words: tuple[str, ...], code: str) -> None:
    answer = call("reconcile", *words, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, code), answer.out


def test_one_feed_is_none_to_compare(told: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(told, tmp_path / "alone")

    assert call("reconcile", "--district", "lincoln", "--json", home=alone).document["error"]["code"] == "one_feed"
