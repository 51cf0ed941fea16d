"""Which archived bytes an earlier import stands for.

Belongs here: finding the manifest to run again, before an import is opened for it. Reading the bytes is ``pipeline.receive``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError


class NotArchived(RosterError):
    """An import whose bytes were not kept cannot be run again."""

    code = "not_archived"
    template = "import {import_id} of {district_id}: its upload was not kept ({problem}); upload it again"


class OlderUpload(PermanentError):
    """An older upload never overtakes a newer one unasked."""

    code = "older_upload"
    template = (
        "import {import_id} of {district_id}: its upload is older than that of import {newer}, which is published; "
        "`roster-etl rerun --import {import_id} --rollback` plans it all the same, and holds the plan for approval"
    )


def archived_import(workspace: Workspace, district_id: str, source: str, import_id: int) -> int:
    """Return the import whose archived bytes are those of `import_id`: itself, or for an unchanged one, that which published them.

    Raises: UnknownImport. NotArchived: they were not kept, or not all of them.
    """
    manifests = workspace.archive.manifests(district_id)
    found: int | None = import_id
    if import_id not in manifests or workspace.archive.read_manifest(district_id, import_id)["status"] == "unchanged":
        found = _same_content(workspace, district_id, source, import_id)
    if found is None or found not in manifests:
        raise NotArchived(import_id=import_id, district_id=district_id, problem="the archive has no manifest of it")
    manifest = workspace.archive.read_manifest(district_id, found)
    if not manifest["members"]:
        raise NotArchived(import_id=import_id, district_id=district_id, problem="no file of it was taken in")
    lost = [member["name"] for member in manifest["members"] if member["kind"] and member["key"] is None]
    if lost or manifest["source"] != source:
        raise NotArchived(import_id=import_id, district_id=district_id, problem=", ".join(lost) or "another format")
    return found


def newest_archived(workspace: Workspace, district_id: str, source: str) -> int | None:
    """Return the import with the newest upload of a feed that is archived and was not rejected; None: there is none.

    An import that ran an older upload again is as old as that.
    """
    best: tuple[int, int] | None = None
    for import_id in reversed(workspace.archive.manifests(district_id)):
        if best and import_id <= best[0]:
            break  # nothing further down came later
        manifest = workspace.archive.read_manifest(district_id, import_id)
        if manifest["source"] == source and manifest["members"] and manifest["status"] not in ("rejected", "unchanged"):
            best = max(best or (0, 0), (came_with(manifest), import_id))
    return best[1] if best else None


def came_with(manifest: Mapping[str, Any]) -> int:
    """Return the import that took in the bytes of a manifest: its own, unless it ran them again."""
    return int(manifest.get("first_import") or manifest["import_id"])


def refuse_older(workspace: Workspace, district_id: str, source: str, import_id: int) -> None:
    """Refuse to run the archived upload of `import_id` again where a newer one is published. Raises OlderUpload."""
    manifest = workspace.archive.read_manifest(district_id, import_id)
    newer = overtaken_by(workspace, district_id, source, came_with(manifest), manifest["content"])
    if newer is not None:
        raise OlderUpload(import_id=import_id, district_id=district_id, newer=newer)


def overtaken_by(workspace: Workspace, district_id: str, source: str, came: int, content: str) -> int | None:
    """Return the published import of a newer upload than the one that came with import `came`; None: there is none.

    The same content is neither older nor newer, whenever it came.
    """
    last = workspace.warehouse.last_published(district_id, source, "upload")
    if last is None or _content(last) == content:
        return None
    newest = (last["summary"] or {}).get("came_with") or last["import_id"]
    return int(last["import_id"]) if came < newest else None


def _same_content(workspace: Workspace, district_id: str, source: str, import_id: int) -> int | None:
    """Return the newest import that published what `import_id` brought."""
    content = _content(workspace.warehouse.import_(import_id))
    published = workspace.warehouse.imports(district_id, source, status="published")
    return next((int(row["import_id"]) for row in published if content and _content(row) == content), None)


def _content(row: dict[str, Any]) -> str | None:
    content: str | None = (row["summary"] or {}).get("content")
    return content
