"""Private temporary folders for uploads while they are read, and the removal of those that killed processes left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.folder import create_private_folder

_LOCK = ".lock"


@contextmanager
def scratch_folder(scratch: Path) -> Iterator[Path]:
    """Create a private (0700) folder under `scratch`, and remove it with its content when the block ends. Raises FolderUnavailable.

    It is locked while its process lives, so that `remove_orphaned_folders` in another process skips it.
    """
    try:
        create_private_folder(scratch)
        folder = Path(tempfile.mkdtemp(prefix="upload-", dir=scratch))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderUnavailable(where=scratch, problem=error.strerror or type(error).__name__) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_orphaned_folders(scratch: Path) -> int:
    """Remove the folders of dead processes, and return how many there were; call it at start-up."""
    folders = [folder for folder in scratch.glob("upload-*") if folder.is_dir() and not folder.is_symlink()]
    return sum(_remove_if_orphan(folder) for folder in folders)


def _remove_if_orphan(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False  # being created, or being removed, at this moment
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
