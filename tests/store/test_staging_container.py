"""One file with many entries: appended to, cut off by a kill, replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.store.staging_container import Container, ContainerDamaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1" / "validated.arrows"


def put(container: Container, name: str, content: bytes, *, replace: bool = False) -> None:
    container.append(name, lambda out: out.write(content), replace=replace)


def content(container: Container, name: str) -> bytes:
    return container.read(name).to_pybytes()


def test_every_entry_is_read_back_and_the_last_of_a_name_counts(path: Path) -> None:
    container = Container(path)
    put(container, "a", b"1")
    put(container, "b/é", b"")
    put(container, "a", b"22")

    assert content(container, "a") == content(Container(path), "a") == b"22"
    assert content(Container(path), "b/é") == b""
    assert not container.has("c")
    with pytest.raises(FileNotFoundError):
        container.read("c")


def test_the_file_is_private(path: Path) -> None:
    put(Container(path), "a", b"1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_entry_whose_writer_failed_does_not_count_and_makes_room(path: Path) -> None:
    container = Container(path)
    put(container, "a", b"1")

    def fails(out) -> None:
        out.write(b"half of it")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        container.append("b", fails)
    size = path.stat().st_size

    assert not Container(path).has("b")
    put(container, "c", b"3")
    assert path.stat().st_size < size
    assert content(Container(path), "a") == b"1"
    assert content(Container(path), "c") == b"3"


@pytest.mark.parametrize("lost", range(1, 22))
def test_a_file_that_a_crash_cut_off_has_the_entries_before(path: Path, lost: int) -> None:
    put(Container(path), "a", b"1")
    put(Container(path), "b", b"22222")
    path.write_bytes(path.read_bytes()[:-lost])

    assert not Container(path).has("b")
    assert content(Container(path), "a") == b"1"


def test_a_file_whose_writer_was_killed_at_once_has_no_entries(path: Path) -> None:
    put(Container(path), "a", b"1")
    path.write_bytes(path.read_bytes()[:5])

    assert not Container(path).has("a")
    put(Container(path), "b", b"2")
    assert content(Container(path), "b") == b"2"


def test_what_another_process_appends_or_replaces_is_seen(path: Path) -> None:
    one, other = Container(path), Container(path)
    put(one, "a", b"1")
    assert content(other, "a") == b"1"
    put(other, "b", b"2")
    assert content(one, "b") == b"2"
    put(other, "c", b"333333333333333333333333333333333333333333", replace=True)

    assert not one.has("a")
    assert one.has("c")
    path.unlink()
    assert not one.has("c")


def test_a_file_that_is_none_of_ours_is_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"PAR1" + bytes(60))

    with pytest.raises(ContainerDamaged):
        Container(path).has("a")


@pytest.mark.parametrize("name", ["a", "b" * 43, "c" * 44, "d" * 45, "mapped/enrollments", "ä"])
def test_content_begins_at_a_multiple_of_64_whatever_the_name_and_what_is_before(path: Path, name: str) -> None:
    container = Container(path)
    container.append("before", lambda file: file.write(b"odd"))
    container.append(name, lambda file: file.write(b"content"))

    read = Container(path).read(name)
    assert read.to_pybytes() == b"content"
    assert path.read_bytes().index(b"content") % 64 == 0
    assert read.address % 64 == 0


def test_what_was_read_stays_as_it_was_when_the_file_is_appended_to_replaced_or_removed(path: Path) -> None:
    container = Container(path)
    container.append("one", lambda file: file.write(b"first"))
    first = container.read("one")
    container.append("one", lambda file: file.write(b"second"))
    second = container.read("one")
    container.append("one", lambda file: file.write(b"third"), replace=True)
    path.unlink()

    assert (first.to_pybytes(), second.to_pybytes()) == (b"first", b"second")


def test_a_large_entry_is_read_without_copying_it(path: Path) -> None:
    container = Container(path)
    container.append("large", lambda file: file.write(bytes(1 << 20)))
    before = pa.total_allocated_bytes()
    content = container.read("large")
    assert (content.size, pa.total_allocated_bytes() - before) == (1 << 20, 0)


def test_a_file_that_became_shorter_under_its_reader_is_read_anew(path: Path) -> None:
    container = Container(path)
    for name in ("one", "two"):
        container.append(name, lambda file: file.write(b"content"))
    os.truncate(path, path.stat().st_size - 1)
    assert (container.has("one"), container.has("two")) == (True, False)
