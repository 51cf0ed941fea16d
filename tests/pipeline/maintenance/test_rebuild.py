"""A rebuild from the archive equals the original, table by table, history included, on both databases."""

from __future__ import annotations

import csv
import datetime
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline import import_upload as road
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.maintenance.rebuild import CannotReplay, NothingArchived, WarehouseNotEmpty, rebuild_district
from roster_etl.pipeline.reporting.import_summary import outcome, read_import_summary
from roster_etl.pipeline.review import override
from roster_etl.pipeline.review.preview_approval import preview_approval
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed, Gate, Window
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests import bells
from tests.dumps import dump
from tests.ledgers import in_transaction
from tests.sampling import ALL
from tests.saved import SavedFolders

WHO = ("lincoln", "clever")
Rows = list[dict[str, str]]
STEWARD = "A. Steward"


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uploads a, b (refused rows), half (of the students), stripped (no students.csv), broken (a file without a header)."""
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=24, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    edit(folder / "b" / "students.csv", lambda rows: [{**rows[0], "Last_name": ""}, {**rows[1], "Grade": "99"}, *rows[2:]])
    for name in ("half", "stripped", "broken"):
        shutil.copytree(folder / "b", folder / name)
    edit(folder / "half" / "students.csv", lambda rows: rows[: len(rows) // 2])
    (folder / "stripped" / "students.csv").unlink()
    (folder / "broken" / "teachers.csv").write_text("nothing like a header\n1,2\n", "utf-8")
    return folder


def edit(path: Path, change: Callable[[Rows], Rows]) -> None:
    rows = change(list(csv.DictReader(io.StringIO(path.read_text("utf-8")))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), "utf-8")


def run(workspace: Workspace, **order: Any) -> dict[str, Any]:
    given = Order(**{"district_id": WHO[0], "source": WHO[1], **order})
    return outcome(workspace, import_upload(workspace, given))


def registered(home: Path, url: str) -> Workspace:
    home.mkdir()
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
    workspace = Workspace.open(home)
    gate = Gate(expectation="clever/students: Last_name: required", reason="Known.", date=datetime.date(2026, 1, 5), mostly=0.5)
    replacements = {"Grade": {"99": "12"}}
    workspace.registry.add(
        District(
            id="lincoln", time_zone="America/Chicago", feeds=(Feed(format="clever", gates=(gate,), replacements=replacements),)
        )
    )
    workspace.registry.add(District(id="adams", feeds=(Feed(format="clever"),)))
    return workspace


def lived(workspace: Workspace, uploads: Path) -> list[str]:
    """Let a district live through all that an import can come to, and return how its imports ended."""
    a, b, half = (str(uploads / name) for name in ("a", "b", "half"))
    run(workspace, path=a)
    run(workspace, district_id="adams", path=a)  # numbers of imports and versions are shared
    run(workspace, path=b)
    run(workspace, path=b)  # unchanged
    held = run(workspace, path=half)
    part = preview_approval(workspace, held["import_id"], ["enrollments"])
    run(workspace, approves=(held["import_id"], part["plan_sha256"], STEWARD), leave_out=("enrollments",))
    run(workspace, path=str(uploads / "stripped"))  # rejected at the door
    run(workspace, path=str(uploads / "broken"))  # rejected when it was judged; a file of it was not kept
    _fail(workspace, b)
    today = datetime.datetime.now(datetime.UTC).date()
    day = datetime.timedelta(days=1)
    options = {"delete_threshold_pct": "90", "update_threshold_pct": "100"}
    workspace.registry.add_window("lincoln", Window(first=today - day, last=today + day, reason="New year", options=options))
    run(workspace, path=a)  # A → B → A, within a window of the calendar
    discarded = run(workspace, path=half, options={"delete_threshold_pct": "1", "delete_threshold_min": "1"})
    in_transaction(workspace.warehouse).decide_hold(
        discarded["import_id"], "discarded", STEWARD, datetime.datetime.now(datetime.UTC)
    )
    refresh_manifest(workspace, read_import_summary(workspace, discarded["import_id"]))
    run(workspace, path=half, options={"delete_threshold_pct": "1", "delete_threshold_min": "1"})  # superseded by what follows
    run(workspace, path=b)
    back = run(workspace, archived=1, rollback=True)
    run(workspace, approves=(back["import_id"], back["hold"]["plan_sha256"], STEWARD))
    run(workspace, path=half, options={"delete_threshold_pct": "1", "delete_threshold_min": "1"})  # still open
    return [row["status"] for row in reversed(workspace.warehouse.ledger.imports("lincoln"))]


def _fail(workspace: Workspace, path: str) -> None:
    def breaks(*_: Any) -> None:
        raise OSError("the disk is full")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(road, "gate_upload", breaks)
        with pytest.raises(OSError, match="full"):
            run(workspace, path=path, options={"delete_threshold_pct": "50"})


ENDED = [
    "published", "published", "unchanged", "published", "rejected", "rejected", "failed", "published", "discarded", "held",
    "published", "published", "held",
]  # fmt: skip


@pytest.fixture
def target_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/target.sqlite"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def whole_life(saved: SavedFolders, database: str, uploads: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A home in which lincoln has lived through all. Its archive is the same on both databases: SQLite will do but in `make faults`."""

    def make(folder: Path, url: str) -> None:
        workspace = registered(folder / "home", url)
        assert lived(workspace, uploads) == ENDED
        workspace.close()

    url = saved.copy("life", make, tmp_path, database if ALL else "sqlite")
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()
    saved.drop(url)


@pytest.fixture
def archived(saved: SavedFolders, uploads: Path, tmp_path: Path) -> Workspace:
    """A home with one import of lincoln."""

    def make(folder: Path, url: str) -> None:
        workspace = registered(folder / "home", url)
        run(workspace, path=str(uploads / "a"))
        workspace.close()

    saved.copy("rebuild", make, tmp_path)
    return Workspace.open(tmp_path / "home")


@pytest.mark.both_databases
@pytest.mark.slow
def test_a_rebuild_equals_the_original_table_by_table(whole_life: Workspace, target_url: str) -> None:
    workspace = whole_life
    manifests = {number: workspace.archive.read_manifest("lincoln", number) for number in workspace.archive.manifests("lincoln")}

    rebuilt = rebuild_district(workspace, "lincoln", target_url)

    assert (rebuilt.imports, rebuilt.published, rebuilt.differs) == (len(ENDED), ENDED.count("published"), ())
    with Warehouse(target_url) as target:
        original, again = dump(workspace.warehouse, "lincoln"), dump(target)
        for table, lines in original.items():
            assert again[table] == lines, table
        moment = workspace.warehouse.ledger.import_(4)["finished_at"]
        then = [w.roster.as_of(moment, "users", "lincoln").drop_columns("version_id") for w in (workspace.warehouse, target)]
        assert then[0].num_rows
        assert (
            then[0]
            .sort_by([("user_kind", "ascending"), ("user_id", "ascending")])
            .equals(then[1].sort_by([("user_kind", "ascending"), ("user_id", "ascending")]))
        )
    assert sum(map(len, original.values())) > 500
    assert {n: workspace.archive.read_manifest("lincoln", n) for n in manifests} == manifests


def test_districts_are_rebuilt_one_after_another_and_imports_go_on_after_the_newest(archived, uploads, tmp_path) -> None:
    run(archived, district_id="adams", path=str(uploads / "a"))
    url = f"sqlite:///{tmp_path}/target.sqlite"

    for district in ("adams", "lincoln"):
        rebuild_district(archived, district, url)

    with Warehouse(url) as target:
        assert dump(target) == dump(archived.warehouse)
        assert (
            in_transaction(target).open_import(
                kind="upload", district_id="adams", source="clever", started_at=datetime.datetime.now(datetime.UTC)
            )
            == 3
        )


def test_a_warehouse_that_has_the_district_is_left_alone(archived, tmp_path) -> None:
    with pytest.raises(WarehouseNotEmpty):
        rebuild_district(archived, "lincoln", f"sqlite:///{tmp_path}/warehouse.sqlite")


def test_a_district_without_an_archive_cannot_be_rebuilt(archived, tmp_path) -> None:
    with pytest.raises(NothingArchived):
        rebuild_district(archived, "adams", f"sqlite:///{tmp_path}/target.sqlite")


def test_an_import_of_an_unknown_kind_stops_a_rebuild_before_it_begins(archived, tmp_path) -> None:
    manifest = archived.archive.read_manifest("lincoln", 1)
    archived.archive.write_manifest("lincoln", 2, {**manifest, "import_id": 2, "ledger": {**manifest["ledger"], "kind": "merge"}})

    with pytest.raises(CannotReplay):
        rebuild_district(archived, "lincoln", f"sqlite:///{tmp_path}/target.sqlite")

    assert not (tmp_path / "target.sqlite").exists()


def test_a_replay_that_plans_something_else_says_so(archived, tmp_path) -> None:
    manifest = archived.archive.read_manifest("lincoln", 1)
    manifest["ledger"]["summary"]["plan"]["users"]["created"] += 1
    archived.archive.write_manifest("lincoln", 1, manifest)

    assert rebuild_district(archived, "lincoln", f"sqlite:///{tmp_path}/target.sqlite").differs == (1,)


def test_a_stewards_edits_are_replayed_where_they_were_made(archived, uploads, tmp_path) -> None:
    student = next(
        row
        for row in archived.warehouse.roster.current("lincoln", "clever", "users").to_pylist()
        if row["user_kind"] == "student"
    )
    key = {"user_kind": "student", "user_id": student["user_id"]}
    target = override.Target(district_id="lincoln", source="clever", table="users", key=key, field="first_name")
    override.set_override(archived, target, "Zed", STEWARD)
    run(archived, path=str(uploads / "b"))
    override.clear_override(archived, target, STEWARD)
    run(archived, path=str(uploads / "b"))

    rebuilt = rebuild_district(archived, "lincoln", f"sqlite:///{tmp_path}/target.sqlite")

    assert rebuilt.differs == ()
    with Warehouse(f"sqlite:///{tmp_path}/target.sqlite") as target_warehouse:
        assert dump(target_warehouse) == dump(archived.warehouse)


def same_again(workspace: Workspace, url: str) -> list[str]:
    """Rebuild lincoln into `url` and compare every table. Returns how the imports ended, oldest first."""
    rebuilt = rebuild_district(workspace, "lincoln", url)
    assert rebuilt.differs == ()
    with Warehouse(url) as target:
        assert dump(target, "lincoln") == dump(workspace.warehouse, "lincoln")
    return [row["status"] for row in reversed(workspace.warehouse.ledger.imports("lincoln"))]


CANVAS_USERS = "user_id,login_id,status,full_name\n"
CANVAS_UPLOADS: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    (
        {
            "u": f"{CANVAS_USERS}u1,a,active,Ann Lee\nu2,b,active,Bob\n,c,active,Nobody\n",
            "t": "term_id,name,status\nt1,Fall,active\n",
            "c": "course_id,short_name,long_name,term_id,status\nc1,C,Course,t1,active\n",
            "e": "course_id,user_id,role,status\nc1,u1,student,active\nc1,u9,student,active\nc9,u2,ta,active\n",
        },
        {},
    ),
    ({"r": "old_id,new_id,type\nu2,n2,user\n", "u": f"{CANVAS_USERS}u9,d,active,Di\nn2,b,deleted,\n"}, {}),  # one row is released
    (
        {"u": f"{CANVAS_USERS}u1,a2,active,Anna Lee\n", "odd": "Name\nAnn\n"},
        {"diffing_data_set_identifier": "x"},
    ),  # a refused file
    ({"u": f"{CANVAS_USERS}u7,g,active,Gus\n"}, {"diffing_data_set_identifier": "x", "diffing_user_remove_status": "suspended"}),
)


def test_a_format_of_changes_is_rebuilt_with_its_quarantine_renames_edits_and_modes(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
    for number, (files, options) in enumerate(CANVAS_UPLOADS):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, "utf-8")
        run(workspace, source="canvas", path=str(folder), options=options)
        if number == 1:
            key = {"user_kind": "user", "user_id": "u1"}
            edited = override.Target(district_id="lincoln", source="canvas", table="users", key=key, field="full_name")
            override.set_override(workspace, edited, "Ann B. Lee", STEWARD)
    all_or_nothing = {"refused_rows_pct": "0", "refused_rows_min": "1", "batch_mode": "true", "batch_mode_term_id": "t1"}
    held = run(workspace, source="canvas", path=str(tmp_path / "0"), options=all_or_nothing)
    run(workspace, source="canvas", approves=(held["import_id"], held["hold"]["plan_sha256"], STEWARD), options=all_or_nothing)

    assert same_again(workspace, f"sqlite:///{tmp_path}/target.sqlite") == [*["published"] * 6]
    assert workspace.warehouse.roster.open_quarantine("lincoln", "canvas").num_rows
    workspace.warehouse.close()


def test_absences_are_rebuilt_beside_the_roster_that_they_refer_to(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "home")
    feed = Feed(format=bells.FORMAT, options={"absence_codes": '{"A": "absent", "T": "tardy"}'})
    workspace.registry.add(District(id="lincoln", time_zone="America/Chicago", feeds=(feed,)))

    def absences(*rows: str, **more: str) -> dict[str, Any]:
        folder = bells.write_absences(tmp_path / "absences", rows, **more)
        return run(workspace, source=bells.FORMAT, path=str(folder), received_at="2026-09-02T03:00:00+00:00")

    roster = {"source": bells.FORMAT, "path": str(bells.write_roster(tmp_path / "roster"))}
    run(workspace, **roster)
    absences(bells.absence(1), bells.absence(2), bells.absence(99))
    absences("10,s1,1,T", header="School,Student,Period,Absence.code")  # its day is that of its receipt
    run(workspace, source=bells.FORMAT, path=str(bells.write_roster(tmp_path / "fewer", students=2)))
    absences(bells.absence(1), bells.absence(2, code="T"))

    ended = same_again(workspace, f"sqlite:///{tmp_path}/target.sqlite")
    assert ended.count("published") >= 4
    assert workspace.warehouse.roster.count_current("lincoln", bells.FORMAT, "attendance") >= 3
    workspace.warehouse.close()


def test_a_rebuild_tells_of_probable_renames_in_an_approved_hold(uploads: Path, tmp_path: Path) -> None:
    workspace = registered(tmp_path / "home", f"sqlite:///{tmp_path}/w.sqlite")
    run(workspace, district_id="adams", path=str(uploads / "a"))  # so that versions get other numbers in the rebuild
    run(workspace, path=str(uploads / "a"))
    shutil.copytree(uploads / "a", tmp_path / "b")
    student = next(csv.DictReader(io.StringIO((tmp_path / "b" / "students.csv").read_text("utf-8"))))["Student_id"]
    for path in (tmp_path / "b").glob("*.csv"):
        edit(path, lambda rows: [{**row, "Student_id": "new-1"} if row.get("Student_id") == student else row for row in rows])
    held = run(workspace, path=str(tmp_path / "b"), options={"delete_threshold_pct": "1", "delete_threshold_min": "1"})
    run(workspace, approves=(held["import_id"], held["hold"]["plan_sha256"], STEWARD))
    found = [finding["code"] for finding in outcome(workspace, held["import_id"])["findings"]]
    assert (held["status"], "possible_rename" in found) == ("held", True)

    url = f"sqlite:///{tmp_path}/again.sqlite"
    rebuild_district(workspace, "lincoln", url)

    with Warehouse(url) as again:
        assert dump(again, "lincoln") == dump(workspace.warehouse, "lincoln")
    workspace.warehouse.close()
