"""The archive: immutable, content-addressed storage for the bytes of every upload, with one manifest per import.

Passwords are blanked before anything gets here.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
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

COMPRESSED = ".zst"
"""How the names of compressed files end: Zstandard, as the program zstd reads it."""
_LEVEL = 1  # 600 MB a second; level 3 takes 1.6 times as long for 4 % less, level 12 twenty times for an eighth less
_PIECE = 1 << 20  # bytes that are decompressed at once
_PARTS = "parts"  # the folder of files that are being written
_NOTE, _LINES = f".outcomes.json{COMPRESSED}", ".outcomes.csv"  # the forms in which outcomes are stored
_KEY = re.compile(r"[0-9a-f]{64}")
_REQUESTS = 50  # of a feed that are remembered; a sensor asks for one at a time


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """The manifest entry of a stored file: its key, its original hash and its size in bytes.

    ``key``: sha256 of the bytes as kept, before they are compressed. ``original_sha256``: sha256 of the bytes as uploaded. The two differ where password
    values were blanked.
    """

    key: str
    original_sha256: str
    size: int


class Archive:
    """The archive in a folder (path or fsspec URL): ``objects/<2 digits>/<sha256>.zst`` and ``manifests/<district>/<import>.json``.

    Further files:
    ``reports/<district>/<import>.html.zst``, ``.json.zst``, ``.csv.zst``: reports for people; rewritten when a hold is decided.
    ``parts/``: files that are being written, under temporary names.
    ``removals/<district>.json``: the work list of a purge that is running or was interrupted.
    ``receipts/<district>/<format>/<number>.dsse.json``: signed receipts, and ``.outcomes.json.zst`` beside them: what became of the rows;
    earlier versions stored ``.outcomes.csv``, a line a row.
    ``arrivals/<district>/<format>/<number>.json``: pending uploads: archived, import not started. ``archived.json`` beside them:
    the requests by which the last uploads were archived that wait no longer; ``landed.json`` (``landed-<set>.json``): what the
    landing zone held when it was last read as a whole.
    """

    def __init__(self, url: str) -> None:
        self._folder = Folder(url, partial_files=_PARTS)

    def remove_partial_files(self, *, everywhere: bool = False) -> int:
        """Remove partial files of killed processes, once they are a day old, and return how many there were.

        Args: everywhere: also beside their targets, where earlier versions wrote them; this lists the whole archive.
        """
        return self._folder.remove_partial_files(below="" if everywhere else _PARTS)

    def put(self, content: bytes | Path, *, original_sha256: str) -> StoredFile:
        """Store `content` (bytes, or a local file) permanently; an object that exists is not overwritten. Raises ArchiveError."""
        if not _KEY.fullmatch(original_sha256):
            raise ArchiveError(key=original_sha256[:80], problem="original_sha256 is no sha256")
        content = content.read_bytes() if isinstance(content, Path) else content
        key = hashlib.sha256(content).hexdigest()
        fault_point("archive.write")
        if not self._is_stored(key, len(content)):
            self._folder.write(f"{_object(key)}{COMPRESSED}", _compress(content))
        fault_point("archive.written")
        return StoredFile(key=key, original_sha256=original_sha256, size=len(content))

    def get(self, key: str) -> bytes:
        """Return the bytes stored under `key`. Raises ArchiveError if they are missing or their hash differs."""
        return b"".join(self.pieces(key))

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield the bytes stored under `key`, some at a time: whoever puts them into a file need not have all in memory.

        Raises: ArchiveError: they are missing; or, once all were given, their hash differs.
        """
        digest = hashlib.sha256()
        try:
            for piece in self._read_object(key):
                digest.update(piece)
                yield piece
        except FileNotFoundError:
            raise ArchiveError(key=key, problem="nothing is stored under this key") from None
        if digest.hexdigest() != key:
            raise ArchiveError(key=key, problem="the stored bytes are no longer those that were put; restore them from a backup")

    def put_table(self, table: pa.Table) -> str:
        """Store a table permanently, as Parquet, and return its key. Raises ArchiveError."""
        sink = io.BytesIO()
        pq.write_table(table, sink)
        content = sink.getvalue()
        return self.put(content, original_sha256=hashlib.sha256(content).hexdigest()).key

    def get_table(self, key: str) -> pa.Table:
        """Return the table stored under `key`. Raises ArchiveError."""
        return pq.read_table(io.BytesIO(self.get(key)))

    def remove_unreferenced(self, keys: Iterable[str]) -> int:
        """Remove those of `keys` that no manifest or pending upload of any district references, and return how many there were.

        Raises: ArchiveError: a manifest cannot be read, so its references are unknown; nothing was removed.
        """
        wanted = set(keys)
        for name in (*self._json_files_below("manifests"), *self._json_files_below("arrivals")) if wanted else ():
            try:
                wanted -= referenced_keys(self._folder.read(name))
            except ValueError:
                raise ArchiveError(key=name, problem="it is damaged; restore it from a backup, then purge again") from None
        for key in wanted:
            folder = _object(key).rpartition("/")[0]
            for place in (folder, _PARTS):  # also partial files of it, which a killed process left under a temporary name
                for name in self._folder.names(place):
                    if name.startswith(key):
                        self._folder.remove(f"{place}/{name}")
        return len(wanted)

    def begin_removal(self, district_id: str, keys: Iterable[str], members: Mapping[int, Any]) -> None:
        """Record what a purge of the district will remove, added to the rest of an interrupted purge.

        Args: keys: archive keys to remove at the end; members: import → its new list of files. The record is needed because the
            warehouse removes its data first: a retry could no longer find what belongs to the person. Manifests drop their keys
            before the bytes go.
        """
        before = self.pending_removal(district_id)
        document = {
            "keys": sorted({*keys, *before["keys"]}),
            "members": {**before["members"], **{str(number): files for number, files in members.items()}},
        }
        self._folder.write(_removal(district_id), json.dumps(document).encode("utf-8"))

    def pending_removal(self, district_id: str) -> dict[str, Any]:
        """Return the ``keys`` and ``members`` of an unfinished purge, as recorded by `begin_removal`; empty if none."""
        try:
            found: dict[str, Any] = json.loads(self._folder.read(_removal(district_id)))
        except FileNotFoundError:
            return {"keys": [], "members": {}}
        return found

    def pending_removals(self) -> tuple[str, ...]:
        """Return the districts with an unfinished purge."""
        return tuple(name.removesuffix(".json") for name in self._folder.names("removals") if name.endswith(".json"))

    def end_removal(self, district_id: str) -> None:
        """Mark the purge of a district as finished."""
        self._folder.remove(_removal(district_id))

    def has(self, key: str) -> bool:
        """Return whether an object is stored under `key`."""
        return any(self._folder.exists(name) for name in (f"{_object(key)}{COMPRESSED}", _object(key)))

    def _is_stored(self, key: str, size: int) -> bool:
        """Return whether an object is there: compressed, or as earlier versions stored it, of `size` bytes."""
        return bool(self._folder.size(f"{_object(key)}{COMPRESSED}")) or self._folder.size(_object(key)) == size

    def _read_object(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object, compressed or as earlier versions stored it; if it is damaged, what is left of it.

        Raises: FileNotFoundError.
        """
        try:
            content = self._folder.read(f"{_object(key)}{COMPRESSED}")
        except FileNotFoundError:
            yield self._folder.read(_object(key))
            return
        with suppress(OSError):  # the hash tells
            yield from _decompressed(content)

    def write_manifest(self, district_id: str, import_id: int, document: Mapping[str, Any]) -> str:
        """Write an import's manifest, or replace it as a whole. Returns its name in the archive."""
        name = _manifest(district_id, import_id)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        fault_point("manifest.write")
        self._folder.write(name, text.encode("utf-8"))
        fault_point("manifest.written")
        return name

    def read_manifest(self, district_id: str, import_id: int) -> dict[str, Any]:
        """Return the manifest of an import. Raises ArchiveError if it does not exist or cannot be read."""
        name = _manifest(district_id, import_id)
        try:
            document: dict[str, Any] = json.loads(self._folder.read(name))
        except FileNotFoundError:
            raise ArchiveError(key=name, problem="there is no such manifest") from None
        except ValueError:
            raise ArchiveError(key=name, problem="the manifest is damaged; restore it from a backup") from None
        return document

    def write_report(self, district_id: str, import_id: int, kind: str, content: bytes) -> str:
        """Write an import's report, or replace it as a whole; ``kind``: html, json or csv. Returns its name in the archive."""
        name = f"reports/{check_id(district_id)}/{int(import_id)}.{kind}{COMPRESSED}"
        self._folder.write(name, _compress(content))
        return name

    def reports(self, district_id: str) -> tuple[int, ...]:
        """Return the ids of imports that have a report, in ascending order."""
        stems = {name.partition(".")[0] for name in self._folder.names(f"reports/{check_id(district_id)}")}
        return tuple(sorted(int(stem) for stem in stems if stem.isdigit()))

    def remove_reports(self, district_id: str) -> None:
        """Remove the reports of a district; nothing happens if there are none."""
        self._folder.remove(f"reports/{check_id(district_id)}")

    def receipt_name(self, district_id: str, source: str, number: int) -> str:
        """Return the name of a receipt in the archive."""
        return f"receipts/{check_id(district_id)}/{source}/{int(number)}.dsse.json"

    def write_receipt(self, district_id: str, source: str, number: int, envelope: bytes) -> None:
        """Write a receipt as a whole."""
        self._folder.write(self.receipt_name(district_id, source, number), envelope)

    def read_receipt(self, district_id: str, source: str, number: int) -> bytes | None:
        """Return a receipt; None: there is none with this number."""
        try:
            return self._folder.read(self.receipt_name(district_id, source, number))
        except FileNotFoundError:
            return None

    def receipts(self, district_id: str) -> list[tuple[str, int]]:
        """Return source and number of each receipt of a district, in the order of its chains."""
        place = f"receipts/{check_id(district_id)}"
        names = [(source, name) for source in self._folder.names(place) for name in self._folder.names(f"{place}/{source}")]
        ending = ".dsse.json"
        return sorted((source, int(name.removesuffix(ending))) for source, name in names if name.endswith(ending))

    def write_decision(self, district_id: str, number: int, document: Mapping[str, Any]) -> None:
        """Write a decision about a district's feeds, or replace it as a whole."""
        self._folder.write(_decision(district_id, number), json.dumps(document, ensure_ascii=False).encode("utf-8"))

    def read_decision(self, district_id: str, number: int) -> dict[str, Any]:
        """Return a decision about a district's feeds. Raises FileNotFoundError."""
        document: dict[str, Any] = json.loads(self._folder.read(_decision(district_id, number)))
        return document

    def has_decision(self, district_id: str, number: int) -> bool:
        """Return whether a decision about a district's feeds is stored."""
        return self._folder.exists(_decision(district_id, number))

    def remove_decision(self, district_id: str, number: int) -> None:
        """Remove a decision about a district's feeds."""
        self._folder.remove(_decision(district_id, number))

    def decisions(self, district_id: str) -> tuple[int, ...]:
        """Return the numbers of the decisions about a district's feeds, in ascending order."""
        names = self._folder.names(f"decisions/{check_id(district_id)}")
        return tuple(sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"[0-9]+\.json", name)))

    def write_outcomes(self, district_id: str, source: str, number: int, note: Mapping[str, Any]) -> None:
        """Write what is stored of the outcomes of a receipt's rows, beside it, or replace it as a whole."""
        text = json.dumps(note, ensure_ascii=False, separators=(",", ":"))
        self._folder.write(_outcomes_name(district_id, source, number, _NOTE), _compress(text.encode("utf-8")))

    def read_outcomes(self, district_id: str, source: str, number: int) -> dict[str, Any] | None:
        """Return what `write_outcomes` stored; None: nothing. Raises ArchiveError: it is damaged."""
        name = _outcomes_name(district_id, source, number, _NOTE)
        try:
            note: dict[str, Any] = json.loads(_decompress(self._folder.read(name)))
        except FileNotFoundError:
            return None
        except ValueError:
            raise ArchiveError(key=name, problem="it is damaged; restore it from a backup") from None
        return note

    def read_outcome_lines(self, district_id: str, source: str, number: int) -> bytes | None:
        """Return the outcomes of a receipt's rows as earlier versions stored them, line by line; None: they are not stored so."""
        name = _outcomes_name(district_id, source, number, _LINES)
        try:
            return _decompress(self._folder.read(f"{name}{COMPRESSED}"))
        except FileNotFoundError:
            pass
        try:
            return self._folder.read(name)
        except FileNotFoundError:
            return None

    def replace_outcome_lines(self, district_id: str, source: str, number: int, note: Mapping[str, Any] | None) -> None:
        """Replace outcomes that earlier versions stored line by line: by `note`, or, where it is None, by the same lines compressed."""
        name = _outcomes_name(district_id, source, number, _LINES)
        if note is not None:
            self.write_outcomes(district_id, source, number, note)
        else:
            self._folder.write(f"{name}{COMPRESSED}", _compress(self._folder.read(name)))
        self._folder.remove(name)

    def receipts_with_lines(self, district_id: str, source: str) -> list[int]:
        """Return the receipts of a feed whose outcomes are stored as an earlier version did, line by line and not compressed."""
        names = self._folder.names(f"receipts/{check_id(district_id)}/{source}")
        return sorted(int(name.removesuffix(_LINES)) for name in names if name.endswith(_LINES))

    def remove_outcomes(self, district_id: str) -> None:
        """Remove the outcomes of all receipts of a district; the receipts stay."""
        for source, number in self.receipts(district_id):
            for form in (_NOTE, _LINES, f"{_LINES}{COMPRESSED}"):
                self._folder.remove(_outcomes_name(district_id, source, number, form))

    def _json_files_below(self, name: str) -> Iterator[str]:
        """Yield the JSON files in a folder and its subfolders."""
        for entry in self._folder.names(name):
            yield from (f"{name}/{entry}",) if entry.endswith(".json") else self._json_files_below(f"{name}/{entry}")

    def manifests(self, district_id: str) -> tuple[int, ...]:
        """Return the ids of imports that have a manifest, in ascending order."""
        names = self._folder.names(f"manifests/{check_id(district_id)}")
        return tuple(sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"[0-9]+\.json", name)))

    def has_manifest(self, district_id: str, import_id: int) -> bool:
        """Return whether an import has a manifest: one look, however many there are."""
        return self._folder.exists(_manifest(district_id, import_id))

    def add_pending_upload(self, district_id: str, source: str, document: Mapping[str, Any], *, at: datetime) -> int:
        """Append an upload to the feed's queue of pending uploads. Returns its number, which is never used again.

        The caller holds `pending_lock`. A ``request`` in `document` names what asked for it; see `is_archived`.
        """
        last = self._archived_requests(district_id, source)["last"]
        number = max((*self.pending_uploads(district_id, source), last, int(at.timestamp() * 1000) - 1)) + 1
        fault_point("arrival.write")
        self._folder.write(
            _pending_upload_name(district_id, source, number), json.dumps(document, ensure_ascii=False).encode("utf-8")
        )
        fault_point("arrival.written")
        return number

    def pending_uploads(self, district_id: str, source: str) -> tuple[int, ...]:
        """Return the numbers of a feed's pending uploads, in ascending order."""
        names = self._folder.names(f"arrivals/{check_id(district_id)}/{source}")
        return tuple(sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"[0-9]+\.json", name)))

    def read_pending_upload(self, district_id: str, source: str, number: int) -> dict[str, Any]:
        """Return the document of a pending upload. Raises ArchiveError if it is no longer pending or cannot be read."""
        name = _pending_upload_name(district_id, source, number)
        try:
            document: dict[str, Any] = json.loads(self._folder.read(name))
        except FileNotFoundError:
            raise ArchiveError(key=name, problem="this upload waits no longer: an import has taken it") from None
        except ValueError:
            raise ArchiveError(key=name, problem="it is damaged; upload the files again") from None
        return document

    def remove_pending_upload(self, district_id: str, source: str, number: int) -> None:
        """Remove an upload from the queue; its archived bytes stay, and so does its request (see `is_archived`)."""
        fault_point("arrival.forget")
        with suppress(ArchiveError):  # it is gone, or damaged
            request = self.read_pending_upload(district_id, source, number).get("request")
            before = self._archived_requests(district_id, source)
            requests = [name for name in before["requests"] if name != request] + ([request] if request else [])
            document = {"last": max(number, before["last"]), "requests": requests[-_REQUESTS:]}
            self._folder.write(_archived_requests_name(district_id, source), json.dumps(document).encode("utf-8"))
        self._folder.remove(_pending_upload_name(district_id, source, number))

    def is_archived(self, district_id: str, source: str, request: str) -> bool:
        """Return whether an upload was archived for `request`, by which no upload is archived twice. The last ones are known."""
        for number in self.pending_uploads(district_id, source):
            with suppress(ArchiveError):  # an import has taken it over at this moment, and noted its request before
                if self.read_pending_upload(district_id, source, number).get("request") == request:
                    return True
        return request in self._archived_requests(district_id, source)["requests"]

    def write_landed(self, district_id: str, source: str, file_set: str, *, listing: str, content: str) -> None:
        """Note what a landing zone held when it was read: the fingerprint of its listing, and the hash of its content."""
        document = json.dumps({"listing": listing, "content": content})
        self._folder.write(_landed_name(district_id, source, file_set), document.encode("utf-8"))

    def read_landed(self, district_id: str, source: str, file_set: str) -> dict[str, str] | None:
        """Return ``listing`` and ``content`` as `write_landed` noted them last, None if nothing is noted."""
        try:
            found: dict[str, str] = json.loads(self._folder.read(_landed_name(district_id, source, file_set)))
        except (FileNotFoundError, ValueError):
            return None
        return found

    def pending_lock(self, district_id: str, source: str) -> AbstractContextManager[None] | None:
        """Return a lock on a feed's queue of pending uploads; None: the archive is no local folder, and cannot be locked."""
        folder = self._folder.local_file(f"arrivals/{check_id(district_id)}/{source}")
        return Folder(str(folder)).exclusive() if folder else None

    def _archived_requests(self, district_id: str, source: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._folder.read(_archived_requests_name(district_id, source)))
        except (FileNotFoundError, ValueError):
            return {"last": 0, "requests": []}
        return found


def _compress(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd", compression_level=_LEVEL).compress(content, asbytes=True))


def _decompress(content: bytes) -> bytes:
    """Return what was compressed; of damaged bytes, nothing."""
    try:
        return b"".join(_decompressed(content))
    except OSError:
        return b""


def _decompressed(content: bytes) -> Iterator[bytes]:
    """Yield what was compressed. Raises OSError: the bytes are damaged."""
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        while piece := bytes(stream.read(_PIECE)):
            yield piece


def referenced_keys(content: bytes) -> set[str]:
    """Return the archive keys that a manifest, a pending upload or an unfinished removal references.

    A member's ``sha256`` is not a reference: it is the hash of the bytes as uploaded, which may have been removed since. It is
    often equal to the key that they had. Raises ValueError: the document is not one of these.
    """
    try:
        document = json.loads(content)
        members = document.get("members", [])
        of_imports = members.values() if isinstance(members, dict) else [members]  # a removal lists several imports
        named = {member["key"] for some in of_imports for member in some if member["key"]}
        return named | set(document.get("checkpoint", {}).values())
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no manifest: {type(error).__name__}") from None


def _landed_name(district_id: str, source: str, file_set: str) -> str:
    return f"arrivals/{check_id(district_id)}/{source}/landed{f'-{file_set}' if file_set else ''}.json"


def _archived_requests_name(district_id: str, source: str) -> str:
    return f"arrivals/{check_id(district_id)}/{source}/archived.json"


def _pending_upload_name(district_id: str, source: str, number: int) -> str:
    return f"arrivals/{check_id(district_id)}/{source}/{int(number)}.json"


def _outcomes_name(district_id: str, source: str, number: int, form: str) -> str:
    return f"receipts/{check_id(district_id)}/{source}/{int(number)}{form}"


def _decision(district_id: str, number: int) -> str:
    return f"decisions/{check_id(district_id)}/{int(number)}.json"


def _removal(district_id: str) -> str:
    return f"removals/{check_id(district_id)}.json"


def _object(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ArchiveError(key=key[:80], problem="no key of the archive: 64 hexadecimal digits are")
    return f"objects/{key[:2]}/{key}"


def _manifest(district_id: str, import_id: int) -> str:
    return f"manifests/{check_id(district_id)}/{int(import_id)}.json"
