"""``import``, ``check``, ``rerun``: exit codes, documents, and what is written."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.orchestration.jobs.in_process_runs import FinishedRun
from roster_etl.pipeline.review.override import Target, set_override
from roster_etl.pipeline.steps import plan
from roster_etl.pipeline.uploads.archived_uploads import newest_archived
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.archive import Archive
from roster_etl.store.staging_frames import FrameStore
from roster_etl.store.warehouse import Warehouse
from tests.cli.calling import call
from tests.ledgers import in_transaction

KEYS = {
    "import_id",
    "district_id",
    "source",
    "upload_id",
    "run_id",
    "status",
    "files",
    "changes",
    "findings",
    "checks",
    "hold",
    "warehouse",
}
FILE_KEYS = {"file", "kind", "rows_read", "rows_accepted", "rows_rejected"}
FINDING_KEYS = {"id", "cause_id", "severity", "code", "file", "row", "field", "key", "message", "count"}


def edited(upload: Path, to: Path, name: str, change) -> Path:
    """Copy `upload` to `to` with the text of the file `name` changed."""
    shutil.copytree(upload, to)
    file = to / name
    file.write_text(change(file.read_text("utf-8")), "utf-8")
    return to


def students(upload: Path) -> set[str]:
    """Return the ids of the students in an upload."""
    with (upload / "students.csv").open(encoding="utf-8", newline="") as file:
        return {row["Student_id"] for row in csv.DictReader(file)}


def test_an_import_prints_one_document_with_all_keys(uploads: Path, home: Path) -> None:
    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=home)

    document = answer.document
    assert answer.code == 0
    assert set(document) >= KEYS
    assert (document["status"], document["district_id"], document["source"]) == ("published", "lincoln", "clever")
    assert all(set(file) >= FILE_KEYS for file in document["files"])
    assert document["changes"]["users"]["created"] > 30
    assert document["hold"] is None
    assert document["warehouse"] == f"sqlite:///{home / 'warehouse.sqlite'}"


def test_the_same_upload_again_is_unchanged(told: Path, uploads: Path, tmp_path: Path) -> None:
    home = shutil.copytree(told, tmp_path / "home")

    answer = call("import", uploads / "b", "--district", "lincoln", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["changes"]) == (0, "unchanged", {})


def test_findings_are_shown_by_cause_with_places_and_advice(told: Path) -> None:
    answer = call("show", "2", home=told)

    assert answer.code == 0
    assert "missing_required" in answer.out
    assert "that follow" in answer.out
    assert "→ Fill the cell in the source system and export again." in answer.out
    assert "students.csv row" in answer.out
    assert "the header is row 1" in answer.out


def test_show_says_what_to_do_next_in_the_words_of_the_report(told: Path) -> None:
    steps = json.loads((told / "reports" / "lincoln" / "2.json").read_text("utf-8"))["next_steps"]
    out = call("show", "2", home=told).out

    assert steps
    assert out.rstrip().endswith("\n\nnext\n" + "\n".join(f"  {step['text']}" for step in steps))


def test_show_prints_the_same_document_as_import(told: Path) -> None:
    document = call("show", "2", "--json", home=told).document

    assert set(document) >= KEYS
    assert {finding["severity"] for finding in document["findings"]} >= {"reject", "warning"}
    assert all(set(finding) >= FINDING_KEYS for finding in document["findings"])


def test_a_missing_required_file_rejects_with_3(uploads: Path, tmp_path: Path, home: Path) -> None:
    upload = shutil.copytree(uploads / "a", tmp_path / "upload")
    (upload / "sections.csv").unlink()

    answer = call("import", upload, "--district", "lincoln", "--format", "clever", "--json", home=home)

    assert (answer.code, answer.document["status"]) == (3, "rejected")
    assert {"missing_file"} == {finding["code"] for finding in answer.document["findings"]}
    assert call("imports", "--json", home=home).document[0]["status"] == "rejected"


def test_an_unknown_option_is_off_before_anything_is_written(uploads: Path, home: Path) -> None:
    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--option", "x=1", "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "unknown_option")
    assert call("districts", "list", "--json", home=home).document == []


def test_a_check_loads_nothing(uploads: Path, home: Path) -> None:
    answer = call("check", uploads / "a", "--format", "clever", "--json", home=home)

    document = answer.document
    assert (answer.code, document["import_id"], document["status"]) == (0, None, "publishable")
    assert set(document) >= KEYS
    assert document["changes"]["users"]["created"] > 30
    assert not (home / "archive").exists()
    assert not (home / "warehouse.sqlite").exists()
    assert call("districts", "list", "--json", home=home).document == []
    assert not list((home / "staging" / "scratch").glob("*"))


def test_a_check_for_a_district_compares_with_its_roster(told: Path, uploads: Path) -> None:
    before = call("imports", "--json", home=told).document

    answer = call("check", uploads / "a", "--district", "lincoln", "--json", home=told)

    first, second = (students(uploads / day) for day in ("a", "b"))
    changes = answer.document["changes"]["users"]
    assert (answer.code, answer.document["district_id"]) == (0, "lincoln")
    assert changes["created"] == len(first - second)
    assert changes["deleted"] == len(second - first)
    assert call("imports", "--json", home=told).document == before


def test_a_check_writes_no_report_and_tells_nobody(told: Path, uploads: Path, tmp_path: Path) -> None:
    home = shutil.copytree(told, tmp_path / "home")
    mail = '[mail]\nhost = "127.0.0.1"\nsender = "roster@example.org"\n[reports]\ndata_docs = true\n'
    (home / "roster_etl.toml").write_text(mail + '[alerts]\nwebhook_env = "HOOK"\n')
    call("districts", "contacts", "lincoln", "data@lincoln.example.org", "--mail", "always", home=home)
    reports = {path: path.read_bytes() for path in (home / "reports").rglob("*") if path.is_file()}
    lacking = tmp_path / "lacking"
    lacking.mkdir()
    shutil.copy(uploads / "a" / "students.csv", lacking)

    assert call("check", lacking, "--district", "lincoln", home=home).code == 3
    assert {path: path.read_bytes() for path in (home / "reports").rglob("*") if path.is_file()} == reports
    assert not (home / "outbox").exists()


def test_a_check_tells_rejected_from_held(told: Path, uploads: Path, tmp_path: Path) -> None:
    def half(text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join(lines[: len(lines) // 2])

    broken = shutil.copytree(uploads / "b", tmp_path / "broken")
    (broken / "teachers.csv").unlink()
    small = edited(uploads / "b", tmp_path / "small", "students.csv", half)

    rejected = call("check", broken, "--district", "lincoln", "--json", home=told)
    held = call("check", small, "--district", "lincoln", "--json", home=told)

    assert (rejected.code, rejected.document["status"]) == (3, "rejected")
    assert (held.code, held.document["status"]) == (4, "held")
    assert held.document["hold"]["plan_sha256"]


def test_a_rerun_reads_the_stored_bytes(told: Path, tmp_path: Path) -> None:
    home = shutil.copytree(told, tmp_path / "home")

    answer = call("rerun", "--district", "lincoln", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["import_id"]) == (0, "unchanged", 3)


def test_a_rerun_of_an_unchanged_import_runs_what_was_published(told: Path, uploads: Path, tmp_path: Path) -> None:
    home = shutil.copytree(told, tmp_path / "home")
    call("import", uploads / "b", "--district", "lincoln", home=home)

    answer = call("rerun", "--district", "lincoln", "--import", "3", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["import_id"]) == (0, "unchanged", 4)


def test_a_rerun_of_bytes_that_were_not_kept_is_refused_before_anything_is_written(told: Path, tmp_path: Path) -> None:
    home = shutil.copytree(told, tmp_path / "home")
    (home / "archive" / "manifests" / "lincoln" / "1.json").unlink()

    answer = call("rerun", "--district", "lincoln", "--import", "1", "--json", home=home)

    assert (answer.code, set(answer.document), answer.document["error"]["code"]) == (2, {"error"}, "not_archived")
    assert len(call("imports", "--json", home=home).document) == 2


def test_a_rerun_takes_the_newest_upload_that_was_not_rejected(told: Path, tmp_path: Path) -> None:
    archive = Archive(str(shutil.copytree(told, tmp_path / "home") / "archive"))
    archive.write_manifest("lincoln", 9, archive.read_manifest("lincoln", 2) | {"status": "rejected"})

    assert newest_archived(Workspace.open(tmp_path / "home"), "lincoln", "clever") == 2


def test_a_district_that_is_registered_by_two_calls_at_once_is_no_error(
    uploads: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)
    monkeypatch.setattr("roster_etl.cli.imports.find_district", lambda *_: None)  # it was not there a moment ago

    assert call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home).code == 0


def test_a_rerun_needs_an_import_of_the_district(told: Path) -> None:
    assert call("rerun", "--district", "lincoln", "--import", "99", home=told).code == 2


@pytest.mark.parametrize("kind", ["zip", "csv"])
def test_a_zip_is_an_upload_and_a_single_csv_is_not_enough(kind: str, uploads: Path, tmp_path: Path, home: Path) -> None:
    path = (
        Path(shutil.make_archive(str(tmp_path / "upload"), "zip", uploads / "a"))
        if kind == "zip"
        else uploads / "a" / "students.csv"
    )

    answer = call("check", path, "--format", "clever", "--json", home=home)

    assert answer.code == (0 if kind == "zip" else 3)


def test_an_import_that_its_run_abandoned_has_failed(uploads: Path, home: Path, monkeypatch) -> None:
    def broken(home: Path, order, **_: object) -> FinishedRun:
        with Warehouse(f"sqlite:///{home / 'warehouse.sqlite'}") as warehouse:
            number = in_transaction(warehouse).open_import(
                kind="upload", district_id=order.district_id, source=order.source, started_at=datetime.now(UTC)
            )
        return FinishedRun(import_id=number, summary=None)

    monkeypatch.setattr("roster_etl.orchestration.jobs.in_process_runs.execute_import", broken)
    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["error"]["code"]) == (1, "failed", "run_broken")


def test_an_import_that_fails_tells_of_itself_and_not_of_what_others_published_meanwhile(
    uploads: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home).code == 0
    user = call("as-of", "now", "users", "--district", "lincoln", "--json", home=home).document[0]

    def meanwhile(*words: object) -> None:
        target = Target(
            district_id="lincoln",
            source="clever",
            table="users",
            key={"user_kind": user["user_kind"], "user_id": user["user_id"]},
            field="last_name",
        )
        set_override(Workspace.open(home), target, "Nightingale", "A. Steward")

    monkeypatch.setattr(plan, "_stage_plan", meanwhile)
    answer = call("import", uploads / "b", "--district", "lincoln", "--json", home=home)

    assert (answer.code, answer.document["import_id"], answer.document["kind"]) == (1, 2, "upload")
    assert answer.document["status"] == "failed"
    assert answer.document["error"]


def test_a_frame_that_cannot_be_written_beside_the_next_step_is_told_in_a_clear_line(
    uploads: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FrameStore.write

    def full(store: FrameStore, district_id: str, import_id: int, container: str, name: str, table: object) -> None:
        if (container, name) == ("table-rows", "rows/organizations"):
            raise FolderUnavailable(where="staging", problem="No space left on device")
        write(store, district_id, import_id, container, name, table)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameStore, "write", full)
    answer = call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=home)

    assert (answer.code, answer.document["status"], answer.document["error"]["code"]) == (1, "failed", "folder_unavailable")
    assert "No space left on device" in answer.err
