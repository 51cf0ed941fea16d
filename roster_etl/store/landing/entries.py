"""The members of an upload: entries of a listing, and private copies that were fetched."""

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

    ``name`` is safe to show and store; ``address`` is the name as the server spells it. Links, folders, devices and the like are
    not
    ``regular``: they are reported, never followed.
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
    """A private copy (0600) of an entry; ``sha256`` and ``size`` (bytes) are those of the file as uploaded."""

    entry: Entry
    path: Path
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Return the member's path as uploaded."""
        return self.entry.name

    def read(self) -> bytes:
        """Return the content."""
        return self.path.read_bytes()


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The entries of a listing that concern one upload, by what is done with them; an entry in none of the three is ignored.

    ``read``: regular files that are waited for and copied; ``foreign``: regular files that are reported by name only;
    ``irregular``: links, folders and the like, which are reported.
    """

    read: tuple[Entry, ...]
    foreign: tuple[Entry, ...] = ()
    irregular: tuple[Entry, ...] = ()


def is_os_junk(name: str) -> bool:
    """Return whether `name` is a junk file of an operating system, which is ignored without a finding."""
    return _OS_JUNK.search(name) is not None
