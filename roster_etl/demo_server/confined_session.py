"""An SFTP session that cannot leave its account's home.

Belongs here: resolving a path, and every operation on files. Each operation walks from an open descriptor of the home, one component
at a time, and follows no link, so that no link and no concurrent rename leads outside. Links are not created, followed or renamed;
they can be listed and removed. Does not belong here: accounts and connections (``sftp_server``).
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import asyncssh
from asyncssh import (
    FXF_APPEND,
    FXF_CREAT,
    FXF_EXCL,
    FXF_READ,
    FXF_TRUNC,
    FXF_WRITE,
    SFTPAttrs,
    SFTPFileAlreadyExists,
    SFTPName,
    SFTPOpUnsupported,
    SFTPPermissionDenied,
)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # not blocking: opening a named pipe would stop the server
_OWNER_ONLY = 0o700


class ConfinedSession(asyncssh.SFTPServer):
    """One SFTP session, in which `home` is ``/``. Modes are reduced to what the owner may do; the home's own mode stays as it is."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._root = os.open(home, _FOLDER)

    def exit(self) -> None:
        """Close the home's descriptor at the end of the session."""
        os.close(self._root)

    def map_path(self, path: bytes) -> bytes:
        """Refuse: an operation that this class does not define must not reach the file system by a path."""
        raise SFTPOpUnsupported("not supported by this server")

    # ---- files

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> BinaryIO:
        """Open a regular file with one name. Nothing is truncated before it is known to be one."""
        flags = _open_flags(pflags)
        with self._parent(path) as (folder, name):
            file = os.open(name, flags | _FILE, _mode(attrs, 0o600), dir_fd=folder)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                _refuse()
            if pflags & FXF_TRUNC:
                os.ftruncate(file, 0)
            return os.fdopen(file, _python_mode(flags), buffering=0)  # type: ignore[return-value]
        except BaseException:
            os.close(file)
            raise

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: SFTPAttrs) -> NoReturn:
        """Refuse: the server speaks version 3 of the protocol."""
        raise SFTPOpUnsupported("version 3 only")

    def remove(self, path: bytes) -> None:
        """Remove a file, or a link itself."""
        with self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file or folder to a name that does not exist."""
        with self._parent(newpath) as (folder, name):
            if _exists(folder, name):
                raise SFTPFileAlreadyExists("file already exists")
        self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file or folder, replacing a file of the new name."""
        with self._parent(oldpath) as (source, old), self._parent(newpath) as (target, new):
            if stat.S_ISLNK(os.stat(old, dir_fd=source, follow_symlinks=False).st_mode):
                _refuse()
            os.replace(old, new, src_dir_fd=source, dst_dir_fd=target)

    # ---- folders

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Create a folder."""
        with self._parent(path) as (folder, name):
            os.mkdir(name, _mode(attrs, 0o700), dir_fd=folder)

    def rmdir(self, path: bytes) -> None:
        """Remove an empty folder."""
        with self._parent(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """Yield the entries of a folder, links as links. The entry ``..`` of the home is the home."""
        with self._folder(_components(path)) as folder:
            own = SFTPAttrs.from_local(os.fstat(folder))
            yield SFTPName(b".", attrs=own)
            yield SFTPName(b"..", attrs=own)
            with os.scandir(folder) as entries:
                for entry in entries:
                    attrs = SFTPAttrs.from_local(entry.stat(follow_symlinks=False))
                    yield SFTPName(os.fsencode(entry.name), attrs=attrs)

    # ---- attributes

    def lstat(self, path: bytes) -> os.stat_result:
        """Return the attributes of a file, folder or link."""
        if not _components(path):
            return os.fstat(self._root)
        with self._parent(path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def stat(self, path: bytes) -> os.stat_result:
        """Return the attributes of a file or folder; refuse a link."""
        found = self.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            _refuse()
        return found

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set attributes of a file or folder below the home; refuse a link."""
        access = os.O_RDONLY if attrs.size is None else os.O_WRONLY
        with self._parent(path) as (folder, name):
            file = os.open(name, access | _FILE, dir_fd=folder)
        try:
            self._set(file, attrs)
        finally:
            os.close(file)

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set attributes, as `setstat` does: links are not followed anyway."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: Any, attrs: SFTPAttrs) -> None:
        """Set attributes of an open file."""
        self._set(file_obj.fileno(), attrs)

    def realpath(self, path: bytes) -> bytes:
        """Return a path without ``.`` and ``..``; no link is followed, so the file system is not asked."""
        return b"/" + b"/".join(_components(path))

    def statvfs(self, path: bytes) -> os.statvfs_result:
        """Return the attributes of the file system that the home is on."""
        return os.statvfs(self._root)

    # ---- links

    def readlink(self, path: bytes) -> NoReturn:
        """Refuse: a target may name a place outside."""
        _refuse()

    def symlink(self, oldpath: bytes, newpath: bytes) -> NoReturn:
        """Refuse."""
        _refuse()

    def link(self, oldpath: bytes, newpath: bytes) -> NoReturn:
        """Refuse."""
        _refuse()

    # ---- descriptors

    @contextmanager
    def _folder(self, names: list[bytes]) -> Iterator[int]:
        """Open the folder `names` below the home, without following a link on the way."""
        folder = os.dup(self._root)
        try:
            for name in names:
                below = os.open(name, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _parent(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """Open the folder that holds `path`; yield it and the last name. Refuses the home itself, which is not in the home."""
        names = _components(path)
        if not names:
            _refuse()
        with self._folder(names[:-1]) as folder:
            yield folder, names[-1]

    def _set(self, file: int, attrs: SFTPAttrs) -> None:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            _refuse()
        if any(owner is not None for owner in (attrs.uid, attrs.gid, attrs.owner, attrs.group)):
            _refuse()
        if attrs.size is not None:
            os.ftruncate(file, attrs.size)
        if attrs.permissions is not None:
            os.fchmod(file, _mode(attrs, 0))
        if attrs.atime is not None or attrs.mtime is not None:
            accessed = found.st_atime if attrs.atime is None else attrs.atime
            os.utime(file, (accessed, found.st_mtime if attrs.mtime is None else attrs.mtime))


def _components(path: bytes) -> list[bytes]:
    """Return the names of a client's path below the home; ``..`` of the home is the home."""
    if b"\0" in path:
        raise SFTPPermissionDenied("invalid name")
    normal = posixpath.normpath(posixpath.join(b"/", path)).lstrip(b"/")
    return normal.split(b"/") if normal else []


def _refuse() -> NoReturn:
    raise SFTPPermissionDenied("not allowed by this server")


def _exists(folder: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _mode(attrs: SFTPAttrs, default: int) -> int:
    """Return the requested mode without the rights of others, and without setuid, setgid and sticky bits."""
    return (default if attrs.permissions is None else attrs.permissions) & _OWNER_ONLY


def _open_flags(pflags: int) -> int:
    """Return the flags of ``os.open``, without truncation."""
    if pflags & FXF_READ and pflags & (FXF_WRITE | FXF_APPEND):
        flags = os.O_RDWR
    elif pflags & (FXF_WRITE | FXF_APPEND | FXF_TRUNC):
        flags = os.O_WRONLY
    else:
        flags = os.O_RDONLY
    meanings = ((FXF_APPEND, os.O_APPEND), (FXF_CREAT, os.O_CREAT), (FXF_EXCL, os.O_EXCL))
    return flags | sum(flag for wanted, flag in meanings if pflags & wanted)


def _python_mode(flags: int) -> str:
    """Return the mode of a Python file over a descriptor that is open already."""
    if flags & os.O_APPEND:
        return "ab+" if flags & os.O_RDWR else "ab"
    return {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "rb+"}[flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)]
