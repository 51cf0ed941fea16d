"""A folder of ours behind any fsspec URL: written atomically, readable by nobody else.

Belongs here: reading, writing, listing and removing files by safe relative names.
Does not belong here: what the files mean (``archive``, ``frames``, ``districts``), or folders of others (``landing``).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from roster_etl.spec.errors import SettingsError, StorageUnavailable, UnsafePath
from roster_etl.store.faults import fault_point
from roster_etl.store.urls import local_path, redact

PART_SECONDS = 86_400.0  # no file takes a day to be written
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


def safe(name: str) -> str:
    """Return `name` if it is a plain relative path: segments of letters, digits, ``.``, ``_``, ``-``. Raises UnsafePath."""
    if not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
        raise UnsafePath(name=name)
    return name


def make_private(folder: Path) -> None:
    """Create `folder` and what is missing above it, each 0700; folders that exist keep their mode."""
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def create_private(path: Path) -> BinaryIO:
    """Open a new file for writing, 0600 from its first moment. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")


class Folder:
    """A folder behind a path or an fsspec URL. Names are relative, of safe segments joined by ``/``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = local_path(url)
        self._fs: Any = None
        self._root = ""
        if self._path is None:
            if "sftp:" in url or "ssh:" in url:
                raise SettingsError(
                    where=redact(url), problem="SFTP is for landing zones; keep our own files on disk or in an object store"
                )
            import fsspec  # local folders do without

            self._fs, self._root = fsspec.url_to_fs(url)

    def read(self, name: str) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError."""
        if self._path is not None:
            return (self._path / safe(name)).read_bytes()
        content: bytes = self._fs.cat_file(self._at(name))
        return content

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Write `content` under `name`, as a whole or not at all, replacing what was there."""
        self.write_by(name, lambda out: out.write(content))

    def write_by(self, name: str, fill: Callable[[BinaryIO], Any], *, durable: bool = True) -> None:
        """Let `fill` write into a new file, then put it under `name`, as a whole or not at all.

        `durable`: wait until the disk has it; what can be made again need not.
        Raises: StorageUnavailable: it cannot be written; nothing was.
        """
        with _written(self.url):
            self._write_by(name, fill, durable=durable)

    def _write_by(self, name: str, fill: Callable[[BinaryIO], Any], *, durable: bool) -> None:
        waiting = f"{safe(name)}.{secrets.token_hex(6)}.part"
        if self._path is not None:
            _write_local(self._path / name, self._path / waiting, fill, durable=durable)
            return
        target, temporary = self._at(name), self._at(waiting)
        self._fs.makedirs(_above(target), exist_ok=True)
        with self._fs.open(temporary, "wb") as out:
            fill(out)
        fault_point("file.part")
        self._fs.mv(temporary, target)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time read and write here, as far as all of them ask; only a local folder can be locked."""
        if self._path is None:
            yield
            return
        make_private(self._path)
        lock = os.open(self._path, os.O_RDONLY)  # the folder itself, so that nothing lies in it for this
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder `name`."""
        return (self._path / safe(name)).exists() if self._path is not None else bool(self._fs.exists(self._at(name)))

    def size(self, name: str) -> int | None:
        """Return the size of `name` in bytes, None if it is not there."""
        if self._path is not None:
            path = self._path / safe(name)
            return path.stat().st_size if path.exists() else None
        return int(self._fs.size(self._at(name))) if self._fs.exists(self._at(name)) else None

    def names(self, name: str = "") -> tuple[str, ...]:
        """Return the names of files and folders right under `name`, sorted; none if it is not there."""
        try:
            if self._path is not None:
                return tuple(sorted(os.listdir(self._path / safe(name) if name else self._path)))
            entries = self._fs.ls(self._at(name) if name else self._root, detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        return tuple(sorted(entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries))

    def modified(self, name: str) -> float:
        """Return when `name` was last written, in seconds since 1970. Raises FileNotFoundError."""
        if self._path is not None:
            return (self._path / safe(name)).stat().st_mtime
        when: datetime = self._fs.modified(self._at(name))
        return when.timestamp()

    def move(self, name: str, to: str) -> None:
        """Rename a file within this folder."""
        if self._path is not None:
            make_private((self._path / safe(to)).parent)
            os.replace(self._path / safe(name), self._path / to)
            return
        self._fs.makedirs(_above(self._at(to)), exist_ok=True)
        self._fs.mv(self._at(name), self._at(to))

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens if it is not there."""
        if self._path is not None:
            path = self._path / safe(name)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        elif self._fs.exists(self._at(name)):
            self._fs.rm(self._at(name), recursive=True)

    def sweep(self, older_than: float = PART_SECONDS) -> int:
        """Remove files that a killed process was still writing: temporary names of more than `older_than` seconds ago. Returns how many."""
        before, removed = time.time() - older_than, 0
        for name in self._parts():
            with suppress(FileNotFoundError):  # written to its end, at this moment
                if self.modified(name) < before:
                    self.remove(name)
                    removed += 1
        return removed

    def _parts(self) -> list[str]:
        if self._path is not None:
            return [path.relative_to(self._path).as_posix() for path in self._path.rglob("*.part")]
        root = self._root.rstrip("/")
        found = self._fs.find(root) if self._fs.exists(root) else []
        return [path.removeprefix(f"{root}/") for path in found if path.endswith(".part")]

    def open_local(self, name: str) -> Path | None:
        """Return the local path of `name`, None where the folder is not a local one."""
        return self._path / safe(name) if self._path is not None else None

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{safe(name)}"


@contextmanager
def _written(url: str) -> Iterator[None]:
    """Say of an error of the system where it was and what it means; the library of an object store may raise any class of its own."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(where=redact(url), problem=error.strerror or type(error).__name__) from None


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _write_local(target: Path, waiting: Path, fill: Callable[[BinaryIO], Any], *, durable: bool) -> None:
    make_private(target.parent)
    try:
        with create_private(waiting) as out:
            fill(out)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        fault_point("file.part")
        os.replace(waiting, target)
    finally:
        waiting.unlink(missing_ok=True)
