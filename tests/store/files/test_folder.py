"""Folders of ours, on disk and behind a URL."""

import stat
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from roster_etl.spec.errors import FolderUnavailable, SettingsError, UnsafePath
from roster_etl.store.files.folder import Folder


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "f") if request.param == "local" else f"memory://{uuid4().hex}")


def test_what_is_written_can_be_read_listed_moved_and_removed(folder: Folder) -> None:
    folder.write("a/b.txt", b"one")
    folder.write("a/b.txt", b"two!")
    folder.move("a/b.txt", "c/d.txt")

    assert folder.read("c/d.txt") == b"two!"
    assert folder.size("c/d.txt") == 4
    assert folder.modified_at("c/d.txt") > 1_600_000_000
    assert not folder.exists("a/b.txt")
    assert folder.size("a/b.txt") is None
    assert folder.names("c") == ("d.txt",)
    assert "c" in folder.names()
    assert folder.names("nowhere") == ()
    folder.remove("c")
    folder.remove("c")
    assert not folder.exists("c/d.txt")


def test_large_files_go_in_and_out_a_piece_at_a_time(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("folder", "object_store"):
        monkeypatch.setattr(f"roster_etl.store.files.{room}.CHUNK_SIZE", 4)
    (tmp_path / "large").write_bytes(b"0123456789")
    folder.put("a/large", tmp_path / "large")

    assert list(folder.read_chunks("a/large")) == [b"0123", b"4567", b"89"]
    assert (folder.read("a/large"), folder.names("a")) == (b"0123456789", ("large",))
    with pytest.raises(FileNotFoundError):
        folder.read_chunks("a/none")


def test_who_claims_first_has_it(folder: Folder) -> None:
    assert [folder.claim("begun", b"1"), folder.claim("begun", b"2")] == [True, False]

    (name,) = folder.names()
    assert folder.read(name) == b"1"


def test_of_two_claims_in_an_object_store_that_see_each_other_none_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(f"memory://{uuid4().hex}")
    names = Folder.names
    monkeypatch.setattr(Folder, "names", lambda self, name="": (*names(self, name), "begun.0123456789ab"))

    assert not folder.claim("begun", b"1")
    monkeypatch.undo()
    assert folder.names() == ()


def test_a_walk_names_every_file_and_follows_no_link(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "f"))
    folder.write("a/b/c", b"1")
    (tmp_path / "f" / "a" / "loop").symlink_to("..")
    (tmp_path / "f" / "a" / ".hidden").touch()

    assert sorted(folder.all_files()) == [("a/.hidden", True), ("a/b/c", True), ("a/loop", False)]
    behind = Folder(f"memory://{uuid4().hex}")
    assert list(behind.all_files()) == []
    behind.write("a/b", b"1")
    assert list(behind.all_files()) == [("a/b", True)]


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", "", ".", "..", "a/../b", ".hidden", "-x", "a b", "a\n", "ä", "a\x00", "x" * 129, "a\\b"]
)
def test_a_name_that_could_leave_the_folder_is_refused(folder: Folder, name: str) -> None:
    for act in (
        folder.read,
        folder.read_chunks,
        folder.exists,
        folder.size,
        folder.remove,
        folder.modified_at,
        lambda n: folder.write(n, b""),
        lambda n: folder.move("x", n),
        lambda n: folder.put(n, Path(__file__)),
        lambda n: folder.claim(n, b""),
    ):
        with pytest.raises(UnsafePath):
            act(name)


def test_files_are_private_and_nothing_is_left_of_a_failed_write(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "f"))
    folder.write("a/b", b"good")
    with pytest.raises(ZeroDivisionError):
        folder.write_with("a/b", lambda out: out.write(b"bad") / 0)

    assert folder.read("a/b") == b"good"
    assert folder.names("a") == ("b",)
    assert stat.S_IMODE((tmp_path / "f" / "a" / "b").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "f" / "a").stat().st_mode) == 0o700


def test_our_own_files_never_rest_on_an_sftp_server() -> None:
    with pytest.raises(SettingsError, match="SFTP is for landing zones"):
        Folder("sftp://u:secret@h/x")


def test_what_a_killed_process_was_writing_is_removed_after_a_day(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "archive"))
    folder.write("objects/aa/whole", b"1")
    folder.write("objects/aa/half.0123456789ab.part", b"2")

    assert (folder.remove_partial_files(), folder.remove_partial_files(older_than=-60)) == (0, 1)
    assert folder.names("objects/aa") == ("whole",)


LINKED: dict[str, Callable[[Folder], object]] = {
    "write": lambda folder: folder.write("objects/aa/new", b"x"),
    "claim": lambda folder: folder.claim("objects/new", b"x"),
    "move into": lambda folder: folder.move("here", "objects/new"),
    "move out of": lambda folder: folder.move("objects/file", "new"),
    "remove": lambda folder: folder.remove("objects/file"),
    "a partial file": lambda folder: Folder(folder.url, partial_files="objects").write("new", b"x"),
}


@pytest.mark.parametrize("act", LINKED)
def test_nothing_is_written_moved_or_removed_through_a_link(tmp_path: Path, act: str) -> None:
    folder, elsewhere = Folder(str(tmp_path / "archive")), tmp_path / "elsewhere"
    folder.write("here", b"1")
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"2")
    (tmp_path / "archive" / "objects").symlink_to(elsewhere)

    with pytest.raises(FolderUnavailable, match="objects is a link"):
        LINKED[act](folder)

    assert [path.name for path in elsewhere.rglob("*")] == ["file"]
    assert sorted(folder.names()) == ["here", "objects"]
