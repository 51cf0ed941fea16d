"""What the bytes of a file are before they are a table: its encoding, or that it is no text at all.

Belongs here: recognising other encodings and binary files, and turning a declared legacy encoding into UTF-8.
Not here: which records hold undecodable bytes (`survey`).
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from roster_etl.spec.findings import Finding

BOM = codecs.BOM_UTF8
_HEAD = 4096  # bytes looked at for the pattern of NULs that UTF-16 and UTF-32 leave in Latin text

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
    """A file's bytes as UTF-8 without BOM starting at ``start``, and what was noticed on the way to them."""

    content: bytes
    start: int
    findings: tuple[Finding, ...] = ()


def to_utf8(content: bytes, encoding: str) -> DecodedText | Finding:
    """Return `content` as UTF-8, or the finding that refuses it. Valid UTF-8 is returned as it is, without a copy.

    Bytes that are neither, record by record, pass through here when `encoding` is UTF-8.

    Raises: LookupError: `encoding` is no known text encoding.
    Source: HEADLESS.md, "Bytes that are not UTF-8 refuse the file".
    """
    declared = codecs.lookup(encoding).name
    if declared in ("utf-8", "utf-8-sig"):
        return _detect_other_type(content) or _decoded_text(content)
    if content.startswith(BOM) or _is_non_ascii_utf8(content):
        return _decoded_text(content, _info(f"The file is UTF-8, and was read so, although {declared} is declared."))
    try:
        text = content.decode(declared)
        encoded = text.encode("utf-8")
    except UnicodeError as error:
        return refusal(
            "invalid_encoding", f"The bytes are not valid {declared}, the declared encoding.", row=_row(content, error)
        )
    findings = () if encoded == content else (_info(f"The file is not UTF-8; it was read as {declared}, as declared."),)
    return DecodedText(content=encoded, start=len(BOM) if encoded.startswith(BOM) else 0, findings=findings)


def refusal(code: str, message: str, *, row: int | None = None, count: int = 1) -> Finding:
    """Return the finding that refuses a whole file."""
    return Finding(severity="file", code=code, message=message, row=row, count=count)


def ends_inside_character(content: bytes) -> bool:
    """Tell whether the last UTF-8 character of `content` is cut off, as by a broken transfer."""
    for back in range(1, min(4, len(content) + 1)):
        lead = content[-back]
        if lead & 0xC0 != 0x80:
            return lead >= 0xC0 and back < (2 if lead < 0xE0 else 3 if lead < 0xF0 else 4)
    return False


def is_ascii_compatible(encoding: str) -> bool:
    """Tell whether an ASCII byte is always itself in `encoding`, whatever byte stands before it."""
    letters = "".join(map(chr, range(128)))
    try:
        return letters.encode() == letters.encode(encoding) and all(
            bytes([byte, ord("A")]).decode(encoding, "replace").endswith("A") for byte in range(128, 256)
        )
    except UnicodeError:
        return False


def _decoded_text(content: bytes, *findings: Finding) -> DecodedText:
    return DecodedText(content=content, start=len(BOM) if content.startswith(BOM) else 0, findings=findings)


def _info(message: str) -> Finding:
    return Finding(severity="info", code="invalid_encoding", message=message)


def _is_non_ascii_utf8(content: bytes) -> bool:
    """Tell whether `content` holds characters beyond ASCII, all in valid UTF-8, which no legacy text is by chance."""
    if content.isascii():
        return False
    try:
        codecs.utf_8_decode(content, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def _detect_other_type(content: bytes) -> Finding | None:
    """Return the finding that refuses what is not even meant to be UTF-8 text, if so."""
    for magic, name in _BINARIES:
        if content.startswith(magic):
            return refusal("unknown_file_type", f"The file is no CSV file; it looks like {name}.")
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), None) or _detect_nul_pattern(content[:_HEAD])
    if encoding == "binary":
        return refusal("unknown_file_type", "The file is no CSV file; it looks like binary data.")
    if encoding:
        message = f"The file is not UTF-8; it looks like {encoding}. Export as UTF-8, or declare the encoding."
        return refusal("invalid_encoding", message)
    return None


def _detect_nul_pattern(head: bytes) -> str | None:
    """Name what the NULs in `head` and their places speak for; None: nothing."""
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


def _row(content: bytes, error: UnicodeError) -> int | None:
    """Return the line, blank ones not counted, that a decoding error lies in, if lines can be told from the bytes.

    Line ends inside quoted cells count here: the structure is unknown before the bytes are text.
    """
    if not isinstance(error, UnicodeDecodeError) or not is_ascii_compatible(error.encoding):
        return None
    return len([line for line in content[: error.start + 1].splitlines() if line])
