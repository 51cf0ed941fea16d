"""Write and verify the list of a backup's files, each with size and hash, and the manifest that seals the list.

Everything is verified before a byte is restored, and each file again while it is copied: a restore yields what was backed up,
or an error with the first wrong file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from roster_etl.spec.errors import PermanentError
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import printable_name, redact

VERSION = 2
MANIFEST_FILE, LIST, CLAIM, WAREHOUSE = "backup.json", "files.txt", "begun", "warehouse.sqlite"
"""File names: the manifest, the list of files, the claim on the folder (written first), the database."""
SETTINGS = ("roster_etl.toml", "dagster.yaml")
SUITES, SUITE_PATTERN = "expectations", r"[a-z0-9_]+/[a-z0-9_]+\.json"
"""The home's folder of suites that replace the package's, and the pattern of their file names."""
ARCHIVE_PATTERNS: Mapping[str, str] = {
    "arrivals": r"[\w-]+/[\w-]+/(?:[0-9]+|archived|landed(?:-[a-z0-9_]+)?)\.json",
    "objects": r"[0-9a-f]{2}/[0-9a-f]{64}(?:\.zst)?",
    "manifests": r"[\w-]+/[0-9]+\.json",
    "reports": r"[\w-]+/[0-9]+\.(?:html|json|csv)(?:\.zst)?",
    "removals": r"[\w-]+\.json",
    "decisions": r"[\w-]+/[0-9]+\.json",
    "receipts": r"[\w-]+/[\w-]+/[0-9]+\.(?:dsse\.json|outcomes\.(?:json\.zst|csv(?:\.zst)?))",
}
"""The archive's folders to copy, and the patterns of their file names; other files are not ours."""
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_PATH_PATTERN = re.compile(
    rf"{'|'.join(re.escape(name) for name in (*SETTINGS, WAREHOUSE))}|districts/{_NAME}\.toml|districts/removed/{_NAME}|expectations/{SUITE_PATTERN}"
    rf"|archive/(?:{'|'.join(f'{name}/{form}' for name, form in ARCHIVE_PATTERNS.items())})"
)
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]{1,19}) ([A-Za-z0-9_./-]+)", re.ASCII)


class NoBackup(PermanentError):
    """The backup is missing, incomplete, or changed since it was written."""

    code = "no_backup"
    template = "{where}: {problem}"


@dataclass(frozen=True, kw_only=True)
class BackupFile:
    """A file of a backup. ``size`` in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class BackupManifest:
    """The content of ``backup.json``.

    ``newest``: the newest import in the warehouse; ``files``: number of archived files, without pending uploads;
    ``listed``, ``list_sha256``: number of files in the list, and the hash of the list itself.
    """

    version: int = VERSION
    at: str
    warehouse: bool
    newest: int
    files: int
    listed: int
    list_sha256: str


@dataclass(frozen=True, kw_only=True)
class VerifiedBackup:
    """A backup whose files are all verified."""

    folder: Folder
    manifest: BackupManifest
    files: Mapping[str, BackupFile]

    def files_in(self, name: str) -> list[str]:
        """Return the names of the files in a folder, sorted."""
        return [file for file in self.files if file.startswith(f"{name}/")]

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises NoBackup, at the end at the latest: they differ from those that were backed up."""
        return _verified_pieces(self.folder, self.files[name])

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises NoBackup, as `read_chunks` does."""
        return b"".join(self.pieces(name))


@dataclass
class BackupWriter:
    """Writes a backup into a claimed folder. ``scratch``: a private folder for files on their way to an object store."""

    folder: Folder
    scratch: Path
    files: list[BackupFile] = field(default_factory=list)

    def add_file(self, name: str, pieces: Iterable[bytes]) -> None:
        """Copy a file, and record its size and hash."""
        seen = _SizeAndHash()
        write_atomically(seen.count_pieces(pieces), self.folder, name, self.scratch)
        self.files.append(BackupFile(name=name, size=seen.size, sha256=seen.digest.hexdigest()))

    def write_file_list(self, *, at: str, warehouse: bool, newest: int, files: int) -> BackupManifest:
        """Write the list of files, and return its manifest, which `write_backup_manifest` has to write last."""
        lines = [f"{file.sha256} {file.size} {file.name}\n" for file in sorted(self.files, key=lambda file: file.name)]
        content = "".join(lines).encode()
        self.folder.write(LIST, content)
        digest = hashlib.sha256(content).hexdigest()
        return BackupManifest(at=at, warehouse=warehouse, newest=newest, files=files, listed=len(lines), list_sha256=digest)

    def write_backup_manifest(self, manifest: BackupManifest) -> None:
        """Write the manifest, which marks the backup as complete."""
        self.folder.write(MANIFEST_FILE, json.dumps(asdict(manifest)).encode())


def is_claim(name: str) -> bool:
    """Return whether a file is the claim on a backup's folder; in an object store its name has a token."""
    return name.partition(".")[0] == CLAIM


def write_atomically(pieces: Iterable[bytes], target: Folder, name: str, scratch: Path) -> None:
    """Write a file completely or not at all, without holding it in memory; for an object store via a file in `scratch`."""
    if target.is_local:
        target.write_with(name, lambda out: out.writelines(pieces))
        return
    waiting = Folder(str(scratch))
    waiting.write_with("carried", lambda out: out.writelines(pieces), durable=False)
    target.put(name, scratch / "carried")


def read_verified_backup(source: str) -> VerifiedBackup:
    """Verify every file of the backup in `source`, and return its content. Raises NoBackup with the first wrong file."""
    folder = Folder(source)
    if MANIFEST_FILE not in folder.names():
        begun = any(is_claim(name) for name in folder.names())
        rest = ": one was begun and did not come to its end" if begun else ""
        raise NoBackup(where=redact(source), problem=f"no backup that was finished lies here{rest}")
    found = _plain_files(folder)
    note = _read_manifest(folder)
    files = {file.name: file for file in _read_file_list(folder, note)}
    if wrong := sorted(found ^ set(files)):
        why = "is missing" if wrong[0] in files else "is no file of this backup"
        raise NoBackup(where=redact(source), problem=f"{printable_name(wrong[0])} {why}")
    if note.warehouse != (WAREHOUSE in files):
        raise NoBackup(
            where=redact(source), problem=f"{MANIFEST_FILE} is damaged: it says otherwise of {WAREHOUSE} than the list"
        )
    for file in files.values():
        for _ in _verified_pieces(folder, file):
            pass
    return VerifiedBackup(folder=folder, manifest=note, files=files)


def _plain_files(folder: Folder) -> set[str]:
    """Return the names of the files, without the backup's own. Raises NoBackup: an entry is not a plain file (a link)."""
    where, found = redact(folder.url), set()
    try:
        for name, is_plain in folder.all_files():
            if not is_plain:
                raise NoBackup(
                    where=where, problem=f"{printable_name(name)} is a link, or no file; a backup has none, and none is followed"
                )
            if name not in (MANIFEST_FILE, LIST) and not is_claim(name):
                found.add(name)
    except OSError as error:
        raise NoBackup(where=where, problem=f"it cannot be read ({error.strerror})") from None
    return found


def _read_manifest(folder: Folder) -> BackupManifest:
    where = redact(folder.url)
    damaged = NoBackup(where=where, problem=f"{MANIFEST_FILE} is damaged")
    try:
        document = json.loads(_read_file(folder, MANIFEST_FILE))
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(document, dict) or type(document.get("version")) is not int:
        raise damaged
    if document["version"] < VERSION:
        problem = "it was written by an older version, which does not list its files, so it cannot be verified"
        raise NoBackup(where=where, problem=f"{problem}; restore it with the version that made it, and back that home up anew")
    if document["version"] > VERSION:
        raise NoBackup(where=where, problem="a newer version of this program made it; restore it with that one")
    types = {"int": int, "str": str, "bool": bool}
    if any(type(document.get(name.name)) is not types[str(name.type)] for name in fields(BackupManifest)):
        raise damaged
    return BackupManifest(**{name.name: document[name.name] for name in fields(BackupManifest)})


def _read_file_list(folder: Folder, manifest: BackupManifest) -> Iterator[BackupFile]:
    """Yield the files in the list. Raises NoBackup: it is not the sealed one, or has files that are not part of a backup."""
    content, where = _read_file(folder, LIST), redact(folder.url)
    if hashlib.sha256(content).hexdigest() != manifest.list_sha256:
        raise NoBackup(where=where, problem=f"{LIST} is damaged")
    lines = content.decode("ascii", "replace").splitlines()
    names = set()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or not _PATH_PATTERN.fullmatch(match[3]) or match[3] in names:
            raise NoBackup(where=where, problem=f"{LIST} is damaged")
        names.add(match[3])
        yield BackupFile(name=match[3], size=int(match[2]), sha256=match[1])
    if len(names) != manifest.listed:
        raise NoBackup(where=where, problem=f"{LIST} names {len(names)} files, and {MANIFEST_FILE} says {manifest.listed}")


def _read_file(folder: Folder, name: str) -> bytes:
    try:
        return folder.read(name)
    except FileNotFoundError:
        raise NoBackup(where=redact(folder.url), problem=f"{name} is missing") from None
    except OSError as error:
        raise NoBackup(where=redact(folder.url), problem=f"{name} cannot be read ({error.strerror})") from None


def _verified_pieces(folder: Folder, file: BackupFile) -> Iterator[bytes]:
    where, seen = redact(folder.url), _SizeAndHash()
    try:
        for piece in seen.count_pieces(folder.read_chunks(file.name)):
            if seen.size > file.size:
                break
            yield piece
    except FileNotFoundError:
        raise NoBackup(where=where, problem=f"{file.name} is missing") from None
    except OSError as error:
        raise NoBackup(where=where, problem=f"{file.name} cannot be read ({error.strerror})") from None
    if seen.size != file.size or seen.digest.hexdigest() != file.sha256:
        raise NoBackup(where=where, problem=f"{file.name} is damaged: its bytes are not those that were backed up")


class _SizeAndHash:
    """Size and hash of the bytes that passed through."""

    def __init__(self) -> None:
        self.size, self.digest = 0, hashlib.sha256()

    def count_pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.size += len(piece)
            self.digest.update(piece)
            yield piece
