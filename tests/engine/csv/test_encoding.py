"""Facts about telling encodings and binary files."""

from __future__ import annotations

import gzip

import pytest

from roster_etl.engine.csv.decoded_pieces import is_ascii_compatible
from roster_etl.engine.csv.encoding import DecodedText, ends_inside_character, to_utf8
from roster_etl.engine.csv.reader import read_csv
from roster_etl.spec.findings import Finding

TEXT = "School_id,Name\n1,Zoë\n"


def refused(content: bytes, encoding: str = "utf-8") -> Finding:
    finding = to_utf8(content, encoding)
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16 (little-endian)"),
        ("utf-16-le", "UTF-16 (little-endian)"),
        ("utf-16-be", "UTF-16 (big-endian)"),
        ("utf-32", "UTF-32 (little-endian)"),
        ("utf-32-le", "UTF-32 (little-endian)"),
        ("utf-32-be", "UTF-32 (big-endian)"),
    ],
)
def test_wide_encodings_are_refused_by_name_and_read_when_declared(encoding: str, name: str) -> None:
    finding = refused(TEXT.encode(encoding))

    assert (finding.severity, finding.code) == ("file", "invalid_encoding")
    assert name in finding.message
    assert read_csv(TEXT.encode(encoding), encoding=encoding).table.to_pydict() == {"c0": ["1"], "c1": ["Zoë"]}


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04abc", b"\x89PNG\r\n\x1a\nabc", gzip.compress(b"a,b", mtime=0), b"%PDF-1.7", b"\0" * 100]
)
def test_binary_files_are_refused_as_such(content: bytes) -> None:
    assert refused(content).code == "unknown_file_type"


def test_a_few_nuls_make_no_binary_file() -> None:
    assert isinstance(to_utf8(b"a,b\n1\0,2\n", "utf-8"), DecodedText)


def test_bytes_that_the_declared_encoding_does_not_have_refuse_the_file_with_the_row() -> None:
    finding = refused(b"a,b\n1,2\n\x81,3\n", "cp1252")

    assert (finding.code, finding.severity, finding.row) == ("invalid_encoding", "file", 3)


def test_a_broken_wide_file_is_refused_without_a_row() -> None:
    assert refused(TEXT.encode("utf-16-le")[:-1], "utf-16-le").row is None


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_utf8_is_read_as_such_though_a_legacy_encoding_is_declared_and_says_so(start: bytes) -> None:
    file = read_csv(start + TEXT.encode(), encoding="cp1252")

    assert file.table.to_pydict() == {"c0": ["1"], "c1": ["Zoë"]}
    assert file.findings.select(["severity", "code"]).to_pylist() == [{"severity": "info", "code": "invalid_encoding"}]


def test_ascii_needs_no_word_about_its_encoding() -> None:
    text = to_utf8(b"a,b\n", "latin-1")

    assert isinstance(text, DecodedText)
    assert text.findings == ()


def test_an_unknown_encoding_is_the_callers_mistake() -> None:
    with pytest.raises(LookupError):
        read_csv(b"a,b\n", encoding="no such thing")


@pytest.mark.parametrize(("size", "cut"), [(0, False), (1, True), (2, True), (3, True), (4, False)])
def test_a_character_is_cut_until_its_last_byte(size: int, cut: bool) -> None:
    assert ends_inside_character(b"a" + "😀".encode()[:size]) is cut


def test_continuation_bytes_alone_are_wrong_but_not_cut() -> None:
    assert not ends_inside_character(b"\x80" * 8)


@pytest.mark.parametrize(
    ("encoding", "keeps"),
    [("cp1252", True), ("utf-8", True), ("utf-16", False), ("cp037", False), ("idna", False), ("gb18030", False)],
)
def test_an_encoding_keeps_ascii_or_does_not(encoding: str, keeps: bool) -> None:
    assert is_ascii_compatible(encoding) is keeps


def test_a_file_that_is_no_text_has_neither_header_nor_rows() -> None:
    file = read_csv(TEXT.encode("utf-16"))

    assert (file.refused, file.header, file.rows_read, file.table.num_columns) == ("invalid_encoding", (), 0, 0)
