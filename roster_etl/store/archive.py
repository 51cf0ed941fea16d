"""The archive: the bytes of every upload, written once, found by their hash, with one manifest an import beside them.

Belongs here: putting, getting and checking. Does not belong here: blanking passwords (done before), what a manifest says.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from roster_etl.spec.errors import ArchiveError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.registry.district import check_id

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """What a manifest records of a file: ``key`` is the sha256 of the bytes as stored, ``original_sha256`` that of the bytes as uploaded.

    The two differ where password values were blanked.
    """

    key: str
    original_sha256: str
    size: int


class Archive:
    """The archive in a folder (path or fsspec URL): ``objects/<2 digits>/<sha256>`` and ``manifests/<district>/<import>.json``.

    Beside them, for people: ``reports/<district>/<import>.html``, ``.json`` and ``.csv``, which are written again when a hold is decided.
    ``removals/<district>.json``: what a purge that goes on removes, or one that was killed was to remove.
    ``arrivals/<district>/<format>/<number>.json``: uploads whose bytes are here, and whose imports have not begun.
    """

    def __init__(self, url: str) -> None:
        self._folder = Folder(url)

    def remove_partial_files(self) -> int:
        """Remove what killed processes were still writing a day ago, and return how many files that were."""
        return self._folder.remove_partial_files()

    def put(self, content: bytes | Path, *, original_sha256: str) -> StoredFile:
        """Store `content` (bytes, or a local file) for good; what is there already is left as it is. Raises ArchiveError."""
        if not _KEY.fullmatch(original_sha256):
            raise ArchiveError(key=original_sha256[:80], problem="original_sha256 is no sha256")
        content = content.read_bytes() if isinstance(content, Path) else content
        key = hashlib.sha256(content).hexdigest()
        fault_point("archive.write")
        if self._folder.size(_object(key)) != len(content):
            self._folder.write(_object(key), content)
        fault_point("archive.written")
        return StoredFile(key=key, original_sha256=original_sha256, size=len(content))

    def get(self, key: str) -> bytes:
        """Return the bytes stored under `key`. Raises ArchiveError if they are gone or no longer the same."""
        try:
            content = self._folder.read(_object(key))
        except FileNotFoundError:
            raise ArchiveError(key=key, problem="nothing is stored under this key") from None
        if hashlib.sha256(content).hexdigest() != key:
            raise ArchiveError(key=key, problem="the stored bytes are no longer those that were put; restore them from a backup")
        return content

    def put_table(self, table: pa.Table) -> str:
        """Store a table for good, as Parquet, and return its key. Raises ArchiveError."""
        sink = io.BytesIO()
        pq.write_table(table, sink)
        content = sink.getvalue()
        return self.put(content, original_sha256=hashlib.sha256(content).hexdigest()).key

    def get_table(self, key: str) -> pa.Table:
        """Return the table stored under `key`. Raises ArchiveError."""
        return pq.read_table(io.BytesIO(self.get(key)))

    def remove_unreferenced(self, keys: Iterable[str]) -> int:
        """Remove those of `keys` that no manifest of any district names any more, and return how many there were.

        Raises: ArchiveError: a manifest cannot be read, so that nobody knows what it names; nothing was removed.
        """
        wanted = set(keys)
        for name in (*self._json_files_below("manifests"), *self._json_files_below("arrivals")) if wanted else ():
            try:
                wanted -= referenced_keys(self._folder.read(name))
            except ValueError:
                raise ArchiveError(key=name, problem="it is damaged; restore it from a backup, then purge again") from None
        for key in wanted:
            folder = _object(key).rpartition("/")[0]
            for name in self._folder.names(folder):
                if name.startswith(key):  # also what a killed process had written of it, under a temporary name
                    self._folder.remove(f"{folder}/{name}")
        return len(wanted)

    def begin_removal(self, district_id: str, keys: Iterable[str], members: Mapping[int, Any]) -> None:
        """Write down what a purge of the district is about to do, on top of what an earlier one did not come to.

        Args: keys: what is removed in the end; members: import → its files as they are from then on. The warehouse forgets first whom to
            look for, so that a second try could not find out, and manifests let go of keys before their bytes are removed.
        """
        before = self.pending_removal(district_id)
        document = {
            "keys": sorted({*keys, *before["keys"]}),
            "members": {**before["members"], **{str(number): files for number, files in members.items()}},
        }
        self._folder.write(_removal(district_id), json.dumps(document).encode("utf-8"))

    def pending_removal(self, district_id: str) -> dict[str, Any]:
        """Return what a purge that has not come to its end was about to do: ``keys`` and ``members``, as `begin_removal` took them."""
        try:
            found: dict[str, Any] = json.loads(self._folder.read(_removal(district_id)))
        except FileNotFoundError:
            return {"keys": [], "members": {}}
        return found

    def pending_removals(self) -> tuple[str, ...]:
        """Return the districts of which a purge has not come to its end."""
        return tuple(name.removesuffix(".json") for name in self._folder.names("removals") if name.endswith(".json"))

    def end_removal(self, district_id: str) -> None:
        """Say that the purge has come to its end."""
        self._folder.remove(_removal(district_id))

    def has(self, key: str) -> bool:
        """Return whether something is stored under `key`."""
        return self._folder.exists(_object(key))

    def write_manifest(self, district_id: str, import_id: int, document: Mapping[str, Any]) -> str:
        """Write (or replace, as a whole) the manifest of an import. Returns its name in the archive."""
        name = _manifest(district_id, import_id)
        text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
        fault_point("manifest.write")
        self._folder.write(name, text.encode("utf-8"))
        fault_point("manifest.written")
        return name

    def read_manifest(self, district_id: str, import_id: int) -> dict[str, Any]:
        """Return the manifest of an import. Raises ArchiveError if there is none, or it cannot be read."""
        name = _manifest(district_id, import_id)
        try:
            document: dict[str, Any] = json.loads(self._folder.read(name))
        except FileNotFoundError:
            raise ArchiveError(key=name, problem="there is no such manifest") from None
        except ValueError:
            raise ArchiveError(key=name, problem="the manifest is damaged; restore it from a backup") from None
        return document

    def write_report(self, district_id: str, import_id: int, kind: str, content: bytes) -> str:
        """Write (or replace, as a whole) what people are told of an import; ``kind``: html, json or csv. Returns its name in the archive."""
        name = f"reports/{check_id(district_id)}/{int(import_id)}.{kind}"
        self._folder.write(name, content)
        return name

    def reports(self, district_id: str) -> tuple[int, ...]:
        """Return the imports of which a report is kept."""
        stems = {name.partition(".")[0] for name in self._folder.names(f"reports/{check_id(district_id)}")}
        return tuple(sorted(int(stem) for stem in stems if stem.isdigit()))

    def remove_reports(self, district_id: str) -> None:
        """Remove the reports of a district; nothing happens if there are none."""
        self._folder.remove(f"reports/{check_id(district_id)}")

    def _json_files_below(self, name: str) -> Iterator[str]:
        """Yield the JSON files in a folder and its folders."""
        for entry in self._folder.names(name):
            yield from (f"{name}/{entry}",) if entry.endswith(".json") else self._json_files_below(f"{name}/{entry}")

    def manifests(self, district_id: str) -> tuple[int, ...]:
        """Return the import ids that have a manifest, in rising order."""
        names = self._folder.names(f"manifests/{check_id(district_id)}")
        return tuple(sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"[0-9]+\.json", name)))

    def add_pending_upload(self, district_id: str, source: str, document: Mapping[str, Any], *, at: datetime) -> int:
        """Write down an upload that waits for its import, behind those that wait already. Returns its number, which is never used again."""
        number = max((*self.pending_uploads(district_id, source), int(at.timestamp() * 1000) - 1)) + 1
        fault_point("arrival.write")
        self._folder.write(
            _pending_upload_name(district_id, source, number), json.dumps(document, ensure_ascii=False).encode("utf-8")
        )
        fault_point("arrival.written")
        return number

    def pending_uploads(self, district_id: str, source: str) -> tuple[int, ...]:
        """Return the numbers of the uploads of a feed that wait, in rising order."""
        names = self._folder.names(f"arrivals/{check_id(district_id)}/{source}")
        return tuple(sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"[0-9]+\.json", name)))

    def read_pending_upload(self, district_id: str, source: str, number: int) -> dict[str, Any]:
        """Return what was written down of an upload that waits. Raises ArchiveError if it waits no longer, or cannot be read."""
        name = _pending_upload_name(district_id, source, number)
        try:
            document: dict[str, Any] = json.loads(self._folder.read(name))
        except FileNotFoundError:
            raise ArchiveError(key=name, problem="this upload waits no longer: an import has taken it") from None
        except ValueError:
            raise ArchiveError(key=name, problem="it is damaged; upload the files again") from None
        return document

    def remove_pending_upload(self, district_id: str, source: str, number: int) -> None:
        """Forget that an upload waits; its bytes stay."""
        fault_point("arrival.forget")
        self._folder.remove(_pending_upload_name(district_id, source, number))


def referenced_keys(content: bytes) -> set[str]:
    """Return the keys of what a manifest, an upload that waits, or a removal that broke off, has in the archive.

    ``sha256`` of a member is none of them: it says what the district uploaded, whose bytes may have been removed since, and often looks
    the same as the key that they had. Raises ValueError: it cannot be understood.
    """
    try:
        document = json.loads(content)
        members = document.get("members", [])
        of_imports = members.values() if isinstance(members, dict) else [members]  # a removal has those of several
        named = {member["key"] for some in of_imports for member in some if member["key"]}
        return named | set(document.get("checkpoint", {}).values())
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no manifest: {type(error).__name__}") from None


def _pending_upload_name(district_id: str, source: str, number: int) -> str:
    return f"arrivals/{check_id(district_id)}/{source}/{int(number)}.json"


def _removal(district_id: str) -> str:
    return f"removals/{check_id(district_id)}.json"


def _object(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ArchiveError(key=key[:80], problem="no key of the archive: 64 hexadecimal digits are")
    return f"objects/{key[:2]}/{key}"


def _manifest(district_id: str, import_id: int) -> str:
    return f"manifests/{check_id(district_id)}/{int(import_id)}.json"
