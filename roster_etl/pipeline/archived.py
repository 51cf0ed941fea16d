"""Which archived bytes an earlier import stands for.

Belongs here: finding the manifest to run again, before an import is opened for it. Reading the bytes is ``pipeline.receive``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.vendors import vendor


class NotArchived(RosterError):
    """An import whose bytes were not kept cannot be run again."""

    code = "not_archived"
    template = "import {import_id} of {district_id}: its upload was not kept ({problem}); upload it again"


def archived_import(workspace: Workspace, district_id: str, source: str, import_id: int) -> int:
    """Return the import whose archived bytes are those of `import_id`: itself, or for an unchanged one, that which published them.

    Raises: UnknownImport. NotArchived: they were not kept, or not all of them.
    """
    manifests = workspace.archive.manifests(district_id)
    found = import_id if import_id in manifests else _same_content(workspace, district_id, source, import_id)
    if found not in manifests:
        raise NotArchived(import_id=import_id, district_id=district_id, problem="the archive has no manifest of it")
    manifest = workspace.archive.read_manifest(district_id, found)
    if (lost := lost_members(manifest)) or manifest["source"] != source:
        raise NotArchived(import_id=import_id, district_id=district_id, problem=", ".join(lost) or "another format")
    return found


def lost_members(manifest: Mapping[str, Any]) -> list[str]:
    """Return the files of an archived upload that were used, and whose bytes were not kept.

    In a format of changes, a file that was refused was not used: its siblings were.
    """
    alone = vendor(manifest["source"]).format.mode == "changes"
    return [
        member["name"]
        for member in manifest["members"]
        if member["kind"] and member["key"] is None and not (alone and member.get("refused"))
    ]


def newest_archived(workspace: Workspace, district_id: str, source: str, file_set: str | None = None) -> int | None:
    """Return the newest import of a feed (or one set of its files) that is archived and was not rejected; None: there is none."""
    for import_id in reversed(workspace.archive.manifests(district_id)):
        manifest = workspace.archive.read_manifest(district_id, import_id)
        same_set = file_set is None or manifest.get("file_set", "") == file_set
        if manifest["source"] == source and same_set and manifest["status"] != "rejected":
            return import_id
    return None


def _same_content(workspace: Workspace, district_id: str, source: str, import_id: int) -> int | None:
    """Return the newest import that published what `import_id` brought."""
    content = _content(workspace.warehouse.import_(import_id))
    published = workspace.warehouse.imports(district_id, source, status="published")
    return next((int(row["import_id"]) for row in published if content and _content(row) == content), None)


def _content(row: dict[str, Any]) -> str | None:
    content: str | None = (row["summary"] or {}).get("content")
    return content
