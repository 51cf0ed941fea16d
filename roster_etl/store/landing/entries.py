"""What lies in an upload: entries of a listing, and the private copies that were fetched of them.

Belongs here: these two shapes, and which entries are litter. Does not belong here: how they are listed or fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from roster_etl.store.files.urls import printable_name

_OS_JUNK = re.compile(
    r"(?:^|/)(?:\.DS_Store|Thumbs\.db|desktop\.ini|~\$[^/]*|\._[^/]*|__MACOSX(?:/.*)?)$", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a listing. ``size`` in bytes, ``mtime`` in seconds since 1970 (0: unknown).

    ``name`` can be shown and stored; ``address`` is the name as the other side spells it. Links, folders, devices and the
    like are not ``regular``: they are reported, never followed.
    """

    name: str
    size: int
    mtime: float
    regular: bool = True
    address: str = ""

    def __post_init__(self) -> None:
        if not self.address:
            object.__setattr__(self, "address", self.name)
            object.__setattr__(self, "name", printable_name(self.name))


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """A private copy (0600) of an entry: ``sha256`` and ``size`` are those of the bytes as they were uploaded."""

    entry: Entry
    path: Path
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Return the member's path as uploaded."""
        return self.entry.name

    def read(self) -> bytes:
        """Return the bytes."""
        return self.path.read_bytes()


def is_os_junk(name: str) -> bool:
    """Return whether an operating system left `name` behind, so that nobody needs to hear of it."""
    return _OS_JUNK.search(name) is not None
