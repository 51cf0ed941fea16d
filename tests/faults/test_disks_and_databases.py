"""A database that breaks off, gives way or is full, a disk that is full, a clock that is moved: said clearly, and nothing is half done."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.spec.errors import FolderUnavailable, RetryableError, RosterError
from roster_etl.store.files.folder import Folder
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse import RosterChanged, Warehouse, WarehouseUnavailable
from roster_etl.store.warehouse import database as connection
from roster_etl.store.warehouse.database import Database
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.dumps import dump
from tests.pg import connected
from tests.sampling import every

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("prepared_storage")]
FEED = Feed(format="clever", options={"delete_threshold_pct": "100", "update_threshold_pct": "100"})


@pytest.fixture
def workspace(home: Path, tmp_path: Path) -> Workspace:
    write_sample(vendor("clever"), tmp_path / "a", students=5, seed=5)
    write_next_day(vendor("clever"), tmp_path / "a", tmp_path / "b", seed=6)
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(FEED,)))
    return workspace


def order(path: Path) -> Order:
    return Order(district_id="lincoln", source="clever", path=str(path))


@contextmanager
def no_room_for_files_beyond(size: int) -> Iterator[None]:
    """Let the system refuse to make any file of this process longer; a full disk cannot be had everywhere."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# ── disks ──


def test_a_file_that_the_disk_has_no_room_for_is_not_there_at_all(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "archive"))
    with no_room_for_files_beyond(100), pytest.raises(FolderUnavailable, match="free some space") as caught:
        folder.write("objects/ab", b"x" * 1000)

    assert isinstance(caught.value, RetryableError)
    assert folder.names("objects") == ()


def test_an_archive_that_cannot_be_reached_fails_the_import_with_a_clear_word(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.home / "archive").write_text("a file where the folder should be")
    with pytest.raises(FolderUnavailable, match="cannot be written"):
        import_upload(workspace, order(tmp_path / "a"))

    (workspace.home / "archive").unlink()
    row = workspace.warehouse.ledger.imports("lincoln")[0]
    assert (row["status"], row["summary"]["error"]["code"]) == ("failed", "folder_unavailable")
    assert outcome(workspace, import_upload(workspace, order(tmp_path / "a")))["status"] == "published"


def test_a_full_database_of_sqlite_is_said_to_be_full_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/warehouse.sqlite"
    with Warehouse(url) as warehouse:
        warehouse.migrate()
    content = (tmp_path / "warehouse.sqlite").read_bytes()
    pages = len(content) // int.from_bytes(content[16:18], "big") + 1  # the size of a page is in the file's head
    monkeypatch.setattr(connection, "_PRAGMAS", (*connection._PRAGMAS, f"max_page_count = {pages}"))
    database = Database(url)
    with database.write() as made:
        made.exec_driver_sql("CREATE TABLE t (a TEXT)")
    with (
        pytest.raises(WarehouseUnavailable, match=r"disk is full, so free some space \(SQLSTATE 53100\)"),
        database.write() as full,
    ):
        full.exec_driver_sql("INSERT INTO t SELECT printf('%.*c', 100000, 'x') FROM (VALUES (1),(2),(3),(4),(5))")

    with database.read() as after:
        assert after.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB, for those who may mount one."""
    place = tmp_path / "tiny"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=False).returncode:
        pytest.skip("only root mounts a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def roster_of(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the published tables with their history, without the ledger."""
    return {name: rows for name, rows in dump(warehouse).items() if name.startswith(tuple(TABLES))}


def leave(disk: Path, left: int) -> None:
    """Fill a disk up to `left` bytes."""
    (disk / "filler").write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - left))


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("place", "left"),
    every(5, [(place, left) for place in ("warehouse", "staging", "archive") for left in (0, 60_000, 200_000, 400_000)]),
)
def test_a_full_disk_is_one_clear_error_and_the_next_import_works(
    workspace: Workspace, tmp_path: Path, tiny: Path, place: str, left: int
) -> None:
    url = f"sqlite:///{tiny}/warehouse.sqlite" if place == "warehouse" else f"{tiny}/{place}"
    (workspace.home / "roster_etl.toml").write_text(f'[{place}]\nurl = "{url}"\n')
    import_words = ("--district", "lincoln", "--format", "clever")
    first = call("import", tmp_path / "a", *import_words, "--json", home=workspace.home)
    before = roster_of(Workspace.open(workspace.home).warehouse)
    leave(tiny, left)
    full = call("import", tmp_path / "b", *import_words, "--json", home=workspace.home)
    (tiny / "filler").unlink()
    opened = Workspace.open(workspace.home)
    rows = [row["status"] for row in opened.warehouse.ledger.imports("lincoln")]
    after = roster_of(opened.warehouse)
    again = call("import", tmp_path / "b", *import_words, "--json", home=workspace.home)

    assert first.code == again.code == 0
    if full.code:
        assert "Traceback" not in full.err
        assert re.search("disk is full|No space left on device", full.document["error"]["message"])
        if after != before:  # published as a whole; what is written about it afterwards had no room
            assert (rows, again.document["status"]) == (["published", "published"], "unchanged")
        else:
            assert rows in (["published"], ["failed", "published"])  # none where the ledger itself has no room for it
    else:
        assert rows == ["published", "published"]


def test_a_full_disk_under_the_private_copies_is_not_taken_for_a_damaged_upload(workspace: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "up.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((tmp_path / "a").glob("*.csv")):
            archive.write(file, file.name)
    for path in (tmp_path / "a", tmp_path / "up.zip"):
        with no_room_for_files_beyond(300), pytest.raises(RosterError) as caught:
            import_upload(workspace, order(path))

        assert isinstance(caught.value, RetryableError), path
        assert "try again" in caught.value.message
    assert outcome(workspace, import_upload(workspace, order(tmp_path / "up.zip")))["status"] == "published"


# ── PostgreSQL ──


@pytest.fixture
def tiny_database(postgres_server: str, postgres_template: str) -> Iterator[tuple[str, Path]]:
    """A warehouse in a tablespace on a disk of 48 MB of its own, for those who may mount one: its URL, and the disk."""
    disk = Path(tempfile.mkdtemp(prefix="roster-disk-", dir="/tmp"))  # the server's user must find it
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", disk], check=False).returncode:
        disk.rmdir()
        pytest.skip("only root mounts a small disk")
    space, name = disk / "space", disk.name.replace("-", "_")
    space.mkdir()
    with connected(postgres_server) as connection:
        data = Path(str(connection.execute("SHOW data_directory").fetchone()[0]))
        os.chown(space, data.stat().st_uid, data.stat().st_gid)
        disk.chmod(0o755)
        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{space}'")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template} TABLESPACE {name}")
    yield postgres_server.replace("/postgres?", f"/{name}?"), disk
    with connected(postgres_server) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP TABLESPACE {name}")
    subprocess.run(["umount", "-l", disk], check=True)
    disk.rmdir()


@pytest.mark.pg
@pytest.mark.parametrize("left", [0, 20_000])
def test_a_full_disk_under_postgresql_is_one_clear_error_and_the_next_import_works(
    workspace: Workspace, tmp_path: Path, tiny_database: tuple[str, Path], left: int
) -> None:
    url, disk = tiny_database
    (workspace.home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n')
    import_words = ("--district", "lincoln", "--format", "clever", "--json")
    first = call("import", tmp_path / "a", *import_words, home=workspace.home)
    opened = Workspace.open(workspace.home)
    before = roster_of(opened.warehouse)
    leave(disk, left)
    full = call("import", tmp_path / "b", *import_words, home=workspace.home)
    (disk / "filler").unlink()
    after = roster_of(opened.warehouse)
    again = call("import", tmp_path / "b", *import_words, home=workspace.home)
    rows = [row["status"] for row in opened.warehouse.ledger.imports("lincoln")]
    opened.warehouse.close()

    assert (first.code, full.code, again.code) == (0, 1, 0)
    assert "Traceback" not in full.err
    assert "disk is full" in full.document["error"]["message"]
    assert after == before
    assert rows in (
        ["published", "published"],
        ["published", "failed", "published"],
    )  # no row where the ledger has no room for it


@pytest.mark.pg
@pytest.mark.parametrize(
    ("sqlstate", "said"),
    [
        ("53100", "disk is full"),
        ("53300", "all its connections are in use"),
        ("57P03", "starting, or shutting down"),
        ("08006", "broke off"),
    ],
)
def test_what_postgresql_says_is_told_by_its_sqlstate_and_may_be_tried_again(postgres_url: str, sqlstate: str, said: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(WarehouseUnavailable, match=f"{said}.*SQLSTATE {sqlstate}") as caught, database.write() as writing:
        writing.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'Secretname' USING ERRCODE = '{sqlstate}'; END $$")
    database.close()

    assert "Secretname" not in f"{caught.value} {caught.value.__context__}"


@pytest.mark.pg
def test_of_two_that_wait_for_each_other_one_gives_way(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    lock = lambda number: sa.select(sa.func.pg_advisory_xact_lock(number))  # noqa: E731 - it is that short
    caught: list[RosterError] = []
    both = threading.Barrier(2)

    def take(database: Database, one: int, other: int) -> None:
        try:
            with database.write() as writing:
                writing.exec_driver_sql("SET LOCAL deadlock_timeout = '50ms'")
                writing.execute(lock(one))
                both.wait(20)
                writing.execute(lock(other))
        except RosterError as error:
            caught.append(error)

    threads = [threading.Thread(target=take, args=args) for args in ((first, 1, 2), (second, 2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    first.close()
    second.close()

    assert [type(error) for error in caught] == [WarehouseUnavailable]
    assert "rolled back (SQLSTATE 40P01)" in caught[0].message


@pytest.mark.pg
@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
def test_a_server_that_is_restarted_fails_the_transaction_and_the_next_one_finds_it_again(warehouse_url: str) -> None:
    with Warehouse(warehouse_url) as warehouse:
        with pytest.raises(WarehouseUnavailable, match="SQLSTATE 57P01|does not respond|broke off"):
            _read_while_it_ends(warehouse, warehouse_url)

        assert warehouse.ledger.imports() == []


def _read_while_it_ends(warehouse: Warehouse, url: str) -> None:
    with warehouse.reading() as reading:
        number = reading.execute(sa.select(sa.func.pg_backend_pid())).scalar()
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s)", (number,))
        reading.execute(sa.text("SELECT 1"))


# ── two at once, and clocks ──


def test_an_import_that_another_overtakes_publishes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    def tell(step: str) -> None:
        if step == "planned":
            import_upload(workspace, order(tmp_path / "a"))

    with pytest.raises(RosterChanged):
        import_upload(workspace, order(tmp_path / "b"), tell)

    assert [row["status"] for row in workspace.warehouse.ledger.imports("lincoln")] == ["published", "failed"]


@pytest.mark.parametrize("years", [-3, 3])
def test_a_clock_that_is_moved_between_two_imports_hides_neither(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    import datetime as dt

    class Moved(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(days=365 * years)

    import_upload(workspace, order(tmp_path / "a"))
    with monkeypatch.context() as moved:
        for module in ("steps.receive", "steps.conclude", "lifecycle.crashed_imports"):
            moved.setattr(f"roster_etl.pipeline.{module}.datetime", Moved)
        number = import_upload(workspace, order(tmp_path / "b"))

    assert workspace.warehouse.ledger.import_(number)["status"] == "published"
    closed, opened = workspace.warehouse.roster.versions_touched_by("lincoln", "clever", "users", number)
    assert all(
        begun <= ended for begun, ended in zip(*closed.select(["valid_from", "valid_to"]).to_pydict().values(), strict=True)
    )
    assert opened.num_rows
    assert workspace.warehouse.roster.base("lincoln", "clever") == number  # numbers order the history, not clocks
    assert import_upload(workspace, order(tmp_path / "b")) == number + 1
    assert workspace.warehouse.ledger.import_(number + 1)["status"] == "unchanged"


def test_mail_that_cannot_be_sent_stops_no_import_and_goes_out_later(workspace: Workspace, tmp_path: Path) -> None:
    from tests.post_office import post_office

    settings = '[mail]\nhost = "127.0.0.1"\nport = {}\nsender = "roster@example.org"\nsecurity = "none"\n'
    (workspace.home / "roster_etl.toml").write_text(settings.format(1))
    workspace.registry.remove("lincoln")
    workspace.registry.add(District(id="lincoln", feeds=(FEED,), contacts=("ann@example.org",), mail="always"))
    down = Workspace.open(workspace.home)
    number = import_upload(down, order(tmp_path / "a"))
    from roster_etl.pipeline.reporting.announce import flush_outbox

    problems = flush_outbox(down).problems
    with post_office() as office:
        (workspace.home / "roster_etl.toml").write_text(settings.format(office.port))
        sent = flush_outbox(Workspace.open(workspace.home), everything=True)

    assert down.warehouse.ledger.import_(number)["status"] == "published"
    assert problems == ("mail server 127.0.0.1 port 1: it cannot be reached (Connection refused)",)
    assert (sent.sent, len(office.mail)) == (1, 1)
