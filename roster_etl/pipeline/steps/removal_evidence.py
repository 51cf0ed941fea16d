"""Collect what an upload leaves unknown, so that a missing record is no proof that it was removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.removal_evidence import Doubt
from roster_etl.frames.arrow import to_table
from roster_etl.mapping.column_plan import AnyGiven, OnlyRows, Unpivot, identity_columns
from roster_etl.pipeline.staging import _documents
from roster_etl.pipeline.steps.exclusions import left_out
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace


def _doubt(workspace: Workspace, upload: Upload) -> Doubt:
    place = (upload.district_id, upload.import_id)
    documents = _documents(workspace, upload)
    unread = {file.name for file in upload.format.files} - {name for name, d in documents.items() if d["rows_accepted"]}
    broken = [name for name, d in documents.items() if d["refused"] and d["refused"] != "empty_file"]
    return Doubt(
        file_of=upload.kind_of,
        files=frozenset(unread),
        everything=bool(broken),
        evidence={name: tuple(map(tuple, document["evidence"])) for name, document in documents.items()},
        identity=_identity(upload),
        named={name: to_table(workspace.frames.read(*place, f"named/{name}")) for name in documents},
        unstated=_unstated(upload, documents),
        left_out=left_out(upload.leave_out),
    )


def _unstated(upload: Upload, documents: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, object]]:
    """Return (table, file) of whose records the upload cannot speak.

    Columns that made them are missing, or a damaged record does not tell whose it is.
    """
    found: dict[tuple[str, str], Mapping[str, object]] = {}
    for mapping in upload.vendor.mappings:
        document = documents.get(mapping.source, {})
        lost, present = set(document.get("lost", ())), set(document.get("present", ()))
        table = TABLES[mapping.to]
        needed = {step.column for step in mapping.steps if isinstance(step, OnlyRows)}
        needed |= {name for step in mapping.steps if isinstance(step, AnyGiven) for name in step.columns}
        keys = set(mapping.unstated(present, lost)) & set(table.key) - set(table.optional_key)
        families = {step.family for step in mapping.steps if isinstance(step, Unpivot)}
        if needed & lost or keys or document.get("hidden"):
            found[mapping.to, mapping.source] = {}
        elif families & lost:
            found[mapping.to, mapping.source] = mapping.family_gives
    return found


def _identity(upload: Upload) -> dict[tuple[str, str], Mapping[str, str]]:
    return {
        (mapping.to, mapping.source): identity_columns(mapping, TABLES[mapping.to].key, upload.format.file(mapping.source).key)
        for mapping in upload.vendor.mappings
    }
