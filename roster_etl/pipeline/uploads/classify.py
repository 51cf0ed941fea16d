"""Assign each file of an upload to a kind of the format: by its name or by its headers, as the format specifies.

Belongs here: assigning the kinds, and the findings about files without one. No row is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from roster_etl.engine.csv.other_formats import is_oneroster_file, is_oneroster_header, oneroster_text, separator_text
from roster_etl.engine.csv.reader import read_header
from roster_etl.pipeline.uploads.upload import Member
from roster_etl.spec import File, Format, UnsupportedFile
from roster_etl.spec.findings import Finding
from roster_etl.store.landing.entries import FetchedFile
from roster_etl.store.landing.upload_source import FetchedUpload

ClassifiedFiles = tuple[tuple[Member, ...], list[Finding]]


def classify_files(format_: Format, arrival: FetchedUpload, encoding: str) -> ClassifiedFiles:
    """Return the kind of each file of the upload, in the order of their paths, and the findings about files without a kind."""
    files = sorted(arrival.files, key=lambda file: file.name)
    members, findings = _by_headers(format_, files, encoding) if format_.identify_by == "headers" else _by_name(format_, files)
    for entry in arrival.irregular:
        message = "The entry is a link, a folder or a device, and was not followed."
        findings.append(Finding(severity="warning", code="not_a_regular_file", file=entry.name, message=message))
    return members, findings


# ---- by name (ignoring case)


def _by_name(format_: Format, files: Sequence[FetchedFile]) -> ClassifiedFiles:
    by_name = {file.file_name.casefold(): file.name for file in format_.files}
    members: list[Member] = []
    findings: list[Finding] = []
    for file in files:
        kind = by_name.get(file.name.rpartition("/")[2].casefold())
        if kind and any(member.kind == kind for member in members):
            message = f"Another file of the upload is {kind} already; two of a kind cannot be told apart."
            findings.append(Finding(severity="upload", code="ambiguous_file", file=file.name, message=message))
            kind = None
        elif kind is None and format_.extra_files == "warn":
            findings.append(_unknown(file.name, format_, [other.name for other in files]))
        members.append(Member(name=file.name, kind=kind, sha256=file.sha256, size=file.size))
    return tuple(members), findings


def _unknown(name: str, format_: Format, names: Sequence[str]) -> Finding:
    code = "unexpected_file" if is_csv(name) else "unknown_file_type"
    expected = ", ".join(file.file_name for file in format_.files)
    origin = " It is named like a file of OneRoster, which this feed does not read." if is_oneroster_file(name, names) else ""
    message = f"The file was not read.{origin} {format_.title} has: {expected}."
    return Finding(severity="warning", code=code, file=name, message=message)


def is_csv(name: str) -> bool:
    """Return whether a file name has the extension of a CSV file."""
    return name.casefold().endswith(".csv")


# ---- by headers


def _by_headers(format_: Format, files: Sequence[FetchedFile], encoding: str) -> ClassifiedFiles:
    members: list[Member] = []
    findings: list[Finding] = []
    for file in files:
        kind: str | None = None
        found: Finding | None = _not_csv(file.name)
        if found is None:
            kind, found = classify_by_header(format_, file, encoding)
        refused = found.code if found and found.severity == "file" else None
        members.append(Member(name=file.name, kind=kind, sha256=file.sha256, size=file.size, refused=refused))
        findings += [found] if found else []
    return tuple(members), findings


def _not_csv(name: str) -> Finding | None:
    if is_csv(name):
        return None
    message = "The file is no CSV file and was not read; archives inside an upload are not opened."
    return Finding(severity="warning", code="unknown_file_type", file=name, message=message)


def classify_by_header(format_: Format, file: FetchedFile, encoding: str) -> tuple[str | None, Finding | None]:
    """Return the kind that matches the headers of `file`, or a finding if none or several match; kinds are never guessed."""
    header = read_header(file.read(), encoding=encoding)
    if isinstance(header, Finding):
        return None, Finding(severity="file", code=header.code, file=file.name, row=header.row, message=header.message)
    if not header:
        message = "The file is empty: it has no header that would tell what it is."
        return None, Finding(severity="file", code="empty_file", file=file.name, message=message)
    fitting = kinds_of(format_, header)
    if len(fitting) == 1 and isinstance(fitting[0], File):
        return fitting[0].name, None
    return None, _no_kind(file.name, format_, fitting, header)


def kinds_of(format_: Format, header: Sequence[str]) -> tuple[File | UnsupportedFile, ...]:
    """Return the kinds whose identifying headers are all in `header`, in the order of the format."""
    names = {name.strip().lower() for name in header}
    known: tuple[File | UnsupportedFile, ...] = (*format_.files, *format_.unsupported)
    return tuple(kind for kind in known if kind.recognised_by is not None and kind.recognised_by.fits(names))


def _no_kind(name: str, format_: Format, matches: Sequence[File | UnsupportedFile], header: Sequence[str]) -> Finding:
    if not matches:
        origin = oneroster_text(format_.title) if is_oneroster_header(header) else separator_text(",".join(header))
        message = f"The first line has the column names of no file of {format_.title}{'.' if origin else ': is it a header row?'}{origin}"
        return Finding(severity="file", code="unrecognised_headers", file=name, row=1, message=message)
    if len(matches) > 1:
        message = f"The headers are those of {' and of '.join(kind.name for kind in matches)}; nothing of the file was used."
        return Finding(severity="file", code="ambiguous_headers", file=name, row=1, message=message)
    message = f"The file is of the kind {matches[0].name} ({matches[0].title}), which is not supported; it was not read."
    return Finding(severity="warning", code="unexpected_file", file=name, message=message)
