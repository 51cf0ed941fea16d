"""Backup and restore: warehouse, archive, registry and settings as one pair that fits together, copied while imports go on.

Belongs here: what is copied, in which order, and what a restored home must forget. The order makes the pair consistent: uploads that wait,
then the warehouse as of one moment, then the archive, which only grows; so all that the warehouse names is in the copy. What the archive
has of later imports is left behind when the copy is restored: their numbers are given out again.
PostgreSQL is copied by its own tools (docs/operations/housekeeping.md), before the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roster_etl.pipeline.lifecycle.import_lifecycle import Abandoned, error_summary
from roster_etl.pipeline.lifecycle.manifest import is_behind, refresh_manifest
from roster_etl.pipeline.maintenance.backup_manifest import (
    ARCHIVED,
    CLAIM,
    NOTE,
    SETTINGS,
    WAREHOUSE,
    NoBackup,
    Note,
    Sealed,
    Writing,
    carry,
    check,
    is_claim,
)
from roster_etl.pipeline.workspace import HALF, Workspace
from roster_etl.spec.errors import PermanentError, RetryableError
from roster_etl.store.archive import named_keys
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import local_path, redact
from roster_etl.store.warehouse import Conclusion, Entry, Warehouse

__all__ = ["BackedUp", "NoBackup", "NotEmpty", "PurgedMeanwhile", "Restored", "Whole", "back_up", "look_at", "restore"]


class NotEmpty(PermanentError):
    """A backup, or a home that is restored, writes into a place that has nothing yet."""

    code = "not_empty"
    template = "{where} is not empty: {problem}"


class PurgedMeanwhile(RetryableError):
    """Personal data was removed while the backup was made: its parts do not fit together, and one still has that data."""

    code = "purged_meanwhile"
    template = "a purge went on while {where} was written; remove that folder, and make the backup again"


@dataclass(frozen=True, kw_only=True)
class BackedUp:
    """What was copied. ``warehouse``: whether the database is among it; ``newest``: the newest import that it knows; ``files``: of the archive."""

    where: str
    warehouse: bool
    newest: int
    files: int


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back. ``ended``: imports that were under way; ``forgotten``: manifests of imports that the warehouse does not know."""

    home: str
    newest: int
    files: int
    ended: tuple[int, ...]
    forgotten: int


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A backup that could be restored. ``at``: when it was made (ISO 8601); ``listed``: how many files it has; ``bytes``: of all of them."""

    where: str
    at: str
    warehouse: bool
    newest: int
    listed: int
    bytes: int


def back_up(workspace: Workspace, to: str) -> BackedUp:
    """Copy all that cannot be made again into the empty folder `to` (path or fsspec URL). Raises NotEmpty, PurgedMeanwhile."""
    target = Folder(to)
    with workspace.warehouse.noting(Entry(action="backup", about={"to": redact(to)})):
        _claim(target)
        with scratch_folder(workspace.settings.scratch) as scratch:
            note = _copied(workspace, Writing(target, scratch))
    return BackedUp(where=redact(to), warehouse=note.warehouse, newest=note.newest, files=note.files)


def _claim(target: Folder) -> None:
    """Make an empty folder that of this backup alone. Raises NotEmpty: it is not empty, or another backup was quicker."""
    found, where = target.names(), redact(target.url)
    if NOTE not in found and any(is_claim(name) for name in found):
        raise NotEmpty(
            where=where, problem="a backup into it goes on, or broke off; name a new folder, and remove one that broke off"
        )
    if found:
        raise NotEmpty(where=where, problem="name a new folder for each backup")
    if not target.claim(CLAIM, datetime.now(UTC).isoformat().encode()) or not all(is_claim(name) for name in target.names()):
        raise NotEmpty(where=where, problem="another backup into it has just begun; name a new folder for each backup")


def _copied(workspace: Workspace, writing: Writing) -> Note:
    archive, purges = Folder(workspace.settings.archive), _purges(workspace)
    _copy(archive, writing, "arrivals")
    newest = _copy_warehouse(workspace, writing)
    fault_point("backup.warehouse")
    is_copied = newest is not None
    number = _newest(workspace.warehouse) if newest is None else newest
    files = sum(_copy(archive, writing, name) for name in ("objects", "manifests", "reports", "removals"))
    _copy_settings(workspace, writing)
    if _purges(workspace) != purges or any(row["status"] == "running" for row in purges):
        raise PurgedMeanwhile(where=redact(writing.folder.url))
    note = writing.seal(at=datetime.now(UTC).isoformat(), warehouse=is_copied, newest=number, files=files)
    fault_point("backup.note")
    writing.write_note(note)
    return note


def restore(source: str, home: Path) -> Restored:
    """Make `home`, a new folder, of the backup in `source`. A PostgreSQL warehouse has been restored by its own tools before.

    All of the backup is looked at before anything is written, and where it fails all the same `home` is left as it was.
    Raises: NoBackup; NotEmpty: `home`, or the archive, registry or warehouse that its settings name, has something already.
    """
    sealed = check(source)
    wanted = _wanted(sealed)
    if home.is_dir() and {path.name for path in home.iterdir()} - set(SETTINGS):
        raise NotEmpty(where=str(home), problem="name a new folder as --home")
    with ExitStack() as undo:
        done = _made(sealed, wanted, home, undo)
        undo.pop_all()
    return done


def look_at(source: str) -> Whole:
    """Read all of the backup in `source`, as `restore` does before it writes anything. Raises NoBackup."""
    sealed = check(source)
    _wanted(sealed)
    note, size = sealed.note, sum(file.size for file in sealed.files.values())
    where = redact(source)
    return Whole(where=where, at=note.at, warehouse=note.warehouse, newest=note.newest, listed=note.listed, bytes=size)


def _made(sealed: Sealed, wanted: _Wanted, home: Path, undo: ExitStack) -> Restored:
    """Make the home. Args: undo: gets what takes back all that was done, if it breaks off."""
    own = Folder(str(home))
    if not home.exists():
        undo.callback(_remove_empty, home)
    for name in SETTINGS:  # settings that lie there already win: other places are to be filled
        if name in sealed.files and not own.exists(name):
            undo.callback(own.remove, name)
            own.write(name, sealed.read(name))
    workspace = Workspace.open(home)
    for place in (workspace.settings.archive, workspace.settings.districts):
        if Folder(place).names():
            problem = (
                "the settings of the home name it; put a roster_etl.toml that names another into the home, then restore again"
            )
            raise NotEmpty(where=redact(place), problem=problem)
    before = set(own.names())
    if not own.claim(HALF, b""):
        raise NotEmpty(where=str(home), problem="another restore into it has just begun")
    undo.callback(_leave, own, before)
    for place in (workspace.settings.archive, workspace.settings.districts):
        path = local_path(place)
        if path is not None and not path.exists():
            undo.callback(_remove_empty, path)
        undo.callback(_leave, Folder(place), set())
    try:
        done = _restored(workspace, sealed, wanted, undo)
        own.remove(HALF)
    finally:
        workspace.close()
    return done


def _leave(folder: Folder, before: set[str]) -> None:
    """Remove all that was not in a folder before; what says that the home is a half, last."""
    for name in sorted(set(folder.names()) - before, key=lambda name: name == HALF):
        folder.remove(name)


def _remove_empty(path: Path) -> None:
    with suppress(OSError):  # it is not empty, or not there
        path.rmdir()


def _restored(workspace: Workspace, sealed: Sealed, wanted: _Wanted, undo: ExitStack) -> Restored:
    with scratch_folder(workspace.settings.scratch) as scratch:
        if sealed.note.warehouse:
            _restore_warehouse(workspace, sealed, scratch, undo)
            fault_point("restore.warehouse")
        newest = _newest(workspace.warehouse)
        if sealed.note.warehouse and newest != sealed.note.newest:
            raise NoBackup(
                where=redact(sealed.folder.url), problem=f"{NOTE} tells of another warehouse than the one that lies there"
            )
        registry, archive = Folder(workspace.settings.districts), Folder(workspace.settings.archive)
        for name in sealed.under("districts"):
            carry(sealed.pieces(name), registry, name.removeprefix("districts/"), scratch)
        files = wanted.files(newest)
        for name in files:
            carry(sealed.pieces(name), archive, name.removeprefix("archive/"), scratch)
    fault_point("restore.archive")
    ended = _end_running(workspace)
    for row in workspace.warehouse.imports():
        if is_behind(workspace, row):
            refresh_manifest(workspace, row["import_id"])
    workspace.warehouse.write_down(Entry(action="restore", about={"made_at": sealed.note.at, "newest": newest}))
    forgotten = sum(_number(name) > newest for name in wanted.manifests)
    return Restored(home=str(workspace.home), newest=newest, files=len(files), ended=ended, forgotten=forgotten)


def _newest(warehouse: Warehouse) -> int:
    return max((int(row["import_id"]) for row in warehouse.imports(limit=1)), default=0)


def _end_running(workspace: Workspace) -> tuple[int, ...]:
    """End, as ``failed``, imports that were under way: the processes that worked on them are of another home."""
    running = [row["import_id"] for row in workspace.warehouse.imports(status="running")]
    summary, now = {"error": error_summary(Abandoned())}, datetime.now(UTC)
    for number in running:
        workspace.warehouse.conclude(Conclusion(import_id=number, status="failed", finished_at=now, summary=summary))
    return tuple(sorted(running))


def _purges(workspace: Workspace) -> list[dict[str, Any]]:
    return [row for row in workspace.warehouse.imports() if row["kind"] == "purge"]


# ---- the warehouse


def _copy_warehouse(workspace: Workspace, writing: Writing) -> int | None:
    """Copy the warehouse as of one moment, if it is a file. Returns the newest import that the copy knows, None if it is no file."""
    copy = writing.scratch / WAREHOUSE
    if not workspace.warehouse.copy_to(copy):
        return None
    with Warehouse(f"sqlite:///{copy}") as copied:
        newest = _newest(copied)
    writing.take(WAREHOUSE, Folder(str(writing.scratch)).pieces(WAREHOUSE))
    copy.unlink()
    return newest


def _restore_warehouse(workspace: Workspace, sealed: Sealed, scratch: Path, undo: ExitStack) -> None:
    Folder(str(scratch)).write_by(WAREHOUSE, lambda out: out.writelines(sealed.pieces(WAREHOUSE)))
    if not workspace.warehouse.put_file(scratch / WAREHOUSE):
        where = workspace.warehouse.url
        raise NotEmpty(where=where, problem="the backup has a SQLite file, for which the home needs a place of its own")
    undo.callback(workspace.warehouse.remove_file)


# ---- files


def _files(folder: Folder, name: str, depth: int) -> Iterator[str]:
    """Yield the files `depth` levels below a folder."""
    for entry in folder.names(name):
        if depth:
            yield from _files(folder, f"{name}/{entry}", depth - 1)
        else:
            yield f"{name}/{entry}"


def _copy(archive: Folder, writing: Writing, name: str) -> int:
    """Copy a folder of the archive, without what is being written there. Returns how many files that were."""
    form, copied = re.compile(f"{name}/{ARCHIVED[name]}"), 0
    for file in list(_files(archive, name, ARCHIVED[name].count("/"))):
        if form.fullmatch(file):
            with suppress(FileNotFoundError):  # an upload that waited, and has been taken in
                writing.take(f"archive/{file}", archive.pieces(file))
                copied += 1
    return copied


def _copy_settings(workspace: Workspace, writing: Writing) -> None:
    own, registry = Folder(str(workspace.home)), Folder(workspace.settings.districts)
    for name in SETTINGS:
        if own.exists(name):
            writing.take(name, own.pieces(name))
    for name in registry.names():
        if name.endswith(".toml"):
            writing.take(f"districts/{name}", registry.pieces(name))
    for name in registry.names("removed"):
        writing.take(f"districts/removed/{name}", registry.pieces(f"removed/{name}"))


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What of the archive comes back. ``manifests``: each with the keys that it names; ``always``: what comes whatever the newest import
    is; ``keys``: those that this names; ``pages``: reports; ``objects``: all there are.
    """

    manifests: dict[str, set[str]]
    always: list[str]
    keys: set[str]
    pages: list[str]
    objects: list[str]

    def files(self, newest: int) -> list[str]:
        """Return the files that imports up to `newest` name."""
        known = [file for file in self.manifests if _number(file) <= newest]
        keys = self.keys.union(*(self.manifests[file] for file in known))
        objects = [file for file in self.objects if file.rpartition("/")[2] in keys]
        return [*objects, *self.always, *known, *(page for page in self.pages if _number(page) <= newest)]


def _wanted(sealed: Sealed) -> _Wanted:
    """Read what names objects. Raises NoBackup: one of these files was damaged before it was backed up."""
    arrivals, removals = sealed.under("archive/arrivals"), sealed.under("archive/removals")
    keys: set[str] = set()
    for file in (*arrivals, *removals):  # a purge that broke off has rewritten what no manifest names yet
        keys |= _keys(sealed, file)
    return _Wanted(
        manifests={file: _keys(sealed, file) for file in sealed.under("archive/manifests")},
        always=[*arrivals, *removals],
        keys=keys,
        pages=sealed.under("archive/reports"),
        objects=sealed.under("archive/objects"),
    )


def _keys(sealed: Sealed, file: str) -> set[str]:
    try:
        return named_keys(sealed.read(file))
    except ValueError:
        problem = f"{file} cannot be understood: it was damaged before it was backed up"
        raise NoBackup(where=redact(sealed.folder.url), problem=problem) from None


def _number(file: str) -> int:
    return int(Path(file).name.partition(".")[0])
