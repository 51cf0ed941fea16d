"""Uploads as folders, zips and single files."""

import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from roster_etl.spec.errors import LandingError, LandingNotFound, UnsafeArchive, UploadMoved
from roster_etl.store.landing.entries import Entry, FetchedFile
from roster_etl.store.landing.local import LocalLanding
from roster_etl.store.landing.upload_source import FetchedUpload, fetch_members, fetch_upload, unpack_single_zip
from roster_etl.store.settings import Settings, UploadLimits

FILES = {"students.csv": b"id\n1\n", "schools.csv": b"id\n9\n"}


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def make_zip(path: Path, members: dict[str, bytes], **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.writestr(info, content)
    return path


def contents(arrival: FetchedUpload) -> dict[str, bytes]:
    return {file.name: file.read() for file in arrival.files}


def test_a_folder_is_its_regular_files(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "up" / "sub").mkdir(parents=True)
    for name, content in FILES.items():
        (tmp_path / "up" / name).write_bytes(content)
    (tmp_path / "up" / "~$students.csv").touch()
    arrival = fetch_upload(str(tmp_path / "up"), settings, to)

    assert arrival.kind == "folder"
    assert contents(arrival) == FILES
    assert [entry.name for entry in arrival.irregular] == ["sub"]
    assert all(stat.S_IMODE(file.path.stat().st_mode) == 0o600 for file in arrival.files)


def test_a_csv_is_an_upload_of_one_file(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "students.csv").write_bytes(b"id\n")
    (tmp_path / "other.csv").write_bytes(b"id\n")
    arrival = fetch_upload(str(tmp_path / "students.csv"), settings, to)

    assert (arrival.kind, contents(arrival)) == ("csv", {"students.csv": b"id\n"})
    with pytest.raises(LandingNotFound, match="nowhere.csv"):
        fetch_upload(str(tmp_path / "nowhere.csv"), settings, to)
    (tmp_path / "link.csv").symlink_to(tmp_path / "students.csv")
    with pytest.raises(LandingError, match="link"):
        fetch_upload(str(tmp_path / "link.csv"), settings, to)


def test_a_zip_is_all_its_members(tmp_path: Path, settings: Settings, to: Path) -> None:
    members = {"students.csv": b"id\n", "sub/schools.csv": b"id\n", "back\\slash.csv": b"", "__MACOSX/._x": b"", "dir/": b""}
    arrival = fetch_upload(str(make_zip(tmp_path / "up.zip", members)), settings, to)

    assert arrival.kind == "zip"
    assert contents(arrival) == {"students.csv": b"id\n", "sub/schools.csv": b"id\n", "back/slash.csv": b""}


def test_a_zip_behind_a_url_is_the_same(settings: Settings, to: Path, tmp_path: Path) -> None:
    make_zip(tmp_path / "up.zip", FILES)
    fsspec.filesystem("memory").pipe_file("/zips-test/up.zip", (tmp_path / "up.zip").read_bytes())

    assert contents(fetch_upload("memory://zips-test/up.zip", settings, to)) == FILES


def test_the_same_content_has_the_same_hash_however_it_comes(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "up").mkdir()
    hashes = set()
    for name, content in FILES.items():
        (tmp_path / "up" / name).write_bytes(content)
    for number, path in enumerate((tmp_path / "up", make_zip(tmp_path / "up.zip", FILES))):
        (tmp_path / str(number)).mkdir()
        hashes.add(fetch_upload(str(path), settings, tmp_path / str(number)).content_hash)

    assert len(hashes) == 1
    (tmp_path / "up" / "students.csv").write_bytes(b"id\n2\n")
    (tmp_path / "2").mkdir()
    assert fetch_upload(str(tmp_path / "up"), settings, tmp_path / "2").content_hash not in hashes


def test_a_set_that_changes_while_it_is_read_is_not_taken(tmp_path: Path, to: Path) -> None:
    class Growing(LocalLanding):
        def fetch(self, entry: Entry, to: Path) -> FetchedFile:
            (tmp_path / "up" / "late.csv").write_bytes(b"x")
            return super().fetch(entry, to)

    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "students.csv").write_bytes(b"id\n")
    with pytest.raises(UploadMoved, match="late.csv"):
        fetch_members(Growing(tmp_path / "up", UploadLimits()), to, UploadLimits(), where="here")


def test_a_folder_may_be_called_like_a_zip(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "up.zip").mkdir()
    (tmp_path / "up.zip" / "students.csv").write_bytes(b"id\n")

    assert contents(fetch_upload(str(tmp_path / "up.zip"), settings, to)) == {"students.csv": b"id\n"}


def test_a_path_relative_to_here_works(tmp_path: Path, settings: Settings, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "students.csv").write_bytes(b"id\n")

    assert contents(fetch_upload("students.csv", settings, to)) == {"students.csv": b"id\n"}


def test_a_file_that_is_neither_csv_nor_zip_is_no_upload(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "students.xlsx").touch()
    with pytest.raises(LandingError, match="neither a folder"):
        fetch_upload(str(tmp_path / "students.xlsx"), settings, to)


def test_what_else_lies_beside_one_csv_does_not_matter(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "students.csv").write_bytes(b"id\n")
    (tmp_path / "other.csv").touch()
    few = replace(settings, limits=replace(settings.limits, archive_members=1))

    assert len(fetch_upload(str(tmp_path / "students.csv"), few, to).files) == 1


def test_a_folder_with_one_zip_and_no_csv_is_that_zip(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "up").mkdir()
    make_zip(tmp_path / "up" / "Today.ZIP", {"a/students.csv": b"id\n1\n", "schools.csv": b"id\n9\n", "inner.zip": b"PK"})
    (tmp_path / "up" / "notes.txt").write_text("hello")
    arrival = unpack_single_zip(fetch_upload(str(tmp_path / "up"), settings, to), settings, to)

    assert sorted(contents(arrival)) == ["a/students.csv", "inner.zip", "notes.txt", "schools.csv"]


@pytest.mark.parametrize("beside", ["other.zip", "students.csv"])
def test_a_zip_beside_another_or_beside_a_csv_is_an_ordinary_file(
    beside: str, tmp_path: Path, settings: Settings, to: Path
) -> None:
    (tmp_path / "up").mkdir()
    make_zip(tmp_path / "up" / "today.zip", FILES)
    (tmp_path / "up" / beside).write_bytes(b"id\n1\n")
    arrival = fetch_upload(str(tmp_path / "up"), settings, to)

    assert unpack_single_zip(arrival, settings, to) is arrival


def test_a_zip_given_by_its_path_is_not_unpacked_twice(tmp_path: Path, settings: Settings, to: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", FILES).read_bytes()
    outer = make_zip(tmp_path / "outer.zip", {"inner.zip": inner})
    arrival = fetch_upload(str(outer), settings, to)

    assert sorted(contents(unpack_single_zip(arrival, settings, to))) == ["inner.zip"]


def test_the_zip_in_a_folder_is_judged_like_any_other(tmp_path: Path, settings: Settings, to: Path) -> None:
    (tmp_path / "up").mkdir()
    make_zip(tmp_path / "up" / "today.zip", {"../students.csv": b"id\n"})
    arrival = fetch_upload(str(tmp_path / "up"), settings, to)

    with pytest.raises(UnsafeArchive):
        unpack_single_zip(arrival, settings, to)
