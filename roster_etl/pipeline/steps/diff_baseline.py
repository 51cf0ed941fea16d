"""Compare a delta upload with the previous one of its data set, if the district's options ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from roster_etl.engine.changes import ChangeFile, EarlierImport, UploadedFile, choose_baseline, diff_upload
from roster_etl.engine.changes.upload_diff import BASELINE_OUTCOMES
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.validation.validate import validate_file
from roster_etl.pipeline.steps.validate import limits_of
from roster_etl.pipeline.uploads.archived_uploads import newest_first
from roster_etl.pipeline.uploads.effective_uploads import without_undone
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import Finding

DATA_SET_OPTION, REMASTER_OPTION = "diffing_data_set_identifier", "diffing_remaster_data_set"


UPLOAD_REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class BaselineDiff:
    """The rows of an upload that are left to apply.

    ``how``: the outcome, as in `UploadDiff`; UPLOAD_REFUSED: nothing is applied, and ``findings`` give the reason.
    """

    sources: tuple[ChangeFile, ...]
    findings: tuple[Finding, ...] = ()
    how: str | None = None


def diff_against_baseline(workspace: Workspace, upload: Upload, sources: Sequence[ChangeFile]) -> BaselineDiff:
    """Return the rows of `sources` (files of `upload`) that differ from the last upload of its data set; all if it has none.

    Raises: ArchiveError.
    """
    plan, data_set = upload.vendor.change_plan, upload.values.get(DATA_SET_OPTION)
    if plan is None or not data_set:
        return BaselineDiff(sources=tuple(sources))
    base = choose_baseline(_history(workspace, upload, str(data_set)))
    if base.needs_remaster and not upload.values[REMASTER_OPTION]:
        message = f"Too many uploads of this data set in a row differed from it by more than allowed; start afresh with {REMASTER_OPTION}."
        return BaselineDiff(
            sources=(),
            findings=(Finding(severity="upload", code="diff_threshold_exceeded", message=message),),
            how=UPLOAD_REFUSED,
        )
    sizes = {member.name: member.size for member in upload.members}
    now = [UploadedFile(source=source, size=sizes[source.file]) for source in sources]
    before = (
        None
        if base.import_id is None or upload.values[REMASTER_OPTION]
        else list(_earlier_files(workspace, upload, base.import_id))
    )
    found = diff_upload(plan, now, before, upload.values)
    return BaselineDiff(sources=found.sources, findings=found.findings, how=found.outcome)


def _history(workspace: Workspace, upload: Upload, data_set: str) -> list[EarlierImport]:
    """Return the published imports of a data set, oldest first, without those that were undone.

    None before the newest one that was compared or a fresh start: it is the baseline, whatever came earlier.
    """
    found: list[EarlierImport] = []
    for row in without_undone(newest_first(workspace, upload.district_id, upload.source, status="published")):
        if (row["options"] or {}).get(DATA_SET_OPTION) != data_set or row["kind"] != "upload":
            continue
        outcome: Any = (row["summary"] or {}).get("compared") or "whole"
        found.append(EarlierImport(import_id=row["import_id"], published=True, outcome=outcome))
        if outcome in BASELINE_OUTCOMES:
            break
    return found[::-1]


def _earlier_files(workspace: Workspace, upload: Upload, import_id: int) -> Iterator[UploadedFile]:
    """Yield the files of an earlier import, validated by the current rules."""
    manifest = workspace.archive.read_manifest(upload.district_id, import_id)
    then = replace(upload, options=manifest["options"])
    for member in (Member(**member) for member in manifest["members"]):
        if member.kind is None or member.key is None:
            continue
        content = workspace.archive.get(member.key)
        raw = read_csv(content, encoding=str(then.values["encoding"]), limits=limits_of(upload.format))
        result = validate_file(raw, upload.format.file(member.kind), file_name=member.name, replacements=upload.replacements)
        if result.refused:
            continue
        rows = result.rows
        absent = {column for column in rows.column_names if not column.startswith("_")} - set(result.present)
        source = ChangeFile(kind=member.kind, file=member.name, rows=rows.drop_columns([*absent]))
        yield UploadedFile(source=source, size=member.size)
