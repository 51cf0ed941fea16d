"""Where an export is written: a folder or a zip, here or behind a URL; whole or not at all.

SFTP servers: ``store.landing.sftp_target``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from roster_etl.spec.errors import FolderUnavailable, PermanentError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import create_private_folder
from roster_etl.store.files.object_store import ObjectFolder
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.files.urls import local_path, redact

_FOREIGN_ZIP = "no former export left the file that is there; nothing of others is removed"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same files give the same zip


class ExportTargetNotEmpty(PermanentError):
    """Something is already where an export would be written."""

    code = "not_empty"
    template = "--to {where}: {problem}"


class ExportTarget(Protocol):
    """A place for one export."""

    def check(self, *, replace: bool, former: frozenset[str]) -> None:
        """Require that the place is free, or that `replace` may exchange what is there. ``former``: names that exports left. Raises ExportTargetNotEmpty."""

    def staging(self) -> AbstractContextManager[Path]:
        """Return a private folder to write the files into; it is removed when its block ends."""

    def move(self, folder: Path, names: Sequence[str], *, replace: bool, former: frozenset[str]) -> None:
        """Move the files `names` of `folder` into place, the last one last."""


def is_zip(url: str) -> bool:
    """Return whether an export to `url` is one zip."""
    return url.casefold().endswith(".zip")


def write_zip(path: Path, folder: Path, names: Sequence[str]) -> None:
    """Write the files into a new zip, its members at the root: the same files give the same bytes."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for name in names:
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            with (folder / name).open("rb") as source, out.open(member, "w", force_zip64=False) as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


class LocalTarget:
    """A folder or a zip on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))

    def check(self, *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``."""
        where, path = str(self._path), self._path
        if path.is_symlink():
            raise ExportTargetNotEmpty(where=where, problem="it is a link; name the place itself")
        if is_zip(path.name):
            if path.exists():
                check_zip(where, replace=replace and path.is_file(), former=former)
                if not _zip_names(path) <= former:
                    raise ExportTargetNotEmpty(where=where, problem=_FOREIGN_ZIP)
            return
        if not path.exists():
            return
        if not path.is_dir():
            raise ExportTargetNotEmpty(
                where=where, problem="it is a file; name a folder that does not exist, an empty one, or a .zip"
            )
        _check_names(where, set(os.listdir(path)), replace=replace, former=former)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Create a private folder beside the place, so that moving is a rename."""
        with _translated(self._path):
            create_private_folder(self._path.parent)
            _remove_orphans(self._path)
            folder = Path(tempfile.mkdtemp(prefix=f".{self._path.name}.", suffix=".part", dir=self._path.parent))
        lock = os.open(folder, os.O_RDONLY)  # the folder itself is locked, so that no file of ours is in it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with _translated(self._path):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def move(self, folder: Path, names: Sequence[str], *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``. A folder is exchanged by two renames."""
        self.check(replace=replace, former=former)
        with _translated(self._path):
            for name in names:
                fault_point("export.part")
                _flush(folder / name)
            if is_zip(self._path.name):
                self._move_zip(folder, names)
            else:
                self._move_folder(folder)

    def _move_zip(self, folder: Path, names: Sequence[str]) -> None:
        made = folder / f"{secrets.token_hex(6)}.part"
        write_zip(made, folder, names)
        _flush(made)
        fault_point("export.move")
        os.replace(made, self._path)

    def _move_folder(self, folder: Path) -> None:
        fault_point("export.move")
        before = self._path.with_name(f".{self._path.name}.{secrets.token_hex(6)}.old")
        exchanged = self._path.exists() and bool(os.listdir(self._path))
        if exchanged:
            os.rename(self._path, before)
            fault_point("export.exchanged")
        try:
            os.rename(folder, self._path)
        except OSError:
            if exchanged:
                os.rename(before, self._path)
            raise
        for left in self._path.parent.glob(f".{_escaped(self._path.name)}.*.old"):
            shutil.rmtree(left, ignore_errors=True)


class ObjectTarget:
    """A folder or a zip behind an fsspec URL, each object of which appears whole."""

    def __init__(self, url: str, scratch: Path) -> None:
        self._where, self._scratch, self._url = redact(url), scratch, url
        folder, _, name = url.rpartition("/")
        self._zip = name if is_zip(url) else None
        self._objects = ObjectFolder(folder if self._zip else url)

    def check(self, *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``."""
        names = set(self._objects.names(""))
        if self._zip is not None:
            if self._zip in names:
                check_zip(self._where, replace=replace, former=former)
            return
        _check_names(self._where, names, replace=replace, former=former)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Create a private folder on this machine."""
        with scratch_folder(self._scratch) as folder:
            yield folder

    def move(self, folder: Path, names: Sequence[str], *, replace: bool, former: frozenset[str]) -> None:
        """See ``ExportTarget``. What is exchanged loses its last file first, so that nobody reads half of each."""
        self.check(replace=replace, former=former)
        if self._zip is not None:
            made = folder / f"{secrets.token_hex(6)}.part"
            write_zip(made, folder, names)
            fault_point("export.move")
            fault_point("export.part")
            self._objects.put(self._zip, made)
            return
        fault_point("export.move")
        there = set(self._objects.names("")) if replace else set()
        with suppress(FileNotFoundError):
            if names[-1] in there:
                self._objects.remove(names[-1])
        for name in there - set(names):
            self._objects.remove(name)
        for name in names:
            fault_point("export.part")
            self._objects.put(name, folder / name)


def check_zip(where: str, *, replace: bool, former: frozenset[str]) -> None:
    """Require that the zip that is there may be exchanged, since a former export left it. Raises ExportTargetNotEmpty."""
    if not replace:
        raise ExportTargetNotEmpty(where=where, problem="it exists; `--replace` exchanges what a former export left there")
    if not former:
        raise ExportTargetNotEmpty(where=where, problem=_FOREIGN_ZIP)


def _zip_names(path: Path) -> frozenset[str]:
    """Return the names in a zip; of a file that is none, its own name, which no export has as a member."""
    try:
        with zipfile.ZipFile(path) as found:
            return frozenset(found.namelist())
    except (OSError, zipfile.BadZipFile):
        return frozenset({path.name})


def _check_names(where: str, there: set[str], *, replace: bool, former: frozenset[str]) -> None:
    if there and not replace:
        raise ExportTargetNotEmpty(
            where=where, problem="the folder is not empty; `--replace` exchanges what a former export left there"
        )
    if foreign := there - former:
        raise ExportTargetNotEmpty(
            where=where, problem=f"files there that no former export left: {len(foreign)}; nothing of others is removed"
        )


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _remove_orphans(path: Path) -> None:
    """Remove what killed exports to this place left beside it."""
    for folder in path.parent.glob(f".{_escaped(path.name)}.*.part"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:
            continue  # it was moved into place at this moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderUnavailable(where=str(path), problem=error.strerror or type(error).__name__) from None


def open_local_or_object(url: str, scratch: Path) -> ExportTarget:
    """Return the target for a path, or for a URL that is not SFTP's."""
    path = local_path(url)
    return ObjectTarget(url, scratch) if path is None else LocalTarget(path)
