"""The archive."""

import hashlib
import stat
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.spec.errors import ArchiveError, BadDistrictId
from roster_etl.store.archive import Archive

ORIGINAL = hashlib.sha256(b"with passwords").hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def test_bytes_come_back_by_the_hash_of_what_was_stored(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"blanked")
    stored = archive.put(b"blanked", original_sha256=ORIGINAL)

    assert archive.get(stored.key) == b"blanked"
    assert (stored.key, stored.original_sha256, stored.size) == (hashlib.sha256(b"blanked").hexdigest(), ORIGINAL, 7)
    assert archive.put(tmp_path / "file", original_sha256=ORIGINAL) == stored
    assert archive.has(stored.key)


def test_storing_twice_writes_once(archive: Archive, tmp_path: Path) -> None:
    key = archive.put(b"x", original_sha256=ORIGINAL).key
    path = tmp_path / "archive" / "objects" / key[:2] / f"{key}.zst"
    before = path.stat()
    archive.put(b"x", original_sha256=ORIGINAL)

    assert path.stat().st_ino == before.st_ino
    assert stat.S_IMODE(before.st_mode) == 0o600


@pytest.mark.parametrize("content", [b"evil", bytes(pa.Codec("zstd").compress(b"evil", asbytes=True))])
def test_bytes_that_rotted_are_not_given_out(archive: Archive, tmp_path: Path, content: bytes) -> None:
    key = archive.put(b"good", original_sha256=ORIGINAL).key
    (tmp_path / "archive" / "objects" / key[:2] / f"{key}.zst").write_bytes(content)
    with pytest.raises(ArchiveError, match="no longer"):
        archive.get(key)


def test_content_is_given_in_pieces_and_what_rotted_is_told_once_all_were(archive: Archive, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    key = archive.put(content, original_sha256=ORIGINAL).key
    pieces = [*archive.pieces(key)]
    stored = tmp_path / "archive" / "objects" / key[:2] / f"{key}.zst"
    stored.write_bytes(bytes(pa.Codec("zstd").compress(content + b"x", asbytes=True)))
    taken: list[bytes] = []

    with pytest.raises(ArchiveError, match="no longer"):
        taken.extend(archive.pieces(key))

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) < len(content)
    assert b"".join(taken) == content + b"x"


def test_objects_are_stored_compressed_and_those_of_earlier_versions_are_read_as_they_are(
    archive: Archive, tmp_path: Path
) -> None:
    rows = b"".join(b"%d,student,1001\n" % number for number in range(1000))
    key = archive.put(rows, original_sha256=ORIGINAL).key
    stored = tmp_path / "archive" / "objects" / key[:2] / f"{key}.zst"
    assert stored.stat().st_size < len(rows) / 3
    assert archive.get(key) == rows

    stored.unlink()
    assert not archive.has(key)
    (stored.with_name(key)).write_bytes(rows)
    assert archive.has(key)
    assert archive.get(key) == rows
    archive.put(rows, original_sha256=ORIGINAL)
    assert not stored.exists()


def test_what_is_not_there_is_an_error_that_says_so(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="nothing is stored"):
        archive.get("0" * 64)
    with pytest.raises(ArchiveError, match="no key"):
        archive.get("../../etc/passwd")
    with pytest.raises(ArchiveError, match="no such manifest"):
        archive.read_manifest("lincoln", 1)
    with pytest.raises(ArchiveError, match="no sha256"):
        archive.put(b"", original_sha256="x")


def test_manifests_are_kept_by_district_and_import(archive: Archive, tmp_path: Path) -> None:
    for import_id in (10, 9, 2):
        archive.write_manifest("lincoln", import_id, {"import_id": import_id, "name": "Schüler"})
    archive.write_manifest("lincoln", 2, {"import_id": 2, "decision": "approved"})

    assert archive.manifests("lincoln") == (2, 9, 10)
    assert archive.manifests("adams") == ()
    assert archive.read_manifest("lincoln", 2) == {"import_id": 2, "decision": "approved"}
    assert archive.read_manifest("lincoln", 9)["name"] == "Schüler"
    with pytest.raises(BadDistrictId):
        archive.write_manifest("../x", 1, {})
    (tmp_path / "archive" / "manifests" / "lincoln" / "9.json").write_text("{")
    with pytest.raises(ArchiveError, match="damaged"):
        archive.read_manifest("lincoln", 9)


def test_the_archive_may_lie_behind_any_url() -> None:
    archive = Archive("memory://archive-of-test")
    key = archive.put(b"x", original_sha256=ORIGINAL).key
    archive.write_manifest("lincoln", 1, {})

    assert archive.get(key) == b"x"
    assert archive.manifests("lincoln") == (1,)


def test_uploads_wait_in_the_order_of_their_arrival_under_numbers_that_never_come_again(archive: Archive) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    numbers = [archive.add_pending_upload("lincoln", "canvas", {"n": n}, at=at) for n in (1, 2)]
    read = [archive.read_pending_upload("lincoln", "canvas", number) for number in numbers]
    archive.remove_pending_upload("lincoln", "canvas", numbers[0])

    assert read == [{"n": 1}, {"n": 2}]
    assert archive.pending_uploads("lincoln", "canvas") == (numbers[1],)
    archive.remove_pending_upload("lincoln", "canvas", numbers[1])
    assert archive.add_pending_upload("lincoln", "canvas", {}, at=datetime(2026, 1, 2, tzinfo=UTC)) > numbers[1]
    assert archive.pending_uploads("lincoln", "clever") == archive.pending_uploads("madison", "canvas") == ()


def test_an_upload_that_waits_no_longer_says_so(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="waits no longer"):
        archive.read_pending_upload("lincoln", "canvas", 1)


def test_bytes_that_go_go_with_what_was_half_written_of_them(archive: Archive, tmp_path: Path) -> None:
    key = archive.put(b"personal", original_sha256=ORIGINAL).key
    half = tmp_path / "archive" / "objects" / key[:2] / f"{key}.0123456789ab.part"
    half.write_bytes(b"pers")

    assert archive.remove_unreferenced([key]) == 1
    assert list((tmp_path / "archive" / "objects" / key[:2]).iterdir()) == []


def test_a_removal_that_was_begun_is_known_until_it_ends(archive: Archive) -> None:
    archive.begin_removal("lincoln", ["a"], {1: [{"key": "x"}]})
    archive.begin_removal("lincoln", ["b"], {2: []})

    assert archive.pending_removals() == ("lincoln",)
    assert archive.pending_removal("lincoln") == {"keys": ["a", "b"], "members": {"1": [{"key": "x"}], "2": []}}
    archive.end_removal("lincoln")
    assert (archive.pending_removals(), archive.pending_removal("lincoln")) == ((), {"keys": [], "members": {}})
