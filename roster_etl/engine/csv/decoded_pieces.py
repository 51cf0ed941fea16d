"""Decode the bytes of a file piece by piece, so that no second copy of a large file is in memory."""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from roster_etl.frames.mapped_bytes import Content, release_pages

Join = Callable[[Iterable[bytes]], Content]
"""Puts pieces together."""
WINDOW = 1 << 20  # bytes that are decoded at once
HEAD = 1 << 22  # bytes in which nearly every header ends
_LINE = re.compile(rb"[^\r\n]+")


class NotDecodable(ValueError):
    """Bytes that an encoding does not have. ``row``: the line they are in, blank lines not counted; None: lines cannot be found in the bytes."""

    def __init__(self, row: int | None) -> None:
        super().__init__("bytes that the encoding does not have")
        self.row = row


def join_in_memory(pieces: Iterable[bytes]) -> bytes:
    """Return all pieces as one."""
    out = io.BytesIO()
    for piece in pieces:
        out.write(piece)
    return out.getvalue()  # without a copy


def join_head(pieces: Iterable[bytes]) -> bytes:
    """Return the first `HEAD` bytes of all pieces; the others are decoded, too, as any may be wrong."""
    out = bytearray()
    for piece in pieces:
        out += piece[: HEAD - len(out)]
    return bytes(out)


def as_utf8(content: Content, encoding: str, join: Join, *, window: int = WINDOW) -> Content:
    """Return `content`, text in `encoding`, as UTF-8: `content` itself if it is the same bytes.

    Raises: NotDecodable. LookupError: `encoding` is no known text encoding.
    """
    pieces, same = utf8_pieces(content, encoding, window=window), 0
    for piece in pieces:
        if content[same : same + len(piece)] != piece:
            return join(chain(windows(content, window, stop=same), (piece,), pieces))
        same += len(piece)
    return content if same == len(content) else join(windows(content, window, stop=same))


def utf8_pieces(content: Content, encoding: str, *, window: int = WINDOW) -> Iterator[bytes]:
    """Yield the text of `content` as UTF-8, piece by piece. Raises: NotDecodable."""
    decoder, stop = codecs.getincrementaldecoder(_with_byte_order(content, encoding))(), 0
    try:
        for piece in windows(content, window):
            stop += len(piece)
            yield decoder.decode(piece).encode("utf-8")
        yield decoder.decode(b"", final=True).encode("utf-8")
    except UnicodeDecodeError as error:
        # The object of the error is what the decoder kept of earlier pieces, and the last one.
        raise NotDecodable(_row(content, error, stop - len(error.object) + error.start)) from None
    except UnicodeEncodeError:  # half a pair of surrogates
        raise NotDecodable(None) from None
    except UnicodeError:  # a decoder that keeps only a few bytes of earlier pieces: a broken escape sequence of ISO 2022
        raise _undecodable_as_a_whole(content, encoding) from None


def encoded_pieces(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield UTF-8 text in `encoding`, piece by piece. Raises: UnicodeEncodeError."""
    decoder, encoder = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementalencoder(encoding)()
    for piece in pieces:
        yield encoder.encode(decoder.decode(piece))
    yield encoder.encode(decoder.decode(b"", final=True), final=True)


def coalesce(pieces: Iterable[bytes | memoryview], size: int = WINDOW) -> Iterator[bytes]:
    """Yield small pieces together, as pieces of about `size` bytes."""
    out = bytearray()
    for piece in pieces:
        out += piece
        if len(out) >= size:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def windows(content: Content, size: int = WINDOW, *, stop: int | None = None) -> Iterator[bytes]:
    """Yield `content` up to `stop` in pieces; pages of a mapped file are given back."""
    end = len(content) if stop is None else stop
    for start in range(0, end, size):
        yield content[start : min(start + size, end)]
        release_pages(content, start, min(start + size, end))


def is_ascii_compatible(encoding: str) -> bool:
    """Return whether an ASCII byte always represents itself in `encoding`, whatever byte precedes it."""
    letters = "".join(map(chr, range(128)))
    try:
        return letters.encode() == letters.encode(encoding) and all(
            bytes([byte, ord("A")]).decode(encoding, "replace").endswith("A") for byte in range(128, 256)
        )
    except UnicodeError:
        return False


def is_non_ascii_utf8(content: Content, *, window: int = WINDOW) -> bool:
    """Return whether `content` has non-ASCII characters, all in valid UTF-8: legacy text is practically never valid UTF-8."""
    decoder, ascii_only = codecs.getincrementaldecoder("utf-8")(), True
    try:
        for piece in windows(content, window):
            ascii_only = ascii_only and piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not ascii_only


def _with_byte_order(content: Content, encoding: str) -> str:
    """Return `encoding`, with the byte order of this machine where it needs one and `content` does not begin with one, as ``bytes.decode``."""
    boms = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
    name = codecs.lookup(encoding).name
    if name not in boms or content[: len(boms[name][0])] in boms[name]:
        return encoding
    return f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"


def _undecodable_as_a_whole(content: Content, encoding: str) -> NotDecodable:
    try:
        bytes(content).decode(encoding)
    except UnicodeDecodeError as error:
        return NotDecodable(_row(content, error, error.start))
    return NotDecodable(None)


def _row(content: Content, error: UnicodeDecodeError, place: int) -> int | None:
    """Return the line that the undecodable byte at `place` is in, blank lines not counted; None: lines cannot be found in the bytes.

    Line ends inside quoted cells count, because quoting is unknown before the bytes are decoded.
    """
    if not is_ascii_compatible(error.encoding):
        return None
    return sum(1 for _ in _LINE.finditer(content, 0, place + 1))
