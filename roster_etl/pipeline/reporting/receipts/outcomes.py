"""The outcome of every row of an upload: what is stored of it beside its receipt, and the CSV file that is derived from that.

Belongs here: which outcome a row has. A row is named by its number and the hash of its record: no cell, no id of a person.

Stored are the exceptions only (`OutcomeNote`); the hashes are those of the archived bytes, which never change. So the file is the same
whenever it is derived, and the receipt signs for its hash.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from roster_etl.engine.csv.damaged_records import FIRST_ROW
from roster_etl.engine.csv.record_digests import record_digests
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.archive import Archive

COLUMNS = ("file", "row", "sha256", "outcome", "code", "import_id")
"""``outcome``: applied, refused, released (refused by import ``import_id`` and applied now) or ignored; ``code``: why, else empty."""
BLANK = ("ignored", "blank")
_NOT_APPLIED = ("unchanged", "held", "failed", "discarded", "superseded")
_LINES_AT_ONCE = 50_000

OutcomeNote = Mapping[str, Any]
"""What is stored of the outcomes. ``files``: ``file``, ``key`` in the archive, ``encoding``, ``whole`` (outcome and code of all its rows, or
null) and ``refused`` (code → rows); every other row was applied, or is blank. ``released``: ``import_id``, ``file``, ``key``, ``encoding``, ``rows``.
"""
Line = tuple[str, int, str, str, str, int | str]


@dataclass(frozen=True, kw_only=True)
class ImportOutcome:
    """What became of an import. ``status``: as its receipt states it; ``rejected``: (file, row) → code; ``released``: (import, file, row).

    ``refusals``: file → code for files of which nothing was used; the file None stands for all.
    """

    district_id: str
    source: str
    import_id: int
    status: str
    rejected: Mapping[tuple[str, int], str]
    released: Sequence[tuple[int, str, int]]
    refusals: Mapping[str | None, str]


def outcome_note(workspace: Workspace, outcome: ImportOutcome) -> OutcomeNote:
    """Return what has to be stored of an import's outcomes. Raises ArchiveError."""
    refused: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (file, row), code in sorted(outcome.rejected.items()):
        refused[file][code].append(row)
    files = []
    for member in archived_members(workspace, outcome.district_id, outcome.source, outcome.import_id):
        whole = _whole_file(outcome, member["file"])
        files.append({**member, "whole": whole, "refused": {} if whole else refused[member["file"]]})
    return {"files": files, "released": list(_released_files(workspace, outcome))}


def outcomes_csv(archive: Archive, note: OutcomeNote) -> Iterator[bytes]:
    """Yield, in pieces, the outcomes of all rows whose bytes are in the archive, by file and row, then the rows released from earlier imports.

    Raises: ArchiveError: bytes are no longer there.
    """
    lines: Iterator[tuple[Any, ...]] = chain([COLUMNS], _own_rows(archive, note), _released_rows(archive, note))
    while some := list(islice(lines, _LINES_AT_ONCE)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(some)
        yield text.getvalue().encode()


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the SHA-256 (hex) of bytes that come in pieces."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def archived_members(
    workspace: Workspace, district_id: str, source: str, import_id: int, only: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return ``file``, ``key`` and ``encoding`` of each archived file of an import; a file carried forward is another import's."""
    manifest = _manifest_with_files(workspace, district_id, source, import_id)
    encoding = manifest.get("options", {}).get("encoding", "utf-8")
    return [
        {"file": member["name"], "key": member["key"], "encoding": encoding}
        for member in manifest.get("members", [])
        if member["key"] and member.get("lasts_from") is None and (only is None or member["name"] in only)
    ]


def _own_rows(archive: Archive, note: OutcomeNote) -> Iterator[Line]:
    for file in note["files"]:
        name, whole = file["file"], file["whole"]
        codes = {row: code for code, rows in file["refused"].items() for row in rows}
        digests = record_digests(archive.get(file["key"]), file["encoding"])
        for place, digest in enumerate(digests):
            row = place + FIRST_ROW
            if whole is not None:
                yield (name, row, digest, *whole, "")
            elif row in codes:
                yield (name, row, digest, "refused", codes[row], "")
            elif digests.blank[place]:
                yield (name, row, digest, *BLANK, "")
            else:
                yield (name, row, digest, "applied", "", "")


def _released_rows(archive: Archive, note: OutcomeNote) -> Iterator[Line]:
    for file in note["released"]:
        digests = record_digests(archive.get(file["key"]), file["encoding"])
        for row in file["rows"]:
            if row - FIRST_ROW < len(digests):  # a purge may have emptied the file
                yield file["file"], row, digests[row - FIRST_ROW], "released", "", file["import_id"]


def _whole_file(outcome: ImportOutcome, name: str) -> tuple[str, str] | None:
    """Return outcome and code of all rows of a file; None: they differ by row."""
    if outcome.status in _NOT_APPLIED:
        return "ignored", outcome.status
    code = outcome.refusals.get(name) or (outcome.refusals.get(None) if outcome.status == "rejected" else None)
    if code:
        return "refused", code
    return ("refused", "rejected") if outcome.status == "rejected" else None


def _released_files(workspace: Workspace, outcome: ImportOutcome) -> Iterator[dict[str, Any]]:
    by_import: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, file, row in outcome.released if outcome.status == "published" else ():
        by_import[number][file].append(row)
    for number, files in sorted(by_import.items()):
        for member in archived_members(workspace, outcome.district_id, outcome.source, number, only=files):
            yield {**member, "import_id": number, "rows": sorted(files[member["file"]])}


def _manifest_with_files(workspace: Workspace, district_id: str, source: str, import_id: int) -> Mapping[str, Any]:
    """Return the manifest that has the files of an import: of an unchanged one, that of the import which published them."""
    if workspace.archive.has_manifest(district_id, import_id):
        manifest = workspace.archive.read_manifest(district_id, import_id)
        if manifest.get("status") != "unchanged":
            return manifest
    try:
        return workspace.archive.read_manifest(district_id, archived_import(workspace, district_id, source, import_id))
    except NotArchived:
        return {}
