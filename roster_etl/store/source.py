"""An upload to import, wherever it comes from: a folder, one CSV, or a zip, here or behind an fsspec URL.

Belongs here: telling the three apart, checking a zip before a byte of it is unpacked, and taking private copies of all members.
Does not belong here: which files a format expects, and what is in them.
Source: HEADLESS.md, "PATH is a folder …".
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from roster_etl.spec.errors import LandingError, LandingNotFound, UnsafeArchive, UploadMoved
from roster_etl.store.district_file import Feed
from roster_etl.store.entries import Entry, FetchedFile, is_litter
from roster_etl.store.folder import create_private
from roster_etl.store.landing import Landing, open_folder
from roster_etl.store.settings import Limits, Settings
from roster_etl.store.urls import redact, scheme, shown

Kind = Literal["folder", "zip", "csv"]


class Members(Protocol):
    """Something with entries that can be listed and copied: a landing zone, a zip, a single file."""

    def listing(self) -> tuple[Entry, ...]:
        """Return the entries, without litter."""

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy an entry to the new private file `to`."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An upload, copied privately and consistently: its files, and what else lay there (links, folders), by name.

    ``content_hash``: sha256 over names and hashes of the files, whatever their order: the same content gives the same hash.
    """

    kind: Kind
    where: str
    files: tuple[FetchedFile, ...]
    irregular: tuple[Entry, ...] = ()

    @property
    def listing(self) -> tuple[Entry, ...]:
        """Return all entries as they were listed."""
        return (*(file.entry for file in self.files), *self.irregular)

    @property
    def content_hash(self) -> str:
        """Return the hash of names and contents."""
        lines = sorted(f"{file.entry.name}\x00{file.sha256}" for file in self.files)
        return hashlib.sha256("\x01".join(lines).encode("utf-8")).hexdigest()


def collect(members: Members, to: Path, *, kind: Kind = "folder", where: str = "") -> Arrival:
    """Copy all regular files of an upload into the private folder `to`, and prove that the set stood still meanwhile.

    Raises: UploadMoved (a file, or the set of files, changed), LandingError and its kinds, LandingUnavailable.
    """
    listing = members.listing()
    regular = [entry for entry in listing if entry.regular]
    files = tuple(members.fetch(entry, to / f"{number:05d}") for number, entry in enumerate(regular))
    if changed := set(members.listing()) ^ set(listing):
        moved = sorted(entry.name for entry in changed if entry.regular)
        if moved:
            raise UploadMoved(where=where, name=moved[0])
    return Arrival(kind=kind, where=where, files=files, irregular=tuple(entry for entry in listing if not entry.regular))


def collect_path(
    path: str, settings: Settings, to: Path, *, feed: Feed | None = None, environ: Mapping[str, str] | None = None
) -> Arrival:
    """Copy the upload at `path` (folder, CSV or zip; local or an fsspec URL) into the private folder `to`.

    Raises: UnsafeArchive, LandingNotFound, and as `collect` and `open_folder` do.
    """
    where = redact(path)
    with open_source(path, settings, to, feed=feed, environ=environ) as (kind, members):
        return collect(members, to, kind=kind, where=where)


@contextmanager
def open_source(
    path: str, settings: Settings, to: Path, *, feed: Feed | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[Kind, Members]]:
    """Open `path` for `collect`; a zip is copied into `to` first. Raises as `collect_path`."""
    if not path.casefold().endswith((".csv", ".zip")) or (scheme(path) == "file" and Path(path).is_dir()):
        with open_folder(path, settings, feed=feed, environ=environ) as landing:
            yield "folder", landing
        return
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    with open_folder(folder, settings, feed=feed, environ=environ) as landing:
        single = OneFile(landing, name)
        if name.casefold().endswith(".csv"):
            yield "csv", single
        else:
            (entry,) = single.listing()
            yield "zip", Zip(single.fetch(entry, to / "upload.zip"), settings.limits)


class OneFile:
    """One file of a folder, as an upload of its own."""

    def __init__(self, landing: Landing, name: str) -> None:
        self._landing, self._name = landing, name

    def listing(self) -> tuple[Entry, ...]:
        """Return the one entry. Raises LandingNotFound, LandingError (a link or a folder)."""
        found = tuple(entry for entry in self._landing.listing() if entry.address == self._name)
        if not found:
            raise LandingNotFound(where=f"{self._landing.where}/{shown(self._name)}")
        if not found[0].regular:
            raise LandingError(where=self._landing.where, problem=f"{found[0].name} is a link or a folder, not a regular file")
        return found

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy it; see Landing.fetch."""
        return self._landing.fetch(entry, to)


class Zip:
    """The members of a zip that has been copied, sub-folders included. The archive is judged as a whole before any is unpacked."""

    def __init__(self, file: FetchedFile, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._members = {entry: info for info, entry in self._read()}

    def listing(self) -> tuple[Entry, ...]:
        """Return the members, without folders and litter, sorted by name."""
        return tuple(sorted(self._members, key=lambda entry: entry.name))

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Unpack a member to the new private file `to`. Raises UnsafeArchive if it is damaged."""
        try:
            with (
                zipfile.ZipFile(self._file.path) as archive,
                archive.open(self._members[entry]) as source,
                create_private(to) as out,
            ):
                shutil.copyfileobj(source, out, 1 << 20)
        except (*_DAMAGE, RuntimeError):
            raise self._unsafe(f"{entry.name} is damaged") from None
        with to.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return FetchedFile(entry=entry, path=to, sha256=digest, size=to.stat().st_size)

    def _read(self) -> list[tuple[zipfile.ZipInfo, Entry]]:
        self._check_directory()
        try:
            with zipfile.ZipFile(self._file.path) as archive:
                infos = archive.infolist()
        except _DAMAGE:
            raise self._unsafe("it is damaged, or no zip") from None
        if reason := _whole_reason(infos, self._file.size, self._limits) or _first(_member_reason(info) for info in infos):
            raise self._unsafe(reason)
        files = [info for info in infos if not info.is_dir() and not is_litter(_path(info))]
        names = [_path(info).casefold() for info in files]
        if len(set(names)) != len(names):
            raise self._unsafe("two members have the same name")
        return [(info, Entry(name=_path(info), size=info.file_size, mtime=_zip_time(info))) for info in files]

    def _check_directory(self) -> None:
        """Refuse a directory so large that reading it alone would fill the memory: zipfile reads all of it at once."""
        with self._file.path.open("rb") as content:
            content.seek(max(0, self._file.size - 65_557))
            tail = content.read()
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) < end + 22:
            raise self._unsafe("it is damaged, or no zip")
        _, members, size = struct.unpack_from("<HHI", tail, end + 8)
        if members > self._limits.archive_members or size > self._limits.archive_members * 1024:
            raise self._unsafe(f"more than {self._limits.archive_members} members")

    def _unsafe(self, reason: str) -> UnsafeArchive:
        return UnsafeArchive(name=self._file.name, reason=reason)


_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, struct.error, UnicodeError)


def _first(reasons: Iterable[str | None]) -> str | None:
    return next((reason for reason in reasons if reason), None)


def _whole_reason(infos: list[zipfile.ZipInfo], size: int, limits: Limits) -> str | None:
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


def _path(info: Any) -> str:
    """Return a member's path; some Windows programs write it with back slashes."""
    path: str = info.filename.replace("\\", "/")
    return path


def _zip_time(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
