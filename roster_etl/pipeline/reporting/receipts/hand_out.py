"""Hand out the file of outcomes that a receipt signs for: derived from what is stored, and compared with the signed hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from roster_etl.pipeline.reporting.receipts.outcomes import outcomes_csv
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.archive import Archive
from roster_etl.store.files.folder import Folder
from roster_etl.store.signing_keys import open_envelope


class NoOutcomes(PermanentError):
    """A receipt signs for no outcomes, or a purge has removed them."""

    code = "no_outcomes"
    template = "receipt {number} of {district_id}, {source}: {problem}"


class OutcomesDiffer(PermanentError):
    """The outcomes that the archive yields are not those that were signed for."""

    code = "outcomes_differ"
    template = (
        "receipt {number} of {district_id}, {source}: the archive yields other outcomes than were signed for; nothing was written. "
        "Restore the archive from a backup"
    )


@dataclass(frozen=True, kw_only=True)
class HandedOut:
    """A file of outcomes. ``rows``: its lines without the header."""

    number: int
    rows: int
    sha256: str


def write_outcomes_file(workspace: Workspace, row: Mapping[str, Any], to: Path) -> HandedOut:
    """Write the outcomes that receipt `row` (``canonical.receipts``) signs for to a file, whole or not at all.

    Raises: NoOutcomes, OutcomesDiffer, ArchiveError; FolderUnavailable: the file cannot be written.
    """
    place = {name: row[name] for name in ("district_id", "source", "number")}
    signed = _signed_digest(workspace.archive, place)
    lines, digest = 0, hashlib.sha256()

    def fill(out: BinaryIO) -> None:
        nonlocal lines
        for piece in _pieces(workspace.archive, place):
            lines += piece.count(b"\n")
            digest.update(piece)
            out.write(piece)
        if digest.hexdigest() != signed:
            raise OutcomesDiffer(**place)

    Folder(str(to.parent)).write_with(to.name, fill, durable=False)
    return HandedOut(number=row["number"], rows=lines - 1, sha256=signed)


def _signed_digest(archive: Archive, place: Mapping[str, Any]) -> str:
    content = archive.read_receipt(place["district_id"], place["source"], place["number"])
    stated = json.loads(open_envelope(content)[1])["predicate"] if content else {}
    if not stated.get("outcomes_sha256"):
        raise NoOutcomes(**place, problem="it signs for no outcomes; receipts of uploads do")
    return str(stated["outcomes_sha256"])


def _pieces(archive: Archive, place: Mapping[str, Any]) -> Iterator[bytes]:
    where = (place["district_id"], place["source"], place["number"])
    note = archive.read_outcomes(*where)
    lines = archive.read_outcome_lines(*where) if note is None else None
    if note is None and lines is None:
        raise NoOutcomes(**place, problem="its outcomes were removed by a purge")
    yield from outcomes_csv(archive, note) if note is not None else (lines or b"",)
