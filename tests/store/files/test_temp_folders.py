"""Private temporary folders."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from roster_etl.store.files.temp_folders import remove_orphaned_folders, scratch_folder

DIES = "import os, sys; from pathlib import Path; from roster_etl.store.files.temp_folders import scratch_folder\nwith scratch_folder(Path(sys.argv[1])): os._exit(9)"


def test_a_scratch_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "s") as folder:
        (folder / "students.csv").write_bytes(b"x")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    assert os.listdir(tmp_path / "s") == []


def test_an_error_leaves_no_scratch_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder(tmp_path / "s"):
        raise ZeroDivisionError

    assert os.listdir(tmp_path / "s") == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    with scratch_folder(tmp_path) as mine:
        assert len(os.listdir(tmp_path)) == 2
        assert remove_orphaned_folders(tmp_path) == 1
        assert os.listdir(tmp_path) == [mine.name]


def test_there_may_be_nothing_to_sweep(tmp_path: Path) -> None:
    assert remove_orphaned_folders(tmp_path / "nowhere") == 0
