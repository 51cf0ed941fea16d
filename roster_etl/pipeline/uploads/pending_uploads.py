"""Archive settled uploads, and queue those of delta formats until their import begins.

The archived bytes stay available when a newer upload replaces the files in the same folder.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from roster_etl.pipeline.uploads.archive_upload import archive_member
from roster_etl.pipeline.uploads.classify import classify_files
from roster_etl.pipeline.uploads.file_selection import entries_to_watch, file_selection
from roster_etl.pipeline.uploads.upload import Member
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, UnsafeArchive, UploadTooLarge
from roster_etl.spec.findings import Finding
from roster_etl.spec.options import resolve_options
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.landing.entries import FetchedFile
from roster_etl.store.landing.open import open_landing
from roster_etl.store.landing.quiet_period import fingerprint
from roster_etl.store.landing.upload_source import FetchedUpload, fetch_members, unpack_single_zip
from roster_etl.store.registry.district import Feed
from roster_etl.vendors import vendor


class UploadReplaced(RetryableError):
    """The files in the landing zone are no longer those that settled."""

    code = "upload_replaced"
    template = "{where}: the files changed before they were archived; what is there now is archived once it has settled"


def archive_settled_upload(
    workspace: Workspace, district_id: str, feed: Feed, *, request: str = "", listing: str = ""
) -> int | None:
    """Archive the upload in a feed's landing zone as a pending upload, and return its number; None: it was archived before.

    Args:   request: names the arrival; of concurrent and repeated calls for one request, one archives the upload. listing: the
        fingerprint of the listing that settled; empty: whatever is there.
    Raises: LandingError, LandingUnavailable: it cannot be read. UploadMoved: it changed while it was read. UploadReplaced.
    """
    if request and workspace.archive.is_archived(district_id, feed.format, request):
        return None
    document = {"request": request, **_archive_files(workspace, district_id, feed, listing)}
    with _pending_lock(workspace, district_id, feed.format):
        if request and workspace.archive.is_archived(district_id, feed.format, request):
            return None
        now = datetime.now(UTC)
        document["taken_at"] = now.isoformat()
        return workspace.archive.add_pending_upload(district_id, feed.format, document, at=now)


def _archive_files(workspace: Workspace, district_id: str, feed: Feed, listing: str) -> dict[str, Any]:
    """Archive the files of an upload, and return them with the findings about them, as JSON types."""
    format_, settings = vendor(feed.format).format, workspace.settings
    encoding = str(resolve_options(format_, feed.options)["encoding"])
    select = file_selection(format_)
    with scratch_folder(settings.scratch) as scratch:
        files: tuple[FetchedFile, ...] = ()
        package: dict[str, str] | None = None
        try:
            with open_landing(district_id, feed, settings) as landing:
                arrival = fetch_members(landing, scratch, settings.limits, where=landing.where, select=select)
            if listing and fingerprint(entries_to_watch(arrival.selection)) != listing:
                raise UploadReplaced(where=arrival.where)
            note_landed(workspace, district_id, feed.format, "", arrival)
            arrival = unpack_single_zip(arrival, settings, scratch, select) if format_.lone_zip else arrival
            members, findings = classify_files(format_, arrival, encoding)
            files, package = arrival.files, package_of(arrival)
        except (UnsafeArchive, UploadTooLarge) as error:
            members, findings = (), [Finding(severity="upload", code=error.code, message=error.message)]
        contents = {file.name: file for file in files}
        kept = [archive_member(workspace, format_, encoding, m, contents[m.name].read())[0] if m.kind else m for m in members]
    return {
        "members": [asdict(member) for member in kept],
        "findings": [asdict(finding) for finding in findings],
        "package": package,
    }


def note_landed(workspace: Workspace, district_id: str, source: str, file_set: str, arrival: FetchedUpload) -> None:
    """Note what the landing zone held when it was read, so that a file that is rewritten later is noticed (``detect_rewrites``)."""
    listing = fingerprint(entries_to_watch(arrival.selection))
    workspace.archive.write_landed(district_id, source, file_set, listing=listing, content=arrival.content_hash)


def _pending_lock(workspace: Workspace, district_id: str, source: str) -> AbstractContextManager[None]:
    """Return the lock on a feed's queue: on its folder, or through the warehouse where an object store has no locks."""
    lock = workspace.archive.pending_lock(district_id, source)
    return lock or workspace.warehouse.exclusive(f"pending uploads of {district_id}/{source}")


def package_of(arrival: FetchedUpload) -> dict[str, str] | None:
    """Return name and hash of the zip that the files of an upload were in; None: they were in none."""
    package = arrival.package
    return {"name": package.name, "sha256": package.sha256} if package else None


def pending_numbers(workspace: Workspace, district_id: str, source: str) -> tuple[int, ...]:
    """Return the numbers of a feed's pending uploads, in the order of their arrival."""
    return workspace.archive.pending_uploads(district_id, source)


def read_pending(
    workspace: Workspace, district_id: str, source: str, number: int
) -> tuple[tuple[Member, ...], list[Finding], dict[str, str] | None]:
    """Return the files of a pending upload, the findings from its arrival, and its zip (`package_of`). Raises ArchiveError."""
    document = workspace.archive.read_pending_upload(district_id, source, number)
    members = tuple(Member(**member) for member in document["members"])
    return members, [Finding(**found) for found in document["findings"]], document.get("package")


def remove_pending(workspace: Workspace, district_id: str, source: str, number: int) -> None:
    """Remove an upload from the pending ones once an import owns its bytes."""
    workspace.archive.remove_pending_upload(district_id, source, number)
