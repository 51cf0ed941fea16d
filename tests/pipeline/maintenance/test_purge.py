"""Removing personal data for good: proved by looking through every file and every table, and by rebuilding what remains."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from roster_etl.pipeline.lifecycle.import_lifecycle import begin_import, release_import
from roster_etl.pipeline.maintenance.purge import (
    ImportUnderWay,
    NobodyToPurge,
    NothingToPurge,
    PurgeTarget,
    purge,
)
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reporting.import_summary import data_docs_path, read_import_summary
from roster_etl.pipeline.reporting.report_files import write_report
from roster_etl.pipeline.review.undo import NotUndoable, plan_undo
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import Settings
from roster_etl.store.warehouse import Warehouse
from roster_etl.store.warehouse.errors import MayNotRewrite
from roster_etl.vendors import vendor
from tests.dumps import dump
from tests.ledgers import in_transaction
from tests.pipeline.maintenance.test_rebuild import Rows, edit, registered, run
from tests.saved import SavedFolders
from tests.stored import stored_bytes

STUDENT, TEACHER = "zz-student-77001", "zz-teacher-88002"
CANARIES = {
    STUDENT: (STUDENT, "Zzquill", "zzquill@example.org", "Zzmother", "zzmother@example.org", "1999-01-07"),
    TEACHER: (TEACHER, "Zzpenrose", "zzpenrose@example.org"),
}


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days with a student and a teacher whose values stand out; on the second, a row of the student is refused."""
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=24, seed=5)
    for file, column, new in (("students.csv", "Student_", STUDENT), ("teachers.csv", "Teacher_", TEACHER)):
        _rename(folder / "a", file, column, new)
    edit(folder / "a" / "students.csv", _student)
    edit(folder / "a" / "teachers.csv", lambda rows: [_teacher(row) for row in rows])
    principal = {"Principal": "Zed Zzpenrose", "Principal_email": "zzpenrose@example.org"}
    edit(folder / "a" / "schools.csv", lambda rows: [{**rows[0], **principal}, *rows[1:]])
    shutil.copytree(folder / "a", folder / "b")
    edit(
        folder / "b" / "students.csv",
        lambda rows: [{**row, "Last_name": ""} if row["Student_id"] == STUDENT else row for row in rows],
    )
    edit(
        folder / "b" / "students.csv",
        lambda rows: [{**row, "First_name": "New"} if row["Student_id"] == rows[-1]["Student_id"] else row for row in rows],
    )
    return folder


def _rename(folder: Path, file: str, column: str, new: str) -> None:
    """Give the first person of `file` the id `new`, wherever ids of that kind stand."""
    old = next(csv.DictReader(io.StringIO((folder / file).read_text("utf-8"))))[f"{column}id"]

    def change(rows: Rows) -> Rows:
        ids = [name for name in rows[0] if name.startswith(column) and name.endswith("id")]
        return [{**row, **{name: new for name in ids if row[name] == old}} for row in rows]

    for path in folder.glob("*.csv"):
        edit(path, change)


def _student(rows: Rows) -> Rows:
    own = {
        "Last_name": "Zzquill", "First_name": "Zoe", "Student_email": "zzquill@example.org", "Contact_name": "Zzmother",
        "Contact_email": "zzmother@example.org", "DOB": "1/7/1999",
    }  # fmt: skip
    return [{**row, **{n: v for n, v in own.items() if n in row}} if row["Student_id"] == STUDENT else row for row in rows]


def _teacher(row: dict[str, str]) -> dict[str, str]:
    own = {"Last_name": "Zzpenrose", "First_name": "Zed", "Teacher_email": "zzpenrose@example.org"}
    return {**row, **own} if row["Teacher_id"] == TEACHER else row


@pytest.fixture
def lived(saved: SavedFolders, database: str, uploads: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A home in which both days were imported, and two other imports, one held; all have reports."""

    def make(folder: Path, url: str) -> None:
        workspace = registered(folder / "home", url)
        for name in "ab":
            run(workspace, path=str(uploads / name))
        run(workspace, district_id="adams", path=str(uploads / "b"))
        assert run(workspace, archived=1, rollback=True)["status"] == "held"
        for row in workspace.warehouse.ledger.imports():
            write_report(workspace, read_import_summary(workspace, row["import_id"]))
        workspace.close()

    url = saved.copy("purge", make, tmp_path, database)
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()
    saved.drop(url)


def traces(workspace: Workspace, words: tuple[str, ...], district_id: str) -> dict[str, set[str]]:
    """Return where in files and tables any of `words` stands: of the district, or in what belongs to none."""
    found: dict[str, set[str]] = {}
    for name, lines in dump(workspace.warehouse, district_id).items():
        found[name] = {word for word in words for line in lines if word.casefold() in line.casefold()}
    own = {m["key"] for n in workspace.archive.manifests("adams") for m in workspace.archive.read_manifest("adams", n)["members"]}
    for path in workspace.home.rglob("*"):
        if not path.is_file() or "adams" in path.parts or path.name.removesuffix(".zst") in own:
            continue
        content = stored_bytes(path)
        if content.startswith(b"PAR1"):
            content += str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
        found[str(path.relative_to(workspace.home))] = {word for word in words if word.casefold().encode() in content.lower()}
    return {place: words for place, words in found.items() if words}


def rebuilt(workspace: Workspace, tmp_path: Path) -> None:
    """Assert that what remains is rebuilt from the archive."""
    url = f"sqlite:///{tmp_path}/again.sqlite"
    assert rebuild_district(workspace, "lincoln", url).differs == ()
    with Warehouse(url) as target:
        again, original = dump(target), dump(workspace.warehouse, "lincoln")
        for table, lines in original.items():
            assert again[table] == lines, table


@pytest.mark.parametrize(("kind", "user_id"), [("student", STUDENT), ("teacher", TEACHER)])
def test_a_person_is_found_nowhere_any_more_and_the_rest_is_rebuilt(
    lived: Workspace, uploads: Path, tmp_path: Path, kind, user_id
) -> None:
    before = dump(lived.warehouse, "adams")
    others = {name: len(lines) for name, lines in dump(lived.warehouse, "lincoln").items()}
    assert traces(lived, CANARIES[user_id], "lincoln")

    purged = purge(lived, PurgeTarget(district_id="lincoln", person=(kind, user_id)), by="A. Steward")

    assert traces(lived, CANARIES[user_id], "lincoln") == {}
    assert dump(lived.warehouse, "adams") == before
    after = {name: len(lines) for name, lines in dump(lived.warehouse, "lincoln").items()}
    assert after["users_history"] < others["users_history"]
    assert after["sections_history"] == others["sections_history"]
    assert (purged.versions["users"], purged.records > 0, purged.files > 0) == (
        others["users_history"] - after["users_history"],
        True,
        True,
    )
    row = lived.warehouse.ledger.import_(purged.imports[0])
    assert (row["kind"], row["status"], row["summary"]["purge"]["by"]) == ("purge", "published", "A. Steward")
    rebuilt(lived, tmp_path)


def test_of_a_file_that_was_kept_as_it_came_the_old_bytes_go_too(uploads: Path, tmp_path: Path) -> None:
    """Its key is the hash that the manifest goes on to tell of what the district uploaded."""
    workspace = registered(tmp_path / "home", f"sqlite:///{tmp_path}/w.sqlite")
    run(workspace, path=str(uploads / "a"))
    before = {member["name"]: member for member in workspace.archive.read_manifest("lincoln", 1)["members"]}
    purge(workspace, PurgeTarget(district_id="lincoln", person=("student", STUDENT)), by="A. Steward")
    after = {member["name"]: member for member in workspace.archive.read_manifest("lincoln", 1)["members"]}
    workspace.close()

    assert before["enrollments.csv"]["key"] == before["enrollments.csv"]["sha256"] == after["enrollments.csv"]["sha256"]
    assert before["enrollments.csv"]["key"] != after["enrollments.csv"]["key"]
    assert not workspace.archive.has(before["enrollments.csv"]["key"])
    assert traces(workspace, CANARIES[STUDENT], "lincoln") == {}


@pytest.mark.both_databases
def test_imports_go_on_after_a_purge_and_are_rebuilt_too(lived: Workspace, uploads: Path, tmp_path: Path) -> None:
    purge(lived, PurgeTarget(district_id="lincoln", person=("student", STUDENT)), by="A. Steward")
    rerun = run(lived, archived=2)

    later = run(lived, path=str(uploads / "a"))

    assert rerun["status"] in ("published", "unchanged")
    assert later["status"] == "published"
    assert later["changes"]["users"]["created"] == 1  # the district still sends the student
    rebuilt(lived, tmp_path)
    purge(lived, PurgeTarget(district_id="lincoln", person=("student", STUDENT)), by="A. Steward")
    assert traces(lived, CANARIES[STUDENT], "lincoln") == {}


@pytest.mark.both_databases
def test_what_was_blanked_beside_a_person_comes_back_with_the_upload_that_says_it_again(lived: Workspace, uploads: Path) -> None:
    def said() -> tuple[set[str | None], set[str | None]]:
        versions = [lived.warehouse.roster.current("lincoln", "clever", name) for name in ("organizations", "sections")]
        rows = [
            lived.warehouse.roster.versions(name, one.column("version_id"))
            for name, one in zip(("organizations", "sections"), versions, strict=True)
        ]
        return {row["principal_name"] for row in rows[0].to_pylist()}, {row["name"] for row in rows[1].to_pylist()}

    run(lived, path=str(uploads / "a"))
    before = said()
    purge(lived, PurgeTarget(district_id="lincoln", person=("teacher", TEACHER)), by="A. Steward")
    assert "Zed Zzpenrose" in before[0]
    assert "Zed Zzpenrose" not in said()[0]
    assert None in said()[1] - before[1]  # a section's name that was made of the teacher's

    assert run(lived, path=str(uploads / "a"))["status"] == "published"

    assert said() == before


@pytest.mark.both_databases
def test_a_purge_is_one_of_all_sets_of_files_that_a_feed_has(warehouse_url: str, tmp_path: Path) -> None:
    known, uploaded = vendor("catapult_connect"), tmp_path / "upload"
    feed, roster = {"district_id": "lincoln", "source": known.format.name}, known.file_set_for_table("users")
    write_sample(known, uploaded, students=24, seed=5)
    opened = Workspace(replace(Settings.load(tmp_path / "home"), warehouse=warehouse_url))
    opened.warehouse.migrate()
    opened.registry.add(District(id="lincoln", feeds=(Feed(format=known.format.name),)))
    first = [run(opened, **feed, path=str(uploaded), file_set=found.name) for found in known.format.file_sets]
    before = opened.warehouse.roster.last_published(*feed.values(), file_set=roster) or {}
    student = next(
        row for row in opened.warehouse.roster.current(*feed.values(), "users").to_pylist() if row["user_kind"] == "student"
    )

    purge(opened, PurgeTarget(district_id="lincoln", person=("student", student["user_id"])), by="A. Steward")

    after = opened.warehouse.roster.last_published(*feed.values(), file_set=roster) or {}
    assert (after["kind"], after["summary"]["headers"], "content" in after["summary"]) == (
        "purge",
        before["summary"]["headers"],
        False,
    )
    for number in (*(document["import_id"] for document in first), after["import_id"]):
        with pytest.raises(NotUndoable, match="removed for good"):
            plan_undo(opened, number, "sam")
    again = [run(opened, **feed, path=str(uploaded), file_set=roster) for _ in range(2)]
    assert [document["status"] for document in again] == ["published", "unchanged"]
    assert again[0]["changes"]["users"]["created"] == 1  # the district still sends the student
    assert plan_undo(opened, again[0]["import_id"], "sam")  # of what came since the purge

    purge(opened, PurgeTarget(district_id="lincoln"), by="A. Steward")

    nothing = opened.warehouse.roster.last_published(*feed.values(), file_set=roster) or {}
    assert (nothing["kind"], nothing["summary"].keys() & {"headers", "content"}) == ("purge", set())
    opened.warehouse.close()


@pytest.mark.both_databases
def test_a_district_is_removed_and_its_imports_stay_on_record(lived: Workspace, tmp_path: Path) -> None:
    before = dump(lived.warehouse, "adams")
    newest = next(row["import_id"] for row in lived.warehouse.ledger.imports("lincoln") if row["kind"] == "upload")
    docs = data_docs_path(lived, "lincoln", newest)
    docs.parent.mkdir(parents=True)
    docs.with_name("index.html").write_text("rules and counts")

    purge(lived, PurgeTarget(district_id="lincoln"), by="A. Steward")

    words = (*CANARIES[STUDENT], *CANARIES[TEACHER])
    assert traces(lived, words, "lincoln") == {}
    assert dump(lived.warehouse, "adams") == before
    assert not docs.parent.exists()
    left = dump(lived.warehouse, "lincoln")
    assert {name for name, lines in left.items() if lines} <= {"imports", "import_counts", "holds"}
    assert len(left["imports"]) == 4
    rebuilt(lived, tmp_path)


def test_what_is_older_than_an_age_is_removed_but_for_what_is_current(lived: Workspace, uploads: Path, tmp_path: Path) -> None:
    current = sorted(lived.warehouse.roster.current("lincoln", "clever", "users").to_pylist(), key=str)
    later = datetime.now(UTC) + timedelta(days=400)

    purged = purge(lived, PurgeTarget(district_id="lincoln", age=timedelta(days=365)), by="A. Steward", now=later)

    assert sum(purged.versions.values()) > 0
    assert sorted(lived.warehouse.roster.current("lincoln", "clever", "users").to_pylist(), key=str) == current
    assert all('"valid_to": null' in line for line in dump(lived.warehouse, "lincoln")["users_history"])
    manifest = lived.archive.read_manifest("lincoln", 1)
    assert {member["key"] for member in manifest["members"]} == {None}
    assert all(member["key"] for member in lived.archive.read_manifest("lincoln", 2)["members"] if member["kind"])
    rebuilt(lived, tmp_path)


@pytest.mark.pg
def test_a_role_that_may_not_rewrite_the_files_removes_nothing(postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE importer LOGIN")
    with Warehouse(postgres_url) as owner:
        owner.migrate()
        owner.grant(loader="importer")
    workspace = registered(tmp_path / "home", postgres_url.replace("//postgres:", "//importer:"))
    in_transaction(workspace.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=datetime.now(UTC)
    )

    try:
        with pytest.raises(MayNotRewrite):
            purge(workspace, PurgeTarget(district_id="lincoln"), by="A. Steward")

        assert [row["kind"] for row in workspace.warehouse.ledger.imports("lincoln")] == ["upload"]
        (line,) = [line for line in workspace.warehouse.ledger.audit("lincoln") if line["action"] == "purge"]
        assert (line["outcome"], line["about"]["code"]) == ("refused", "may_not_rewrite")
    finally:
        workspace.warehouse.close()
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY importer")
            connection.execute("DROP ROLE importer")


@pytest.mark.both_databases  # the lock is another one on each
def test_nothing_is_removed_while_an_import_is_under_way(lived: Workspace) -> None:
    in_transaction(lived.warehouse).open_import(
        kind="upload", district_id="lincoln", source="clever", started_at=datetime.now(UTC)
    )

    with pytest.raises(ImportUnderWay):
        purge(lived, PurgeTarget(district_id="lincoln"), by="A. Steward")


def test_an_import_begins_when_the_purge_of_its_district_has_ended(lived: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Future[int]] = []

    def begin() -> int:
        own = Workspace(lived.settings)
        try:
            return begin_import(own, "lincoln", "clever", kind="upload", started_at=datetime.now(UTC))
        finally:
            own.close()

    def meanwhile(point: str) -> None:
        if point == "purge.bytes":
            begun.append(another.submit(begin))
            with pytest.raises(TimeoutError):
                begun[0].result(timeout=1)

    monkeypatch.setattr("roster_etl.pipeline.maintenance.purge.fault_point", meanwhile)
    with ThreadPoolExecutor(1) as another:
        result = purge(lived, PurgeTarget(district_id="lincoln"), by="A. Steward")
        number = begun[0].result()

    assert (number > max(result.imports), lived.archive.pending_removals()) == (True, ())
    release_import(lived, number)


def test_a_district_that_was_never_imported_has_nothing_to_remove(lived: Workspace) -> None:
    with pytest.raises(NothingToPurge):
        purge(lived, PurgeTarget(district_id="nowhere"), by="A. Steward")


@pytest.mark.both_databases
def test_only_a_purge_of_somebody_who_is_there_is_one_and_it_says_which_plan_waits_no_more(lived: Workspace) -> None:
    (hold,) = lived.warehouse.ledger.holds("lincoln")
    imports, files = lived.warehouse.ledger.imports(), sorted(lived.home.glob("archive/**/*"))

    for kind, user_id in (("student", "nosuch-student"), ("teacher", STUDENT), ("nosuch-student", "student")):
        with pytest.raises(NobodyToPurge) as refused:
            purge(lived, PurgeTarget(district_id="lincoln", person=(kind, user_id)), by="A. Steward")
        assert "nosuch-student" not in refused.value.message
        assert STUDENT not in refused.value.message
    assert lived.warehouse.ledger.holds("lincoln") == [hold]
    assert (lived.warehouse.ledger.imports(), sorted(lived.home.glob("archive/**/*"))) == (imports, files)
    told = [(row["action"], row["outcome"], row["about"].get("code")) for row in lived.warehouse.ledger.audit()]
    assert told[-3:] == [("purge", "refused", "nobody_to_purge")] * 3

    purged = purge(lived, PurgeTarget(district_id="lincoln", person=("student", STUDENT)), by="A. Steward")

    assert purged.holds == (hold["import_id"],)
    assert lived.warehouse.ledger.hold(hold["import_id"])["decision"] == "superseded"
    with pytest.raises(NobodyToPurge):
        purge(lived, PurgeTarget(district_id="lincoln", person=("student", STUDENT)), by="A. Steward")


@pytest.mark.both_databases
def test_who_stands_in_an_archived_file_only_is_somebody(lived: Workspace, uploads: Path, tmp_path: Path) -> None:
    shutil.copytree(uploads / "a", tmp_path / "c")
    edit(tmp_path / "c" / "students.csv", lambda rows: [*rows, {**rows[0], "Student_id": "zz-only-refused", "Last_name": ""}])
    run(lived, path=str(tmp_path / "c"))
    assert not lived.warehouse.ledger.mentions_person("lincoln", "student", "zz-only-refused")

    purged = purge(lived, PurgeTarget(district_id="lincoln", person=("student", "zz-only-refused")), by="A. Steward")

    assert purged.records > 0
    assert traces(lived, ("zz-only-refused",), "lincoln") == {}
