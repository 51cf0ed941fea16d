"""Locks of processes: whether that of a run is alive, and who may do a piece of work; the OS releases them when a process dies.

Belongs here: holding and inspecting them, for runs that work on no import. Does not belong here: imports (``import_locks``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from roster_etl.store.files.folder import create_private_folder
from roster_etl.store.import_locks import is_unlocked


class RunLocks:
    """The locks in `folder`, a file a run. No file: the run has not begun, has ended, or works on another machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """Hold the lock of a run for the block; a process that dies in it leaves the file behind."""
        create_private_folder(self._folder)
        new = self._folder / f"run-{run_id}.new"
        lock = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(new, self._file(run_id))  # only now: a file that is there and unlocked is that of a dead process
        try:
            yield
        finally:
            self._file(run_id).unlink(missing_ok=True)
            os.close(lock)

    @contextmanager
    def one_at_a_time(self, work: str) -> Iterator[None]:
        """Wait until no other process of this machine does `work`, and hold its lock for the block."""
        create_private_folder(self._folder)
        file = self._folder / f"work-{hashlib.sha256(work.encode()).hexdigest()[:16]}.lock"
        lock = _lock_file(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            os.close(lock)

    def is_dead(self, run_id: str) -> bool:
        """Return whether the process of a run died on this machine."""
        return is_unlocked(self._file(run_id)) and self._file(run_id).exists()  # else it ended at this moment

    def discard(self, run_id: str) -> None:
        """Remove the file of a run that is dead."""
        self._file(run_id).unlink(missing_ok=True)

    def _file(self, run_id: str) -> Path:
        return self._folder / f"run-{run_id}.lock"


def _lock_file(file: Path) -> int:
    """Create and lock a file that its holder removes in the end: one that was removed while we waited is nobody's."""
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(file), os.fstat(lock)):
                return lock
        os.close(lock)
