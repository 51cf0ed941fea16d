"""Prepare the files of a format whose uploads have a manifest: which version, and what each file is.

Belongs here: comparing the manifest with the files that came; continuing files of changes; files that go on from earlier uploads.
Formats without a manifest pass through, but for files that are given once (``pipeline.uploads.carry_forward``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.compute as pc

from roster_etl.engine.csv.continue_file import continue_file, is_all_changes
from roster_etl.engine.csv.format_manifest import ManifestReading, file_names, read_manifest
from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import RawFile, read_csv, read_header
from roster_etl.pipeline.uploads.carry_forward import Contents, carry_forward_files
from roster_etl.pipeline.uploads.effective_uploads import effective_uploads
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import Manifest
from roster_etl.spec.findings import Finding, Severity

_SLIPS = frozenset({"wrong_case", "column_alias", "unexpected_file", "unknown_file_type"})


@dataclass(frozen=True, kw_only=True)
class StatedUpload:
    """An upload with its version and its files as they are to be read; ``contents``: the bytes of each, by its name."""

    upload: Upload
    contents: Contents
    findings: list[Finding]


def prepare_files(
    workspace: Workspace, upload: Upload, contents: Contents, found: list[Finding], last: Mapping[str, Any] | None
) -> StatedUpload:
    """Return `upload` as its manifest states it, with files that go on from earlier uploads, and the findings.

    Args: contents: the bytes of each file at hand, by its name; found: the findings so far; last: the ledger row of the import
          published last for the file set.
    """
    facts = upload.format.manifest
    if facts is None:
        members, findings = carry_forward_files(workspace, upload, contents, last)
        return StatedUpload(upload=replace(upload, members=members), contents=contents, findings=[*found, *findings])
    strict = _is_strict(upload)
    found = [_as_slip(finding) for finding in found] if strict else found
    reading = _read(upload, facts, contents, strict=strict)
    upload = replace(upload, format_version=reading.version)
    findings = [*found, *reading.findings]
    if any(finding.severity == "upload" for finding in findings):
        return StatedUpload(upload=upload, contents=contents, findings=findings)
    stated = _Stated(upload, facts, contents, reading, strict=strict)
    upload = replace(upload, members=tuple(stated.members()))
    if not any(finding.severity == "upload" for finding in stated.findings):
        upload, contents = _continued(workspace, upload, stated.changed, contents)
        members, lasting = carry_forward_files(workspace, upload, contents, last)
        upload = replace(upload, members=members)
        stated.findings += lasting
    return StatedUpload(upload=upload, contents=contents, findings=[*findings, *stated.findings])


def _is_strict(upload: Upload) -> bool:
    option = upload.format.strict_option
    return option is not None and upload.values[option] == "strict"


def _as_slip(finding: Finding) -> Finding:
    return replace(finding, severity="upload") if finding.severity == "warning" and finding.code in _SLIPS else finding


def _read(upload: Upload, facts: Manifest, contents: Contents, *, strict: bool) -> ManifestReading:
    """Return what the manifest says; without one, what the district's settings say."""
    member = upload.member(facts.file)
    encoding = str(upload.values["encoding"])
    if member is not None:
        reading = read_manifest(read_csv(contents[member.name](), encoding=encoding), upload.format, strict=strict)
        return _older_layout(upload, reading, contents, encoding)
    version = str(upload.values[facts.version_option])
    name = upload.format.file(facts.file).file_name
    if version != "auto" and not strict:
        message = f"The upload has no manifest; its files were read as whole ones of version {version}, as the settings say."
        warning = Finding(severity="warning", code="missing_manifest", file=name, message=message)
        return ManifestReading(version=version, modes=_all_whole(upload, facts), findings=(warning,))
    if not any(member.kind for member in upload.members):
        return ManifestReading()
    old = _too_old(upload, facts, contents, encoding)
    message = "The upload has no manifest; nothing was processed."
    message += f" The headers {', '.join(old)} are those of an older version, which is not read." if old else ""
    message += f" If its files are whole ones, name their version with the option {facts.version_option}."
    refusal = Finding(severity="upload", code="missing_manifest", file=name, message=message)
    return ManifestReading(findings=(refusal,))


def _all_whole(upload: Upload, facts: Manifest) -> dict[str, str]:
    there = {member.kind for member in upload.members}
    return {file.name: facts.whole if file.name in there else facts.absent for file in upload.format.files if file.changes} | {
        file.name: facts.absent for file in upload.format.unread
    }


def _older_layout(upload: Upload, reading: ManifestReading, contents: Contents, encoding: str) -> ManifestReading:
    """Return the reading as one of the older version, if the files have its columns and lack the file that replaced them."""
    versions = [version for version in upload.format.versions if upload.format.absent_in.get(version)]
    if reading.version in upload.format.versions or not reading.version:
        return reading
    for version in versions:
        replaced = upload.format.absent_in[version]
        if any(upload.member(name) or name in upload.headers for name in replaced):
            continue
        for file in upload.format.files:
            member = upload.member(file.name)
            if not file.ignored_columns or member is None or member.name not in contents:
                continue
            header = read_header(contents[member.name](), encoding=encoding)
            if not isinstance(header, Finding) and {name.casefold() for name in file.ignored_columns} <= {
                n.casefold() for n in header
            }:
                message = f"The manifest says version {reading.version}; the file has columns of version {version}, and was read as such."
                told = Finding(severity="warning", code="file_mode_mismatch", file=member.name, message=message)
                return replace(reading, version=version, findings=(*reading.findings, told))
    return reading


def _too_old(upload: Upload, facts: Manifest, contents: Contents, encoding: str) -> list[str]:
    found: list[str] = []
    for name, headers in facts.too_old.items():
        member = upload.member(name)
        header = read_header(contents[member.name](), encoding=encoding) if member and member.name in contents else ()
        found += [old for old in headers if not isinstance(header, Finding) and old in header]
    return found


class _Stated:
    """The comparison of the manifest with the files that came. ``changed``: the kinds that are changes."""

    def __init__(self, upload: Upload, facts: Manifest, contents: Contents, reading: ManifestReading, *, strict: bool) -> None:
        self.upload, self.facts, self.contents, self.reading = upload, facts, contents, reading
        self.slip_severity: Severity = "upload" if strict else "warning"
        self.findings: list[Finding] = []
        self.changed: list[str] = []
        self._unnamed: list[str] = []

    def members(self) -> Iterator[Member]:
        """Yield the members; one that is not read loses its kind."""
        known = file_names(self.upload.format, self.reading.version)
        for member in self.upload.members:
            dropped = member.kind and member.kind != self.facts.file and not self._is_read(member, known)
            yield replace(member, kind=None) if dropped else member
        there = {member.kind for member in self.upload.members}
        for name in known:
            self._check_absent(name, is_there=name in there)
        if self._unnamed:
            message = f"The manifest has no property for {', '.join(self._unnamed)}; these files count as absent."
            self._told(self.slip_severity, "missing_required", self._manifest_name, message, count=len(self._unnamed))

    @property
    def _manifest_name(self) -> str:
        return self.upload.file_name(self.upload.format.file(self.facts.file))

    def _is_read(self, member: Member, known: Collection[str]) -> bool:
        name = str(member.kind)
        if name not in known:
            self._told(
                self.slip_severity,
                "unexpected_file",
                member.name,
                f"Version {self.reading.version} has no such file; it was not read.",
            )
            return False
        word = self.reading.modes.get(name) or self._word_by_rows(member)
        if word == self.facts.absent:
            message = "The manifest says that the file is absent; it was not read, and nothing of it changes."
            self._told(self.slip_severity, "unexpected_file", member.name, message)
            return False
        if word == self.facts.changes:
            self.changed.append(name)
        return True

    def _word_by_rows(self, member: Member) -> str:
        """Return what a file is of which the manifest says nothing: by the status of its rows."""
        if member.name not in self.contents:
            return self.facts.whole
        file = self.upload.format.file(str(member.kind))
        raw = read_csv(self.contents[member.name](), encoding=str(self.upload.values["encoding"]))
        all_changes = is_all_changes(file, raw)
        if all_changes is None:
            message = (
                "The manifest does not say what the file is, and only some of its rows have a status; nothing was processed."
            )
            self._told("upload", "missing_required", member.name, message)
            return self.facts.whole
        word = self.facts.changes if all_changes else self.facts.whole
        message = f"The manifest does not say what the file is; by the status of its rows it was read as {word}."
        self._told(self.slip_severity, "missing_required", member.name, message)
        return word

    def _check_absent(self, name: str, *, is_there: bool) -> None:
        word = self.reading.modes.get(name)
        is_unread = name in {file.name for file in self.upload.format.unread}
        if is_there or word == self.facts.absent or (is_unread and word is not None):
            return
        if word is None:
            if not self._came_unread(name):
                self._unnamed.append(name)
            return
        file_name = self.upload.format.file(name).file_name
        message = f"The manifest says that the file is {word}, and it is not in the upload; nothing was processed."
        self._told("upload", "missing_file", file_name, message)

    def _came_unread(self, name: str) -> bool:
        names = {f.file_name.casefold() for f in self.upload.format.unread if f.name == name}
        return any(member.name.rpartition("/")[2].casefold() in names for member in self.upload.members)

    def _told(self, severity: Severity, code: str, file: str, message: str, *, count: int = 1) -> None:
        self.findings.append(Finding(severity=severity, code=code, file=file, message=message, count=count))


# ---- files of changes


@dataclass(frozen=True, kw_only=True)
class FileBefore:
    """The newest file of a kind: how many records at its start are changes, and which of its records were refused.

    ``strangers``: those of them that describe another record than the one with their id; they do not go on.
    """

    raw: RawFile | None = None
    changes: int = 0
    refused: tuple[int, ...] = ()
    strangers: tuple[int, ...] = ()


def _continued(workspace: Workspace, upload: Upload, changed: list[str], contents: Contents) -> tuple[Upload, Contents]:
    """Return the upload with each file of changes followed by what goes on of the file before."""
    members, read = list(upload.members), dict(contents)
    before = _files_before(workspace, upload, changed) if changed else {}
    for at, member in enumerate(members):
        if member.kind not in changed or member.name not in contents:  # a file that could not be kept rejects the upload
            continue
        file = upload.format.file(member.kind)
        raw = read_csv(contents[member.name](), encoding=str(upload.values["encoding"]))
        if raw.refused or not raw.header or match_header(raw.header, file).refused:
            members[at] = replace(member, changes=raw.rows_read)
            continue
        there = before.get(file.name, FileBefore())
        data = continue_file(
            file,
            raw,
            there.raw,
            changes_before=there.changes,
            refused_before=there.refused,
            dropped_before=there.strangers,
        )
        digest = hashlib.sha256(data).hexdigest()
        members[at] = replace(member, changes=raw.rows_read, sha256=digest, size=len(data))
        read[member.name] = _constant(data)
    return replace(upload, members=tuple(members)), read


def _constant(data: bytes) -> Callable[[], bytes]:
    return lambda: data


def _files_before(workspace: Workspace, upload: Upload, kinds: list[str]) -> dict[str, FileBefore]:
    """Return, by kind, the newest file of the feed, how many of its records are changes, and which of them were refused.

    Uploads that are held count, so that none is lost: what follows one that is held holds it.
    """
    found: dict[str, FileBefore] = {}
    for import_id, members in effective_uploads(workspace, upload):
        for member in members:
            if member.kind in kinds and member.kind not in found and member.key is not None and member.refused is None:
                raw = read_csv(workspace.archive.get(member.key), encoding=str(upload.values["encoding"]))
                refused = _refused_rows(workspace, import_id, member.name)
                found[member.kind] = FileBefore(
                    raw=raw,
                    changes=member.changes or 0,
                    refused=tuple(refused) if member.changes is not None else (),
                    strangers=tuple(row for row, code in refused.items() if code == "duplicate_key"),
                )
        if len(found) == len(kinds):
            break
    return found


def _refused_rows(workspace: Workspace, import_id: int, name: str) -> dict[int, str]:
    """Return the numbers of the refused records of a file, each with the code for which it was refused."""
    with workspace.warehouse.read() as session:
        kept = session.ledger.quarantined_rows(import_id)
    mine = kept.filter(pc.equal(kept.column("file"), name))
    rows = zip(mine.column("row").to_pylist(), mine.column("code").to_pylist(), strict=True)
    return {row: code for row, code in rows if row is not None}
