"""A manifest says the version and what each file is; what practice gets wrong is a warning, or refuses a strict upload."""

from __future__ import annotations

import pytest

from roster_etl.engine.csv.format_manifest import ManifestReading, file_names, read_manifest
from roster_etl.engine.csv.reader import read_csv
from roster_etl.vendors import vendor

FORMAT = vendor("oneroster").format
HEADER = "propertyName,value"
VERSIONS = ("manifest.version,1.0", "oneroster.version,1.2")


def read(*lines: str, header: str = HEADER, strict: bool = False) -> ManifestReading:
    """Return what a manifest of these lines says."""
    return read_manifest(read_csv("\n".join((header, *lines)).encode() + b"\n"), FORMAT, strict=strict)


def told(reading: ManifestReading) -> list[tuple[str, str, str | None]]:
    return [(finding.severity, finding.code, finding.field) for finding in reading.findings]


def test_a_manifest_says_version_and_modes() -> None:
    reading = read(*VERSIONS, "file.orgs,bulk", "file.users,delta", "file.results,absent")

    assert (reading.version, reading.modes) == ("1.2", {"orgs": "bulk", "users": "delta", "results": "absent"})
    assert reading.findings == ()


@pytest.mark.parametrize(
    ("lines", "code", "field"),
    [
        (("manifest.version,1", VERSIONS[1]), "bad_value", "manifest.version"),
        ((VERSIONS[0], "oneroster.version,1.2.1"), "bad_value", "oneroster.version"),
        ((*VERSIONS, "file.orgs,Bulk"), "wrong_case", "file.orgs"),
        ((*VERSIONS, "file.orgs,bulk", "file.orgs,bulk"), "duplicate_key", "file.orgs"),
    ],
)
def test_a_slip_is_a_warning_and_refuses_a_strict_upload(lines: tuple[str, ...], code: str, field: str) -> None:
    assert told(read(*lines)) == [("warning", code, field)]
    assert told(read(*lines, strict=True)) == [("upload", code, field)]
    assert read(*lines).version == "1.2"


@pytest.mark.parametrize(
    ("lines", "code", "field"),
    [
        ((VERSIONS[0],), "unknown_version", "oneroster.version"),
        ((VERSIONS[0], "oneroster.version,1.0"), "unknown_version", "oneroster.version"),
        ((VERSIONS[1],), "unknown_version", "manifest.version"),
        ((*VERSIONS, "file.orgs,some"), "bad_value", "file.orgs"),
        ((*VERSIONS, "file.orgs,bulk", "file.orgs,delta"), "duplicate_key", "file.orgs"),
    ],
)
def test_what_cannot_be_read_one_way_refuses_the_upload(lines: tuple[str, ...], code: str, field: str) -> None:
    assert ("upload", code, field) in told(read(*lines))


def test_a_property_that_the_document_does_not_have_is_told_and_ignored() -> None:
    assert told(read(*VERSIONS, "file.pets,bulk")) == [("info", "ignored_value", "file.pets")]
    assert told(read(*VERSIONS, "file.pets,bulk", strict=True)) == [("warning", "ignored_value", "file.pets")]
    assert told(read(*VERSIONS, "source.systemName,acme")) == []


def test_columns_in_another_order_are_read_and_told() -> None:
    reading = read("1.0,manifest.version", "1.2,oneroster.version", "bulk,file.orgs", header="value,propertyName")

    assert (reading.version, reading.modes) == ("1.2", {"orgs": "bulk"})
    assert told(reading) == [("warning", "unrecognised_headers", None)]


def test_a_file_that_is_no_manifest_is_refused() -> None:
    reading = read("a,b,c", header="sourcedId,status,title")

    assert told(reading) == [("upload", "unrecognised_headers", None)]
    assert (reading.version, reading.modes) == ("", {})


def test_each_version_has_its_files() -> None:
    assert {"roles", "userProfiles", "scoreScales"} <= set(file_names(FORMAT, "1.2"))
    assert not {"roles", "userProfiles", "scoreScales", "manifest"} & set(file_names(FORMAT, "1.1"))
    assert {"orgs", "users", "results"} <= set(file_names(FORMAT, "1.1"))


@pytest.mark.parametrize(("lines", "words"), [((), "it is missing"), (("oneroster.version,2.0",), "another value was found")])
def test_a_version_that_is_missing_is_told_from_one_that_is_not_known(lines: tuple[str, ...], words: str) -> None:
    (finding,) = read(VERSIONS[0], *lines).findings

    assert words in finding.message
    assert "2.0" not in finding.message
