"""Replace the outcomes of receipts that earlier versions stored line by line, 1 MB for 10,000 rows, by what they are derived from.

Belongs here: finding the exceptions in a file of outcomes, and proving that the file can be derived from them again.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping
from itertools import islice
from typing import Any

from roster_etl.pipeline.reporting.receipts.outcomes import BLANK, OutcomeNote, archived_members, digest_of, outcomes_csv
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import ArchiveError

_AT_ONCE = 500  # receipts that one cleanup replaces at most: each reads the files of its upload


def compact_outcomes(workspace: Workspace) -> tuple[int, bool]:
    """Replace outcomes that are stored line by line. Returns how many were replaced, and whether none is left."""
    done = 0
    with workspace.warehouse.read_receipts() as receipts:
        chains = receipts.chains()
    for feed in chains:
        for number in workspace.archive.receipts_with_lines(*feed):
            if done == _AT_ONCE:
                return done, False
            workspace.archive.replace_outcome_lines(*feed, number, _note_of_lines(workspace, *feed, number))
            done += 1
    return done, True


def _note_of_lines(workspace: Workspace, district_id: str, source: str, number: int) -> OutcomeNote | None:
    """Return what the stored lines of a receipt can be derived from; None: they cannot, such as after a purge or a change of version."""
    content = workspace.archive.read_outcome_lines(district_id, source, number)
    with workspace.warehouse.read_receipts() as receipts:
        row = receipts.receipt_by_number(district_id, source, number)
    if content is None or row is None or row["import_id"] is None:
        return None
    try:
        note = _exceptions(workspace, row, content)
        same = digest_of(outcomes_csv(workspace.archive, note)) == hashlib.sha256(content).hexdigest()
    except (ArchiveError, ValueError, KeyError):
        return None
    return note if same else None


def _exceptions(workspace: Workspace, row: Mapping[str, Any], content: bytes) -> OutcomeNote:
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    refused: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    released: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for file, number, _, outcome, code, import_id in islice(
        csv.reader(io.StringIO(content.decode("utf-8"), newline="")), 1, None
    ):
        if import_id:
            released[int(import_id)][file].append(int(number))
            continue
        kinds[file].add((outcome, code))
        if outcome == "refused":
            refused[file][code].append(int(number))
    feed = (row["district_id"], row["source"])
    files = []
    for member in archived_members(workspace, *feed, row["import_id"]):
        whole = _shared_by_all(kinds[member["file"]])
        files.append({**member, "whole": whole, "refused": {} if whole else refused[member["file"]]})
    again = [
        {**member, "import_id": number, "rows": rows[member["file"]]}
        for number, rows in released.items()
        for member in archived_members(workspace, *feed, number, only=rows)
    ]
    return {"files": files, "released": again}


def _shared_by_all(kinds: set[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the outcome and code that all rows of a file have; None: they differ, or are what a row has that is no exception."""
    return next(iter(kinds)) if len(kinds) == 1 and not kinds & {("applied", ""), BLANK} else None
