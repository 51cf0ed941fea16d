"""Write a format of JSON Lines: one object a line, one file a resource; and read it back."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from roster_etl.exports.build import prepare
from roster_etl.exports.export_tables import ExportTables
from roster_etl.pipeline.exports.export_progress import ExportProgress
from roster_etl.pipeline.exports.order import ResolvedExport
from roster_etl.pipeline.exports.read_back import ReadBackFailed
from roster_etl.pipeline.exports.read_roster import read_roster
from roster_etl.pipeline.workspace import Workspace

_AT_ONCE = 1_000


def write(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables | None
) -> None:
    """Write each resource that has records, and read it back. Raises ReadBackFailed, IdClash."""
    work = work or read_roster(workspace, resolved)
    written.losses = work.losses
    prepare(work, resolved.format)
    for resource in resolved.format.resources:
        records = resource.records(work)
        first = next(records, None)
        if first is None:
            continue
        name, said = f"{resource.name}.jsonl", RecordDigest(resource.key)
        written.write(folder, name, record_lines(chain((first,), records), said), lambda said=said: said.count)  # type: ignore[misc]
        require_read_back(folder / name, said)
        work.store.release()


class RecordDigest:
    """What is known of records that need not be in memory: their number, a digest of their content, and one of each key."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self.key, self.count, self._content, self._keys = key, 0, hashlib.sha256(), array("Q")

    def add(self, record: Mapping[str, Any]) -> str:
        """Count a record in, and return its line."""
        self.count += 1
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
        self._content.update(line.encode())
        named = json.dumps([record.get(name) for name in self.key]).encode()
        self._keys.append(int.from_bytes(hashlib.blake2b(named, digest_size=8).digest()))
        return line

    def same_as(self, other: RecordDigest) -> bool:
        """Return whether both are the same records in the same order."""
        return self.count == other.count and self._content.digest() == other._content.digest()

    def has_repeats(self) -> bool:
        """Return whether two records have one key."""
        return len(np.unique(np.frombuffer(self._keys, dtype=np.uint64))) != self.count


def record_lines(records: Iterable[Mapping[str, Any]], said: RecordDigest) -> Iterator[bytes]:
    """Yield the lines, some at a time."""
    lines: list[str] = []
    for record in records:
        lines.append(said.add(record))
        if len(lines) == _AT_ONCE:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def require_read_back(path: Path, said: RecordDigest) -> None:
    """Read a written file back, and require that it has the records that were `said`. Raises ReadBackFailed."""
    found = RecordDigest(said.key)
    with path.open("rb") as lines:
        for line in lines:
            found.add(json.loads(line))
    if not found.same_as(said):
        raise ReadBackFailed(file=path.name, what="other records")
    if found.has_repeats():
        raise ReadBackFailed(file=path.name, what="two records with one key")
