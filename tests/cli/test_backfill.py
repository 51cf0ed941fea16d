"""``backfill``, ``rerun``, ``rebuild`` and ``purge`` at the prompt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    """A copy of the home with two imports of lincoln."""
    return shutil.copytree(told, tmp_path / "home")


def test_a_backfill_has_one_summary(home: Path) -> None:
    answer = call("backfill", "--all", "--at-once", "1", "--json", home=home)

    assert answer.code == 0, answer.err
    assert answer.document["counts"] == {"unchanged": 1}
    assert [(one["district_id"], one["status"]) for one in answer.document["imports"]] == [("lincoln", "unchanged")]


def test_a_backfill_of_those_that_failed_may_have_nothing_to_do(home: Path) -> None:
    answer = call("backfill", "--failed", home=home)

    assert (answer.code, answer.out.strip()) == (0, "Nothing to run.")


@pytest.mark.parametrize("words", [(), ("--all", "--district", "lincoln"), ("--all", "--at-once", "0")])
def test_a_backfill_says_which_districts_are_meant(home: Path, words: tuple[str, ...]) -> None:
    assert call("backfill", *words, home=home).code == 2


def test_a_backfill_of_an_unknown_district_runs_nothing(home: Path) -> None:
    answer = call("backfill", "--district", "lincoln", "--district", "nowhere", "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "unknown_district")


def test_an_older_upload_is_run_again_with_rollback_only(home: Path) -> None:
    refused = call("rerun", "--district", "lincoln", "--import", "1", "--json", home=home)
    held = call("rerun", "--district", "lincoln", "--import", "1", "--rollback", "--json", home=home)

    assert (refused.code, refused.document["error"]["code"]) == (2, "older_upload")
    assert "--rollback" in refused.err
    assert (held.code, held.document["hold"]["reason"]) == (4, "older_upload")
    assert call("rerun", "--district", "lincoln", "--rollback", home=home).code == 2


def test_a_way_back_is_published_when_it_is_approved(home: Path) -> None:
    call("rerun", "--district", "lincoln", "--import", "1", "--rollback", home=home)

    approved = call("holds", "approve", "3", "--by", "A. Steward", "--json", home=home)

    assert (approved.code, approved.document["status"]) == (0, "published"), approved.err
    assert call("rerun", "--district", "lincoln", "--json", home=home).document["status"] == "published"  # the newest is 2


def test_a_district_is_rebuilt_from_its_archive(home: Path, tmp_path: Path) -> None:
    words = ("rebuild", "--district", "lincoln", "--to", f"sqlite:///{tmp_path}/again.sqlite", "--json")

    first, second = call(*words, home=home), call(*words, home=home)

    assert first.code == 0, first.err
    assert first.document == {"district_id": "lincoln", "imports": 2, "published": 2, "differs": []}
    assert (second.code, second.document["error"]["code"]) == (2, "not_empty")


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://"])
def test_a_district_is_not_rebuilt_into_what_is_no_warehouse(url: str, home: Path) -> None:
    answer = call("rebuild", "--district", "lincoln", "--to", url, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_warehouse_url")
    assert "--to: " in answer.document["error"]["message"]


def test_a_purge_says_what_it_removed(home: Path) -> None:
    wrong = [
        call("purge", "--district", "lincoln", "--by", "A. Steward", *words, home=home).code
        for words in (("--user", "1001"), ("--older-than", "long"), ("--user", "student:1", "--older-than", "1d"))
    ]
    counted = call("purge", "--district", "lincoln", "--by", "A. Steward", "--dry-run", "--json", home=home)
    unasked = call("purge", "--district", "lincoln", "--by", "A. Steward", "--json", home=home)
    answer = call("purge", "--district", "lincoln", "--by", "A. Steward", "--yes", "--json", home=home)

    assert (unasked.code, unasked.document["error"]["code"]) == (2, "not_confirmed")
    assert (counted.code, counted.document["dry_run"], counted.document["imports"]) == (0, True, [])
    assert all(counted.document[name] == answer.document[name] for name in ("versions", "files", "records", "holds"))
    assert wrong == [2, 2, 2]
    assert (answer.code, answer.document["what"], answer.document["imports"]) == (0, "district", [3])
    assert answer.document["versions"]["users"] > 0
    assert call("show", "3", "--json", home=home).document["kind"] == "purge"
    assert call("purge", "--district", "nowhere", "--by", "A. Steward", home=home).code == 2
