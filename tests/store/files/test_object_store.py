"""Our own files in an object store: a real client, over the wire, to a server that speaks S3."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import fsspec
import pyarrow as pa
import pytest

from roster_etl.spec.errors import ArchiveError, RosterError, SettingsError, StoreRefused, StoreUnavailable
from roster_etl.store.archive import Archive
from roster_etl.store.files.folder import Folder
from roster_etl.store.landing.open import open_folder, open_landing
from roster_etl.store.registry.registry import Feed
from roster_etl.store.settings import Settings
from roster_etl.store.staging_frames import FrameStore
from tests.s3 import SECRET


@pytest.fixture(params=["s3", "memory"])
def folder(request: pytest.FixtureRequest) -> Folder:
    """A folder of ours in an object store, and in what fsspec has of its own."""
    if request.param == "memory":
        return Folder(f"memory://{uuid4().hex}/ours")
    return Folder(f"{request.getfixturevalue('bucket')}/ours")


def test_an_object_is_replaced_listed_moved_and_removed(folder: Folder) -> None:
    folder.write("a/b.txt", b"one")
    folder.write("a/b.txt", b"two!")
    folder.move("a/b.txt", "c/d.txt")

    assert folder.read("c/d.txt") == b"two!"
    assert (folder.size("c/d.txt"), folder.size("a/b.txt")) == (4, None)
    assert folder.modified_at("c/d.txt") > 1_600_000_000
    assert folder.names("c") == ("d.txt",)
    assert folder.names("nowhere") == ()
    assert folder.read_all(["c/d.txt", "c/none"]) == {"c/d.txt": b"two!"}
    folder.remove("c/d.txt")
    folder.remove("c/d.txt")
    assert not folder.exists("c/d.txt")


def test_a_large_object_goes_in_and_out_a_piece_at_a_time(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roster_etl.store.files.object_store.CHUNK_SIZE", 4)
    (tmp_path / "large").write_bytes(b"0123456789")
    folder.put("a/large", tmp_path / "large")

    assert list(folder.read_chunks("a/large")) == [b"0123", b"4567", b"89"]
    assert list(folder.all_files()) == [("a/large", True)]
    with pytest.raises(FileNotFoundError):
        folder.read_chunks("a/none")


def test_who_claims_a_folder_first_has_it(folder: Folder) -> None:
    assert [folder.claim("begun", b"1"), folder.claim("begun", b"2")] == [True, False]
    assert [folder.read(name) for name in folder.names()] == [b"1"]


def test_removing_one_import_leaves_those_whose_numbers_begin_alike(folder: Folder) -> None:
    for number in (1, 10, 11):
        folder.write(f"lincoln/{number}/upload.json", b"{}")
    folder.remove("lincoln/1")

    assert folder.names("lincoln") == ("10", "11")


def test_nothing_is_left_of_a_write_that_failed_half_way(folder: Folder) -> None:
    folder.write("a/b", b"good")
    with pytest.raises(ZeroDivisionError):
        folder.write_with("a/b", lambda out: out.write(b"bad") / 0)

    assert folder.read("a/b") == b"good"
    assert folder.names("a") == ("b",)


def test_what_another_host_writes_is_seen_at_once(bucket: str) -> None:
    ours, theirs = Folder(f"{bucket}/x"), fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    ours.write("a/1", b"1")
    before = ours.names("a")
    theirs.pipe_file(f"{bucket.removeprefix('s3://')}/x/a/2", b"2")

    assert (before, ours.names("a")) == (("1",), ("1", "2"))
    theirs.pipe_file(f"{bucket.removeprefix('s3://')}/x/a/3", b"3")
    assert ours.exists("a/3")
    assert ours.size("a/3") == 1


def test_an_object_that_marks_a_folder_is_no_file_of_it(bucket: str) -> None:
    folder = Folder(f"{bucket}/x")
    folder.write("a/1", b"1")
    fsspec.filesystem("s3").pipe_file(f"{bucket.removeprefix('s3://')}/x/a/", b"")

    assert folder.names("a") == ("1",)


def test_archive_and_frames_hold_what_was_put(bucket: str) -> None:
    archive, frames = Archive(f"{bucket}/archive"), FrameStore(f"{bucket}/staging")
    stored = archive.put(b"a,b\n", original_sha256="0" * 64)
    archive.write_manifest("lincoln", 1, {"members": [{"key": stored.key}]})
    table = pa.table({"name": ["Ann", None], "_row": pa.array([2, 3], pa.int64())})
    for number in (1, 2, 3):
        frames.write("lincoln", number, "file-rows", "rows/students", table)
    frames.flush()
    frames.close()

    assert archive.get(stored.key) == b"a,b\n"
    assert archive.remove_unreferenced([stored.key]) == 0
    assert frames.read("lincoln", 3, "file-rows", "rows/students").equals(table)
    assert frames.remove_old_imports(newest=1) == 2
    assert frames.exists("lincoln", 3, "file-rows", "rows/students")
    with pytest.raises(ArchiveError, match="nothing is stored"):
        archive.get("1" * 64)


def test_a_landing_zone_may_lie_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    theirs = Folder(f"{bucket}/landing")
    theirs.write("lincoln/students.csv", b"Student_id\n1\n")
    settings = Settings.load(tmp_path / "home", {"ROSTER_ETL_LANDING": f"{bucket}/landing"})
    with open_landing("lincoln", Feed(format="clever"), settings) as landing:
        (entry,) = landing.listing()
        fetched = landing.fetch(entry, tmp_path / "copy")

    assert (entry.name, entry.size, entry.mtime > 1_600_000_000) == ("students.csv", 13, True)
    assert fetched.read() == b"Student_id\n1\n"
    with open_folder(f"{bucket}/landing", settings) as base:
        assert [(found.name, found.regular) for found in base.listing()] == [("lincoln", False)]


# ── what goes wrong: our words, no secret ──


def _told(folder: Folder) -> Iterator[RosterError]:
    for act in (
        lambda: folder.write("a", b""),
        folder.names,
        lambda: folder.exists("a"),
        lambda: folder.read_all(["a"]),
    ):
        with pytest.raises(RosterError) as caught:
            act()
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        yield caught.value


def test_a_bucket_that_is_missing_is_said_and_not_created(bucket: str) -> None:
    folder = Folder("s3://no-such-bucket-of-ours/x")
    with pytest.raises(StoreRefused, match="no such bucket"):
        folder.write("a", b"1")

    assert folder.names() == ()
    assert not fsspec.filesystem("s3").exists("no-such-bucket-of-ours")


def test_a_store_that_does_not_answer_may_be_tried_again(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with _few_tries():
        errors = list(_told(Folder(f"{bucket}/other")))

    assert {type(error) for error in errors} == {StoreUnavailable}
    assert {error.message for error in errors} == {
        f"{bucket}/other: the store does not respond, or the connection broke off (EndpointConnectionError); try again"
    }


def test_credentials_that_are_missing_are_said(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with _few_tries(), pytest.raises(StoreRefused, match="no credentials in the environment"):
        Folder(f"{bucket}/other").write("a", b"1")


def test_access_that_is_denied_is_said(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(f"AccessDenied for key {SECRET}")

    for name in ("pipe_file", "ls", "info", "cat"):
        monkeypatch.setattr(folder._objects._fs, name, deny)

    assert {type(error) for error in _told(folder)} == {StoreRefused}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"s3://key:{SECRET}@bucket/x", "the URL contains a password"),
        ("sftp://u@h/x", "SFTP is for landing zones"),
        ("nosuch://x/y", "no way to read such a URL is installed"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_secret(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        Folder(url)

    assert SECRET not in str(caught.value)


@contextmanager
def _few_tries() -> Iterator[None]:
    """Let the client look at the environment again, and not try five times with pauses."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    before, s3fs.S3FileSystem.retries = s3fs.S3FileSystem.retries, 1
    try:
        yield
    finally:
        s3fs.S3FileSystem.retries = before
        s3fs.S3FileSystem.clear_instance_cache()
