"""Assign each file of an upload to a kind of the format: by its name or by its headers, as the format specifies.

No row is read. Which files are read at all is decided in ``file_selection``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from roster_etl.engine.csv.other_formats import is_oneroster_header, oneroster_files, oneroster_text, separator_text
from roster_etl.engine.csv.reader import read_csv, read_header
from roster_etl.pipeline.uploads.upload import Member
from roster_etl.spec import File, Format, UnreadFile, UnsupportedFile
from roster_etl.spec.findings import Finding
from roster_etl.store.landing.entries import Entry, FetchedFile
from roster_etl.store.landing.upload_source import FetchedUpload

ClassifiedFiles = tuple[tuple[Member, ...], list[Finding]]
NAMED = 100
"""Entries of one kind that are not read and are still named one by one; of further ones there is only the number."""


def classify_files(format_: Format, arrival: FetchedUpload, encoding: str) -> ClassifiedFiles:
    """Return the kind of each file of the upload, in the order of their paths, and the findings about files without a kind.

    Of files and other entries that were not read, the first of each finding code are named and the others counted.
    """
    files = sorted(arrival.files, key=lambda file: file.name)
    members, findings = _by_headers(format_, files, encoding) if format_.identify_by == "headers" else _by_name(format_, files)
    foreign, about_foreign = _foreign(format_, sorted(arrival.foreign, key=lambda entry: entry.name))
    message = "The entry is a link, a folder or a device, and was not followed."
    irregular = [
        Finding(severity="warning", code="not_a_regular_file", file=entry.name, message=message) for entry in arrival.irregular
    ]
    return tuple(sorted((*members, *foreign), key=lambda member: member.name)), [*findings, *about_foreign, *_capped(irregular)]


def _foreign(format_: Format, entries: Sequence[Entry]) -> ClassifiedFiles:
    """Return the files that were not read, without a kind and a hash, and the findings about them."""
    members = tuple(Member(name=entry.name, kind=None, sha256="", size=entry.size) for entry in entries[:NAMED])
    if format_.extra_files == "ignore":
        return members, []
    oneroster = oneroster_files([entry.name for entry in entries], [file.file_name for file in format_.files])
    about = _not_csv if format_.identify_by == "headers" else lambda name: _unknown(name, format_, oneroster)
    return members, _capped([about(entry.name) for entry in entries])


def _capped(findings: Sequence[Finding]) -> list[Finding]:
    """Return the first findings of each code, and one with the number of the others."""
    capped: list[Finding] = []
    for code in dict.fromkeys(finding.code for finding in findings):
        alike = [finding for finding in findings if finding.code == code]
        capped += alike[:NAMED]
        if more := len(alike[NAMED:]):
            message = f"{more:,} more entries like these were not read."
            capped.append(replace(alike[NAMED], file=None, message=message, count=more))
    return capped


# ---- by name (ignoring case)


def _by_name(format_: Format, files: Sequence[FetchedFile]) -> ClassifiedFiles:
    by_name = {name.casefold(): file.name for file in format_.files for name in (file.file_name, *file.misspelled_names)}
    unread = {name.casefold(): file for file in format_.unread for name in (file.file_name, *file.misspelled_names)}
    members: list[Member] = []
    findings: list[Finding] = []
    for file in files:
        kind = by_name.get(_base_name(file.name).casefold())
        if kind and any(member.kind == kind for member in members):
            message = f"Another file of the upload is {kind} already; two files of a kind are ambiguous."
            findings.append(Finding(severity="upload", code="ambiguous_file", file=file.name, message=message))
            kind = None
        elif _base_name(file.name).casefold() in unread:
            findings += _unread_findings(file, unread[_base_name(file.name).casefold()])
        elif kind is not None:
            findings += _spelling_findings(file.name, format_.file(kind))
        members.append(Member(name=file.name, kind=kind, sha256=file.sha256, size=file.size))
    return tuple(members), findings


def _base_name(name: str) -> str:
    return name.rpartition("/")[2]


def _unread_findings(file: FetchedFile, known: UnreadFile) -> list[Finding]:
    """Return what is told of a file of the document that is not loaded."""
    rows = read_csv(file.read()).rows_read
    message = f"{known.title}: the file has {rows:,} rows, and is not loaded."
    found = [Finding(severity="info", code="file_not_loaded", file=file.name, message=message)]
    return [*found, *_name_findings(file.name, known.file_name, known.misspelled_names)]


def _spelling_findings(name: str, file: File) -> list[Finding]:
    return _name_findings(name, file.file_name, file.misspelled_names) if file.exact_case else []


def _name_findings(name: str, expected: str, misspelled: Sequence[str]) -> list[Finding]:
    if _base_name(name) == expected:
        return []
    if _base_name(name).casefold() in {other.casefold() for other in misspelled}:
        message = f"The file was read as {expected}, whose name is misspelled."
        return [Finding(severity="warning", code="column_alias", file=name, message=message)]
    message = f"Expected the name {expected}, in this case; the file was read."
    return [Finding(severity="warning", code="wrong_case", file=name, message=message)]


def _unknown(name: str, format_: Format, oneroster: Collection[str]) -> Finding:
    code = "unexpected_file" if is_csv(name) else "unknown_file_type"
    own = [file.file_name for file in format_.files]
    origin = " It is named like a file of OneRoster, which this feed does not read." if name in oneroster else ""
    message = f"The file was not read.{origin} {format_.title} has: {', '.join(own)}."
    return Finding(severity="warning", code=code, file=name, message=message)


def is_csv(name: str) -> bool:
    """Return whether a file name has the extension of a CSV file."""
    return name.casefold().endswith(".csv")


# ---- by headers


def _by_headers(format_: Format, files: Sequence[FetchedFile], encoding: str) -> ClassifiedFiles:
    members: list[Member] = []
    findings: list[Finding] = []
    for file in files:
        kind, found = classify_by_header(format_, file, encoding)
        refused = found.code if found and found.severity == "file" else None
        members.append(Member(name=file.name, kind=kind, sha256=file.sha256, size=file.size, refused=refused))
        findings += [found] if found else []
    return tuple(members), findings


def _not_csv(name: str) -> Finding:
    message = "The file is no CSV file and was not read; archives inside an upload are not opened."
    return Finding(severity="warning", code="unknown_file_type", file=name, message=message)


def classify_by_header(format_: Format, file: FetchedFile, encoding: str) -> tuple[str | None, Finding | None]:
    """Return the kind that matches the headers of `file`, or a finding if none or several match; kinds are never guessed."""
    header = read_header(file.read(), encoding=encoding)
    if isinstance(header, Finding):
        return None, Finding(severity="file", code=header.code, file=file.name, row=header.row, message=header.message)
    if not header:
        message = "The file is empty: it has no header that would show what it is."
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
        own = [column.name for file in format_.files for column in file.columns]
        origin = oneroster_text(format_.title) if is_oneroster_header(header, own) else separator_text(",".join(header))
        message = f"The first line has the column names of no file of {format_.title}{'.' if origin else ': is it a header row?'}{origin}"
        return Finding(severity="file", code="unrecognised_headers", file=name, row=1, message=message)
    if len(matches) > 1:
        message = f"The headers are those of {' and of '.join(kind.name for kind in matches)}; nothing of the file was used."
        return Finding(severity="file", code="ambiguous_headers", file=name, row=1, message=message)
    message = f"The file is of the kind {matches[0].name} ({matches[0].title}), which is not supported; it was not read."
    return Finding(severity="warning", code="unexpected_file", file=name, message=message)
