"""Find the archived upload of an earlier import, and decide whether it may be run again.

Belongs here: finding the manifest before an import is opened for it. Reading the bytes is ``pipeline.steps.receive``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import Any, Literal

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.vendors import vendor

_PAGES = (2, 20, 200)  # imports read at a time: the first is nearly always enough


class NotArchived(RosterError):
    """The bytes of an import were not archived, so that it cannot be run again."""

    code = "not_archived"
    template = "import {import_id} of {district_id}: its upload was not kept ({problem}); upload it again"


class OlderUpload(PermanentError):
    """A newer upload is published: an older one must not overwrite it unless a rollback is requested."""

    code = "older_upload"
    template = (
        "import {import_id} of {district_id}: its upload is older than that of import {newer}, which is published; "
        "`roster-etl rerun --district {district_id} --import {import_id} --rollback` plans it all the same, and holds the plan for approval"
    )


def archived_import(workspace: Workspace, district_id: str, source: str, import_id: int) -> int:
    """Return the import whose archived bytes are those of `import_id`: itself, or the import that published them if unchanged.

    Raises: UnknownImport. NotArchived: the bytes were not archived, or not all of them.
    """
    found: int | None = import_id
    archive = workspace.archive
    if (
        not archive.has_manifest(district_id, import_id)
        or workspace.archive.read_manifest(district_id, import_id).get("status") == "unchanged"
    ):
        found = _same_content(workspace, district_id, source, import_id)
        if found is None and archive.has_manifest(district_id, import_id):
            found = import_id  # its content is new, and made the same roster
    if found is None or not archive.has_manifest(district_id, found):
        raise NotArchived(import_id=import_id, district_id=district_id, problem="the archive has no manifest of it")
    manifest = workspace.archive.read_manifest(district_id, found)
    if not is_upload(manifest):
        raise NotArchived(import_id=import_id, district_id=district_id, problem=f"it is no upload but of kind {manifest['kind']}")
    if not manifest.get("members"):
        raise NotArchived(import_id=import_id, district_id=district_id, problem="no file of it was archived")
    if (lost := lost_members(manifest)) or manifest["source"] != source:
        raise NotArchived(import_id=import_id, district_id=district_id, problem=", ".join(lost) or "another format")
    return found


def lost_members(manifest: Mapping[str, Any]) -> list[str]:
    """Return the files of an archived upload that were used, and whose bytes were not archived.

    In a delta format a rejected file was not used, while the other files were.
    """
    alone = vendor(manifest["source"]).format.mode == "changes"
    return [
        member["name"]
        for member in manifest["members"]
        if member["kind"] and member["key"] is None and not (alone and member.get("refused"))
    ]


def is_upload(manifest: Mapping[str, Any]) -> bool:
    """Return whether a manifest is that of an upload; a steward's edit or an undo has no files."""
    return manifest.get("kind", "upload") == "upload"


def newest_archived(workspace: Workspace, district_id: str, source: str, file_set: str | None = None) -> int | None:
    """Return the import with the newest archived upload of a feed (or file set); None: no such import.

    One with the content of the published one does not count. One that was rejected does: running an older one in its place would look as if it had been accepted. A rerun of an older upload
    counts as old as that upload.
    """
    best: tuple[int, int] | None = None
    published = workspace.warehouse.roster.last_published(district_id, source, "upload", file_set=file_set)
    known = _content(published) if published else None
    for row in newest_first(workspace, district_id, source, file_set=file_set):
        import_id = int(row["import_id"])
        if best and import_id <= best[0]:
            break  # the rest is older
        if row["kind"] != "upload" or not workspace.archive.has_manifest(district_id, import_id):
            continue
        manifest = workspace.archive.read_manifest(district_id, import_id)
        same_set = is_upload(manifest) and (file_set is None or manifest.get("file_set", "") == file_set)
        repeats = manifest["status"] == "running" or (manifest["status"] == "unchanged" and manifest.get("content") == known)
        usable = manifest["status"] == "rejected" or (manifest.get("members") and not repeats)
        if manifest["source"] == source and same_set and usable:
            best = max(best or (0, 0), (origin_import(manifest), import_id))
    return best[1] if best else None


def newest_first(
    workspace: Workspace,
    district_id: str,
    source: str,
    *,
    status: Literal["published"] | None = None,
    file_set: str | None = None,
    before: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a feed's imports, newest first, a page at a time: what is sought is seldom far from the end of a long history."""
    for size in chain(_PAGES, repeat(_PAGES[-1])):
        bounds: dict[str, Any] = {"file_set": file_set, "before": before, "limit": size}
        if status == "published":
            page = workspace.warehouse.roster.published_imports(district_id, source, **bounds)
        else:
            page = workspace.warehouse.ledger.imports(district_id, source, **bounds)
        yield from page
        if len(page) < size:
            return
        before = page[-1]["import_id"]


def origin_import(manifest: Mapping[str, Any]) -> int:
    """Return the import that received the bytes of a manifest: its own, unless it is a rerun."""
    return int(manifest.get("first_import") or manifest["import_id"])


def require_newest_upload(workspace: Workspace, district_id: str, source: str, import_id: int) -> None:
    """Check that no upload newer than the archived one of `import_id` is published. Raises OlderUpload."""
    manifest = workspace.archive.read_manifest(district_id, import_id)
    feed = (district_id, source, manifest.get("file_set", ""))
    newer = newer_published_upload(workspace, *feed, origin=origin_import(manifest), content=manifest["content"])
    if newer is not None:
        raise OlderUpload(import_id=import_id, district_id=district_id, newer=newer)


def newer_published_upload(
    workspace: Workspace, district_id: str, source: str, file_set: str, *, origin: int, content: str
) -> int | None:
    """Return the published import with an upload newer than the one received by import `origin`; None: no such import.

    An upload with the same content is neither older nor newer, whenever it arrived. Uploads of events are only added, so that the
    order of two does not matter.
    """
    if vendor(source).for_file_set(file_set).format.mode == "events":
        return None
    last = workspace.warehouse.roster.last_published(district_id, source, "upload", file_set=file_set)
    if last is None or _content(last) == content:
        return None
    newest = (last["summary"] or {}).get("came_with") or last["import_id"]
    return int(last["import_id"]) if origin < newest else None


def _same_content(workspace: Workspace, district_id: str, source: str, import_id: int) -> int | None:
    """Return the newest import that published the content of `import_id`."""
    content = _content(workspace.warehouse.ledger.import_(import_id))
    published = newest_first(workspace, district_id, source, status="published") if content else ()
    return next((int(row["import_id"]) for row in published if _content(row) == content), None)


def _content(row: dict[str, Any]) -> str | None:
    content: str | None = (row["summary"] or {}).get("content")
    return content
