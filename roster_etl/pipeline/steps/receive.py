"""Receive an upload (first step): fetch its files, verify that they are stable, archive them, and open the import.

Belongs here: checks before any row is read: whether the upload is unchanged or incomplete, and which file is of which kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from roster_etl.engine.csv.other_formats import oneroster_files
from roster_etl.frames.arrow import findings_table, use_memory_for
from roster_etl.frames.prefetch import two_at_a_time
from roster_etl.pipeline.lifecycle.hold_races import open_holds
from roster_etl.pipeline.lifecycle.import_lifecycle import begin_import, release_import
from roster_etl.pipeline.lifecycle.manifest import write_manifest
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.conclude import conclude_import, fail_import
from roster_etl.pipeline.steps.refused_rise import SUMMARY_KEY
from roster_etl.pipeline.uploads.apply_upload_manifest import prepare_files
from roster_etl.pipeline.uploads.archive_upload import archive_member
from roster_etl.pipeline.uploads.archived_uploads import (
    NotArchived,
    archived_import,
    lost_members,
    origin_import,
    require_newest_upload,
)
from roster_etl.pipeline.uploads.carry_forward import Contents
from roster_etl.pipeline.uploads.classify import classify_files
from roster_etl.pipeline.uploads.cross_set_references import unpublished_files
from roster_etl.pipeline.uploads.file_selection import file_selection
from roster_etl.pipeline.uploads.file_sets import resolve_file_set
from roster_etl.pipeline.uploads.fingerprint import content_digest, option_texts, settings_digest
from roster_etl.pipeline.uploads.order import Order, is_rerun, rerun_entry
from roster_etl.pipeline.uploads.pending_uploads import note_landed, package_of, read_pending, remove_pending
from roster_etl.pipeline.uploads.upload import Member, Upload, unclassified_members
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import DistrictPaused, UnsafeArchive, UploadTooLarge
from roster_etl.spec.findings import Finding
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.temp_folders import remove_orphaned_folders, scratch_folder
from roster_etl.store.home_integrity import require_safe_home
from roster_etl.store.landing.open import open_landing
from roster_etl.store.landing.upload_source import FetchedUpload, Select, fetch_members, fetch_upload, unpack_single_zip
from roster_etl.store.registry.district import Feed, Window
from roster_etl.vendors import vendor


@dataclass(frozen=True, kw_only=True)
class Received:
    """An upload whose import has begun.

    ``summary``: the summary from the ledger if receiving ended the import; None: the import continues.
    """

    upload: Upload
    summary: ImportSummary | None = None


def receive_upload(workspace: Workspace, order: Order) -> Received:
    """Open an import for `order` and receive its upload.

    The caller releases the import in the end (``pipeline.lifecycle.import_lifecycle``).

    Returns: the upload, and the summary if receiving already ended the import (``unchanged``, ``rejected``).
    Raises:  DistrictPaused; OlderUpload; RosterError: the district, its feed, an option or a column to replace is unknown, or the
        landing zone cannot be read (the import is then in the ledger as ``failed``).
    """
    if not is_rerun(order):
        return _receive_order(workspace, order)
    with workspace.warehouse.attempt(rerun_entry(order)):
        return _receive_order(workspace, order)


def _receive_order(workspace: Workspace, order: Order) -> Received:
    require_safe_home(workspace.settings, order.district_id)
    require_not_paused(workspace, order)
    district = workspace.registry.get(order.district_id)
    feed = district.feed(order.source)
    format_ = vendor(order.source).format
    windows = district.windows(order.source, datetime.now(UTC))
    texts = option_texts(format_, district, feed, order.options)
    check_replacements(format_, feed.replacements)
    if order.archived is not None:
        found = archived_import(workspace, order.district_id, order.source, order.archived)
        if not order.rollback:
            require_newest_upload(workspace, order.district_id, order.source, found)
        order = replace(order, archived=found)
    order = resolve_file_set(workspace, order)
    settings = settings_digest(vendor(order.source), texts, feed)  # without the calendar's expectations: they change no record
    upload = _open_upload(workspace, order, option_texts(format_, district, feed, order.options, windows), settings, feed)
    try:
        fault_point("receive.opened")
        return _fetch_upload(workspace, upload, order, feed, [_calendar_finding(window) for window in windows if window.options])
    except BaseException:
        release_import(workspace, upload.import_id)
        raise


def require_not_paused(workspace: Workspace, order: Order) -> None:
    """Raise DistrictPaused if imports of the feed are paused, unless the order approves an upload received before."""
    why = workspace.registry.get(order.district_id).pause_reason(order.source, datetime.now(UTC))
    if why and not order.approves:
        raise DistrictPaused(district_id=order.district_id, why=why)


def _calendar_finding(window: Window) -> Finding:
    message = f"Thresholds of the calendar are in force from {window.first} to {window.last}: {window.reason}."
    return Finding(severity="info", code="expected_change", message=message)


def _fetch_upload(workspace: Workspace, upload: Upload, order: Order, feed: Feed, findings: list[Finding]) -> Received:
    staging_of(workspace, upload).begin()
    try:
        if order.archived is not None or order.approves:
            received = _receive_from_archive(workspace, upload, order, findings)
        elif order.arrival is not None:
            received = _receive_pending(workspace, upload, order.arrival, findings)
        else:
            received = _receive_from_landing(workspace, upload, order, feed, findings)
    except (UnsafeArchive, UploadTooLarge) as error:
        finding = Finding(severity="upload", code=error.code, file=None, message=error.message)
        return _ended(workspace, upload, "rejected", [finding])
    except Exception as error:
        fail_import(workspace, upload, error)
        raise
    use_memory_for(received.upload.largest)
    staging = staging_of(workspace, upload)
    staging.write_upload(received.upload)
    staging.flush()
    if received.summary is None and not order.approves:  # manifest first: a crash must not orphan archived bytes
        write_manifest(workspace, received.upload, read_import_summary(workspace, upload.import_id))
    if order.arrival is not None:  # only once the archive has an import that owns the bytes
        remove_pending(workspace, upload.district_id, upload.source, order.arrival)
    fault_point("receive.done")
    return received


def _ended(
    workspace: Workspace,
    upload: Upload,
    status: Literal["unchanged", "rejected"],
    findings: Iterable[Finding],
    *,
    set_upload: bool = False,
) -> Received:
    """End the import before any row is read. Args: set_upload: the ledger has not got the upload's id yet."""
    summary = conclude_import(workspace, upload, status, findings, set_upload=set_upload)
    return Received(upload=replace(upload, ended=status), summary=summary)


def _set_upload(workspace: Workspace, upload: Upload) -> None:
    """Write to the ledger which upload the import reads, and when that arrived."""
    with workspace.warehouse.write() as tx:
        tx.set_upload(upload.import_id, upload.upload_id, received_at=datetime.fromisoformat(upload.received_at))


def _open_upload(workspace: Workspace, order: Order, texts: Mapping[str, str], settings: str, feed: Feed) -> Upload:
    now = datetime.now(UTC)
    import_id = order.approves[0] if order.approves else _begin_upload_import(workspace, order, texts, now)
    file_set = order.file_set or ""
    return Upload(
        import_id=import_id,
        district_id=order.district_id,
        source=order.source,
        upload_id="",
        run_id=order.run_id,
        received_at=_arrival_time(order, now).isoformat(),
        options=dict(texts),
        settings=settings,
        content="",
        members=(),
        replacements={column: dict(codes) for column, codes in feed.replacements.items()},
        approved_plan=order.approves[1] if order.approves else None,
        approved_by=order.approves[2] if order.approves else None,
        leave_out=order.leave_out,
        renames=order.renames,
        file_set=file_set,
    )


def _arrival_time(order: Order, now: datetime) -> datetime:
    return datetime.fromisoformat(order.received_at) if order.received_at else now


def _begin_upload_import(workspace: Workspace, order: Order, texts: Mapping[str, str], now: datetime) -> int:
    return begin_import(
        workspace,
        order.district_id,
        order.source,
        kind="upload",
        upload_id=None,
        run_id=order.run_id,
        file_set=order.file_set or "",
        received_at=_arrival_time(order, now),
        started_at=now,
        options=dict(texts),
        entry=rerun_entry(order) if is_rerun(order) else None,
    )


# ---- from the landing zone


def _receive_from_landing(
    workspace: Workspace, upload: Upload, order: Order, feed: Feed, calendar_findings: Sequence[Finding]
) -> Received:
    remove_orphaned_folders(workspace.settings.scratch)
    with scratch_folder(workspace.settings.scratch) as scratch:
        arrival = _collect_files(workspace, upload, order, feed, scratch)
        if upload.format.lone_zip:
            arrival = unpack_single_zip(arrival, workspace.settings, scratch, _selection(upload))
        upload = replace(upload, package=package_of(arrival))
        members, findings = classify_files(upload.format, arrival, str(upload.values["encoding"]))
        contents: Contents = {file.name: file.read for file in arrival.files}
        with workspace.warehouse.read():  # both calls use this session
            upload, last = _with_headers(workspace, upload)
            held = open_holds(workspace, upload.district_id)
        workspace.frames.remove_old_imports(upload.district_id, exclude=held)
        stated = prepare_files(workspace, replace(upload, members=members), contents, findings, last)
        upload, contents, findings = _identified(stated.upload), stated.contents, stated.findings
        if is_unchanged(upload, last) and not any(finding.severity == "upload" for finding in findings):
            return _ended(workspace, upload, "unchanged", findings, set_upload=True)
        _set_upload(workspace, upload)
        findings += [
            *_missing_file_findings(upload),
            *_unpublished_file_findings(workspace, upload),
            *_stale(order),
            *calendar_findings,
        ]
        members = _archived(workspace, upload, contents)
    upload = replace(upload, members=members)
    if any(finding.severity == "upload" for finding in findings):
        return _ended(workspace, upload, "rejected", findings)
    staging_of(workspace, upload).write_upload_findings(findings_table(findings))
    return Received(upload=upload)


def _collect_files(workspace: Workspace, upload: Upload, order: Order, feed: Feed, scratch: Path) -> FetchedUpload:
    """Copy the files of the upload's set that the format reads, and no others."""
    select = _selection(upload)
    if order.path is not None:
        return fetch_upload(order.path, workspace.settings, scratch, feed=feed, select=select)
    with open_landing(upload.district_id, feed, workspace.settings) as landing:
        arrival = fetch_members(landing, scratch, workspace.settings.limits, where=landing.where, select=select)
    note_landed(workspace, upload.district_id, upload.source, upload.file_set, arrival)
    return arrival


def _selection(upload: Upload) -> Select:
    return file_selection(vendor(upload.source).format, upload.file_set)


def _missing_file_findings(upload: Upload) -> list[Finding]:
    """Return findings about missing files: a missing or rejected required file rejects the upload, except in delta formats."""
    if not upload.members:
        message = f"The upload is empty: there is no file in it. {upload.format.title} has: {', '.join(f.file_name for f in upload.format.files)}."
        return [Finding(severity="upload", code="empty_upload", message=message)]
    if not any(member.kind for member in upload.members):
        expected = ", ".join(
            file.file_name for file in upload.format.files if file.required or upload.format.requires_ordered_imports
        )
        names, own = [member.name for member in upload.members], [file.file_name for file in upload.format.files]
        origin = " Its files are named like those of OneRoster." if oneroster_files(names, own) else ""
        message = f"The upload has no file of the format {upload.format.title}; expected {expected}.{origin}"
        return [Finding(severity="upload", code="wrong_format", message=message)]
    return [
        Finding(
            severity="upload",
            code="missing_file",
            file=file.file_name,
            message="The format requires this file; nothing was processed.",
        )
        for file in upload.format.files
        if file.required and upload.member(file.name) is None
    ]


def _unpublished_file_findings(workspace: Workspace, upload: Upload) -> list[Finding]:
    """Return a finding for each file of another set that is referred to and not published yet: all rows would be rejected."""
    missing = unpublished_files(workspace, upload)
    if not missing:
        return []
    files = ", ".join(upload.format.file(name).file_name for name in missing)
    message = f"The rows refer to {files}, of which nothing is published yet. Import that first; then run this upload again."
    return [Finding(severity="upload", code="incomplete_upload", message=message)]


def _stale(order: Order) -> list[Finding]:
    """Return a finding for each file that the sensor waited for in vain: it has not changed since the upload before."""
    message = (
        "The file has not changed since the upload before, while other files have. The sensor waited for it as long as the option "
        "straggler_wait says, and then imported it as it is."
    )
    return [Finding(severity="warning", code="stale_file", file=name, message=message) for name in order.stale]


def _with_headers(workspace: Workspace, upload: Upload) -> tuple[Upload, Mapping[str, Any] | None]:
    """Return the upload with what the feed's published uploads leave for it, and the row of the import that was published last."""
    with workspace.warehouse.read() as session:
        last = session.roster.last_published(upload.district_id, upload.source, file_set=upload.file_set)
    summary = (last or {}).get("summary") or {}
    return replace(upload, headers=summary.get("headers", {}), refused_before=summary.get(SUMMARY_KEY, {})), last


def is_unchanged(upload: Upload, last: Mapping[str, Any] | None) -> bool:
    """Return whether the import published last has the same bytes and the same settings."""
    summary: Mapping[str, Any] = (last or {}).get("summary") or {}
    return summary.get("content") == upload.content and summary.get("settings") == upload.settings


def _archived(workspace: Workspace, upload: Upload, contents: Contents) -> tuple[Member, ...]:
    """Archive the files of the upload that are read and not kept yet, as `_archive_or_stage_findings` does. Returns all its files."""
    new = [member.kind is not None and not member.key for member in upload.members]

    def archive(member: Member) -> tuple[Member, pa.Table | None]:
        return _archive(workspace, upload, member, contents[member.name])

    archived = two_at_a_time(archive, compress(upload.members, new), largest=upload.largest)
    return tuple(
        _stage_findings(workspace, upload, *next(archived)) if is_new else member
        for member, is_new in zip(upload.members, new, strict=True)
    )


def _archive_or_stage_findings(workspace: Workspace, upload: Upload, member: Member, content: Callable[[], bytes]) -> Member:
    """Archive a member's bytes with secrets blanked; if they cannot be located, validate the file now and do not archive it."""
    return _stage_findings(workspace, upload, *_archive(workspace, upload, member, content))


def _archive(
    workspace: Workspace, upload: Upload, member: Member, content: Callable[[], bytes]
) -> tuple[Member, pa.Table | None]:
    return archive_member(workspace, upload.format, str(upload.values["encoding"]), member, content())


def _stage_findings(workspace: Workspace, upload: Upload, kept: Member, why: pa.Table | None) -> Member:
    if why is not None:
        staging_of(workspace, upload).write_unarchived(upload, kept, why)
    return kept


# ---- pending uploads


def _receive_pending(workspace: Workspace, upload: Upload, number: int, calendar_findings: Sequence[Finding]) -> Received:
    """Continue with a pending upload, whose bytes were archived once it had settled; from now on the import owns them."""
    members, findings, package = read_pending(workspace, upload.district_id, upload.source, number)
    upload, last = _with_headers(workspace, replace(upload, package=package))
    archived = {member.name: partial(workspace.archive.get, member.key) for member in members if member.key}
    stated = prepare_files(workspace, replace(upload, members=members), archived, findings, last)
    upload, findings = _identified(stated.upload), stated.findings
    refused = [*_missing_file_findings(upload), *(f for f in findings if f.severity == "upload")]
    if is_unchanged(upload, last) and not refused:
        return _ended(workspace, upload, "unchanged", findings, set_upload=True)
    if refused:
        told = [*findings, *(finding for finding in refused if finding not in findings)]
        return _ended(workspace, upload, "rejected", told, set_upload=True)
    _set_upload(workspace, upload)
    kept = (_keep_continued(workspace, upload, member, stated.contents) for member in upload.members)
    upload = replace(upload, members=tuple(kept))
    staging_of(workspace, upload).write_upload_findings(findings_table([*findings, *calendar_findings]))
    return Received(upload=upload)


def _keep_continued(workspace: Workspace, upload: Upload, member: Member, contents: Contents) -> Member:
    """Archive the bytes of a file that continues an earlier one; others have been archived when they came in."""
    if member.changes is None or member.lasts_from is not None or member.refused:
        return member
    return _archive_or_stage_findings(workspace, upload, member, contents[member.name])


def _identified(upload: Upload) -> Upload:
    content = content_digest(upload, upload.members)
    return replace(upload, content=content, upload_id=content[:20])


# ---- from the archive


def _receive_from_archive(workspace: Workspace, upload: Upload, order: Order, calendar_findings: Sequence[Finding]) -> Received:
    earlier = order.approves[0] if order.approves else order.archived
    assert earlier is not None
    manifest = workspace.archive.read_manifest(order.district_id, earlier)
    members = tuple(Member(**member) for member in manifest["members"])
    if (lost := lost_members(manifest)) or manifest["source"] != order.source:
        raise NotArchived(import_id=earlier, district_id=order.district_id, problem=", ".join(lost) or "another format")
    first = manifest.get("first_import") if order.approves else origin_import(manifest)
    upload, last = _with_headers(workspace, upload)
    version = manifest.get("format_version", "")
    upload = replace(
        upload, received_at=manifest["received_at"], format_version=version
    )  # rows without a date get the day of the first arrival
    content = content_digest(upload, members)
    upload = replace(upload, members=members, content=content, upload_id=manifest["upload_id"], first_import=first)
    upload = replace(upload, package=manifest.get("package"))
    refused = [_refused_member_finding(member) for member in unclassified_members(members)]
    findings = (
        [*refused, *calendar_findings] if order.approves else [_archived_upload_finding(earlier), *refused, *calendar_findings]
    )
    if not order.approves:
        if is_unchanged(upload, last):
            return _ended(workspace, upload, "unchanged", findings, set_upload=True)
        _set_upload(workspace, upload)
    if missing := [*_missing_file_findings(upload), *_unpublished_file_findings(workspace, upload)]:
        return _ended(workspace, upload, "rejected", [*findings, *missing])
    staging_of(workspace, upload).write_upload_findings(findings_table(findings))
    return Received(upload=upload)


def _archived_upload_finding(earlier: int) -> Finding:
    message = f"The archived upload of import {earlier} was run again; nothing was taken from the landing zone."
    return Finding(severity="info", code="archived_upload", message=message)


def _refused_member_finding(member: Member) -> Finding:
    message = "The file was refused when it came in, and was not kept; nothing of it is used."
    return Finding(severity="file", code=member.refused or "unrecognised_headers", file=member.name, message=message)
