"""Back up and restore a home: warehouse, archive, registry and settings as one consistent copy, made while imports run.

Belongs here: what is copied, in which order, and what is not restored. The order makes the copy consistent: pending uploads, then
the warehouse as of one moment, then the archive, which only grows; so everything that the warehouse refers to is in the copy.
What the archive has of later imports is not restored: their numbers are assigned again.
PostgreSQL is copied by its own tools (docs/operations/housekeeping.md), before the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roster_etl.pipeline.lifecycle.crashed_imports import ProcessCrashed, error_summary
from roster_etl.pipeline.lifecycle.manifest import is_manifest_outdated, refresh_manifest
from roster_etl.pipeline.maintenance.backup_manifest import (
    ARCHIVE_PATTERNS,
    CLAIM,
    MANIFEST_FILE,
    SETTINGS,
    SUITE_PATTERN,
    SUITES,
    WAREHOUSE,
    BackupManifest,
    BackupWriter,
    NoBackup,
    VerifiedBackup,
    is_claim,
    read_verified_backup,
    write_atomically,
)
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.receipts.rebuild import restore_receipt_rows
from roster_etl.pipeline.workspace import RESTORE_MARKER, Workspace
from roster_etl.spec.errors import PermanentError, RetryableError
from roster_etl.store.archive import COMPRESSED, referenced_keys
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import local_path, redact
from roster_etl.store.warehouse import AuditEntry, ImportResult, Warehouse


class BackupTargetNotEmpty(PermanentError):
    """The target of a backup or a restore is not empty."""

    code = "not_empty"
    template = "{where} is not empty: {problem}"


class PurgedMeanwhile(RetryableError):
    """Personal data was purged during the backup: its parts are inconsistent, and one still has that data."""

    code = "purged_meanwhile"
    template = "a purge went on while {where} was written; remove that folder, and make the backup again"


@dataclass(frozen=True, kw_only=True)
class BackupResult:
    """The result of a backup.

    ``warehouse``: whether the database is in it; ``newest``: the newest import in the warehouse; ``files``: number of archived
    files.
    """

    where: str
    warehouse: bool
    newest: int
    files: int


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """The result of a restore.

    ``ended``: imports that were running; ``forgotten``: manifests of imports that are not in the warehouse; ``set_aside``: where the
    former contents of the home are.
    """

    home: str
    newest: int
    files: int
    ended: tuple[int, ...]
    forgotten: int
    set_aside: str | None = None


@dataclass(frozen=True, kw_only=True)
class HomeContents:
    """What a home holds besides its settings: number of files, and their bytes."""

    files: int
    bytes: int


REPLACE_HINT = "name a new folder as --home, or look with --dry-run what it holds, and repeat it with --yes to set that aside"


@dataclass(frozen=True, kw_only=True)
class BackupSummary:
    """A backup that can be restored.

    ``at``: when it was made (ISO 8601); ``listed``: number of files; ``bytes``: their total size.
    """

    where: str
    at: str
    warehouse: bool
    newest: int
    listed: int
    bytes: int


def back_up(workspace: Workspace, to: str) -> BackupResult:
    """Copy all that cannot be recreated to the empty folder `to` (path or fsspec URL). Raises BackupTargetNotEmpty, PurgedMeanwhile."""
    target = Folder(to)
    with workspace.warehouse.audited(AuditEntry(action="backup", about={"to": redact(to)})):
        _claim(target)
        with scratch_folder(workspace.settings.scratch) as scratch:
            note = _copy_parts(workspace, BackupWriter(target, scratch))
    return BackupResult(where=redact(to), warehouse=note.warehouse, newest=note.newest, files=note.files)


def _claim(target: Folder) -> None:
    """Claim an empty folder for this backup. Raises BackupTargetNotEmpty: it is not empty, or another backup claimed it first."""
    found, where = target.names(), redact(target.url)
    if MANIFEST_FILE not in found and any(is_claim(name) for name in found):
        raise BackupTargetNotEmpty(
            where=where, problem="a backup into it goes on, or broke off; name a new folder, and remove one that broke off"
        )
    if found:
        raise BackupTargetNotEmpty(where=where, problem="name a new folder for each backup")
    if not target.claim(CLAIM, datetime.now(UTC).isoformat().encode()) or not all(is_claim(name) for name in target.names()):
        raise BackupTargetNotEmpty(
            where=where, problem="another backup into it has just begun; name a new folder for each backup"
        )


def _copy_parts(workspace: Workspace, writer: BackupWriter) -> BackupManifest:
    archive, purges = Folder(workspace.settings.archive), _purges(workspace)
    for name in ("arrivals", "decisions"):  # a decision that is made meanwhile is not of the warehouse that is copied
        _copy_archive_folder(archive, writer, name)
    newest = _copy_warehouse(workspace, writer)
    fault_point("backup.warehouse")
    is_copied = newest is not None
    number = _newest(workspace.warehouse) if newest is None else newest
    files = sum(
        _copy_archive_folder(archive, writer, name) for name in ("objects", "manifests", "reports", "removals", "receipts")
    )
    _copy_settings(workspace, writer)
    if _purges(workspace) != purges or any(row["status"] == "running" for row in purges):
        raise PurgedMeanwhile(where=redact(writer.folder.url))
    note = writer.write_file_list(at=datetime.now(UTC).isoformat(), warehouse=is_copied, newest=number, files=files)
    fault_point("backup.note")
    writer.write_backup_manifest(note)
    return note


def home_contents(home: Path) -> HomeContents:
    """Return what `home` holds besides settings, which a restore keeps."""
    files = [path for entry in _entries(home) for path in (entry.rglob("*") if entry.is_dir() else [entry]) if not path.is_dir()]
    return HomeContents(files=len(files), bytes=sum(path.lstat().st_size for path in files))


def _entries(home: Path) -> list[Path]:
    return sorted(path for path in home.iterdir() if path.name not in {*SETTINGS, SUITES}) if home.is_dir() else []


def restore(source: str, home: Path, *, replace_contents: bool = False) -> RestoreResult:
    """Restore the backup in `source` to the folder `home`, which is new, or whose contents are set aside with `replace_contents`.

    A PostgreSQL warehouse must have been restored by PostgreSQL's own tools before.
    The whole backup is verified before anything is written. If the restore fails nevertheless, `home` is left as it was.
    Raises: NoBackup; BackupTargetNotEmpty: `home`, or the archive, registry or warehouse in its settings, is not empty.
    """
    sealed = read_verified_backup(source)
    wanted = _select_files(sealed)
    if _entries(home) and not replace_contents:
        raise BackupTargetNotEmpty(where=str(home), problem=REPLACE_HINT)
    with ExitStack() as undo:
        set_aside = _set_contents_aside(home, undo) if _entries(home) else None
        done = _restore_home(sealed, wanted, home, undo)
        undo.pop_all()
    return replace(done, set_aside=str(set_aside) if set_aside else None)


def _set_contents_aside(home: Path, rollback: ExitStack) -> Path:
    """Move what `home` holds, without settings, into a new folder beside it. Returns that folder.

    Args: rollback: receives the callbacks that move it back.
    """
    aside = home.absolute().with_name(f"{home.absolute().name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    aside.mkdir(mode=0o700)
    rollback.callback(_remove_empty, aside)
    for entry in _entries(home):
        target = aside / entry.name
        entry.rename(target)
        rollback.callback(_move_back, target, entry)
    return aside


def _move_back(source: Path, target: Path) -> None:
    """Move what was set aside back to `target`, where a failed restore may have left empty folders."""
    for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
        _remove_empty(folder)
    _remove_empty(target)
    source.rename(target)


def verify_backup(source: str) -> BackupSummary:
    """Read and verify the whole backup in `source`, as `restore` does before it writes anything. Raises NoBackup."""
    sealed = read_verified_backup(source)
    _select_files(sealed)
    note, size = sealed.manifest, sum(file.size for file in sealed.files.values())
    where = redact(source)
    return BackupSummary(where=where, at=note.at, warehouse=note.warehouse, newest=note.newest, listed=note.listed, bytes=size)


def _restore_home(backup: VerifiedBackup, selection: _RestoreSelection, home: Path, rollback: ExitStack) -> RestoreResult:
    """Write the home. Args: rollback: receives the callbacks that revert everything on failure."""
    own = Folder(str(home))
    if not home.exists():
        rollback.callback(_remove_empty, home)
    for name in (*SETTINGS, *backup.files_in(SUITES)):  # existing settings take precedence: they may name other locations
        if name in backup.files and not own.exists(name):
            rollback.callback(own.remove, name)
            own.write(name, backup.read(name))
    workspace = Workspace.open(home)
    for place in (workspace.settings.archive, workspace.settings.districts):
        if Folder(place).names():
            problem = (
                "the settings of the home name it; put a roster_etl.toml that names another into the home, then restore again"
            )
            raise BackupTargetNotEmpty(where=redact(place), problem=problem)
    before = set(own.names())
    if not own.claim(RESTORE_MARKER, b""):
        raise BackupTargetNotEmpty(where=str(home), problem="another restore into it has just begun")
    rollback.callback(_remove_new_files, own, before)
    for place in (workspace.settings.archive, workspace.settings.districts):
        path = local_path(place)
        if path is not None and not path.exists():
            rollback.callback(_remove_empty, path)
        rollback.callback(_remove_new_files, Folder(place), set())
    try:
        done = _restore_stores(workspace, backup, selection, rollback)
        own.remove(RESTORE_MARKER)
    finally:
        workspace.close()
    return done


def _remove_new_files(folder: Folder, before: set[str]) -> None:
    """Delete the files that were not in a folder before; the marker of an incomplete home last."""
    for name in sorted(set(folder.names()) - before, key=lambda name: name == RESTORE_MARKER):
        folder.remove(name)


def _remove_empty(path: Path) -> None:
    with suppress(OSError):  # not empty, or already deleted
        path.rmdir()


def _restore_stores(
    workspace: Workspace, backup: VerifiedBackup, selection: _RestoreSelection, rollback: ExitStack
) -> RestoreResult:
    with scratch_folder(workspace.settings.scratch) as scratch:
        if backup.manifest.warehouse:
            _restore_warehouse(workspace, backup, scratch, rollback)
            fault_point("restore.warehouse")
        newest = _newest(workspace.warehouse)
        if backup.manifest.warehouse and newest != backup.manifest.newest:
            raise NoBackup(
                where=redact(backup.folder.url),
                problem=f"{MANIFEST_FILE} describes another warehouse than the one in this folder",
            )
        registry, archive = Folder(workspace.settings.districts), Folder(workspace.settings.archive)
        for name in backup.files_in("districts"):
            write_atomically(backup.pieces(name), registry, name.removeprefix("districts/"), scratch)
        files = selection.files(newest)
        for name in files:
            write_atomically(backup.pieces(name), archive, name.removeprefix("archive/"), scratch)
    fault_point("restore.archive")
    ended = _fail_running_imports(workspace)
    for row in workspace.warehouse.ledger.imports():
        if is_manifest_outdated(workspace, row):
            refresh_manifest(workspace, read_import_summary(workspace, row["import_id"]))
    for district_id in sorted({file.split("/")[2] for file in selection.always if file.startswith("archive/receipts/")}):
        restore_receipt_rows(workspace.warehouse, workspace.archive, district_id)
    with workspace.warehouse.write() as tx:
        for district_id in workspace.registry.ids():
            tx.reconciliation.forget_compared(district_id)  # all is compared once more
        tx.append_audit(AuditEntry(action="restore", about={"made_at": backup.manifest.at, "newest": newest}))
    forgotten = sum(_number(name) > newest for name in selection.manifests)
    return RestoreResult(home=str(workspace.home), newest=newest, files=len(files), ended=ended, forgotten=forgotten)


def _newest(warehouse: Warehouse) -> int:
    return max((int(row["import_id"]) for row in warehouse.ledger.imports(limit=1)), default=0)


def _fail_running_imports(workspace: Workspace) -> tuple[int, ...]:
    """End running imports as ``failed``: the processes that worked on them belong to another home."""
    running = [row["import_id"] for row in workspace.warehouse.ledger.imports(status="running")]
    summary, now = {"error": error_summary(ProcessCrashed())}, datetime.now(UTC)
    for number in running:
        with workspace.warehouse.write() as tx:
            tx.conclude(ImportResult(import_id=number, status="failed", finished_at=now, summary=summary))
    return tuple(sorted(running))


def _purges(workspace: Workspace) -> list[dict[str, Any]]:
    return [row for row in workspace.warehouse.ledger.imports() if row["kind"] == "purge"]


# ---- warehouse


def _copy_warehouse(workspace: Workspace, writer: BackupWriter) -> int | None:
    """Copy the warehouse as of one moment, if it is a file. Returns the newest import in the copy; None: it is not a file."""
    copy = writer.scratch / WAREHOUSE
    if not workspace.warehouse.copy_to(copy):
        return None
    with Warehouse(f"sqlite:///{copy}") as copied:
        newest = _newest(copied)
    writer.add_file(WAREHOUSE, Folder(str(writer.scratch)).read_chunks(WAREHOUSE))
    copy.unlink()
    return newest


def _restore_warehouse(workspace: Workspace, backup: VerifiedBackup, scratch: Path, rollback: ExitStack) -> None:
    Folder(str(scratch)).write_with(WAREHOUSE, lambda out: out.writelines(backup.pieces(WAREHOUSE)))
    if not workspace.warehouse.put_file(scratch / WAREHOUSE):
        where = workspace.warehouse.url
        raise BackupTargetNotEmpty(
            where=where, problem="the backup has a SQLite file, for which the home needs a place of its own"
        )
    rollback.callback(workspace.warehouse.remove_file)


# ---- files


def _files(folder: Folder, name: str, depth: int) -> Iterator[str]:
    """Yield the names of the files `depth` levels below a folder."""
    for entry in folder.names(name):
        if depth:
            yield from _files(folder, f"{name}/{entry}", depth - 1)
        else:
            yield f"{name}/{entry}"


def _copy_archive_folder(archive: Folder, writer: BackupWriter, name: str) -> int:
    """Copy a folder of the archive, without files that are still being written. Returns the number of copied files."""
    form, copied = re.compile(f"{name}/{ARCHIVE_PATTERNS[name]}"), 0
    for file in list(_files(archive, name, ARCHIVE_PATTERNS[name].count("/"))):
        if form.fullmatch(file):
            with suppress(FileNotFoundError):  # a pending upload that an import has received meanwhile
                writer.add_file(f"archive/{file}", archive.read_chunks(file))
                copied += 1
    return copied


def _copy_settings(workspace: Workspace, writer: BackupWriter) -> None:
    own, registry = Folder(str(workspace.home)), Folder(workspace.settings.districts)
    for name in SETTINGS:
        if own.exists(name):
            writer.add_file(name, own.read_chunks(name))
    for name in _files(own, SUITES, 1):
        if re.fullmatch(f"{SUITES}/{SUITE_PATTERN}", name):
            writer.add_file(name, own.read_chunks(name))
    for name in registry.names():
        if name.endswith(".toml"):
            writer.add_file(f"districts/{name}", registry.read_chunks(name))
    for name in registry.names("removed"):
        writer.add_file(f"districts/removed/{name}", registry.read_chunks(f"removed/{name}"))


@dataclass(frozen=True, kw_only=True)
class _RestoreSelection:
    """The files of the archive to restore.

    ``manifests``: each with the keys in it; ``always``: files that are restored whatever the newest import is; ``keys``: the keys
    in those;
    ``pages``: reports; ``objects``: all objects in the backup.
    """

    manifests: dict[str, set[str]]
    always: list[str]
    keys: set[str]
    pages: list[str]
    objects: list[str]

    def files(self, newest: int) -> list[str]:
        """Return the files to which imports up to `newest` refer."""
        known = [file for file in self.manifests if _number(file) <= newest]
        keys = self.keys.union(*(self.manifests[file] for file in known))
        objects = [file for file in self.objects if file.rpartition("/")[2].removesuffix(COMPRESSED) in keys]
        return [*objects, *self.always, *known, *(page for page in self.pages if _number(page) <= newest)]


def _select_files(backup: VerifiedBackup) -> _RestoreSelection:
    """Read the documents that refer to objects. Raises NoBackup: one of them was damaged before it was backed up."""
    arrivals, removals = backup.files_in("archive/arrivals"), backup.files_in("archive/removals")
    keys: set[str] = set()
    for file in (*arrivals, *removals):  # an interrupted purge has rewritten objects that no manifest refers to yet
        keys |= _keys(backup, file)
    receipts, decisions = (backup.files_in(f"archive/{name}") for name in ("receipts", "decisions"))
    return _RestoreSelection(
        manifests={file: _keys(backup, file) for file in backup.files_in("archive/manifests")},
        always=[*arrivals, *removals, *receipts, *decisions],
        keys=keys,
        pages=backup.files_in("archive/reports"),
        objects=backup.files_in("archive/objects"),
    )


def _keys(backup: VerifiedBackup, file: str) -> set[str]:
    try:
        return referenced_keys(backup.read(file))
    except ValueError:
        problem = f"{file} cannot be understood: it was damaged before it was backed up"
        raise NoBackup(where=redact(backup.folder.url), problem=problem) from None


def _number(file: str) -> int:
    return int(Path(file).name.partition(".")[0])
