"""Write a format of JSON Lines: one object a line, one file a resource; and read it back."""

from __future__ import annotations

import gc
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
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
_ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def write(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables | None
) -> None:
    """Write each resource that has records, and read it back. Raises ReadBackFailed, IdClash."""
    work = work or read_roster(workspace, resolved)
    written.losses = work.losses
    prepare(work, resolved.format)
    with _without_collection():
        _write_resources(resolved, folder, written, work)


def _write_resources(resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables) -> None:
    for resource in resolved.format.resources:
        records = resource.records(work)
        first = next(records, None)
        if first is None:
            continue
        name, said = f"{resource.name}.jsonl", WrittenLines()
        written.write(folder, name, record_lines(chain((first,), records), said), lambda said=said: said.count)  # type: ignore[misc]
        require_read_back(folder / name, said, resource.key)
        work.store.release()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the search for objects that refer to each other: records never do, and it looks at each of them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass
class WrittenLines:
    """What is known of lines that need not be in memory: how many there are, and a digest of all."""

    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, lines: bytes, count: int) -> None:
        """Count lines in."""
        self.count += count
        self.digest.update(lines)

    def same_as(self, other: WrittenLines) -> bool:
        """Return whether both are the same lines in the same order."""
        return self.count == other.count and self.digest.digest() == other.digest.digest()


def record_lines(records: Iterable[Mapping[str, Any]], said: WrittenLines) -> Iterator[bytes]:
    """Yield the lines, some at a time, and note them in `said`."""
    rest = iter(records)
    while some := [*islice(rest, _AT_ONCE)]:
        lines = ("\n".join(map(_ENCODE, some)) + "\n").encode()
        said.add(lines, len(some))
        yield lines


def require_read_back(path: Path, said: WrittenLines, key: tuple[str, ...]) -> None:
    """Read a written file back, and require that it has the lines that were `said`, each a record of its own. Raises ReadBackFailed.

    A record is what its line says if it makes the same line again; so the lines are the same only if the records are.
    """
    found, keys = WrittenLines(), array("q")
    with path.open("rb") as file:
        while lines := [*islice(file, _AT_ONCE)]:
            found.add(b"".join(lines), len(lines))
            records = _records(path, lines)
            keys.extend(hash(repr([record.get(name) for name in key])) for record in records)
    if not found.same_as(said):
        raise ReadBackFailed(file=path.name, what="other records")
    if len(np.unique(np.frombuffer(keys, dtype=np.int64))) != len(keys) and _has_repeats(path, key):
        raise ReadBackFailed(file=path.name, what="two records with one key")


def _records(path: Path, lines: list[bytes]) -> list[dict[str, Any]]:
    """Return the record of each line. Raises ReadBackFailed: it would be said by another line."""
    whole = b"[" + b",".join(lines) + b"]"
    try:
        records: list[dict[str, Any]] = json.loads(whole)
    except ValueError:
        records = []
    if len(records) != len(lines) or _ENCODE(records).encode() != whole.replace(b"\n", b""):
        raise ReadBackFailed(file=path.name, what="other records")
    return records


def _has_repeats(path: Path, key: tuple[str, ...]) -> bool:
    """Return whether two records have one key: looked for where two keys have one hash."""
    with path.open("rb") as file:
        keys = [_ENCODE([record.get(name) for name in key]) for record in map(json.loads, file)]
    return len({*keys}) != len(keys)
