"""Retry the quarantined rows of a delta format: validate them again, to apply them with the next upload.

Belongs here: the rows as an input of ``apply_changes``. ``engine.changes.retries`` decides which are tried, ``change_findings`` beside it
releases those that apply.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from roster_etl.engine.changes import ChangeFile, keep_in_quarantine
from roster_etl.engine.csv.reader import raw_file_of
from roster_etl.engine.validation.validate import validate_file
from roster_etl.frames.arrow import ROW
from roster_etl.pipeline.uploads.upload import Upload

_Source = tuple[int, str, str, tuple[str, ...]]  # import, file, kind and header


@dataclass
class _Waiting:
    """Rows of one file of an earlier import: their record numbers and cells, and which of them have the id of another record."""

    numbers: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    id_conflicts: set[int] = field(default_factory=set)


def quarantined_rows(upload: Upload, waiting: pa.Table) -> Iterator[ChangeFile]:
    """Yield the rows `waiting` in the quarantine, validated again by the current rules; those of another person stay there.

    Rows with one header are validated at once, whichever imports rejected them: a rule looks at one row, and every call has its price.
    """
    sources = _by_source(waiting)
    alike: dict[tuple[str, tuple[str, ...]], list[_Source]] = defaultdict(list)
    for source in sources:
        alike[source[2:]].append(source)
    validated: dict[_Source, pa.Table] = {}
    for (kind, header), members in alike.items():
        validated |= _validated(upload, kind, header, {member: sources[member] for member in members})
    for (import_id, name, kind, header), rows in sources.items():
        file = ChangeFile(kind=kind, file=name, rows=validated[import_id, name, kind, header], import_id=import_id)
        yield keep_in_quarantine(file, rows.id_conflicts)


def _by_source(waiting: pa.Table) -> dict[_Source, _Waiting]:
    found: dict[_Source, _Waiting] = {}
    for line in waiting.to_pylist():
        record = json.loads(line["record"])
        if line["kind"] and line["row"] is not None and "cells" not in record:  # damaged records cannot be retried
            rows = found.setdefault((line["import_id"], line["file"], line["kind"], tuple(record)), _Waiting())
            rows.numbers.append(line["row"])
            rows.cells.append(list(record.values()))
            if line["code"] == "duplicate_key":
                rows.id_conflicts.add(line["row"])
    return found


def _validated(upload: Upload, kind: str, header: Sequence[str], sources: Mapping[_Source, _Waiting]) -> dict[_Source, pa.Table]:
    """Return the validated rows of each source."""
    numbers = [number for rows in sources.values() for number in rows.numbers]
    raw = raw_file_of(header, numbers, [cells for rows in sources.values() for cells in rows.cells])
    rows = validate_file(raw, upload.format.file(kind), replacements=upload.replacements).rows
    assert rows.column(ROW).to_pylist() == numbers, "rows of changes are neither dropped nor moved"
    found, start = {}, 0
    for source, own in sources.items():
        found[source] = rows.slice(start, len(own.numbers))
        start += len(own.numbers)
    return found
