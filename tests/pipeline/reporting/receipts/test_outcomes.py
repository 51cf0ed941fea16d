"""A file of outcomes is derived from little, at any time, and is what its receipt signs for."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from roster_etl.pipeline.maintenance.cleanup import clean_up_home
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reporting.receipts.hand_out import NoOutcomes, OutcomesDiffer
from roster_etl.pipeline.reporting.receipts.outcomes import ImportOutcome, outcome_note, outcomes_csv
from roster_etl.pipeline.reporting.receipts.verify import verify_receipts
from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import Warehouse
from tests.pipeline.reporting.receipts.conftest import FEED, STATUSES, envelopes, outcomes_of, public_key, run

WITH_OUTCOMES = (1, 2, 3, 4, 6)
"""The receipts of the prepared home that sign for outcomes: all but that of the discarded hold."""


@pytest.fixture
def database() -> str:
    """What is stored of outcomes is in the archive."""
    return "sqlite"


def every_file(workspace: Workspace, folder: Path) -> dict[int, bytes]:
    folder.mkdir(exist_ok=True)
    return {number: outcomes_of(workspace, number, folder).read_bytes() for number in WITH_OUTCOMES}


def lines_of(workspace: Workspace, number: int, folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(outcomes_of(workspace, number, folder).read_text("utf-8").splitlines()))


def as_an_earlier_version_stored_them(workspace: Workspace, found: dict[int, bytes]) -> None:
    for number, content in found.items():
        place = envelopes(workspace) / "lincoln" / "clever"
        (place / f"{number}.outcomes.json.zst").unlink()
        (place / f"{number}.outcomes.csv").write_bytes(content)


def test_every_file_holds_and_stored_are_the_exceptions_only(signed: Workspace, tmp_path: Path) -> None:
    found = every_file(signed, tmp_path / "out")

    for number in found:
        one = [envelopes(signed) / "lincoln" / "clever" / f"{number}.dsse.json"]
        assert verify_receipts(one, [public_key(signed)], outcomes=tmp_path / "out" / f"{number}.outcomes.csv").is_valid
    with pytest.raises(NoOutcomes, match="signs for no outcomes"):
        outcomes_of(signed, 5, tmp_path)
    note = signed.archive.read_outcomes(*FEED, 2)
    assert note is not None
    refused = {(file["file"], row, code) for file in note["files"] for code, rows in file["refused"].items() for row in rows}
    lines = list(csv.DictReader(found[2].decode().splitlines()))
    assert refused == {(line["file"], int(line["row"]), line["code"]) for line in lines if line["outcome"] == "refused"}
    assert ("students.csv", 2, "missing_required") in refused
    stored = envelopes(signed) / "lincoln" / "clever"
    assert len((stored / "2.outcomes.json.zst").read_bytes()) < len(found[2]) / 5
    assert not list(stored.glob("*.csv"))


def test_a_hold_and_its_approval_have_outcomes_each(signed: Workspace, nights: Path, tmp_path: Path) -> None:
    held = run(signed, nights / "half")
    apply_approval(signed, validate_approval(signed, ApprovalRequest(import_id=held["import_id"], by="B. Boss")))
    with signed.warehouse.read_receipts() as receipts:
        newest = receipts.of_import(held["import_id"])
    assert newest is not None

    rows = lines_of(signed, newest["number"], tmp_path)

    assert {row["outcome"] for row in rows} >= {"applied", "refused"}
    waiting = lines_of(signed, newest["number"] - 1, tmp_path)
    assert {(row["outcome"], row["code"]) for row in waiting} == {("ignored", "held")}


def test_a_row_that_is_released_has_the_hash_of_the_import_that_refused_it(signed: Workspace, tmp_path: Path) -> None:
    about = {"district_id": FEED[0], "source": FEED[1], "import_id": 1, "rejected": {}, "refusals": {}}
    note = outcome_note(signed, ImportOutcome(**about, status="published", released=[(2, "students.csv", 2)]))

    lines = b"".join(outcomes_csv(signed.archive, note)).decode().splitlines()

    (digest,) = [row["sha256"] for row in lines_of(signed, 2, tmp_path) if is_row(row, "students.csv", 2)]
    assert lines[-1] == f"students.csv,2,{digest},released,,2"


def is_row(row: dict[str, str], file: str, number: int) -> bool:
    return (row["file"], row["row"]) == (file, str(number))


def test_what_was_rejected_later_or_rebuilt_changes_no_outcome(signed: Workspace, tmp_path: Path) -> None:
    before = every_file(signed, tmp_path / "before")
    rebuild_district(signed, FEED[0], f"sqlite:///{tmp_path}/again.sqlite")
    with signed.warehouse.write() as tx:
        tx._connection.exec_driver_sql("DELETE FROM rejected_rows")

    assert every_file(signed, tmp_path / "after") == before
    Warehouse(f"sqlite:///{tmp_path}/again.sqlite").close()


def test_bytes_that_are_no_longer_those_give_no_file(signed: Workspace, tmp_path: Path) -> None:
    note = signed.archive.read_outcomes(*FEED, 2)
    assert note is not None
    note["files"][0]["refused"] = {"invalid_value": [3]}
    signed.archive.write_outcomes(*FEED, 2, note)

    with pytest.raises(OutcomesDiffer):
        outcomes_of(signed, 2, tmp_path)
    assert not list(tmp_path.glob("2.outcomes*"))


def test_outcomes_of_an_earlier_version_are_handed_out_and_replaced_at_night(signed: Workspace, tmp_path: Path) -> None:
    found = every_file(signed, tmp_path / "before")
    as_an_earlier_version_stored_them(signed, found)
    assert every_file(signed, tmp_path / "meanwhile") == found

    assert clean_up_home(signed).outcomes == len(WITH_OUTCOMES)
    assert clean_up_home(signed).outcomes == 0

    assert not list(envelopes(signed).rglob("*.csv*"))
    assert every_file(signed, tmp_path / "after") == found
    note = signed.archive.read_outcomes(*FEED, 6)
    assert note is not None
    assert {tuple(file["whole"]) for file in note["files"]} == {("refused", "rejected")}


def test_outcomes_that_cannot_be_derived_are_compressed_and_stay_as_they_are(signed: Workspace, tmp_path: Path) -> None:
    found = every_file(signed, tmp_path / "before")
    as_an_earlier_version_stored_them(signed, found)
    shutil.rmtree(Path(signed.settings.archive) / "objects")

    assert clean_up_home(signed).outcomes == len(WITH_OUTCOMES)

    assert len(list(envelopes(signed).rglob("*.outcomes.csv.zst"))) == len(WITH_OUTCOMES)
    assert every_file(signed, tmp_path / "after") == found


def test_every_prepared_receipt_was_looked_at(signed: Workspace) -> None:
    derived = [b"".join(outcomes_csv(signed.archive, signed.archive.read_outcomes(*FEED, n) or {})) for n in WITH_OUTCOMES]

    assert len(derived) == len(STATUSES) - 1
    assert all(content.count(b"\n") > 20 for content in derived)
