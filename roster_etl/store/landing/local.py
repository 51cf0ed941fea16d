"""A landing folder on a local disk: listing and reading, without following links."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from roster_etl.spec.errors import LandingError, LandingNotFound, LandingUnavailable, UploadMoved
from roster_etl.store.files.urls import printable_name
from roster_etl.store.landing.base import BLOCK, Landing, Sink
from roster_etl.store.landing.entries import Entry
from roster_etl.store.settings import UploadLimits


class LocalLanding(Landing):
    """A local folder. Links are not followed, not even ones that appear after the listing."""

    def __init__(self, folder: Path, limits: UploadLimits) -> None:
        super().__init__(str(folder), limits)
        self._folder = folder

    def _list(self) -> Iterator[Entry]:
        try:
            with os.scandir(self._folder) as found:
                for item in found:
                    with suppress(FileNotFoundError):  # removed since: not listed
                        yield _local_entry(item.name, item.stat(follow_symlinks=False))
        except FileNotFoundError:
            raise LandingNotFound(where=self.where) from None
        except NotADirectoryError:
            raise LandingError(where=self.where, problem="not a folder") from None
        except OSError as error:
            raise LandingUnavailable(where=self.where, problem=f"cannot be listed ({error.strerror})") from None

    def _read(self, address: str, sink: Sink) -> None:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with os.fdopen(os.open(self._folder / address, flags), "rb", buffering=0) as source:
                if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                    raise UploadMoved(where=self.where, name=printable_name(address))
                while block := source.read(BLOCK):
                    sink(block)
        except FileNotFoundError:
            raise LandingNotFound(where=self.where) from None
        except OSError as error:
            if error.errno == errno.ELOOP:  # it was replaced by a link
                raise UploadMoved(where=self.where, name=printable_name(address)) from None
            raise LandingUnavailable(
                where=self.where, problem=f"{printable_name(address)} cannot be read ({error.strerror})"
            ) from None

    def find(self, address: str) -> Entry | None:
        """Return the entry `address`, None if there is none."""
        try:
            return _local_entry(address, (self._folder / address).lstat())
        except OSError:
            return None

    def _is_unchanged(self, entry: Entry) -> bool:
        return self.find(entry.address) == entry


def _local_entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name=name, size=found.st_size, mtime=found.st_mtime_ns / 1e9, regular=stat.S_ISREG(found.st_mode))
