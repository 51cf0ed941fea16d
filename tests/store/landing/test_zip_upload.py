"""Zips: what is refused before it is unpacked."""

import io
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from roster_etl.spec.errors import UnsafeArchive
from roster_etl.store.landing.upload_source import fetch_upload
from roster_etl.store.settings import Settings


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


@pytest.mark.parametrize("name", ["../x.csv", "/etc/x.csv", "a/../../x.csv", "C:\\x.csv", "..\\x.csv", "..", "\\\\server\\x.csv"])
def test_a_member_that_would_leave_the_zip_refuses_it(tmp_path: Path, settings: Settings, to: Path, name: str) -> None:
    make_zip(tmp_path / "up.zip", {"students.csv": b"", name: b""})
    with pytest.raises(UnsafeArchive, match="path leaves"):
        fetch_upload(str(tmp_path / "up.zip"), settings, to)

    assert [path.name for path in to.iterdir()] == ["upload.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_a_link_or_a_device_in_a_zip_refuses_it(tmp_path: Path, settings: Settings, to: Path, kind: int) -> None:
    make_zip(tmp_path / "up.zip", {"students.csv": b"/etc/passwd"}, external_attr=(kind | 0o777) << 16, create_system=3)
    with pytest.raises(UnsafeArchive, match="link or a device"):
        fetch_upload(str(tmp_path / "up.zip"), settings, to)


def test_a_zip_beyond_the_limits_is_not_unpacked(tmp_path: Path, settings: Settings, to: Path) -> None:
    def refuse(members: dict[str, bytes], words: str, **limits: int) -> None:
        changed = replace(settings, limits=replace(settings.limits, **limits))
        make_zip(tmp_path / "up.zip", members)
        with pytest.raises(UnsafeArchive, match=words):
            fetch_upload(str(tmp_path / "up.zip"), changed, to)
        (to / "upload.zip").unlink()

    refuse({"bomb.csv": b"0" * 10_000_000}, "more than 100 times its size")
    refuse({"a.csv": b"x" * 2000}, "more than 1000 bytes", archive_bytes=1000)
    refuse({f"{n}.csv": b"" for n in range(11)}, "more than 10 members", archive_members=10)
    assert list(to.iterdir()) == []


def test_two_members_of_one_name_refuse_the_zip(tmp_path: Path, settings: Settings, to: Path) -> None:
    make_zip(tmp_path / "up.zip", {"students.csv": b"1", "Students.csv": b"2"})
    with pytest.raises(UnsafeArchive, match="same name"):
        fetch_upload(str(tmp_path / "up.zip"), settings, to)


def test_a_zip_that_lies_about_sizes_or_is_damaged_is_refused(tmp_path: Path, settings: Settings) -> None:
    good = make_zip(tmp_path / "up.zip", {"students.csv": b"id\n" * 1000}).read_bytes()
    directory = good.rindex(b"PK\x01\x02")
    lying = bytearray(good)
    struct.pack_into("<I", lying, directory + 24, 10)  # says: 10 bytes
    encrypted = bytearray(good)
    encrypted[directory + 8] |= 1
    flipped = bytearray(good)
    flipped[45] ^= 0xFF
    broken = {"lying": lying, "cut": good[:-30], "empty": b"", "text": b"id\n1\n", "flipped": flipped, "encrypted": encrypted}
    for name, content in broken.items():
        (tmp_path / name).mkdir()
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(UnsafeArchive, match=r"bad\.zip: not unpacked"):
            fetch_upload(str(tmp_path / "bad.zip"), settings, tmp_path / name)


def test_a_directory_of_millions_is_refused_before_it_is_read(tmp_path: Path, settings: Settings, to: Path) -> None:
    tail = io.BytesIO()
    tail.write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, 1 << 30, 0, 0))
    (tmp_path / "bad.zip").write_bytes(tail.getvalue())
    with pytest.raises(UnsafeArchive, match="more than 10000 members"):
        fetch_upload(str(tmp_path / "bad.zip"), settings, to)


def test_many_members_are_unpacked(tmp_path: Path, settings: Settings, to: Path) -> None:
    make_zip(tmp_path / "up.zip", {f"{number}.csv": b"" for number in range(300)})

    assert len(fetch_upload(str(tmp_path / "up.zip"), settings, to).files) == 300
