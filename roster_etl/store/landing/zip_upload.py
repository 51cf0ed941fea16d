"""Zip archives: validated as a whole before any byte is unpacked."""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from roster_etl.spec.errors import UnsafeArchive
from roster_etl.store.files.folder import LocalCopy
from roster_etl.store.landing.entries import Entry, FetchedFile, is_os_junk
from roster_etl.store.settings import UploadLimits


class Zip:
    """The members of a local copy of a zip, subfolders included. The whole archive is validated before any is unpacked."""

    def __init__(self, file: FetchedFile, limits: UploadLimits) -> None:
        self.file = file
        self._limits = limits

    def __enter__(self) -> Self:
        self._check_directory()
        try:
            self._archive = zipfile.ZipFile(self.file.path)
        except _DAMAGE:
            raise self._unsafe("it is damaged, or no zip") from None
        try:
            self._members = self._check_members(self._archive.infolist())
        except BaseException:
            self._archive.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._archive.close()

    def listing(self) -> tuple[Entry, ...]:
        """Return the members, without folders and OS junk files, sorted by name."""
        return tuple(sorted(self._members, key=lambda entry: entry.name))

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Unpack a member to the new private file `to`. Raises UnsafeArchive if it is damaged."""
        try:
            with self._archive.open(self._members[entry]) as source, LocalCopy(to) as out:
                shutil.copyfileobj(source, out, 1 << 20)
        except (*_DAMAGE, RuntimeError):
            raise self._unsafe(f"{entry.name} is damaged") from None
        with to.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return FetchedFile(entry=entry, path=to, sha256=digest, size=to.stat().st_size)

    def _check_members(self, infos: list[zipfile.ZipInfo]) -> dict[Entry, zipfile.ZipInfo]:
        if reason := _whole_reason(infos, self.file.size, self._limits) or _first(_member_reason(info) for info in infos):
            raise self._unsafe(reason)
        files = [info for info in infos if not info.is_dir() and not is_os_junk(_path(info))]
        names = [_path(info).casefold() for info in files]
        if len(set(names)) != len(names):
            raise self._unsafe("two members have the same name")
        return {Entry(name=_path(info), size=info.file_size, mtime=_zip_time(info)): info for info in files}

    def _check_directory(self) -> None:
        """Reject a central directory that would exhaust memory: zipfile reads it at once. Raises UnsafeArchive."""
        with self.file.path.open("rb") as content:
            content.seek(max(0, self.file.size - 65_557))
            tail = content.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            raise self._unsafe("it is damaged, or no zip")
        _, members, size = struct.unpack_from("<HHI", tail, end + 8)
        if members > self._limits.archive_members or size > self._limits.archive_members * 1024:
            raise self._unsafe(f"more than {self._limits.archive_members} members")

    def _unsafe(self, reason: str) -> UnsafeArchive:
        return UnsafeArchive(name=self.file.name, reason=reason)


_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, struct.error, UnicodeError)


def _first(reasons: Iterable[str | None]) -> str | None:
    return next((reason for reason in reasons if reason), None)


def _whole_reason(infos: list[zipfile.ZipInfo], size: int, limits: UploadLimits) -> str | None:
    unpacked = sum(info.file_size for info in infos)
    if len(infos) > limits.archive_members:
        return f"more than {limits.archive_members} members"
    if unpacked > limits.archive_bytes:
        return f"more than {limits.archive_bytes} bytes when unpacked"
    if unpacked > limits.archive_ratio * size:
        return f"more than {limits.archive_ratio} times its size when unpacked"
    return None


def _member_reason(info: zipfile.ZipInfo) -> str | None:
    path, kind = _path(info), stat.S_IFMT(info.external_attr >> 16)
    if path.startswith("/") or path[1:2] == ":" or ".." in PurePosixPath(path).parts or not path.strip("/. "):
        return "a member's path leaves the archive"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a member is a link or a device"
    return "a member is encrypted" if info.flag_bits & 0x1 else None


def _path(info: zipfile.ZipInfo) -> str:
    """Return a member's path with forward slashes; some Windows programs write backslashes."""
    return info.filename.replace("\\", "/")


def _zip_time(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
