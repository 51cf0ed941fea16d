"""Read the manifest of an upload: the version of the format, and what each file is.

No file is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from roster_etl.engine.csv.reader import RawFile
from roster_etl.spec import Format, Manifest, ManifestProperty
from roster_etl.spec.findings import Finding, Severity


@dataclass(frozen=True, kw_only=True)
class ManifestReading:
    """What a manifest says. ``version``: "" where it is not known; ``modes``: file → one of the manifest's words for it."""

    version: str = ""
    modes: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def read_manifest(raw: RawFile, format_: Format, *, strict: bool) -> ManifestReading:
    """Return what the manifest `raw` of an upload says; a finding of severity ``upload`` refuses the upload."""
    facts = format_.manifest
    assert facts is not None
    told = _Told(strict=strict)
    values = _properties(raw, facts, told)
    if values is None:
        return ManifestReading(findings=tuple(told.findings))
    _value_of(values, facts.own_version, told)
    version = _value_of(values, facts.version, told) or ""
    modes = dict(_modes(values, facts, told))
    _tell_unknown(values, format_, version, told)
    return ManifestReading(version=version, modes=modes, findings=tuple(told.findings))


class _Told:
    """The findings so far. What practice gets wrong is a warning, and refuses a strict upload."""

    def __init__(self, *, strict: bool) -> None:
        self.slip_severity: Severity = "upload" if strict else "warning"
        self.findings: list[Finding] = []

    def warn_or_reject_if_strict(self, code: str, message: str, name: str | None = None) -> None:
        self.findings.append(Finding(severity=self.slip_severity, code=code, field=name, message=message))

    def refuse(self, code: str, message: str, name: str | None = None) -> None:
        self.findings.append(Finding(severity="upload", code=code, field=name, message=message))


def _properties(raw: RawFile, facts: Manifest, told: _Told) -> dict[str, str] | None:
    """Return the properties by name; None: the file is no manifest."""
    wanted = [facts.name_column, facts.value_column]
    header = [name.casefold() for name in raw.header]
    places = [header.index(name.casefold()) if name.casefold() in header else -1 for name in wanted]
    if raw.refused or places[0] < 0 or (places[1] < 0 and len(header) != len(wanted)):
        told.refuse(
            "unrecognised_headers", f"Expected a manifest with the columns {' and '.join(wanted)}; nothing was processed."
        )
        return None
    if list(raw.header[: len(wanted)]) != wanted:
        told.warn_or_reject_if_strict(
            "unrecognised_headers", f"Expected the columns {' and '.join(wanted)}; the first two were read as these."
        )
    at, value_at = places[0], places[1] if places[1] >= 0 else 1 - places[0]
    columns = [raw.table.column(place).to_pylist() for place in (at, value_at)]
    values: dict[str, str] = {}
    for cells in zip(*columns, strict=True):
        name, value = ((cell or "").strip() for cell in cells)
        if name in values and values[name] != value:
            told.refuse("duplicate_key", "The property occurs twice, with different values; nothing was processed.", name)
        elif name in values:
            told.warn_or_reject_if_strict("duplicate_key", "The property occurs twice, with one value.", name)
        elif name:
            values[name] = value
    return values


def _value_of(values: Mapping[str, str], wanted: ManifestProperty, told: _Told) -> str | None:
    given = values.get(wanted.name, "")
    if given in wanted.values:
        return given
    if given in wanted.slips:
        told.warn_or_reject_if_strict(
            "bad_value", f"Expected {' or '.join(wanted.values)}; it was read as {wanted.slips[given]}.", wanted.name
        )
        return wanted.slips[given]
    found = "it is missing" if not given else "another value was found"
    told.refuse("unknown_version", f"Expected {' or '.join(wanted.values)}; {found}. Nothing was processed.", wanted.name)
    return None


def _modes(values: Mapping[str, str], facts: Manifest, told: _Told) -> Iterator[tuple[str, str]]:
    words = {word.casefold(): word for word in facts.words}
    for name, value in values.items():
        if not name.startswith(facts.file_prefix):
            continue
        word = words.get(value.casefold())
        if word is None:
            told.refuse("bad_value", f"Expected {', '.join(facts.words)}; nothing was processed.", name)
            continue
        if word != value:
            told.warn_or_reject_if_strict("wrong_case", f"Expected {word}, in lower case; it was read.", name)
        yield name.removeprefix(facts.file_prefix), word


def _tell_unknown(values: Mapping[str, str], format_: Format, version: str, told: _Told) -> None:
    facts = format_.manifest
    assert facts is not None
    known = {facts.own_version.name, facts.version.name, *facts.optional}
    known |= {f"{facts.file_prefix}{name}" for name in file_names(format_, version)}
    for name in (name for name in values if name not in known):
        severity: Severity = "warning" if told.slip_severity == "upload" else "info"
        message = "The manifest's document has no such property in this version; it was ignored."
        told.findings.append(Finding(severity=severity, code="ignored_value", field=name[:80], message=message))


def file_names(format_: Format, version: str) -> Sequence[str]:
    """Return the names of the files, read or not, that `version` of a format has."""
    assert format_.manifest is not None
    missing = {format_.manifest.file, *format_.absent_in.get(version, ())}
    read = [file.name for file in format_.files if file.name not in missing]
    return (*read, *(file.name for file in format_.unread if not version or version in file.versions))
