"""Every ending of an import, and every decision, gets one receipt; a chain has no gap, whoever is killed in between."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.exports.export_roster import export_roster
from roster_etl.pipeline.exports.order import ExportOrder
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reporting.receipts import issue
from roster_etl.pipeline.reporting.receipts.hand_out import NoOutcomes
from roster_etl.pipeline.reporting.receipts.issue import issue_receipts, receipt_of, rotate_key
from roster_etl.pipeline.reporting.receipts.rebuild import restore_receipt_rows
from roster_etl.pipeline.reporting.receipts.verify import verify_receipts
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store import fault_injection
from roster_etl.store.fault_injection import VARIABLE, InjectedFault
from roster_etl.store.signing_keys import KeyFolder, open_envelope
from roster_etl.store.warehouse import Warehouse
from tests.pipeline.reporting.receipts.conftest import FEED, STATUSES, envelopes, outcomes_of, public_key, run


@pytest.fixture(autouse=True)
def _no_point_was_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_injection, "_pass_counts", fault_injection.Counter())


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.warehouse.read_receipts() as receipts:
        return receipts.listing(*FEED)


def stated(workspace: Workspace, number: int) -> dict[str, Any]:
    content = workspace.archive.read_receipt(*FEED, number)
    assert content is not None
    statement: dict[str, Any] = json.loads(open_envelope(content)[1])
    return statement


def holds(workspace: Workspace) -> bool:
    return verify_receipts([envelopes(workspace)], [public_key(workspace)]).is_valid


def test_every_ending_and_every_decision_has_one_receipt(signed: Workspace, nights: Path) -> None:
    assert [row["status"] for row in rows(signed)] == STATUSES
    assert [row["kind"] for row in rows(signed)] == ["import"] * 4 + ["decision", "import"]
    assert holds(signed)

    second = stated(signed, 2)
    predicate = second["predicate"]
    subject = {one["name"]: one["digest"]["sha256"] for one in second["subject"]}
    assert subject == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (nights / "b").iterdir()}
    assert predicate["previous"] == rows(signed)[0]["sha256"]
    found = [finding for finding in signed.warehouse.ledger.findings(2) if finding["code"] == "missing_required"]
    assert predicate["findings"]["reject"]["missing_required"] == len(found) > 0
    assert predicate["roster"]["users"]["rows"] == signed.warehouse.roster.count_current(*FEED, "users")
    assert stated(signed, 3)["predicate"]["roster"] == predicate["roster"]
    assert stated(signed, 5)["predicate"]["decided_by"] == "A. Steward"


def test_the_outcomes_name_every_row_and_no_cell(signed: Workspace, nights: Path, tmp_path: Path) -> None:
    content = outcomes_of(signed, 2, tmp_path).read_bytes()
    outcomes = {(row["file"], int(row["row"])): row for row in csv.DictReader(content.decode().splitlines())}
    lines = (nights / "b" / "sections.csv").read_bytes().splitlines()  # students.csv has passwords, which are blanked

    assert stated(signed, 2)["predicate"]["outcomes_sha256"] == hashlib.sha256(content).hexdigest()
    assert outcomes["sections.csv", 2]["sha256"] == hashlib.sha256(lines[1]).hexdigest()
    assert (outcomes["students.csv", 2]["outcome"], outcomes["students.csv", 2]["code"]) == ("refused", "missing_required")
    assert outcomes["students.csv", 3]["outcome"] == "applied"
    assert sum(file == "sections.csv" for file, _ in outcomes) == len(lines) - 1
    third = outcomes_of(signed, 3, tmp_path).read_text("utf-8").splitlines()
    assert {line.split(",")[3:5] == ["ignored", "unchanged"] for line in third[1:]} == {True}


@pytest.mark.both_databases
def test_an_approval_gets_a_receipt_with_the_rows_that_it_applied(signed: Workspace, nights: Path) -> None:
    held = run(signed, nights / "half")
    apply_approval(signed, validate_approval(signed, ApprovalRequest(import_id=held["import_id"], by="B. Boss")))

    (last,) = [row for row in rows(signed) if row["import_id"] == held["import_id"] and row["kind"] == "decision"]
    predicate = stated(signed, last["number"])["predicate"]
    assert (predicate["status"], predicate["decided_by"]) == ("published", "B. Boss")
    assert predicate["changes"]["users"]["deleted"] > 0
    assert predicate["outcomes_sha256"] is not None
    assert holds(signed)


@pytest.mark.both_databases
def test_an_edit_gets_a_receipt(signed: Workspace) -> None:
    versions = signed.warehouse.roster.current(*FEED, "users")
    key = {"user_kind": versions.column("user_kind")[0].as_py(), "user_id": versions.column("user_id")[0].as_py()}
    number = set_override(signed, Target(district_id=FEED[0], source=FEED[1], table="users", key=key, field="title"), "Dr", "A")

    assert (rows(signed)[-1]["kind"], rows(signed)[-1]["import_id"]) == ("decision", number)
    assert holds(signed)


def test_without_a_key_nothing_is_signed(signed: Workspace, nights: Path) -> None:
    shutil.rmtree(public_key(signed).parent)

    document = run(signed, nights / "a")

    assert document["receipt"] is None
    assert len(rows(signed)) == len(STATUSES)


def test_a_key_that_others_can_read_stops_no_roster_and_the_next_import_signs(signed: Workspace, nights: Path) -> None:
    private = public_key(signed).with_name("receipts.pem")
    private.chmod(0o644)
    document = run(signed, nights / "a")
    assert document["status"] == "published"
    assert document["receipt"] is None
    (warning,) = [finding for finding in document["findings"] if finding["code"] == "receipt_failed"]
    assert warning["severity"] == "warning"
    assert "chmod" in warning["message"]

    private.chmod(0o600)
    after = run(signed, nights / "b")

    assert [row["status"] for row in rows(signed)[-2:]] == ["published", "published"]
    assert after["receipt"]["number"] == len(STATUSES) + 2
    assert holds(signed)


@pytest.mark.parametrize("point", ["receipt.number", "receipt.numbered", "receipt.write", "receipt.written", "receipt.signed"])
def test_broken_off_anywhere_the_next_import_completes_the_chain(
    signed: Workspace, nights: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{point}:raise")
    run(signed, nights / "a")
    monkeypatch.delenv(VARIABLE)

    assert run(signed, nights / "a")["status"] == "unchanged"

    assert [row["import_id"] for row in rows(signed)[-2:]] == [6, 7]
    assert [row["number"] for row in rows(signed)] == list(range(1, len(STATUSES) + 3))
    assert issue_receipts(signed, *FEED) == 0
    assert holds(signed)


@pytest.mark.parametrize("point", [None, "export.closed", "receipt.write", "receipt.written", "receipt.signed"])
def test_an_export_gets_a_receipt_for_its_files_wherever_it_was_broken_off(
    signed: Workspace, nights: Path, tmp_path: Path, point: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ExportOrder(district_id=FEED[0], format="clever", to=str(tmp_path / "out"), requested_by="A. Steward")
    if point:
        monkeypatch.setenv(VARIABLE, f"{point}:raise")
        with suppress(InjectedFault):  # while it is signed, that is a warning
            assert export_roster(signed, order)["receipt"] is None
        monkeypatch.delenv(VARIABLE)
        assert issue_receipts(signed, *FEED) == (0 if point == "receipt.signed" else 1)
    else:
        document = export_roster(signed, order)
        assert (document["receipt"]["number"], document["receipt"]["kind"]) == (len(STATUSES) + 1, "export")

    receipt = rows(signed)[-1]
    predicate = stated(signed, receipt["number"])["predicate"]
    assert (receipt["kind"], predicate["export_id"], predicate["as_of_import"]) == ("export", 1, 2)
    assert predicate["roster"] == stated(signed, 2)["predicate"]["roster"]
    path = envelopes(signed) / "lincoln" / "clever" / f"{receipt['number']}.dsse.json"
    found = verify_receipts([path], [public_key(signed)], upload=tmp_path / "out")
    assert (found.is_valid, len(found.receipts[0].files)) == (True, len(list((tmp_path / "out").iterdir())))
    assert run(signed, nights / "b")["status"] == "unchanged"
    assert [row["number"] for row in rows(signed)] == list(range(1, len(STATUSES) + 3))
    assert holds(signed)


@pytest.mark.parametrize(
    "point", [None, "keys.next", pytest.param("receipt.written", marks=pytest.mark.both_databases), "keys.public"]
)
def test_a_rotation_is_signed_with_the_old_key_and_continued_when_it_was_broken_off(
    signed: Workspace, nights: Path, tmp_path: Path, point: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copy(public_key(signed), tmp_path / "old.pub")
    if point:
        monkeypatch.setenv(VARIABLE, f"{point}:raise")
        with pytest.raises(InjectedFault):
            rotate_key(signed)
        monkeypatch.delenv(VARIABLE)
        run(signed, nights / "a")
    done = rotate_key(signed)
    run(signed, nights / ("a" if point else "b"))  # unchanged, which has a receipt too

    assert (done.chains, rows(signed)[-1]["keyid"]) == (1, done.keyid)
    assert KeyFolder(signed.settings).load().current.keyid == done.keyid
    assert [row["kind"] for row in rows(signed)].count("key") == 1
    assert verify_receipts([envelopes(signed)], [Path(old)]).is_valid
    only_new = verify_receipts([envelopes(signed)], [public_key(signed)])
    assert {receipt.reason for receipt in only_new.receipts if receipt.keyids != (done.keyid,)} == {"unknown_key"}


def texts_of(document: Any) -> Iterator[str]:
    """Yield every key and every value of a document as text."""
    if isinstance(document, dict | list):
        for part in document.items() if isinstance(document, dict) else enumerate(document):
            yield from texts_of(part[0]) if isinstance(part[0], str) else ()
            yield from texts_of(part[1])
    else:
        yield str(document)


@pytest.mark.both_databases
def test_a_purge_adds_a_receipt_rewrites_none_and_takes_the_outcomes(signed: Workspace, nights: Path, tmp_path: Path) -> None:
    before = [signed.archive.read_receipt(*FEED, row["number"]) for row in rows(signed)]
    student = next(csv.DictReader((nights / "a" / "students.csv").read_text("utf-8").splitlines()))["Student_id"]

    purge(signed, PurgeTarget(district_id=FEED[0], person=("student", student)), by="A. Steward")

    assert [row["kind"] for row in rows(signed)][-1] == "purge"
    assert [signed.archive.read_receipt(*FEED, number + 1) for number in range(len(before))] == before
    assert not list(envelopes(signed).rglob("*.outcomes.*"))
    with pytest.raises(NoOutcomes, match="purge"):
        outcomes_of(signed, 2, tmp_path)
    assert holds(signed)
    statements = [base64.b64decode(json.loads(path.read_text())["payload"]) for path in envelopes(signed).rglob("*.json")]
    assert len(statements) > len(before)
    assert not [one for one in statements if student in texts_of(json.loads(one))]


def test_a_rebuild_has_the_same_receipts(signed: Workspace, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/again.sqlite"
    rebuild_district(signed, FEED[0], url)

    with Warehouse(url) as again, again.read_receipts() as receipts:
        rebuilt = receipts.listing(*FEED)
    columns = ("number", "kind", "import_id", "status", "roster", "keyid", "sha256")
    assert [[row[name] for name in columns] for row in rebuilt] == [[row[name] for name in columns] for row in rows(signed)]


@pytest.mark.both_databases
def test_of_a_zip_the_archive_and_each_member_are_signed_for(signed: Workspace, nights: Path, tmp_path: Path) -> None:
    package = tmp_path / "night.zip"
    with zipfile.ZipFile(package, "w") as archive:
        for path in (nights / "a").iterdir():
            archive.write(path, path.name)

    number = run(signed, package)["receipt"]["number"]

    subject = {one["name"] for one in stated(signed, number)["subject"]}
    assert subject == {"night.zip", *(path.name for path in (nights / "a").iterdir())}
    receipt = envelopes(signed) / "lincoln" / "clever" / f"{number}.dsse.json"
    for upload in (package, nights / "a"):
        found = verify_receipts([receipt], [public_key(signed)], upload=upload)
        assert (found.is_valid, all(found.receipts[0].files.values())) == (True, True)


def test_the_newest_receipt_of_an_import_is_named(signed: Workspace) -> None:
    held = rows(signed)[3]["import_id"]
    found = receipt_of(signed, held)

    assert found is not None
    assert (found["number"], found["kind"], found["file"]) == (5, "decision", "receipts/lincoln/clever/5.dsse.json")


@pytest.mark.parametrize(("damaged", "kept"), [(3, 2), (1, 0)])
@pytest.mark.parametrize("way", ["damaged", "gone"])
def test_after_a_rebuild_a_chain_goes_on_from_the_last_receipt_before_one_that_is_damaged_or_gone(
    signed: Workspace, tmp_path: Path, damaged: int, kept: int, way: str
) -> None:
    receipt = envelopes(signed) / "lincoln" / "clever" / f"{damaged}.dsse.json"
    if way == "gone":
        receipt.unlink()
    else:
        receipt.chmod(0o600)
        receipt.write_bytes(b"{}")
    with Warehouse(f"sqlite:///{tmp_path}/again.sqlite") as again:
        added = restore_receipt_rows(again, signed.archive, FEED[0])
        with again.read_receipts() as receipts:
            numbers = [row["number"] for row in receipts.listing(*FEED)]

    assert (added, sorted(numbers)) == (kept, [*range(1, kept + 1)])


@pytest.mark.parametrize("name", ["number", "kind", "status", "import_id", "export_id"])
def test_an_envelope_that_a_killed_process_left_is_taken_over_only_if_it_states_the_same(signed: Workspace, name: str) -> None:
    keys = KeyFolder(signed.settings).load()
    first, second = sorted(rows(signed), key=lambda row: row["number"])[:2]
    row = {column: second[column] for column in ("district_id", "source", "number", "kind", "status", "import_id", "export_id")}
    place = ("lincoln", "clever", second["number"])

    content = signed.archive.read_receipt(*place)
    assert content is not None
    assert issue._adopted(signed, keys, row, first["sha256"]) == content
    assert issue._adopted(signed, keys, row, second["sha256"]) is None
    other = {"number": 1, "kind": "decision", "status": "held", "import_id": 99, "export_id": 99}[name]
    if name == "number":
        signed.archive.write_receipt("lincoln", "clever", 99, content)
        other = 99
    assert issue._adopted(signed, keys, row | {name: other}, first["sha256"]) is None
