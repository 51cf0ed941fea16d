"""The interface of a landing folder."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import LandingError, LandingNotFound, UploadMoved, UploadTooLarge
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import create_private_file
from roster_etl.store.landing.entries import Entry, FetchedFile, is_os_junk
from roster_etl.store.settings import Limits

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
        entries = [entry for entry in self._list() if not is_os_junk(entry.name)]
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
        with create_private_file(to) as out:
            first = self._digest(entry, out.write)
        if first != self._digest(entry, None) or first[1] != entry.size or not self._is_unchanged(entry):
            raise UploadMoved(where=self.where, name=entry.name)
        fault_point("landing.fetched")
        return FetchedFile(entry=entry, path=to, sha256=first[0], size=first[1])

    def _digest(self, entry: Entry, sink: Sink | None) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0

        def take(block: bytes) -> None:
            nonlocal size
            size += len(block)
            if size > entry.size:  # it grows; no need to follow it to its end
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
