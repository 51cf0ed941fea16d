"""Backup and restore: warehouse, archive, registry and settings as one pair that fits together, copied while imports go on.

Belongs here: what is copied, in which order, and what a restored home must forget. The order makes the pair consistent: uploads that wait,
then the warehouse as of one moment, then the archive, which only grows; so all that the warehouse names is in the copy. What the archive
has of later imports is left behind when the copy is restored: their numbers are given out again.
PostgreSQL is copied by its own tools (docs/operations/housekeeping.md), before the rest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roster_etl.pipeline.abandoned import Abandoned
from roster_etl.pipeline.conclude import error_summary
from roster_etl.pipeline.manifest import is_behind, refresh_manifest
from roster_etl.pipeline.workspace import HALF, Workspace
from roster_etl.spec.errors import PermanentError, RetryableError
from roster_etl.store.archive import named_keys
from roster_etl.store.faults import fault_point
from roster_etl.store.folder import Folder
from roster_etl.store.scratch import scratch_folder
from roster_etl.store.urls import redact
from roster_etl.store.warehouse import Conclusion, Entry

VERSION = 1
_NOTE, _WAREHOUSE = "backup.json", "warehouse.sqlite"
_SETTINGS = ("roster_etl.toml", "dagster.yaml")
_DEPTHS = {"arrivals": 3, "objects": 2, "manifests": 2, "reports": 2, "removals": 1}


class NotEmpty(PermanentError):
    """A backup, or a home that is restored, writes into a place that has nothing yet."""

    code = "not_empty"
    template = "{where} is not empty: {problem}"


class NoBackup(PermanentError):
    """There is no backup, or one that was not finished."""

    code = "no_backup"
    template = "{where}: {problem}"


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


def back_up(workspace: Workspace, to: str) -> BackedUp:
    """Copy all that cannot be made again into the empty folder `to` (path or fsspec URL). Raises NotEmpty, PurgedMeanwhile."""
    target = Folder(to)
    with workspace.warehouse.noting(Entry(action="backup", about={"to": redact(to)})):
        if target.names():
            raise NotEmpty(where=redact(to), problem="name a new folder for each backup")
        archive, purges = Folder(workspace.settings.archive), _purges(workspace)
        _copy(archive, target, "arrivals", under="archive/")
        is_copied = _copy_warehouse(workspace, target)
        fault_point("backup.warehouse")
        newest = workspace.warehouse.imports(limit=1)
        files = sum(_copy(archive, target, name, under="archive/") for name in ("objects", "manifests", "reports", "removals"))
        _copy_settings(workspace, target)
        if _purges(workspace) != purges or any(row["status"] == "running" for row in purges):
            raise PurgedMeanwhile(where=redact(to))
        number = int(newest[0]["import_id"]) if newest else 0
        note = {"version": VERSION, "at": datetime.now(UTC).isoformat(), "warehouse": is_copied, "newest": number, "files": files}
        fault_point("backup.note")
        target.write(_NOTE, json.dumps(note).encode())
    return BackedUp(where=redact(to), warehouse=is_copied, newest=number, files=files)


def restore(source: str, home: Path) -> Restored:
    """Make `home`, a new folder, of the backup in `source`. A PostgreSQL warehouse has been restored by its own tools before.

    Raises: NoBackup; NotEmpty: `home`, or the archive, registry or warehouse that its settings name, has something already.
    """
    note, folder = _note(source), Folder(source)
    if home.exists() and {path.name for path in home.iterdir()} - set(_SETTINGS):
        raise NotEmpty(where=str(home), problem="name a new folder as --home")
    own = Folder(str(home))
    for name in _SETTINGS:  # settings that lie there already win: other places are to be filled
        if folder.exists(name) and not own.exists(name):
            own.write(name, folder.read(name))
    workspace = Workspace.open(home)
    for place in (workspace.settings.archive, workspace.settings.districts):
        if Folder(place).names():
            raise NotEmpty(where=redact(place), problem="the settings of the home name it; name another")
    try:
        own.write(HALF, b"")
        done = _restored(workspace, folder, note)
        own.remove(HALF)
    finally:
        workspace.close()
    return done


def _restored(workspace: Workspace, folder: Folder, note: dict[str, Any]) -> Restored:
    if note["warehouse"]:
        _restore_warehouse(workspace, folder)
        fault_point("restore.warehouse")
    newest = max((row["import_id"] for row in workspace.warehouse.imports(limit=1)), default=0)
    for name in folder.names("districts"):
        _copy_under(folder, Folder(workspace.settings.districts), f"districts/{name}", under="districts/")
    files, forgotten = _restore_archive(folder, Folder(workspace.settings.archive), newest)
    fault_point("restore.archive")
    ended = _end_running(workspace)
    for row in workspace.warehouse.imports():
        if is_behind(workspace, row):
            refresh_manifest(workspace, row["import_id"])
    workspace.warehouse.write_down(Entry(action="restore", about={"made_at": note["at"], "newest": newest}))
    return Restored(home=str(workspace.home), newest=newest, files=files, ended=ended, forgotten=forgotten)


def _end_running(workspace: Workspace) -> tuple[int, ...]:
    """End, as ``failed``, imports that were under way: the processes that worked on them are of another home."""
    running = [row["import_id"] for row in workspace.warehouse.imports(status="running")]
    summary, now = {"error": error_summary(Abandoned())}, datetime.now(UTC)
    for number in running:
        workspace.warehouse.conclude(Conclusion(import_id=number, status="failed", finished_at=now, summary=summary))
    return tuple(sorted(running))


def _purges(workspace: Workspace) -> list[dict[str, Any]]:
    return [row for row in workspace.warehouse.imports() if row["kind"] == "purge"]


def _note(source: str) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(Folder(source).read(_NOTE))
    except FileNotFoundError:
        raise NoBackup(where=redact(source), problem="no backup that was finished lies here") from None
    except ValueError:
        raise NoBackup(where=redact(source), problem=f"{_NOTE} is damaged") from None
    if note["version"] != VERSION:
        raise NoBackup(where=redact(source), problem=f"it was made by a version that writes form {note['version']}")
    return note


# ---- the warehouse


def _copy_warehouse(workspace: Workspace, target: Folder) -> bool:
    """Copy the warehouse as of one moment, if it is a file. Returns whether it is."""
    with scratch_folder(workspace.settings.scratch) as scratch:
        copy = scratch / _WAREHOUSE
        if not workspace.warehouse.copy_to(copy):
            return False
        with copy.open("rb") as found:
            target.write_by(_WAREHOUSE, lambda out: shutil.copyfileobj(found, out, 1 << 20))
    return True


def _restore_warehouse(workspace: Workspace, folder: Folder) -> None:
    with scratch_folder(workspace.settings.scratch) as scratch:
        copy = scratch / _WAREHOUSE
        copy.write_bytes(folder.read(_WAREHOUSE))
        if not workspace.warehouse.put_file(copy):
            where = workspace.warehouse.url
            raise NotEmpty(where=where, problem="the backup has a SQLite file, for which the home needs a place of its own")


# ---- files


def _files(folder: Folder, name: str, depth: int) -> Iterator[str]:
    """Yield the files `depth` levels below a folder, without those that are being written."""
    for entry in folder.names(name):
        if depth > 1:
            yield from _files(folder, f"{name}/{entry}", depth - 1)
        elif not entry.endswith(".part"):
            yield f"{name}/{entry}"


def _copy(source: Folder, target: Folder, name: str, *, under: str) -> int:
    files = list(_files(source, name, _DEPTHS[name]))
    for file in files:
        try:
            target.write(f"{under}{file}", source.read(file))
        except FileNotFoundError:  # an upload that waited, and has been taken in
            continue
    return len(files)


def _copy_under(source: Folder, target: Folder, file: str, *, under: str) -> None:
    if file.endswith(".toml"):
        target.write(file.removeprefix(under), source.read(file))
        return
    for name in source.names(file):
        _copy_under(source, target, f"{file}/{name}", under=under)


def _copy_settings(workspace: Workspace, target: Folder) -> None:
    own, registry = Folder(str(workspace.home)), Folder(workspace.settings.districts)
    for name in _SETTINGS:
        if own.exists(name):
            target.write(name, own.read(name))
    for name in registry.names():
        if name.endswith(".toml"):
            target.write(f"districts/{name}", registry.read(name))
    for name in registry.names("removed"):
        target.write(f"districts/removed/{name}", registry.read(f"removed/{name}"))


def _restore_archive(folder: Folder, archive: Folder, newest: int) -> tuple[int, int]:
    """Copy what imports up to `newest` name. Returns how many files that were, and how many manifests were left behind."""
    found = {name: list(_files(folder, f"archive/{name}", depth)) for name, depth in _DEPTHS.items()}
    known = [file for file in found["manifests"] if _number(file) <= newest]
    wanted: set[str] = set()
    for file in (*known, *found["arrivals"]):
        wanted |= named_keys(_document(folder, file))
    for file in found["removals"]:  # of a purge that broke off: what it has rewritten, and no manifest names yet
        rewritten = _document(folder, file)["members"].values()
        wanted |= set[str]().union(*(named_keys({"members": members}) for members in rewritten))
    objects = [file for file in found["objects"] if file.rpartition("/")[2] in wanted]
    pages = [file for file in found["reports"] if _number(file) <= newest]
    files = [*objects, *found["arrivals"], *known, *pages, *found["removals"]]
    for file in files:
        archive.write(file.removeprefix("archive/"), folder.read(file))
    return len(files), len(found["manifests"]) - len(known)


def _document(folder: Folder, file: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(folder.read(file))
    except ValueError:
        raise NoBackup(where=redact(folder.url), problem=f"{file} is damaged") from None
    return document


def _number(file: str) -> int:
    return int(Path(file).name.partition(".")[0])
