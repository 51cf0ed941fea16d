"""Locks on the imports that processes of this home work on; the OS releases a lock when its process dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roster_etl.store.files.folder import create_private_folder
from roster_etl.store.files.urls import redact

_own_locks: dict[Path, int] = {}  # the locks of this process, by file


class ImportLocks:
    """The locks in `folder` on imports of one warehouse: ``import-<warehouse>-<number>.lock``.

    The lock is shared, so that the steps of one import may run in several processes. Lock file present and unlocked: the process
    died. No lock file: unknown; the import may belong to another home.
    """

    def __init__(self, folder: Path, warehouse: str) -> None:
        self._folder = folder
        self._warehouse = hashlib.sha256(redact(warehouse).encode()).hexdigest()[:12]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Serialize, across processes, beginning an import and searching for orphaned ones."""
        create_private_folder(self._folder)
        gate = _open_lock_file(self._folder / "imports.gate")
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    def acquire(self, import_id: int, run_id: str | None = None) -> None:
        """Lock an import for a run, until it is released or this process ends."""
        file = self._lock_file(import_id)
        if file in _own_locks:
            return
        create_private_folder(self._folder)
        lock = _open_lock_file(file)
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.ftruncate(lock, 0)
        os.pwrite(lock, (run_id or "").encode(), 0)
        _own_locks[file] = lock

    def release(self, import_id: int, *, ended: bool) -> None:
        """Unlock an import. One that has not ended keeps its lock file, which marks it as orphaned."""
        file = self._lock_file(import_id)
        lock = _own_locks.pop(file, None)
        if lock is None:
            return
        if ended:
            file.unlink(missing_ok=True)
        os.close(lock)

    def is_locked(self, import_id: int) -> bool:
        """Return whether a living process works on an import."""
        return self._lock_file(import_id).exists() and not is_unlocked(self._lock_file(import_id))

    def orphaned(self) -> list[int]:
        """Return the imports whose processes are dead, in ascending order."""
        name = re.compile(rf"import-{self._warehouse}-(\d+)\.lock")
        found = [(int(match[1]), file) for file in self._folder.glob("import-*.lock") if (match := name.fullmatch(file.name))]
        return sorted(number for number, file in found if is_unlocked(file))

    def last_run_of(self, import_id: int) -> str | None:
        """Return the run that last locked an import in this home (empty: none, or unknown); None: no lock file."""
        try:
            return self._lock_file(import_id).read_text("utf-8")
        except FileNotFoundError:
            return None

    def discard(self, import_id: int) -> None:
        """Remove the lock file of an import that has ended."""
        self._lock_file(import_id).unlink(missing_ok=True)

    def _lock_file(self, import_id: int) -> Path:
        return self._folder / f"import-{self._warehouse}-{import_id}.lock"


def _open_lock_file(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def is_unlocked(file: Path) -> bool:
    """Return whether a lock file is there and no living process holds its lock."""
    try:
        lock = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return False  # it ended at this moment
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
