"""The interface of a landing folder, and the fetch that all implementations share.

The fetch limits sizes, reads twice, and checks for changes meanwhile.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import LandingError, LandingNotFound, UploadMoved, UploadTooLarge
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import LocalCopy
from roster_etl.store.landing.entries import Entry, FetchedFile, is_os_junk
from roster_etl.store.settings import UploadLimits

Sink = Callable[[bytes], Any]


BLOCK = 1 << 20  # bytes per read


class Landing(ABC):
    """One folder of a landing zone, open for reading."""

    def __init__(self, where: str, limits: UploadLimits) -> None:
        self.where = where  # for messages: without password
        self._limits = limits

    def listing(self) -> tuple[Entry, ...]:
        """Return the entries of the folder, sorted by name, without OS junk files; links and subfolders are not ``regular``.

        Raises: LandingNotFound, LandingUnavailable, UploadTooLarge.
        """
        entries = [entry for entry in self._list() if not is_os_junk(entry.name)]
        if len(entries) > self._limits.archive_members:
            raise UploadTooLarge(
                where=self.where, what=f"{len(entries)} files", limit=self._limits.archive_members, setting="archive_members"
            )
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def find(self, address: str) -> Entry | None:
        """Return the entry with this `address` (its name on the server), None if there is none. Raises as `listing`."""
        return next((entry for entry in self._list() if entry.address == address), None)

    def fetch(self, entry: Entry, to: Path) -> FetchedFile:
        """Copy `entry` to the new private file `to`, and verify that it did not change meanwhile.

        It is read twice. The second read must return the bytes of the copy, of the listed size, and the entry must be unchanged afterwards.
        Raises: UploadMoved (try again later), UploadTooLarge, LandingUnavailable; LandingError: not a regular file.
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

    def hash_content(self, entry: Entry) -> str:
        """Return the sha256 of a file, which is read once and not copied. Raises as `fetch`."""
        try:
            digest, size = self._digest(entry, None)
        except LandingNotFound:
            raise UploadMoved(where=self.where, name=entry.name) from None
        if size != entry.size:
            raise UploadMoved(where=self.where, name=entry.name)
        return digest

    def _read_twice(self, entry: Entry, to: Path) -> FetchedFile:
        with LocalCopy(to) as out:
            digest, size = self._digest(entry, out.write)
        if size != entry.size or not self._equals(entry, to) or not self._is_unchanged(entry):
            raise UploadMoved(where=self.where, name=entry.name)
        fault_point("landing.fetched")
        return FetchedFile(entry=entry, path=to, sha256=digest, size=size)

    def _equals(self, entry: Entry, copy: Path) -> bool:
        """Whether a read of `entry` returns the bytes of its `copy`: a third of the time that another digest takes."""
        with copy.open("rb") as copied:

            def compare(block: bytes) -> None:
                if copied.read(len(block)) != block:
                    raise UploadMoved(where=self.where, name=entry.name)

            self._read(entry.address, compare)
            return not copied.read(1)

    def _digest(self, entry: Entry, sink: Sink | None) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0

        def take(block: bytes) -> None:
            nonlocal size
            size += len(block)
            if size > entry.size:  # the file is growing; no need to read to its end
                raise UploadMoved(where=self.where, name=entry.name)
            digest.update(block)
            if sink is not None:
                sink(block)

        self._read(entry.address, take)
        return digest.hexdigest(), size

    @abstractmethod
    def _list(self) -> Iterable[Entry]: ...

    @abstractmethod
    def _read(self, address: str, sink: Sink) -> None: ...

    @abstractmethod
    def _is_unchanged(self, entry: Entry) -> bool: ...
