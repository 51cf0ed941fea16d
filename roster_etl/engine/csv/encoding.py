"""Detect the encoding of a file's bytes, reject files that are not text, and convert legacy encodings to UTF-8."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from roster_etl.engine.csv.decoded_pieces import Join, NotDecodable, as_utf8, is_non_ascii_utf8, join_in_memory
from roster_etl.frames.mapped_bytes import Content
from roster_etl.spec.findings import Finding

BOM = codecs.BOM_UTF8
_HEAD = 4096  # bytes checked for the pattern of NULs that UTF-16 and UTF-32 have in Latin text

_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32 (little-endian)"),
    (codecs.BOM_UTF32_BE, "UTF-32 (big-endian)"),
    (codecs.BOM_UTF16_LE, "UTF-16 (little-endian)"),
    (codecs.BOM_UTF16_BE, "UTF-16 (big-endian)"),
)
_BINARIES = (
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"SQLite format 3\x00", "a SQLite database"),
)


@dataclass(frozen=True, kw_only=True)
class DecodedText:
    """A file's bytes as UTF-8, the text starting after a BOM at ``start``, and the findings of decoding it."""

    content: Content
    start: int
    findings: tuple[Finding, ...] = ()


def to_utf8(content: Content, encoding: str, join: Join = join_in_memory) -> DecodedText | Finding:
    """Return `content` as UTF-8, or the finding that rejects it. Valid UTF-8 is returned without a copy.

    If `encoding` is UTF-8, undecodable bytes are not an error here: the scan rejects their records.

    Args:   join: puts the pieces of converted text together.
    Raises: LookupError: `encoding` is no known text encoding.
    """
    declared = codecs.lookup(encoding).name
    if declared in ("utf-8", "utf-8-sig"):
        return _detect_other_type(content) or _decoded_text(content)
    if content[: len(BOM)] == BOM or is_non_ascii_utf8(content):
        return _decoded_text(content, _info(f"The file is UTF-8, and was read so, although {declared} is declared."))
    try:
        encoded = as_utf8(content, declared, join)
    except NotDecodable as error:
        return refusal("invalid_encoding", f"The bytes are not valid {declared}, the declared encoding.", row=error.row)
    if encoded is content:
        return _decoded_text(content)
    return _decoded_text(encoded, _info(f"The file is not UTF-8; it was read as {declared}, as declared."))


def refusal(code: str, message: str, *, row: int | None = None, count: int = 1) -> Finding:
    """Return the finding that rejects a whole file."""
    return Finding(severity="file", code=code, message=message, row=row, count=count)


def ends_inside_character(content: Content) -> bool:
    """Return whether the last UTF-8 character of `content` is cut off, as after a broken transfer."""
    for back in range(1, min(4, len(content) + 1)):
        lead = content[-back]
        if lead & 0xC0 != 0x80:
            return lead >= 0xC0 and back < (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4)
    return False


def _decoded_text(content: Content, *findings: Finding) -> DecodedText:
    return DecodedText(content=content, start=len(BOM) if content[: len(BOM)] == BOM else 0, findings=findings)


def _info(message: str) -> Finding:
    return Finding(severity="info", code="invalid_encoding", message=message)


def _detect_other_type(content: Content) -> Finding | None:
    """Return the finding that rejects another encoding or a binary file; None if neither is detected."""
    head = content[:_HEAD]
    for magic, name in _BINARIES:
        if head.startswith(magic):
            return refusal("unknown_file_type", f"The file is no CSV file; it looks like {name}.")
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None) or _detect_nul_pattern(head)
    if encoding == "binary":
        return refusal("unknown_file_type", "The file is no CSV file; it looks like binary data.")
    if encoding:
        message = f"The file is not UTF-8; it looks like {encoding}. Export as UTF-8, or declare the encoding."
        return refusal("invalid_encoding", message)
    return None


def _detect_nul_pattern(head: bytes) -> str | None:
    """Return the encoding or file type that the positions of NULs in `head` indicate; None: nothing."""
    if 0 not in head:
        return None
    empty = tuple(head[place::4].count(0) > 0.4 * len(head[place::4]) for place in range(4))
    patterns: dict[tuple[bool, ...], str] = {
        (False, True, True, True): "UTF-32 (little-endian)",
        (True, True, True, False): "UTF-32 (big-endian)",
        (False, True, False, True): "UTF-16 (little-endian)",
        (True, False, True, False): "UTF-16 (big-endian)",
    }
    return patterns.get(empty) or ("binary" if head.count(0) * 2 > len(head) else None)
