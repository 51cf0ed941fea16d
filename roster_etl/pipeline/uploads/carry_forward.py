"""Carry reference files forward: an upload without one uses the newest that the feed has published.

Belongs here: finding that file in the archive, before anything is read. It becomes a member of the upload like any other file, so
that content hash, manifest, report and trace include it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import read_csv
from roster_etl.pipeline.uploads.archived_uploads import newest_first
from roster_etl.pipeline.uploads.effective_uploads import effective_uploads
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File
from roster_etl.spec.findings import Finding

Contents = Mapping[str, Callable[[], bytes]]


def carry_forward_files(
    workspace: Workspace, upload: Upload, contents: Contents, last: Mapping[str, Any] | None
) -> tuple[tuple[Member, ...], list[Finding]]:
    """Return the members of `upload` with the reference files that it lacks added, and the findings about them.

    A reference file in the upload that is unreadable as a whole, or has no rows, is reported, and the earlier one is used.

    Args: contents: the bytes of each file at hand, by its name. last: the ledger row of the import published last for the file set.
    """
    members, findings = upload.members, []
    for file in upload.format.files:
        if not file.carried_forward or file.name not in upload.headers:
            continue
        own = upload.member(file.name)
        broken = _unusable_file_findings(upload, file, own, contents) if own and own.name in contents else []
        if upload.format.manifest is not None and any(finding.severity == "file" for finding in broken):
            continue  # the manifest needs the file, so that the upload is rejected
        earlier = _newest(workspace, upload, file.name, last) if broken or own is None else None
        if earlier is None:
            continue
        import_id, member = earlier
        members = (*(m for m in members if m.kind != file.name and m.name != member.name), member)
        findings += [*broken, _carried_forward_finding(member, import_id)]
    return members, findings


def _newest(workspace: Workspace, upload: Upload, kind: str, last: Mapping[str, Any] | None) -> tuple[int, Member] | None:
    """Return the newest published import of the feed that has a file `kind`, and that file.

    Every upload has the files that were carried forward to it. So the newest published one tells, and no older one is read.
    """
    if upload.format.manifest is not None:
        return _newest_stated(workspace, upload, kind)
    for import_id in _published_uploads(workspace, upload, last):
        if not workspace.archive.has_manifest(upload.district_id, import_id):
            continue
        members = workspace.archive.read_manifest(upload.district_id, import_id)["members"]
        found = [Member(**document) for document in members if document["kind"] == kind]
        if any(member.key is not None for member in found):
            member = next(member for member in found if member.key is not None)
            return member.lasts_from or import_id, replace(member, lasts_from=member.lasts_from or import_id)
        if not found:
            return None
    return None


def _newest_stated(workspace: Workspace, upload: Upload, kind: str) -> tuple[int, Member] | None:
    """Return the newest import of a feed with manifests that has a file `kind`, and that file, none of whose rows came with this upload."""
    for import_id, members in effective_uploads(workspace, upload):
        for member in members:
            if member.kind == kind and member.key is not None and member.refused is None:
                source = member.lasts_from or import_id
                return source, replace(member, lasts_from=source, changes=member.changes or 0)
    return None


def _published_uploads(workspace: Workspace, upload: Upload, last: Mapping[str, Any] | None) -> Iterator[int]:
    """Yield the published uploads of the feed, newest first. Lazily: callers seldom need more than the first."""
    if last is None:
        return
    feed, before = (upload.district_id, upload.source), int(last["import_id"])
    for row in chain([last], newest_first(workspace, *feed, status="published", file_set=upload.file_set, before=before)):
        if row["kind"] == "upload":
            yield int(row["import_id"])


def _unusable_file_findings(upload: Upload, file: File, member: Member, contents: Contents) -> list[Finding]:
    """Return the findings that reject the file as a whole; empty if it is readable and has rows."""
    raw = read_csv(contents[member.name](), encoding=str(upload.values["encoding"]))
    if raw.header and not raw.refused:
        header = match_header(raw.header, file, fixed_order=upload.fixed_column_order)
        if raw.rows_read and not header.refused:
            return []
        found = [finding for finding in header.findings if finding.severity == "file"]
    else:
        found = [
            Finding(severity="file", code=line["code"], message=line["message"])
            for line in raw.findings.to_pylist()
            if line["severity"] == "file"
        ]
    empty = Finding(severity="warning", code="empty_file", message="The file has no rows.")
    return [replace(finding, file=member.name) for finding in found or [empty]]


def _carried_forward_finding(member: Member, import_id: int) -> Finding:
    message = f"The upload has no such file that can be used; that of import {import_id} goes on, and was read again."
    return Finding(severity="info", code="lasting_file", file=member.name, message=message)
