"""Write a format of JSON Lines: one object a line, one file a resource; and read it back.

Belongs here: rows of cells in, lines out. Which resource holds what is in ``exports.formats``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.exports.build import prepare
from roster_etl.pipeline.exports.read_back import ReadBackFailed
from roster_etl.pipeline.exports.read_roster import read_roster

if TYPE_CHECKING:
    from roster_etl.exports.export_tables import ExportTables
    from roster_etl.pipeline.exports.export_progress import ExportProgress
    from roster_etl.pipeline.exports.order import ResolvedExport
    from roster_etl.pipeline.workspace import Workspace


def write(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables | None
) -> None:
    """Write each resource that has records, and read it back. Raises ReadBackFailed, IdClash."""
    work = work or read_roster(workspace, resolved, resolved.moment)
    written.losses = work.losses
    prepare(work, resolved.format)
    for resource in resolved.format.resources:
        records = resource.records(work)
        if not records:
            continue
        name = f"{resource.name}.jsonl"
        written.write(folder, name, _lines(records), len(records))
        _read_back(folder / name, records, resource.key)


def _lines(records: list[dict[str, Any]]) -> Iterator[bytes]:
    for record in records:
        yield json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _read_back(path: Path, records: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    with path.open("rb") as lines:
        found = [json.loads(line) for line in lines]
    if found != records:
        raise ReadBackFailed(file=path.name, what="other records")
    keys = {json.dumps([record.get(name) for name in key]) for record in found}
    if len(keys) != len(found):
        raise ReadBackFailed(file=path.name, what="two records with one key")
