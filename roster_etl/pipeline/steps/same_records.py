"""Detect an upload with the same records as the last published one, in another order of rows and columns.

Belongs here: finding both in the archive. The comparison of two files is ``engine.csv.same_content``.
"""

from __future__ import annotations

from collections.abc import Mapping

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.same_content import have_same_records
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace


def has_same_records_as_published(workspace: Workspace, upload: Upload) -> bool:
    """Return whether every file has the same records as in the last published upload of the feed.

    False if that upload's bytes are not archived. It reads whole files: call it only where a plan changes nothing but derived
    values.
    """
    now, then = _by_kind(upload.members), _last_members(workspace, upload)
    return now.keys() == then.keys() and all(_same(workspace, upload, now[kind], then[kind]) for kind in now)


def _by_kind(members: tuple[Member, ...]) -> dict[str, Member]:
    return {member.kind: member for member in members if member.kind}


def _last_members(workspace: Workspace, upload: Upload) -> Mapping[str, Member]:
    last = workspace.warehouse.roster.last_published(upload.district_id, upload.source, file_set=upload.file_set)
    if not last or not workspace.archive.has_manifest(upload.district_id, int(last["import_id"])):
        return {}
    manifest = workspace.archive.read_manifest(upload.district_id, int(last["import_id"]))
    return _by_kind(tuple(Member(**document) for document in manifest["members"]))


def _same(workspace: Workspace, upload: Upload, one: Member, other: Member) -> bool:
    if one.sha256 == other.sha256:
        return True
    if one.key is None or other.key is None:
        return False
    encoding = str(upload.values["encoding"])
    return have_same_records(*(read_csv(workspace.archive.get(key), encoding=encoding) for key in (one.key, other.key)))
