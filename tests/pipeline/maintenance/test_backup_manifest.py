"""A backup that is not what was written is refused before anything is made of it, in words that name the first wrong file."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from roster_etl.pipeline.maintenance import backup
from roster_etl.pipeline.maintenance.backup import BackupTargetNotEmpty, back_up, restore, verify_backup
from roster_etl.pipeline.maintenance.backup_manifest import VERSION, NoBackup
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.spec.errors import RosterError
from roster_etl.store.files.folder import Folder
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.dumps import dump
from tests.pipeline.maintenance.test_rebuild import run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one import, and a sound backup of it beside it, in ``sound``."""
    folder = tmp_path_factory.mktemp("backed up")
    write_sample(vendor("clever"), folder / "a", students=6, seed=5)
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    run(workspace, path=str(folder / "a"))
    back_up(workspace, str(folder / "sound"))
    workspace.close()
    return folder / "home"


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home.parent / "sound", tmp_path / "copy"))


def an_object(copy: Path) -> Path:
    return min((copy / "archive" / "objects").glob("*/*"))


def cut(path: Path, size: int = 10) -> None:
    os.truncate(path, size)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def noted(copy: Path, **changes: Any) -> None:
    note = json.loads((copy / "backup.json").read_text())
    (copy / "backup.json").write_text(json.dumps({**note, **changes}))


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty warehouse": (lambda copy: cut(copy / "warehouse.sqlite", 0), "warehouse.sqlite is damaged"),
    "other warehouse": (lambda copy: flip(copy / "warehouse.sqlite"), "warehouse.sqlite is damaged"),
    "junk warehouse": (lambda copy: (copy / "warehouse.sqlite").write_bytes(b"junk" * 999), "warehouse.sqlite is damaged"),
    "no warehouse": (lambda copy: (copy / "warehouse.sqlite").unlink(), "warehouse.sqlite is missing"),
    "no objects": (lambda copy: shutil.rmtree(copy / "archive" / "objects"), "archive/objects/.* is missing"),
    "no manifests": (lambda copy: shutil.rmtree(copy / "archive" / "manifests"), "manifests/lincoln/1.json is missing"),
    "one object less": (lambda copy: an_object(copy).unlink(), "archive/objects/.* is missing"),
    "cut object": (lambda copy: cut(an_object(copy)), "archive/objects/.* is damaged"),
    "flipped object": (lambda copy: flip(an_object(copy)), "archive/objects/.* is damaged"),
    "longer object": (lambda copy: longer(an_object(copy)), "archive/objects/.* is damaged"),
    "cut manifest": (lambda copy: cut(copy / "archive/manifests/lincoln/1.json"), "manifests/lincoln/1.json is damaged"),
    "binary manifest": (lambda copy: flip(copy / "archive/manifests/lincoln/1.json"), "manifests/lincoln/1.json is damaged"),
    "foreign manifest": (lambda copy: (copy / "archive/manifests/lincoln/zz.json").touch(), "zz.json is no file of this backup"),
    "foreign district": (lambda copy: (copy / "districts/x.toml").touch(), "x.toml is no file of this backup"),
    "changed district": (lambda copy: flip(copy / "districts/lincoln.toml"), "districts/lincoln.toml is damaged"),
    "cut list": (lambda copy: cut(copy / "files.txt"), "files.txt is damaged"),
    "no list": (lambda copy: (copy / "files.txt").unlink(), "files.txt is missing"),
    "note: list": (lambda copy: (copy / "backup.json").write_text("[]"), "backup.json is damaged"),
    "note: nothing": (lambda copy: (copy / "backup.json").write_text("{}"), "backup.json is damaged"),
    "note: binary": (lambda copy: (copy / "backup.json").write_bytes(b"\xff\xfe\x00"), "backup.json is damaged"),
    "note: less": (lambda copy: (copy / "backup.json").write_text(f'{{"version": {VERSION}}}'), "backup.json is damaged"),
    "note: types": (lambda copy: noted(copy, newest="1"), "backup.json is damaged"),
    "note: deep": (lambda copy: (copy / "backup.json").write_text("[" * 200_000), "backup.json is damaged"),
    "note: folder": (
        lambda copy: ((copy / "backup.json").unlink(), (copy / "backup.json").mkdir()),
        "backup.json cannot be read",
    ),
    "note: no database": (lambda copy: noted(copy, warehouse=False), "says otherwise"),
    "note: fewer files": (lambda copy: noted(copy, listed=1), "files.txt names"),
    "older form": (lambda copy: noted(copy, version=1), "an older version"),
    "newer form": (lambda copy: noted(copy, version=VERSION + 1), "newer version"),
    "linked object": (lambda copy: linked(an_object(copy)), "archive/objects/.* is a link"),
    "linked district": (lambda copy: linked(copy / "districts" / "lincoln.toml"), "districts/lincoln.toml is a link"),
    "linked page": (lambda copy: linked(copy / "archive/reports/lincoln/1.html"), "reports/lincoln/1.html is a link"),
    "linked note": (lambda copy: linked(copy / "backup.json"), "backup.json is a link"),
    "loop": (lambda copy: (copy / "districts" / "loop").symlink_to("."), "districts/loop is a link"),
    "dangling": (lambda copy: (copy / "archive" / "none").symlink_to("nowhere"), "archive/none is a link"),
    "pipe": (lambda copy: os.mkfifo(copy / "archive" / "pipe"), "archive/pipe is a link, or no file"),
}


def linked(path: Path) -> None:
    elsewhere = path.parents[len(path.parts) - 2 - path.parts.index("copy")].parent / "elsewhere"
    if path.exists():
        shutil.move(path, elsewhere)  # the same bytes: the link alone is wrong
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_backup_that_is_not_what_was_written_is_refused(copy: Path, tmp_path: Path, damage: str) -> None:
    harm, words = DAMAGES[damage]
    harm(copy)

    for act in (verify_backup, lambda source: restore(source, tmp_path / "again")):
        with pytest.raises(NoBackup, match=words):
            act(str(copy))
    assert not (tmp_path / "again").exists()


def test_what_changes_after_it_was_looked_at_is_refused_and_nothing_stays(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = backup._select_files

    def change_then(sealed: Any) -> Any:
        found = wanted(sealed)
        flip(an_object(copy))
        return found

    monkeypatch.setattr(backup, "_select_files", change_then)
    with pytest.raises(NoBackup, match=r"archive/objects/.* is damaged"):
        restore(str(copy), tmp_path / "again")

    assert not (tmp_path / "again").exists()
    flip(an_object(copy))
    monkeypatch.undo()
    assert restore(str(copy), tmp_path / "again").newest == 1


def test_a_note_that_tells_of_another_warehouse_is_refused(copy: Path, tmp_path: Path) -> None:
    noted(copy, newest=7)

    with pytest.raises(NoBackup, match="another warehouse"):
        restore(str(copy), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_manifest_that_was_damaged_in_the_home_is_named_before_anything_is_written(home: Path, tmp_path: Path) -> None:
    workspace = Workspace.open(Path(shutil.copytree(home, tmp_path / "home")))
    (tmp_path / "home/archive/manifests/lincoln/1.json").write_bytes(b'["\xff')
    (tmp_path / "home/archive/manifests/lincoln/zz.json").touch()  # no manifest: not copied
    back_up(workspace, str(tmp_path / "copy"))

    for act in (verify_backup, lambda source: restore(source, tmp_path / "again")):
        with pytest.raises(NoBackup, match=r"lincoln/1\.json cannot be understood"):
            act(str(tmp_path / "copy"))
    assert not (tmp_path / "copy/archive/manifests/lincoln/zz.json").exists()
    assert not (tmp_path / "again").exists()


def test_a_whole_backup_is_told_as_whole(copy: Path) -> None:
    whole = verify_backup(str(copy))
    files = [path for path in copy.rglob("*") if path.is_file() and path.name not in ("backup.json", "files.txt", "begun")]

    assert (whole.warehouse, whole.newest, whole.listed) == (True, 1, len(files))
    assert whole.bytes == sum(path.stat().st_size for path in files)


def test_of_two_backups_into_one_folder_at_once_one_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet, names, ended = threading.Barrier(2), Folder.names, []

    def names_together(folder: Folder, name: str = "") -> tuple[str, ...]:
        found = names(folder, name)
        if folder.url == str(tmp_path / "copy") and not name and not found:
            meet.wait(timeout=20)  # both have seen an empty folder
        return found

    def one() -> None:
        workspace = Workspace.open(home)
        try:
            ended.append(back_up(workspace, str(tmp_path / "copy")).newest)
        except RosterError as error:
            ended.append(error.code)
        finally:
            workspace.close()

    monkeypatch.setattr(Folder, "names", names_together)
    both = [threading.Thread(target=one) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(timeout=60)

    assert sorted(ended, key=str) == [1, "not_empty"]
    assert verify_backup(str(tmp_path / "copy")).newest == 1


def test_a_backup_in_a_store_behind_a_url_is_claimed_checked_and_brought_back(home: Path, tmp_path: Path) -> None:
    workspace, url = Workspace.open(home), f"memory://{uuid4().hex}/copy"
    back_up(workspace, url)
    with pytest.raises(BackupTargetNotEmpty, match="new folder"):
        back_up(workspace, url)

    restore(url, tmp_path / "again")
    again = Workspace.open(tmp_path / "again")
    # the second attempt is noted after the copy was made, and the first at its end
    assert {k: v for k, v in dump(again.warehouse).items() if k != "audit"} == {
        k: v for k, v in dump(workspace.warehouse).items() if k != "audit"
    }
    Folder(url).write("archive/objects/zz", b"1")
    with pytest.raises(NoBackup, match="archive/objects/zz is no file of this backup"):
        verify_backup(url)
    Folder(url).remove("archive/objects/zz")
    Folder(url).remove("backup.json")
    with pytest.raises(NoBackup, match="did not come to its end"):
        verify_backup(url)
    with pytest.raises(BackupTargetNotEmpty, match="broke off"):
        back_up(workspace, url)


def test_no_file_is_read_into_memory_as_a_whole(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse and the objects may be larger than memory is; manifests are not."""
    workspace, read = Workspace.open(home), Folder.read
    small = ("backup.json", "files.txt", ".json", ".toml")

    def read_small(folder: Folder, name: str) -> bytes:
        assert name.endswith(small), name
        return read(folder, name)

    monkeypatch.setattr(Folder, "read", read_small)
    monkeypatch.setattr("roster_etl.store.files.folder.CHUNK_SIZE", 1 << 10)
    back_up(workspace, str(tmp_path / "copy"))
    restore(str(tmp_path / "copy"), tmp_path / "again")
