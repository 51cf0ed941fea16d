"""A folder of ours behind a path or any fsspec URL: written atomically, readable by nobody else.

Belongs here: reading, writing, listing and removing files by safe relative names, and how it is done on this machine's disks.
Does not belong here: what lies behind a URL (``objects``), what the files mean (``archive``, ``frames``, ``districts``), or folders of
others (``landing``).
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from roster_etl.spec.errors import UnsafePath
from roster_etl.store.objects import ObjectFolder
from roster_etl.store.urls import local_path

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
        self._objects = ObjectFolder(url) if self._path is None else None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, or mounted here: then it can be locked."""
        return self._objects is None

    def read(self, name: str) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError."""
        return self._objects.read(safe(name)) if self._objects else self._local(name).read_bytes()

    def read_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of each of `names` that is there; an object store is asked for many at a time."""
        if self._objects:
            return self._objects.read_all([safe(name) for name in names])
        found = {}
        for name in names:
            with suppress(FileNotFoundError):
                found[name] = self.read(name)
        return found

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Write `content` under `name`, as a whole or not at all, replacing what was there."""
        if self._objects:
            self._objects.write(safe(name), bytes(content))
        else:
            self.write_by(name, lambda out: out.write(content))

    def write_by(self, name: str, fill: Callable[[BinaryIO], Any], *, durable: bool = True) -> None:
        """Let `fill` write into a new file, then put it under `name`, as a whole or not at all.

        `durable`: wait until the disk has it; what can be made again need not. For an object store it is filled in memory first.
        """
        if self._objects:
            buffer = io.BytesIO()
            fill(buffer)
            self._objects.write(safe(name), buffer.getvalue())
        else:
            path = self._local(name)
            _write_local(path, path.with_name(f"{path.name}.{secrets.token_hex(6)}.part"), fill, durable=durable)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process at a time read and write here, as far as all of them ask; only for a folder that is local."""
        assert self._path is not None
        make_private(self._path)
        lock = os.open(self._path, os.O_RDONLY)  # the folder itself, so that nothing lies in it for this
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder `name`."""
        return self._objects.exists(safe(name)) if self._objects else self._local(name).exists()

    def size(self, name: str) -> int | None:
        """Return the size of `name` in bytes, None if it is not there."""
        if self._objects:
            return self._objects.size(safe(name))
        path = self._local(name)
        return path.stat().st_size if path.exists() else None

    def names(self, name: str = "") -> tuple[str, ...]:
        """Return the names of files and folders right under `name`, sorted; none if it is not there."""
        if self._objects:
            return self._objects.names(safe(name) if name else "")
        try:
            return tuple(sorted(os.listdir(self._local(name) if name else str(self._path))))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def modified(self, name: str) -> float:
        """Return when `name` was last written, in seconds since 1970. Raises FileNotFoundError."""
        return self._objects.modified(safe(name)) if self._objects else self._local(name).stat().st_mtime

    def move(self, name: str, to: str) -> None:
        """Rename a file within this folder."""
        if self._objects:
            self._objects.move(safe(name), safe(to))
            return
        source, target = self._local(name), self._local(to)
        make_private(target.parent)
        os.replace(source, target)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens if it is not there."""
        if self._objects:
            self._objects.remove(safe(name))
            return
        path = self._local(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def probe(self) -> None:
        """Find out whether a store behind a URL lets us write, read and remove. Raises StoreRefused, StoreUnavailable."""
        if self._objects:
            name = f"probe.{secrets.token_hex(6)}"
            self._objects.write(name, b"")
            self._objects.read(name)
            self._objects.remove(name)

    def open_local(self, name: str) -> Path | None:
        """Return the local path of `name`, None where the folder is not a local one."""
        return self._local(name) if self.is_local else None

    def _local(self, name: str) -> Path:
        assert self._path is not None
        return self._path / safe(name)


def _write_local(target: Path, waiting: Path, fill: Callable[[BinaryIO], Any], *, durable: bool) -> None:
    make_private(target.parent)
    try:
        with create_private(waiting) as out:
            fill(out)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        os.replace(waiting, target)
    finally:
        waiting.unlink(missing_ok=True)
