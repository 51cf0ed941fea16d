"""Whether an upload is the last published one again, with its rows and columns in another order.

Belongs here: finding the two in the archive. What makes two files the same is ``engine.planning.same_content``.
"""

from __future__ import annotations

from collections.abc import Mapping

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.planning.same_content import same_records
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace


def repeats_last_published(workspace: Workspace, upload: Upload) -> bool:
    """Return whether every file has the records that the last published upload of the feed had.

    Without that upload's bytes nobody knows, and nothing is held to be the same. It reads whole files: asked for only where
    a plan has nothing but derived values.
    """
    now, then = _by_kind(upload.members), _last_members(workspace, upload)
    return now.keys() == then.keys() and all(_same(workspace, upload, now[kind], then[kind]) for kind in now)


def _by_kind(members: tuple[Member, ...]) -> dict[str, Member]:
    return {member.kind: member for member in members if member.kind}


def _last_members(workspace: Workspace, upload: Upload) -> Mapping[str, Member]:
    last = workspace.warehouse.last_published(upload.district_id, upload.source, file_set=upload.file_set)
    if not last or int(last["import_id"]) not in workspace.archive.manifests(upload.district_id):
        return {}
    manifest = workspace.archive.read_manifest(upload.district_id, int(last["import_id"]))
    return _by_kind(tuple(Member(**document) for document in manifest["members"]))


def _same(workspace: Workspace, upload: Upload, one: Member, other: Member) -> bool:
    if one.sha256 == other.sha256:
        return True
    if one.key is None or other.key is None:
        return False
    encoding = str(upload.values["encoding"])
    return same_records(*(read_csv(workspace.archive.get(key), encoding=encoding) for key in (one.key, other.key)))
