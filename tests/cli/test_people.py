"""``people``: what a person at the prompt, or a script, sees of who is one human."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.cli.test_reconcile import two_feeds

__all__ = ["two_feeds"]


@pytest.fixture
def home(two_feeds: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_feeds, tmp_path / "home")


def test_links_are_listed_undone_and_made_again(home: Path) -> None:
    district = ("--district", "lincoln")
    (person,) = call("people", "links", *district, "--json", home=home).document["people"]
    (one,) = person["links"]
    assert (one["rule"], one["a"]["user_id"]) == ("email", "C1")
    record = ":".join(one["b"].values())
    purge = ("purge", *district, "--by", "A. Steward", "--user", record.partition(":")[2], "--dry-run", "--json")
    assert call(*purge, home=home).document["same_person"] == [one["a"]]
    stays = call(*(word for word in purge if word != "--json"), home=home).out
    assert "they stay: canvas:user:C1. Purge each of them as well (--user user:C1)" in " ".join(stays.split())

    dry = call("people", "unlink", one["number"], *district, "--by", "A. Steward", "--dry-run", "--json", home=home)
    assert (dry.code, dry.document["changed"], dry.document["closed"]) == (0, False, [one["number"]])
    done = call("people", "unlink", one["number"], *district, "--by", "A. Steward", "--reason", "twins", "--json", home=home)
    assert (done.code, done.document["changed"]) == (0, True)
    after = call("people", "links", *district, "--record", record, "--past", "--json", home=home).document
    assert [row["decided_by"] for row in after["apart"]] == ["A. Steward"]
    assert [row["close_reason"] for row in after["people"][0]["links"]] == ["unlinked"]
    told = call("people", "links", *district, "--record", record, home=home).out
    assert f"canvas:user:C1 and {record}  by decision of A. Steward" in told
    assert call(*purge, home=home).document["same_person"] == []

    assert call("people", "link", "canvas:user:C1", record, *district, "--by", "A. Steward", home=home).code == 0
    again = call("people", "links", *district, "--json", home=home).document["people"]
    assert [(one["person_id"], one["links"][0]["rule"]) for one in again] == [(person["person_id"], "decision")]
    actions = [row["action"] for row in call("audit", *district, "--json", home=home).document]
    assert actions[-2:] == ["person_unlink", "person_link"]
    assert record in call("people", "links", *district, home=home).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("links", "--district", "nobody"), "unknown_district"),
        (("links", "--district", "lincoln", "--record", "clever"), "bad_words"),
        (("link", "canvas:user:C1", "--district", "lincoln", "--by", "A"), "bad_words"),
        (("link", "canvas:user:C1", "clever:student:nobody", "--district", "lincoln", "--by", "A"), "unknown_record"),
        (("link", "canvas:user:C1", "canvas:user:C1", "--district", "lincoln", "--by", "A"), "one_record"),
        (("link", "canvas:user:C1", "canvas:user:C2", "--district", "lincoln", "--by", " "), "bad_words"),
        (("unlink", "999", "--district", "lincoln", "--by", "A"), "unknown_link"),
        (("unlink", "--district", "lincoln", "--by", "A"), "bad_words"),
    ],
)
def test_words_that_are_off_are_named(home: Path, words: tuple[str, ...], code: str) -> None:
    answer = call("people", *words, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, code), answer.out
