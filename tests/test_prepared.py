"""What stands in for slow work in tests leaves the same files as that work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_storage_of_a_new_home_has_the_modes_of_the_process_that_makes_it(
    tmp_path: Path, umask: int, prepared_storage: None
) -> None:
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    mode = 0o777 & ~umask
    (tmp_path / "first").mkdir(mode=0o700)
    DagsterSqliteStorage(str(tmp_path / "first"))
    before = os.umask(umask)
    try:
        (tmp_path / "home").mkdir(mode=0o700)
        DagsterSqliteStorage(str(tmp_path / "home"))
    finally:
        os.umask(before)

    made = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()}
    assert made == {"history": mode, "schedules": mode}
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
