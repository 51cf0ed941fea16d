"""What was taken out, changed or not signed shows, with a reason; and openssl comes to the same answer."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.reporting.receipts import verify
from roster_etl.pipeline.reporting.receipts.verify import NothingToVerify, verify_receipts
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.signing_keys import KeyFolder, NoKey
from tests.pipeline.reporting.receipts.conftest import STATUSES, envelopes, outcomes_of, public_key


@pytest.fixture
def database() -> str:
    """Verifying knows no database."""
    return "sqlite"


@pytest.fixture
def chain(signed: Workspace) -> Path:
    """The folder of the chain."""
    return envelopes(signed) / "lincoln" / "clever"


def reasons(chain: Path, workspace: Workspace, **more: Any) -> dict[int, str | None]:
    found = verify_receipts([chain], [public_key(workspace)], **more)
    return {int(Path(one.file).name.split(".")[0]): one.reason for one in found.receipts}


def test_a_chain_holds_in_files_and_outcomes(chain: Path, signed: Workspace, nights: Path, tmp_path: Path) -> None:
    outcomes = outcomes_of(signed, 2, tmp_path)
    found = verify_receipts([chain], [public_key(signed)], upload=nights / "b", outcomes=outcomes)

    assert found.is_valid
    assert len(found.receipts) == len(STATUSES)
    assert found.to_json()["chain"] == {"whole": True, "missing": []}


@pytest.mark.parametrize("number", [1, 3])
def test_a_receipt_that_was_taken_out_shows(chain: Path, signed: Workspace, number: int) -> None:
    (chain / f"{number}.dsse.json").unlink()

    found = verify_receipts([chain], [public_key(signed)])

    assert (found.is_valid, found.is_whole, list(found.missing)) == (False, False, [number])
    assert reasons(chain, signed)[number + 1] == "gap"


def test_a_changed_payload_shows(chain: Path, signed: Workspace) -> None:
    path = chain / "2.dsse.json"
    envelope = json.loads(path.read_text("utf-8"))
    payload = base64.b64decode(envelope["payload"]).replace(b'"published"', b'"unchanged"')
    path.write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}), "utf-8")

    assert reasons(chain, signed) == {**dict.fromkeys(range(1, 7)), 2: "bad_signature", 3: "broken_chain"}


def test_a_receipt_signed_by_another_key_shows(chain: Path, signed: Workspace, tmp_path: Path) -> None:
    shutil.rmtree(public_key(signed).parent)
    KeyFolder(signed.settings).create()

    assert set(reasons(chain, signed).values()) == {"unknown_key"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"payload": 1, "payloadType": "x", "signatures": []}', b"\xff"])
def test_what_is_no_receipt_shows(chain: Path, signed: Workspace, content: bytes) -> None:
    (chain / "4.dsse.json").write_bytes(content)

    assert reasons(chain, signed)[4] == "not_a_receipt"
    assert not verify_receipts([chain], [public_key(signed)]).is_valid


def test_other_files_show(chain: Path, signed: Workspace, nights: Path, tmp_path: Path) -> None:
    upload = shutil.copytree(nights / "b", tmp_path / "upload")
    receipt = [chain / "2.dsse.json"]
    (upload / "students.csv").write_text("another", "utf-8")
    changed = verify_receipts(receipt, [public_key(signed)], upload=upload)
    (upload / "students.csv").unlink()
    missing = verify_receipts(receipt, [public_key(signed)], upload=upload)

    assert (changed.receipts[0].reason, changed.receipts[0].files["students.csv"]) == ("file_differs", False)
    assert (missing.receipts[0].reason, missing.receipts[0].files["students.csv"]) == ("file_missing", False)


def test_other_outcomes_show(chain: Path, signed: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "outcomes.csv"
    other.write_text("another", "utf-8")

    assert reasons(chain, signed, outcomes=other)[6] == "outcomes_differ"


def test_outcomes_may_be_larger_than_any_receipt(
    chain: Path, signed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = outcomes_of(signed, 2, tmp_path)
    monkeypatch.setattr(verify, "_MAX_BYTES", outcomes.stat().st_size - 1)

    assert verify_receipts([chain], [public_key(signed)], outcomes=outcomes).is_valid


def test_a_single_receipt_is_no_chain(chain: Path, signed: Workspace) -> None:
    assert verify_receipts([chain / "3.dsse.json"], [public_key(signed)]).is_valid


def test_paths_that_hold_nothing_are_named(chain: Path, signed: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NothingToVerify, match="no receipt"):
        verify_receipts([tmp_path / "home" / "keys"], [public_key(signed)])
    with pytest.raises(NoKey, match="no public key"):
        verify_receipts([chain], [chain / "1.dsse.json"])
    with pytest.raises(NothingToVerify, match="cannot be read"):
        verify_receipts([tmp_path / "nothing.json"], [public_key(signed)])


def test_openssl_alone_comes_to_the_same_answer(chain: Path, signed: Workspace, root: Path, tmp_path: Path) -> None:
    script = (root / "docs" / "operations" / "receipts.md").read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    (tmp_path / "pae.py").write_text(script, "utf-8")

    def check(receipt: Path) -> int:
        subprocess.run(["python3", "pae.py", str(receipt)], cwd=tmp_path, check=True)
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public_key(signed)), "-rawin"]
        return subprocess.run([*words, "-in", "signed.bin", "-sigfile", "signature.bin"], cwd=tmp_path, check=False).returncode

    assert check(chain / "2.dsse.json") == 0
    envelope = json.loads((chain / "2.dsse.json").read_text("utf-8"))
    payload = base64.b64decode(envelope["payload"]).replace(b'"published"', b'"unchanged"')
    (chain / "2.dsse.json").write_text(json.dumps({**envelope, "payload": base64.b64encode(payload).decode()}), "utf-8")
    assert check(chain / "2.dsse.json") != 0
