"""The outcome of every row of an upload, as the CSV file beside its receipt.

Belongs here: which outcome a row has. A row is named by its number and the hash of its record: no cell, no id of a person.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from roster_etl.engine.csv.damaged_records import FIRST_ROW
from roster_etl.engine.csv.record_digests import record_digests
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import
from roster_etl.pipeline.workspace import Workspace

COLUMNS = ("file", "row", "sha256", "outcome", "code", "import_id")
"""``outcome``: applied, refused, released (refused by import ``import_id`` and applied now) or ignored; ``code``: why, else empty."""
_NOT_APPLIED = ("unchanged", "held", "failed", "discarded", "superseded")
_LINES_AT_ONCE = 50_000

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


def outcomes_csv(workspace: Workspace, outcome: ImportOutcome) -> Iterator[bytes]:
    """Yield, in pieces, the outcomes of all rows whose bytes are in the archive, by file and row, then the rows released from earlier imports.

    Raises: ArchiveError.
    """
    lines: Iterator[tuple[Any, ...]] = chain([COLUMNS], _own_rows(workspace, outcome), _released_rows(workspace, outcome))
    while some := list(islice(lines, _LINES_AT_ONCE)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(some)
        yield text.getvalue().encode()


def _own_rows(workspace: Workspace, outcome: ImportOutcome) -> Iterator[Line]:
    for member, digests, blank in _read_members(workspace, outcome.district_id, outcome.source, outcome.import_id):
        name = member["name"]
        whole = _whole_file(outcome, name)
        for place, digest in enumerate(digests):
            row = place + FIRST_ROW
            code = outcome.rejected.get((name, row))
            if whole is not None:
                yield (name, row, digest, *whole, "")
            elif code is not None:
                yield (name, row, digest, "refused", code, "")
            elif blank[place]:
                yield (name, row, digest, "ignored", "blank", "")
            else:
                yield (name, row, digest, "applied", "", "")


def _whole_file(outcome: ImportOutcome, name: str) -> tuple[str, str] | None:
    """Return outcome and code of all rows of a file; None: they differ by row."""
    if outcome.status in _NOT_APPLIED:
        return "ignored", outcome.status
    code = outcome.refusals.get(name) or (outcome.refusals.get(None) if outcome.status == "rejected" else None)
    if code:
        return "refused", code
    return ("refused", "rejected") if outcome.status == "rejected" else None


def _released_rows(workspace: Workspace, outcome: ImportOutcome) -> Iterator[Line]:
    by_import: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, file, row in outcome.released if outcome.status == "published" else ():
        by_import[number][file].append(row)
    for number, files in sorted(by_import.items()):
        for member, digests, _ in _read_members(workspace, outcome.district_id, outcome.source, number, only=files):
            for row in sorted(files[member["name"]]):
                if row - FIRST_ROW < len(digests):  # a purge may have taken the file
                    yield member["name"], row, digests[row - FIRST_ROW], "released", "", number


def _read_members(
    workspace: Workspace, district_id: str, source: str, import_id: int, only: Mapping[str, Any] | None = None
) -> Iterator[tuple[Mapping[str, Any], list[str], Any]]:
    """Yield each archived file of an import with the hashes of its records; a file carried forward is another import's."""
    manifest = _manifest_with_files(workspace, district_id, source, import_id)
    encoding = manifest.get("options", {}).get("encoding", "utf-8")
    for member in manifest.get("members", []):
        if member["key"] and member.get("lasts_from") is None and (only is None or member["name"] in only):
            yield member, *record_digests(workspace.archive.get(member["key"]), encoding)


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
