"""An upload to import from any source: a folder, one CSV, or a zip; local or behind an fsspec URL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from roster_etl.spec.errors import LandingError, LandingNotFound, UploadMoved, UploadTooLarge
from roster_etl.store.files.urls import local_path, printable_name, redact
from roster_etl.store.landing.base import Landing
from roster_etl.store.landing.entries import Entry, FetchedFile, Selection
from roster_etl.store.landing.open import open_folder
from roster_etl.store.landing.zip_upload import Zip
from roster_etl.store.registry.district import Feed
from roster_etl.store.settings import Settings, UploadLimits

UploadKind = Literal["folder", "zip", "csv"]
Select = Callable[[UploadKind, Sequence[Entry]], Selection]
"""Which entries of a listing are read; called with every listing, so that it must depend on names alone."""


def select_all(kind: UploadKind, entries: Sequence[Entry]) -> Selection:
    """Return a selection in which every regular file is read."""
    regular = tuple(entry for entry in entries if entry.regular)
    return Selection(read=regular, irregular=tuple(entry for entry in entries if not entry.regular))


class Members(Protocol):
    """The interface of something with entries to list and copy: a landing zone, a zip, a single file."""

    def listing(self) -> tuple[Entry, ...]:
        """Return the entries, without OS junk files."""

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy an entry to the new private file `to`."""


@dataclass(frozen=True, kw_only=True)
class FetchedUpload:
    """An upload as a consistent private copy: its files, and its other entries: foreign files, and links and folders.

    ``content_hash``: sha256 over names and hashes of the files, independent of their order: equal content gives an equal hash.
    ``package``: the zip that the files were in, as uploaded.
    """

    kind: UploadKind
    where: str
    files: tuple[FetchedFile, ...]
    foreign: tuple[Entry, ...] = ()
    irregular: tuple[Entry, ...] = ()
    package: FetchedFile | None = None

    @property
    def selection(self) -> Selection:
        """Return the entries as they were listed and selected."""
        return Selection(read=tuple(file.entry for file in self.files), foreign=self.foreign, irregular=self.irregular)

    @property
    def content_hash(self) -> str:
        """Return the hash of names and contents."""
        return hash_contents((file.entry.name, file.sha256) for file in self.files)


def hash_contents(files: Iterable[tuple[str, str]]) -> str:
    """Return the hash of the names and hashes of files, independent of their order."""
    lines = sorted(f"{name}\x00{sha256}" for name, sha256 in files)
    return hashlib.sha256("\x01".join(lines).encode("utf-8")).hexdigest()


def fetch_members(
    members: Members,
    to: Path,
    limits: UploadLimits,
    *,
    kind: UploadKind = "folder",
    where: str = "",
    select: Select = select_all,
) -> FetchedUpload:
    """Copy the files of an upload that are read into the private folder `to`, and verify that their set did not change.

    Args:   select: which files are read; the others cost nothing.
    Raises: UploadTooLarge, before anything is copied; UploadMoved (a file, or the set of files, changed); LandingError and its
        other subclasses, LandingUnavailable.
    """
    chosen = select(kind, members.listing())
    check_size(chosen.read, limits, where)
    files = tuple(members.fetch(entry, to / f"{number:05d}") for number, entry in enumerate(chosen.read))
    if changed := set(select(kind, members.listing()).read) ^ set(chosen.read):
        raise UploadMoved(where=where, name=min(entry.name for entry in changed))
    return FetchedUpload(kind=kind, where=where, files=files, foreign=chosen.foreign, irregular=chosen.irregular)


def check_size(entries: Sequence[Entry], limits: UploadLimits, where: str) -> None:
    """Check the number of files and their total size against the limits. Raises UploadTooLarge."""
    total = sum(entry.size for entry in entries)
    if len(entries) > limits.upload_files:
        what = f"{len(entries)} files to read"
        raise UploadTooLarge(where=where, what=what, limit=limits.upload_files, setting="upload_files")
    if total > limits.upload_bytes:
        what = f"{len(entries)} files with {total} bytes in all"
        raise UploadTooLarge(where=where, what=what, limit=limits.upload_bytes, setting="upload_bytes")


def is_readable_scheme(scheme: str) -> bool:
    """Return whether URLs of `scheme` can be read, once its library is installed."""
    from fsspec import available_protocols

    return scheme in available_protocols()


def unpack_single_zip(upload: FetchedUpload, settings: Settings, to: Path, select: Select = select_all) -> FetchedUpload:
    """Return `upload` with its zip replaced by the zip's members, if it has exactly one zip and no CSV.

    Raises: UnsafeArchive, UploadTooLarge.
    """
    archives = [file for file in upload.files if file.name.casefold().endswith((".csv", ".zip"))]
    if upload.kind != "folder" or len(archives) != 1 or archives[0].name.casefold().endswith(".csv"):
        return upload
    (to / "members").mkdir(mode=0o700)
    with Zip(archives[0], settings.limits) as archive:
        inside = fetch_members(archive, to / "members", settings.limits, kind="zip", where=upload.where, select=select)
    names = {entry.name for entry in (*(file.entry for file in inside.files), *inside.foreign)}
    beside = tuple(file for file in upload.files if file is not archives[0] and file.name not in names)
    foreign = (*inside.foreign, *(entry for entry in upload.foreign if entry.name not in names))
    return replace(upload, files=(*inside.files, *beside), foreign=foreign, package=archives[0])


def fetch_upload(
    path: str,
    settings: Settings,
    to: Path,
    *,
    feed: Feed | None = None,
    environ: Mapping[str, str] | None = None,
    select: Select = select_all,
) -> FetchedUpload:
    """Copy the upload at `path` (folder, CSV or zip; local or an fsspec URL) into the private folder `to`.

    Raises: UnsafeArchive, LandingNotFound, and as `fetch_members` and `open_folder` do.
    """
    where = redact(path)
    with open_upload(path, settings, to, feed=feed, environ=environ) as (kind, members):
        fetched = fetch_members(members, to, settings.limits, kind=kind, where=where, select=select)
        return replace(fetched, package=members.file) if isinstance(members, Zip) else fetched


@contextmanager
def open_upload(
    path: str, settings: Settings, to: Path, *, feed: Feed | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[UploadKind, Members]]:
    """Open `path` for `fetch_members`; a zip is copied into `to` first. Raises as `fetch_upload`."""
    local = local_path(path)
    is_file = path.casefold().endswith((".csv", ".zip")) and not (local and local.is_dir())
    if local and local.is_file() and not is_file:
        raise LandingError(where=redact(path), problem="neither a folder, nor a .csv or .zip file")
    folder, _, name = path.rpartition("/") if is_file else (path, "", "")
    with open_folder(folder or ("/" if path.startswith("/") else "."), settings, feed=feed, environ=environ) as landing:
        if not is_file:
            yield "folder", landing
        elif name.casefold().endswith(".csv"):
            yield "csv", OneFile(landing, name)
        else:
            single = OneFile(landing, name)
            with Zip(single.fetch(single.entry(), to / "upload.zip"), settings.limits) as archive:
                yield "zip", archive


class OneFile:
    """One file of a folder, as an upload of its own."""

    def __init__(self, landing: Landing, name: str) -> None:
        self._landing, self._name = landing, name

    def entry(self) -> Entry:
        """Return the file's entry. Raises LandingNotFound, LandingError (a link or a folder)."""
        entry = self._landing.find(self._name)
        if entry is None:
            raise LandingNotFound(where=f"{self._landing.where}/{printable_name(self._name)}")
        if not entry.regular:
            raise LandingError(where=self._landing.where, problem=f"{entry.name} is a link or a folder, not a regular file")
        return entry

    def listing(self) -> tuple[Entry, ...]:
        """Return the one entry; raises as `entry`."""
        return (self.entry(),)

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy it; see Landing.fetch."""
        return self._landing.fetch(entry, to)
