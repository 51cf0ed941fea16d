"""The landing zone: list an upload where it lies, and take private copies of it that are consistent.

Belongs here: what listing and fetching mean, and how it is done in a local folder. Nothing is ever deleted, moved or written there.
Does not belong here: what lies behind a URL (``remote``), when an upload is ready (``settle``), zips (``source``).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import LandingError, LandingNotFound, LandingUnavailable, NoLanding, UploadMoved, UploadTooLarge
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import create_private
from roster_etl.store.files.urls import join, local_path, shown
from roster_etl.store.landing.entries import Entry, FetchedFile, is_litter
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Limits, Settings, landing_folder

Sink = Callable[[bytes], Any]
BLOCK = 1 << 20  # bytes read at a time


class Landing(ABC):
    """One folder of a landing zone, open for reading."""

    def __init__(self, where: str, limits: Limits) -> None:
        self.where = where  # for messages: without password
        self._limits = limits

    def listing(self) -> tuple[Entry, ...]:
        """Return what lies in the folder, sorted by name, without litter; links and sub-folders are not ``regular``.

        Raises: LandingNotFound, LandingUnavailable, UploadTooLarge.
        """
        entries = [entry for entry in self._list() if not is_litter(entry.name)]
        if len(entries) > self._limits.archive_members:
            raise UploadTooLarge(
                where=self.where, what=f"{len(entries)} files", limit=self._limits.archive_members, setting="archive_members"
            )
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def find(self, address: str) -> Entry | None:
        """Return the entry that the other side spells `address`, None if there is none. Raises as `listing`."""
        return next((entry for entry in self._list() if entry.address == address), None)

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy `entry` to the new private file `to`, and prove that it stood still.

        It is read twice; both readings must be the same bytes, of the size that was listed, and the entry must be unchanged afterwards.
        Raises: UploadMoved (try again later), UploadTooLarge, LandingUnavailable.
        """
        if not entry.regular:
            raise LandingError(where=self.where, problem=f"{entry.name} is not a regular file")
        if entry.size > self._limits.file_bytes:
            what = f"{entry.name} with {entry.size} bytes"
            raise UploadTooLarge(where=self.where, what=what, limit=self._limits.file_bytes, setting="file_bytes")
        fault_point("landing.fetch")
        try:
            return self._read_twice(entry, to)
        except LandingNotFound:
            to.unlink(missing_ok=True)
            raise UploadMoved(where=self.where, name=entry.name) from None
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    def _read_twice(self, entry: Entry, to: Path) -> FetchedFile:
        with create_private(to) as out:
            first = self._digest(entry, out.write)
        if first != self._digest(entry, None) or first[1] != entry.size or not self._stands(entry):
            raise UploadMoved(where=self.where, name=entry.name)
        fault_point("landing.fetched")
        return FetchedFile(entry=entry, path=to, sha256=first[0], size=first[1])

    def _digest(self, entry: Entry, keep: Sink | None) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0

        def take(block: bytes) -> None:
            nonlocal size
            size += len(block)
            if size > entry.size:  # it grows; no need to follow it to its end
                raise UploadMoved(where=self.where, name=entry.name)
            digest.update(block)
            if keep is not None:
                keep(block)

        self._read(entry.address, take)
        return digest.hexdigest(), size

    @abstractmethod
    def _list(self) -> Iterable[Entry]: ...

    @abstractmethod
    def _read(self, address: str, take: Sink) -> None: ...

    @abstractmethod
    def _stands(self, entry: Entry) -> bool: ...


class LocalLanding(Landing):
    """A folder of this machine, or one file of it. Links are not followed, not even ones that appear after the listing."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        super().__init__(str(folder), limits)
        self._folder = folder

    def _list(self) -> Iterator[Entry]:
        try:
            with os.scandir(self._folder) as found:
                for item in found:
                    with suppress(FileNotFoundError):  # gone since: then it is not listed
                        yield _local_entry(item.name, item.stat(follow_symlinks=False))
        except FileNotFoundError:
            raise LandingNotFound(where=self.where) from None
        except NotADirectoryError:
            raise LandingError(where=self.where, problem="not a folder") from None
        except OSError as error:
            raise LandingUnavailable(where=self.where, problem=f"cannot be listed ({error.strerror})") from None

    def _read(self, address: str, take: Sink) -> None:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with os.fdopen(os.open(self._folder / address, flags), "rb", buffering=0) as source:
                if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                    raise UploadMoved(where=self.where, name=shown(address))
                while block := source.read(BLOCK):
                    take(block)
        except FileNotFoundError:
            raise LandingNotFound(where=self.where) from None
        except OSError as error:
            if error.errno == errno.ELOOP:  # it has become a link
                raise UploadMoved(where=self.where, name=shown(address)) from None
            raise LandingUnavailable(where=self.where, problem=f"a file cannot be read ({error.strerror})") from None

    def find(self, address: str) -> Entry | None:
        """Return the entry `address`, None if there is none."""
        try:
            return _local_entry(address, (self._folder / address).lstat())
        except OSError:
            return None

    def _stands(self, entry: Entry) -> bool:
        return self.find(entry.address) == entry


@contextmanager
def open_landing(
    district_id: str, feed: Feed, settings: Settings, *, environ: Mapping[str, str] | None = None
) -> Iterator[Landing]:
    """Open the folder where a feed's uploads arrive; one fresh connection, closed afterwards.

    Raises: NoLanding, LandingError and its kinds (a person has to act), LandingUnavailable (try again later).
    """
    url = landing_folder(settings, district_id, feed.path)
    if not url:
        raise NoLanding(district_id=district_id, format=feed.format)
    with open_folder(url, settings, feed=feed, environ=environ) as landing:
        yield landing


@contextmanager
def open_folder(
    url: str, settings: Settings, *, feed: Feed | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Landing]:
    """Open any folder (path or fsspec URL); log-in and host keys come from `feed`, else from the settings. Raises as open_landing."""
    if (path := local_path(url)) is not None:
        _check_no_link_below(settings.landing.base, path)
        yield LocalLanding(path, settings.limits)
    else:
        from roster_etl.store.landing.remote import open_remote  # 0.2 s that a local folder does not need

        with open_remote(url, settings, feed or Feed(format=""), os.environ if environ is None else environ) as landing:
            yield landing


def unregistered(root: Iterable[Entry], districts: Iterable[District], settings: Settings) -> tuple[str, ...]:
    """Return the folders of the landing base's listing `root` that no feed of a registered district watches; sorted."""
    urls = [landing_folder(settings, district.id, feed.path) for district in districts for feed in district.feeds]
    watched = {url.rstrip("/") for url in urls}
    folders = (entry for entry in root if not entry.regular)
    return tuple(sorted(f.name for f in folders if not _is_watched(join(settings.landing.base, f.address), watched)))


def _is_watched(folder: str, watched: set[str]) -> bool:
    return any(url == folder or url.startswith(f"{folder}/") for url in watched)


def _check_no_link_below(base: str, folder: Path) -> None:
    """Refuse a folder that a district could have replaced by a link to another's: below the base, nothing may be a link."""
    root = local_path(base) if base else None
    if root is None or not folder.is_relative_to(root):
        return
    for part in [folder, *folder.parents][: len(folder.relative_to(root).parts)]:
        if part.is_symlink():
            raise LandingError(where=str(folder), problem=f"{part.name} is a link; below the landing base links are not followed")


def _local_entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name=name, size=found.st_size, mtime=found.st_mtime_ns / 1e9, regular=stat.S_ISREG(found.st_mode))
