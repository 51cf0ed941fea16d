"""A staging container: one local file that holds many named tables and documents.

A file begins with a magic and random bytes, so that a file that replaced another one is told from it. An entry is a head (magic, length of its name, size of its content), the name, and the content.
NULs after the name let the content begin at a multiple of 64: Arrow reads numbers where they lie in the mapped file. The size is written last, so that a
process that is killed leaves an entry without a size: it does not count, and the next entry replaces it. Of several entries of one name
the last counts.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import pyarrow as pa

from roster_etl.store.files.folder import create_private_file, create_private_folder

_FILE = b"ROSTER01"
_TOKEN = 8  # random bytes after it
_MAGIC = b"ITEM"
_HEAD = struct.Struct("<4sIQ")
_UNFINISHED = (1 << 64) - 1
_ALIGNED = 64


class ContainerDamaged(Exception):
    """The file is not a container, or an entry of it was overwritten."""


@dataclass(frozen=True)
class _Entry:
    start: int
    size: int


@dataclass
class Container:
    """A local file of named entries. One writer at a time; threads of one process may share it."""

    path: Path
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _end: int = 0
    _token: bytes = b""
    _lock: Any = field(default_factory=Lock)

    def append(self, name: str, fill: Callable[[BinaryIO], Any], *, replace: bool = False) -> None:
        """Append the entry `name`, which `fill` writes. The file is created with mode 0600 if it does not exist.

        Args:   replace: drop all earlier entries.
        Raises: OSError: the file cannot be written; earlier entries stay. ContainerDamaged.
        """
        with self._lock:
            create_private_folder(self.path.parent)
            if replace:
                self.path.unlink(missing_ok=True)
            with self._opened() as file:
                self._scan(file)
                file.truncate(self._end)
                file.seek(self._end)
                if not self._end:
                    self._token = _FILE + secrets.token_bytes(_TOKEN)
                    self._end = file.write(self._token)
                key = _padded(name, self._end)
                file.write(_HEAD.pack(_MAGIC, len(key), _UNFINISHED) + key)
                start = file.tell()
                fill(file)
                size = file.tell() - start
                file.seek(self._end)
                file.write(_HEAD.pack(_MAGIC, len(key), size))
            self._entries[name] = _Entry(start, size)
            self._end = start + size

    def has(self, name: str) -> bool:
        """Return whether an entry `name` exists. Raises ContainerDamaged."""
        return name in self._current()

    def read(self, name: str) -> pa.Buffer:
        """Return the content of the entry `name`, mapped from the file: a column that is not looked at is not read.

        An entry that was written whole is never changed or cut off, and a file that is removed lasts until nothing refers to it.

        Raises: FileNotFoundError: it does not exist; ContainerDamaged.
        """
        entry = self._current().get(name)
        if entry is None:
            raise FileNotFoundError(name)
        with pa.memory_map(str(self.path)) as file:
            file.seek(entry.start)
            content = file.read_buffer(entry.size)
        if content.size != entry.size:
            raise ContainerDamaged(self.path.name)
        return content

    @contextmanager
    def locked(self) -> Iterator[Path]:
        """Yield the file, to which no thread appends inside the block."""
        with self._lock:
            yield self.path

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("r+b")
        except FileNotFoundError:
            create_private_file(self.path).close()
            return self.path.open("r+b")

    def _current(self) -> dict[str, _Entry]:
        """Return the current entries of the file: another process may have written or removed some."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    self._scan(file)
            except FileNotFoundError:
                self._entries, self._end = {}, 0
            return self._entries

    def _scan(self, file: BinaryIO) -> None:
        """Bring the entries up to the end of `file`; from its beginning, if it is not the file that is known."""
        length = os.fstat(file.fileno()).st_size
        beginning = file.read(len(_FILE) + _TOKEN)
        if len(beginning) < len(_FILE) + _TOKEN:  # its writer was killed at once
            self._entries, self._end = {}, 0
            return
        if not beginning.startswith(_FILE):
            raise ContainerDamaged(self.path.name)
        is_known = beginning == self._token and length >= self._end
        entries, end = (dict(self._entries), self._end) if is_known else ({}, len(beginning))
        while end + _HEAD.size <= length:
            file.seek(end)
            magic, letters, size = _HEAD.unpack(file.read(_HEAD.size))
            if magic != _MAGIC:
                raise ContainerDamaged(self.path.name)
            start = end + _HEAD.size + letters
            if size == _UNFINISHED or start + size > length:
                break  # its writer was killed, or is still writing
            entries[file.read(letters).rstrip(b"\0").decode("utf-8")] = _Entry(start, size)
            end = start + size
        self._entries, self._end, self._token = entries, end, beginning


def _padded(name: str, at: int) -> bytes:
    """Return `name` with NULs after it, so that what follows its head and it, from the position `at`, begins at a multiple of `_ALIGNED`."""
    key = name.encode("utf-8")
    return key + bytes(-(at + _HEAD.size + len(key)) % _ALIGNED)
