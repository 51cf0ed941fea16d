"""Whether other users of this machine could change what a home makes us do: its settings, registry and suites, and where it writes.

Root counts as trusted: it could change this program as well.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from roster_etl.spec.errors import PermanentError
from roster_etl.store.files.urls import local_path, printable_name
from roster_etl.store.registry.district import check_id
from roster_etl.store.settings import FILE_NAME, Settings

TRUST_VARIABLE = "ROSTER_ETL_TRUST_HOME"
"""Set to 1 where the home is a volume of one container, whose mode and owner the platform sets: then only links are refused."""
_SETTINGS_FILES = (FILE_NAME, "dagster.yaml")
_WRITTEN = ("keys", "outbox", "reports", "history", "storage", "schedules")  # folders of the home that we, or Dagster, write into
_ELSEWHERE = (
    "staging",
    "archive",
    "districts",
    "warehouse",
)  # what the settings can put elsewhere, by the table that names the place
_SQLITE, _SQLITE_FILES = "sqlite:///", ("", "-wal", "-shm", "-journal")


class UnsafeHome(PermanentError):
    """Another user of this machine could change what this home imports, or where it writes."""

    code = "unsafe_home"
    template = "home {home}: {problem}. Nothing was written; `roster-etl doctor` lists all such places"


def require_safe_home(settings: Settings, district_id: str | None = None) -> None:
    """Raise UnsafeHome with the first unsafe path, if there is any; of the registry's files only that of `district_id` is looked at."""
    for problem in find_unsafe_paths(settings, districts=f"{check_id(district_id)}.toml" if district_id else ""):
        raise UnsafeHome(home=printable_name(str(settings.home)), problem=problem)


def find_unsafe_paths(settings: Settings, *, districts: str = "*.toml") -> Iterator[str]:
    """Yield the problem of each unsafe path, with the command that fixes it. ``districts``: the registry's files to look at; empty: none."""
    yield from _find_links(settings)
    if os.environ.get(TRUST_VARIABLE) == "1":
        return
    for path in _trusted_paths(settings, districts):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:  # a link to itself
            yield f"{_shown(path)} cannot be looked at ({error.strerror}); remove it"
            continue
        if found.st_uid not in (os.geteuid(), 0):
            yield f"{_shown(path)} belongs to {_user_name(found.st_uid)}, and this process runs as {_user_name(os.geteuid())}; run it as the owner, or run `chown`"
        elif found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_private_group(found.st_gid)):
            yield f"other users may change {_shown(path)}; run `chmod go-w {_shown(path)}`"


def find_open_parents(settings: Settings) -> Iterator[str]:
    """Yield the problem of each folder above the home in which every user may rename the home, and so put another one in its place."""
    for path in settings.home.parents:
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and os.environ.get(TRUST_VARIABLE) != "1":
            yield f"other users may replace the home, since they may change {_shown(path)}; run `chmod o-w {_shown(path)}`"


def _trusted_paths(settings: Settings, districts: str) -> Iterator[Path]:
    """Yield what decides what is imported and how: home, settings files, suites, the registry if it is local, and what the home stores."""
    yield settings.home
    yield from (settings.home / name for name in _SETTINGS_FILES)
    yield settings.suites
    yield from (path for path in sorted(settings.suites.glob("*")))
    yield from (path for path in sorted(settings.suites.glob("*/*.json")))
    registry = local_path(settings.districts)
    if registry is not None:
        yield registry
        yield from sorted(registry.glob(districts)) if districts else ()
    yield from (path for path, _ in _written_paths(settings) if path != registry and path.parent == settings.home)


def _written_paths(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield the folders and database files that are written into, each with the table of the settings that can name another place, if any."""
    yield from ((settings.home / name, "") for name in _WRITTEN)
    for table in _ELSEWHERE:
        url = str(getattr(settings, table))
        if table == "warehouse":
            path = url.removeprefix(_SQLITE)
            yield from ((Path(f"{path}{ending}"), table) for ending in (_SQLITE_FILES if url.startswith(_SQLITE) else ()))
        elif (folder := local_path(url)) is not None:
            yield folder, table


def _find_links(settings: Settings) -> Iterator[str]:
    """Yield what is a link of that into which we write: personal data, keys or mail would be written to wherever it leads.

    Links deeper in these folders are refused by what writes there (``files.folder``).
    """
    for path, table in _written_paths(settings):
        if path.is_symlink():
            other = f', or name its target in {FILE_NAME}: [{table}] url = "…"' if table else ""
            yield f"{_shown(path)} is a link; replace it by {'a file' if table == 'warehouse' else 'a folder'}{other}"
    if settings.scratch.is_symlink() or settings.scratch.parent.is_symlink():
        yield f"{_shown(settings.scratch)} leads through a link; replace it by a folder"


def _is_private_group(group: int) -> bool:
    """Return whether a group is this user's own, without any other member: many systems give each user such a group."""
    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group == user.pw_gid and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _shown(path: Path) -> str:
    return printable_name(str(path))
