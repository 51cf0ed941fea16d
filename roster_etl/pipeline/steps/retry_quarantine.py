"""Retry the quarantined rows of a delta format: validate them again, to apply them with the next upload.

Belongs here: the rows as an input of ``apply_changes``. Rows that now apply are released by ``engine.changes.change_findings``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import pyarrow as pa

from roster_etl.engine.changes import (
    ChangeFile,
    keep_in_quarantine,
)
from roster_etl.engine.csv.reader import raw_file_of
from roster_etl.engine.validation.validate import validate_file
from roster_etl.pipeline.uploads.upload import Upload


def quarantined_rows(upload: Upload, waiting: pa.Table) -> Iterator[ChangeFile]:
    """Yield the rows `waiting` in the quarantine, validated again by the current rules; those of another person stay there."""
    groups: dict[tuple[int, str, str], dict[tuple[str, ...], list[tuple[int, dict[str, str]]]]] = {}
    id_conflicts: dict[tuple[int, str, str], set[int]] = defaultdict(set)
    for line in waiting.to_pylist():
        record = json.loads(line["record"])
        if line["kind"] and line["row"] is not None and "cells" not in record:  # damaged records cannot be retried
            headers = groups.setdefault((line["import_id"], line["file"], line["kind"]), {})
            headers.setdefault(tuple(record), []).append((line["row"], record))
            if line["code"] == "duplicate_key":
                id_conflicts[line["import_id"], line["file"], line["kind"]].add(line["row"])
    for (import_id, name, kind), headers in groups.items():
        for header, rows in headers.items():
            raw = raw_file_of(header, [number for number, _ in rows], [list(record.values()) for _, record in rows])
            validated = validate_file(raw, upload.format.file(kind), file_name=name, replacements=upload.replacements)
            source = ChangeFile(kind=kind, file=name, rows=validated.rows, import_id=import_id)
            yield keep_in_quarantine(source, id_conflicts[import_id, name, kind])
