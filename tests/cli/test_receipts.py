"""``keys`` and ``receipts``: what a person at the prompt sees and can do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Path:
    """A home of one's own with two published imports and no key."""
    return shutil.copytree(told, tmp_path / "home")


def test_a_receipt_is_made_shown_handed_out_and_verified_elsewhere(home: Path, uploads: Path, tmp_path: Path) -> None:
    made = call("keys", "init", "--json", home=home)
    assert (made.code, Path(made.document["public_key"]).name) == (0, "receipts.pub")
    assert (home / "keys" / "receipts.pem").stat().st_mode & 0o777 == 0o600
    assert call("keys", "init", "--json", home=home).document["error"]["code"] == "key_exists"

    done = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=home).document
    listed = call("receipts", "list", "--district", "lincoln", "--json", home=home).document
    assert [(row["number"], row["import_id"]) for row in listed] == [(1, done["import_id"])]
    assert "is the first" in call("receipts", "show", done["import_id"], home=home).out

    receipt = tmp_path / "receipt.dsse.json"
    assert call("receipts", "show", done["import_id"], "--to", receipt, home=home).code == 0
    public = shutil.copy(made.document["public_key"], tmp_path)
    words = ("receipts", "verify", receipt, "--key", public, "--files", uploads / "a", "--json")
    nowhere = tmp_path / "nowhere"
    found = call(*words, home=nowhere)
    assert (found.code, found.document["valid"], nowhere.exists()) == (0, True, False)

    envelope = json.loads(receipt.read_text("utf-8"))
    receipt.write_text(json.dumps({**envelope, "payload": envelope["payload"].replace("A", "B", 1)}), "utf-8")
    changed = call(*words, home=nowhere)
    assert (changed.code, changed.document["receipts"][0]["reason"]) in ((3, "bad_signature"), (3, "not_a_receipt"))


def test_a_rotation_names_the_new_key_in_each_chain(home: Path, uploads: Path) -> None:
    assert call("keys", "rotate", "--json", home=home).document["error"]["code"] == "no_key"
    first = call("keys", "init", "--json", home=home).document
    call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home)

    done = call("keys", "rotate", "--json", home=home).document

    assert (done["chains"], done["keyid"] != first["keyid"]) == (1, True)
    kinds = [row["kind"] for row in call("receipts", "list", "--district", "lincoln", "--json", home=home).document]
    assert kinds == ["import", "key"]


def test_another_key_is_not_made_while_receipts_are_signed_with_one_that_is_away(home: Path, uploads: Path) -> None:
    """As after a restore: a backup has no key, and whoever has its public half could not verify what another one signs."""

    def doctor() -> tuple[bool, str]:
        (found,) = [one for one in call("doctor", "--json", home=home).document if one["what"] == "receipts"]
        return found["ok"], found["found"]

    first = call("keys", "init", "--json", home=home).document["keyid"][:12]
    call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home)
    for keyid in (first, call("keys", "rotate", "--json", home=home).document["keyid"][:12]):
        assert (keyid in doctor()[1]) is (keyid != first)
    (home / "keys").rename(home / "away")

    refused = call("keys", "init", "--json", home=home).document["error"]
    assert (refused["code"], keyid in refused["message"], "keys init --lost" in refused["message"]) == ("key_missing", True, True)
    assert (doctor()[0], keyid in doctor()[1]) == (False, True)
    assert not (home / "keys" / "receipts.pem").exists()

    other = call("keys", "init", "--lost", "--json", home=home).document["keyid"][:12]
    assert (doctor()[0], keyid in doctor()[1], other in doctor()[1]) == (False, True, True)
    call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home)
    assert doctor() == (True, f"signed with key {other}")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("receipts", "show", "1"), "bad_words"),
        (("receipts", "sign"), "bad_words"),
        (("receipts", "verify", "no.json", "--key", "no.pub"), "nothing_to_verify"),
        (("receipts", "list", "--district", "nobody"), "unknown_district"),
    ],
)
def test_what_is_not_there_is_named(home: Path, words: tuple[str, ...], code: str) -> None:
    answer = call(*words, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)


def test_doctor_says_whether_receipts_are_on(home: Path) -> None:
    def told() -> tuple[bool, str]:
        (found,) = [one for one in call("doctor", "--json", home=home).document if one["what"] == "receipts"]
        return found["ok"], found["found"]

    assert told() == (True, "off: this home has no key for them; `roster-etl keys init` makes one")
    call("keys", "init", home=home)
    assert told()[1].startswith("signed with key")
    (home / "keys" / "receipts.pem").chmod(0o640)
    assert (told()[0], "chmod" in told()[1]) == (False, True)
