"""The first step: take an upload in, prove that it stood still, keep its bytes, and open its import in the ledger.

Belongs here: what is decided before any row is read: is it the same as last time, is it all there, what is which file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from roster_etl.engine.headers import is_secret, match_header
from roster_etl.engine.read import read_csv
from roster_etl.engine.secrets import blank_columns
from roster_etl.mapping.frames import findings_frame
from roster_etl.pipeline.abandoned import end_abandoned, release
from roster_etl.pipeline.archived import NotArchived, archived_import, came_with, refuse_older
from roster_etl.pipeline.conclude import conclude, fail
from roster_etl.pipeline.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import start_gates
from roster_etl.spec import File, Format
from roster_etl.spec.errors import DistrictPaused, UnsafeArchive
from roster_etl.spec.findings import Finding
from roster_etl.spec.options import options_of, resolve
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.district import District, Feed, Window
from roster_etl.store.landing import open_landing
from roster_etl.store.scratch import scratch_folder, sweep
from roster_etl.store.source import Arrival, collect, collect_path
from roster_etl.vendors import Vendor, vendor


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be imported, for whom, and how.

    ``path``: where the upload lies; None: the feed's landing zone. ``archived``: an earlier import whose bytes are run
    again. ``approves``: the held import that is carried out under its own number, the hash of its plan, and who approved it.
    ``stale``: files known to be older than the rest, which is reported; ``leave_out``: removals that are left out of the plan.
    ``rollback``: an archived upload is planned although a newer one is published; the plan is held in any case.
    """

    district_id: str
    source: str
    path: str | None = None
    archived: int | None = None
    approves: tuple[int, str, str] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    rollback: bool = False
    run_id: str | None = None


def receive(workspace: Workspace, order: Order) -> Upload:
    """Open an import for `order` and take its upload in. Who has it in hand releases it in the end (``pipeline.abandoned``).

    Returns: the upload; ``ended`` tells when nothing is left to be done (``unchanged``, ``rejected``).
    Raises:  DistrictPaused; OlderUpload; RosterError: the district, its feed, an option or a column to replace is not known; the landing
        zone cannot be read (the import is then in the ledger as ``failed``).
    """
    refuse_paused(workspace, order)
    district = workspace.registry.get(order.district_id)
    feed = district.feed(order.source)
    format_ = vendor(order.source).format
    windows = district.windows(order.source, datetime.now(UTC))
    texts = option_texts(format_, district, feed, order.options)
    check_replacements(format_, feed.replacements)
    if order.archived is not None:
        found = archived_import(workspace, order.district_id, order.source, order.archived)
        if not order.rollback:
            refuse_older(workspace, order.district_id, order.source, found)
        order = replace(order, archived=found)
    settings = settings_digest(vendor(order.source), texts, feed)  # what the calendar expects changes no record
    upload = _opened(workspace, order, option_texts(format_, district, feed, order.options, windows), settings, feed)
    try:
        return _taken_in(workspace, upload, order, feed, [_expected(window) for window in windows if window.options])
    except BaseException:
        release(workspace, upload.import_id)
        raise


def refuse_paused(workspace: Workspace, order: Order) -> None:
    """Raise DistrictPaused where imports of the order's feed are paused; what a person approves was taken in before."""
    why = workspace.registry.get(order.district_id).pause_of(order.source, datetime.now(UTC))
    if why and not order.approves:
        raise DistrictPaused(district_id=order.district_id, why=why)


def _expected(window: Window) -> Finding:
    message = f"Thresholds of the calendar are in force from {window.first} to {window.last}: {window.reason}."
    return Finding(severity="info", code="expected_change", message=message)


def _taken_in(workspace: Workspace, upload: Upload, order: Order, feed: Feed, findings: list[Finding]) -> Upload:
    try:
        if order.archived is not None or order.approves:
            received = _from_archive(workspace, upload, order, findings)
        else:
            received = _from_landing(workspace, upload, order, feed, findings)
    except UnsafeArchive as error:
        finding = Finding(severity="upload", code="unsafe_archive", file=None, message=error.message)
        return conclude(workspace, upload, "rejected", [finding])
    except Exception as error:
        fail(workspace, upload, error)
        raise
    workspace.frames.write_json(upload.district_id, upload.import_id, "upload", received.to_dict())
    return received


def option_texts(
    format_: Format, district: District, feed: Feed, given: Mapping[str, str], windows: Sequence[Window] = ()
) -> dict[str, str]:
    """Return the text of every option: default, district's time zone, feed, calendar, this import; the last that speaks wins.

    Raises: UnknownOption, BadOption.
    """
    layers = ({"time_zone": district.time_zone}, feed.options, *(window.options for window in windows), given)
    resolve(format_, *layers)
    texts = {name: option.default for name, option in options_of(format_).items()}
    for layer in layers:
        texts.update(layer)
    return texts


def settings_digest(vendor_: Vendor, texts: Mapping[str, str], feed: Feed) -> str:
    """Return a hash of all that decides what an upload's bytes become, besides the bytes themselves."""
    arrival = {"min_interval", "quiet_period", "straggler_wait"}
    settings = {
        "options": {name: text for name, text in sorted(texts.items()) if name not in arrival},
        "gates": sorted(repr(gate) for gate in feed.gates),
        "replacements": {column: dict(codes) for column, codes in feed.replacements.items()},
        "code": _code_digest(vendor_.package),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


@cache
def _code_digest(package: str) -> str:
    """A corrected spec, mapping or rule makes the same bytes a new import."""
    root = Path(__file__).resolve().parents[1]
    folders = (vendor(package.rpartition(".")[2]).folder(), *(root / room for room in ("spec", "mapping", "engine", "canonical")))
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.glob("*.py")):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _opened(workspace: Workspace, order: Order, texts: Mapping[str, str], settings: str, feed: Feed) -> Upload:
    now = datetime.now(UTC)
    import_id = order.approves[0] if order.approves else _begun(workspace, order, texts, now)
    last = workspace.warehouse.last_published(order.district_id, order.source) or {}
    return Upload(
        import_id=import_id,
        district_id=order.district_id,
        source=order.source,
        upload_id="",
        run_id=order.run_id,
        received_at=now.isoformat(),
        options=dict(texts),
        settings=settings,
        content="",
        members=(),
        headers=last.get("summary", {}).get("headers", {}),
        replacements={column: dict(codes) for column, codes in feed.replacements.items()},
        approved_plan=order.approves[1] if order.approves else None,
        approved_by=order.approves[2] if order.approves else None,
        leave_out=order.leave_out,
    )


def _begun(workspace: Workspace, order: Order, texts: Mapping[str, str], now: datetime) -> int:
    """Enter a new import, held by this process; what a killed process left of the feed ends here."""
    with workspace.holders.gate():
        end_abandoned(workspace, order.district_id, order.source)
        import_id = workspace.warehouse.open_import(
            kind="upload",
            district_id=order.district_id,
            source=order.source,
            upload_id=None,
            run_id=order.run_id,
            received_at=now,
            started_at=now,
            options=dict(texts),
        )
        workspace.holders.take(import_id)
    return import_id


# ---- from the landing zone


def _from_landing(workspace: Workspace, upload: Upload, order: Order, feed: Feed, expected: Sequence[Finding]) -> Upload:
    sweep(workspace.settings.scratch)
    workspace.frames.sweep(upload.district_id)
    with scratch_folder(workspace.settings.scratch) as scratch:
        arrival = _collected(workspace, upload, order, feed, scratch)
        members, findings = _classified(upload.format, arrival)
        upload = replace(upload, members=members, content=_content(members), upload_id=_content(members)[:20])
        workspace.warehouse.set_upload(upload.import_id, upload.upload_id)
        if is_unchanged(workspace, upload):
            return conclude(workspace, upload, "unchanged", [])
        start_gates()  # they will be needed: their library loads while files are read
        findings += [*_missing(upload), *_stale(order), *expected]
        contents = {file.name: file for file in arrival.files}
        members = tuple(_archived(workspace, upload, member, contents[member.name].read) for member in upload.members)
    upload = replace(upload, members=members)
    if any(finding.severity == "upload" for finding in findings):
        return conclude(workspace, upload, "rejected", findings)
    workspace.frames.write(upload.district_id, upload.import_id, "findings/upload", findings_frame(findings))
    return upload


def _collected(workspace: Workspace, upload: Upload, order: Order, feed: Feed, scratch: Path) -> Arrival:
    if order.path is not None:
        return collect_path(order.path, workspace.settings, scratch, feed=feed)
    with open_landing(upload.district_id, feed, workspace.settings) as landing:
        return collect(landing, scratch, where=landing.where)


def _classified(format_: Format, arrival: Arrival) -> tuple[tuple[Member, ...], list[Finding]]:
    """Tell which file of the upload is which, by its name (case does not count)."""
    by_name = {file.file_name.casefold(): file.name for file in format_.files}
    members: list[Member] = []
    findings: list[Finding] = []
    for file in sorted(arrival.files, key=lambda file: file.name):
        kind = by_name.get(file.name.rpartition("/")[2].casefold())
        if kind and any(member.kind == kind for member in members):
            message = f"Another file of the upload is {kind} already; two of a kind cannot be told apart."
            findings.append(Finding(severity="upload", code="ambiguous_file", file=file.name, message=message))
            kind = None
        elif kind is None and format_.extra_files == "warn":
            findings.append(_unknown(file.name, format_))
        members.append(Member(name=file.name, kind=kind, sha256=file.sha256, size=file.size))
    for entry in arrival.irregular:
        message = "The entry is a link, a folder or a device, and was not followed."
        findings.append(Finding(severity="warning", code="not_a_regular_file", file=entry.name, message=message))
    return tuple(members), findings


def _unknown(name: str, format_: Format) -> Finding:
    code = "unexpected_file" if name.casefold().endswith(".csv") else "unknown_file_type"
    expected = ", ".join(file.file_name for file in format_.files)
    return Finding(severity="warning", code=code, file=name, message=f"The file was not read. {format_.title} has: {expected}.")


def _missing(upload: Upload) -> list[Finding]:
    """Source: HEADLESS.md, "In every other format one refused or missing required file makes the upload rejected"."""
    if not any(member.kind for member in upload.members):
        expected = ", ".join(file.file_name for file in upload.format.files if file.required)
        message = f"The upload has no file of the format {upload.format.title}; expected {expected}."
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


def _stale(order: Order) -> list[Finding]:
    message = "The file is older than the rest of the upload, and was imported as it lies."
    return [Finding(severity="warning", code="stale_file", file=name, message=message) for name in order.stale]


def _content(members: Sequence[Member]) -> str:
    lines = sorted(f"{member.kind} {member.sha256}" for member in members if member.kind)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def is_unchanged(workspace: Workspace, upload: Upload) -> bool:
    """Return whether the roster was last published from the same bytes under the same settings."""
    last = workspace.warehouse.last_published(upload.district_id, upload.source)
    summary: Mapping[str, Any] = (last or {}).get("summary") or {}
    return summary.get("content") == upload.content and summary.get("settings") == upload.settings


def _archived(workspace: Workspace, upload: Upload, member: Member, content: Any) -> Member:
    """Keep a member's bytes, its secrets blanked; a file whose secrets cannot be located is judged now and not kept."""
    if member.kind is None:
        return member
    encoding = str(upload.values["encoding"])
    data: bytes = content()
    file = upload.format.file(member.kind)
    has_secrets = any(column.secret for column in file.columns)
    blanked = blank_columns(
        data,
        lambda name: is_secret(name, file),
        encoding=encoding,
        is_header=lambda names: not has_secrets or _has_required(names, file),
    )
    if blanked is None:
        workspace.frames.write(upload.district_id, upload.import_id, f"unkept/{member.kind}", _why_unkept(data, file, encoding))
        return member
    stored = workspace.archive.put(blanked, original_sha256=member.sha256)
    return replace(member, key=stored.key)


def _has_required(names: Sequence[str], file: File) -> bool:
    """Tell a header from a title or a row of data: under those, nobody knows which cells are passwords."""
    found = match_header(names, file).positions
    return any(column.required and column.name in found for column in file.columns)


def _why_unkept(content: bytes, file: File, encoding: str) -> pd.DataFrame:
    """Return the findings about a file whose bytes are not kept."""
    raw = read_csv(content, encoding=encoding)
    if raw.refused or not raw.header:
        return raw.findings
    return findings_frame(match_header(raw.header, file).findings)


# ---- from the archive


def _from_archive(workspace: Workspace, upload: Upload, order: Order, expected: Sequence[Finding]) -> Upload:
    earlier = order.approves[0] if order.approves else order.archived
    assert earlier is not None
    manifest = workspace.archive.read_manifest(order.district_id, earlier)
    members = tuple(Member(**member) for member in manifest["members"])
    lost = [member.name for member in members if member.kind and member.key is None]
    if lost or manifest["source"] != order.source:
        raise NotArchived(import_id=earlier, district_id=order.district_id, problem=", ".join(lost) or "another format")
    first = manifest.get("first_import") if order.approves else came_with(manifest)
    upload = replace(upload, members=members, content=_content(members), upload_id=manifest["upload_id"], first_import=first)
    findings = list(expected) if order.approves else [_again(earlier), *expected]
    if not order.approves:
        workspace.warehouse.set_upload(upload.import_id, upload.upload_id)
        if is_unchanged(workspace, upload):
            return conclude(workspace, upload, "unchanged", findings)
    if missing := _missing(upload):
        return conclude(workspace, upload, "rejected", [*findings, *missing])
    start_gates()
    workspace.frames.write(upload.district_id, upload.import_id, "findings/upload", findings_frame(findings))
    return upload


def _again(earlier: int) -> Finding:
    message = f"The archived upload of import {earlier} was run again; nothing was taken from the landing zone."
    return Finding(severity="info", code="archived_upload", message=message)
