"""Large content rests in a private file without a name while it is read."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from roster_etl.frames.mapped_bytes import release_pages
from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.spool import spool_pieces


def test_small_content_stays_in_memory(tmp_path: Path):
    content = b"x" * 100

    assert spool_pieces((content,), tmp_path / "scratch", min_bytes=101) is content
    assert spool_pieces((b"",), tmp_path / "scratch", min_bytes=0) == b""
    assert not (tmp_path / "scratch").exists()


def test_released_pages_are_read_again_from_the_file(tmp_path: Path):
    content = os.urandom(100_000)
    mapped = spool_pieces((content,), tmp_path / "scratch", min_bytes=1)
    for start, stop in ((0, 5000), (4096, 100_000), (99_999, 200_000), (7, 7)):
        release_pages(mapped, start, stop)
    release_pages(content, 0, 5000)

    assert mapped[:] == content
    assert list((tmp_path / "scratch").iterdir()) == []
    assert (tmp_path / "scratch").stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_told_as_such(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(FolderUnavailable, match=os.strerror(errno.EFBIG)):
            spool_pieces((b"x" * 5000,), tmp_path, min_bytes=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
