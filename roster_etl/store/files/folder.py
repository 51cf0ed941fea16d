"""A private folder behind a path or any fsspec URL, with atomic writes."""

from __future__ import annotations

import fcntl
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from roster_etl.spec.errors import FolderUnavailable, UnsafePath
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.object_store import CHUNK_SIZE, ObjectFolder
from roster_etl.store.files.urls import local_path, redact

PART_SECONDS = 86_400.0  # no file takes a day to write
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


def require_safe_name(name: str) -> str:
    """Return `name` if it is a safe relative path: segments of letters, digits, ``.``, ``_``, ``-``. Raises UnsafePath."""
    if not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
        raise UnsafePath(name=name)
    return name


def create_private_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, each with mode 0700; existing folders keep their mode."""
    if folder.exists():
        return
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def create_private_file(path: Path) -> BinaryIO:
    """Create a file for writing, with mode 0600 from the start. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")


class LocalCopy:
    """A new private file that something is copied into. A full disk is told as such, and not taken for an error of what is read."""

    def __init__(self, path: Path) -> None:
        self._where = str(path.parent)
        with _translate_os_errors(self._where):
            self._file = create_private_file(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            with _translate_os_errors(self._where):
                self._file.close()
        except FolderUnavailable:
            if error is None:
                raise

    def write(self, block: bytes) -> int:
        """Write `block`. Raises FolderUnavailable."""
        with _translate_os_errors(self._where):
            return self._file.write(block)


class Folder:
    """A folder behind a path or an fsspec URL. Names are relative, of safe segments joined by ``/``."""

    def __init__(self, url: str, *, partial_files: str | None = None) -> None:
        """Args: partial_files: the folder in it for files that are being written; default: beside the file that they become."""
        self.url, self._partial_folder = url, partial_files
        self._path = local_path(url)
        self._objects = ObjectFolder(url) if self._path is None else None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, or mounted here, and so can be locked."""
        return self._objects is None

    def read(self, name: str) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError."""
        return self._objects.read(require_safe_name(name)) if self._objects else self._resolve(name).read_bytes()

    def read_chunks(self, name: str) -> Iterator[bytes]:
        """Open `name` and return its bytes in chunks, for files too large for memory. Raises FileNotFoundError."""
        if self._objects:
            return self._objects.read_chunks(require_safe_name(name))
        return _read_chunks(self._resolve(name).open("rb"))

    def read_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of each of `names` that exists; an object store is read with concurrent requests."""
        if self._objects:
            return self._objects.read_all([require_safe_name(name) for name in names])
        found = {}
        for name in names:
            with suppress(FileNotFoundError):
                found[name] = self.read(name)
        return found

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Write `content` to `name` atomically, replacing an existing file."""
        if self._objects:
            self._objects.write(require_safe_name(name), bytes(content))
        else:
            self.write_with(name, lambda out: out.write(content))

    def write_with(self, name: str, fill: Callable[[BinaryIO], Any], *, durable: bool = True) -> None:
        """Let `fill` write a new file, then move it to `name` atomically.

        `durable`: flush to disk before returning; not needed for what can be rebuilt. For an object store the file is built in
        memory first.
        Raises: FolderUnavailable, StoreUnavailable, StoreRefused: it cannot be written; `name` is unchanged.
        """
        if self._objects:
            buffer = io.BytesIO()
            fill(buffer)
            self._objects.write(require_safe_name(name), buffer.getvalue())
            return
        path = self.path_to_write(name)
        with _translate_os_errors(self.url):
            _write_local(path, self._partial_path(path), fill, durable=durable)

    def put(self, name: str, path: Path) -> None:
        """Copy the local file `path` to `name` atomically, in chunks. Raises as `write_with`."""
        if self._objects:
            self._objects.put(require_safe_name(name), path)
            return
        with path.open("rb") as found:
            self.write_with(name, lambda out: shutil.copyfileobj(found, out, CHUNK_SIZE))

    def claim(self, name: str, content: bytes) -> bool:
        """Write `content` to `name` unless it exists; of concurrent callers at most one gets True.

        Object stores have no common operation for exclusive creation. There, each caller writes an object of its own
        (``name.<token>``) and checks for others. Two at the same moment may see each other, and then both get False. The losers'
        objects are removed.
        """
        if self._objects:
            own = f"{require_safe_name(name)}.{secrets.token_hex(6)}"
            self._objects.write(own, content)
            if [found for found in self.names() if found == name or found.startswith(f"{name}.")] == [own]:
                return True
            self._objects.remove(own)
            return False
        path = self.path_to_write(name)
        with _translate_os_errors(self.url):
            create_private_folder(path.parent)
            try:
                with create_private_file(path) as out:
                    out.write(content)
            except FileExistsError:
                return False
        return True

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold an advisory lock on the folder for the block; local folders only."""
        assert self._path is not None
        create_private_folder(self._path)
        lock = os.open(self._path, os.O_RDONLY)  # lock the folder itself, so that no lock file is needed
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def exists(self, name: str) -> bool:
        """Return whether a file or folder `name` exists."""
        return self._objects.exists(require_safe_name(name)) if self._objects else self._resolve(name).exists()

    def size(self, name: str) -> int | None:
        """Return the size of `name` in bytes, None if it does not exist."""
        if self._objects:
            return self._objects.size(require_safe_name(name))
        path = self._resolve(name)
        return path.stat().st_size if path.exists() else None

    def names(self, name: str = "") -> tuple[str, ...]:
        """Return the names of the direct children of `name`, sorted; empty if it does not exist."""
        if self._objects:
            return self._objects.names(require_safe_name(name) if name else "")
        try:
            return tuple(sorted(os.listdir(self._resolve(name) if name else str(self._path))))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def all_files(self) -> Iterator[tuple[str, bool]]:
        """Yield every file below by name, and whether it is a regular file (no link, pipe or socket). Links are not followed.

        Names are returned as found and may be unsafe. Raises OSError: a folder cannot be read.
        """
        if self._objects:
            yield from ((name, True) for name in self._objects.all_names())
            return
        waiting = [""]
        while waiting:
            above = waiting.pop()
            with os.scandir(f"{self._path}/{above}") as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{above}{entry.name}/")
                    else:
                        yield f"{above}{entry.name}", entry.is_file(follow_symlinks=False)

    def modified_at(self, name: str) -> float:
        """Return when `name` was last written, in seconds since 1970. Raises FileNotFoundError."""
        return self._objects.modified_at(require_safe_name(name)) if self._objects else self._resolve(name).stat().st_mtime

    def version(self, name: str) -> str | None:
        """Return a text that is another one once `name` was written anew, None if it is not there."""
        if self._objects:
            return self._objects.version(require_safe_name(name))
        path = self._resolve(name)
        return repr((found.st_ino, found.st_size, found.st_mtime_ns)) if path.exists() and (found := path.stat()) else None

    def move(self, name: str, to: str) -> None:
        """Rename a file within this folder."""
        if self._objects:
            self._objects.move(require_safe_name(name), require_safe_name(to))
            return
        source, target = self.path_to_write(name), self.path_to_write(to)
        create_private_folder(target.parent)
        os.replace(source, target)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with its content; does nothing if it does not exist."""
        if self._objects:
            self._objects.remove(require_safe_name(name))
            return
        path = self.path_to_write(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def probe(self) -> None:
        """Check that the store behind a URL allows writing, reading and removing. Raises StoreRefused, StoreUnavailable."""
        if self._objects:
            name = f"probe.{secrets.token_hex(6)}"
            self._objects.write(name, b"")
            self._objects.read(name)
            self._objects.remove(name)

    def _partial_path(self, path: Path) -> Path:
        folder = path.parent if self._partial_folder is None else self.path_to_write(f"{self._partial_folder}/x").parent
        return folder / f"{path.name}.{secrets.token_hex(6)}.part"

    def remove_partial_files(self, older_than: float = PART_SECONDS, *, below: str = "") -> int:
        """Remove partial files (temporary names) older than `older_than` seconds, and return how many there were.

        Args: below: the folder to search with its subfolders; default: all.
        """
        before, removed = time.time() - older_than, 0
        for name in self._partial_files(below):
            with suppress(FileNotFoundError):  # its writer finished it at this moment
                if self.modified_at(name) < before:
                    self.remove(name)
                    removed += 1
        return removed

    def _partial_files(self, below: str) -> list[str]:
        """Return the temporary names; none in an object store, which lists only complete objects."""
        if self._path is None:
            return []
        return [path.relative_to(self._path).as_posix() for path in (self._path / below).rglob("*.part")]

    def path_to_write(self, name: str) -> Path:
        """Return the local path of `name`, which is to be written. Raises FolderUnavailable: a folder on the way from this one to it is a link."""
        path = self._resolve(name)
        for folder in path.parents:
            if folder == self._path:
                break
            if folder.is_symlink():
                problem = f"{folder.relative_to(self._path or folder)} is a link; replace it by a folder"
                raise FolderUnavailable(where=redact(self.url), problem=problem)
        return path

    def local_file(self, name: str) -> Path | None:
        """Return the local path of `name`, None if the folder is not local."""
        return self._resolve(name) if self.is_local else None

    def _resolve(self, name: str) -> Path:
        assert self._path is not None
        return self._path / require_safe_name(name)


def _read_chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(CHUNK_SIZE):
            yield piece


@contextmanager
def _translate_os_errors(where: str) -> Iterator[None]:
    """Translate OS errors into errors of ours that name the place and the cause."""
    try:
        yield
    except OSError as error:
        raise FolderUnavailable(where=redact(where), problem=error.strerror or type(error).__name__) from None


def _write_local(target: Path, temporary: Path, fill: Callable[[BinaryIO], Any], *, durable: bool) -> None:
    create_private_folder(target.parent)
    create_private_folder(temporary.parent)
    try:
        with create_private_file(temporary) as out:
            fill(out)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        fault_point("file.part")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
