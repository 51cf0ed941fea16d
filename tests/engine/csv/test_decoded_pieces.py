"""Decoding a file piece by piece gives what decoding all of it at once gives, errors and their rows included."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from roster_etl.engine.csv.decoded_pieces import (
    NotDecodable,
    as_utf8,
    coalesce,
    encoded_pieces,
    is_ascii_compatible,
    join_in_memory,
)
from roster_etl.engine.csv.encoding import to_utf8
from roster_etl.engine.csv.reader import read_csv, read_header
from roster_etl.engine.csv.redact_columns import blank_columns
from roster_etl.store.files.spool import spool_pieces

ENCODINGS = ("cp1252", "latin-1", "utf-16", "utf-16-be", "utf-32", "utf-7", "shift_jis", "gb18030", "iso2022_jp", "hz", "cp037")
LETTERS = 'ab,"\r\n\n ñéÜ日本€😀Ж'


def at_once(content: bytes, encoding: str) -> bytes | tuple[str, int | None]:
    try:
        return content.decode(encoding).encode()
    except UnicodeDecodeError as error:
        lines = content[: error.start + 1].splitlines()
        return "refused", len([line for line in lines if line]) if is_ascii_compatible(error.encoding) else None


def in_pieces(content: bytes, encoding: str, window: int) -> bytes | tuple[str, int | None]:
    try:
        return bytes(as_utf8(content, encoding, join_in_memory, window=window))
    except NotDecodable as error:
        return "refused", error.row


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pieces_of_any_size_are_the_whole(encoding: str) -> None:
    chance, refused = random.Random(encoding), 0
    for attempt in range(60):
        content = bytearray("".join(chance.choices(LETTERS, k=chance.randrange(1, 30))).encode(encoding, "ignore"))
        for place in chance.choices(range(len(content)), k=2) if content and attempt % 2 else ():
            content[place] = chance.randrange(256)
        expected = at_once(bytes(content), encoding)
        refused += isinstance(expected, tuple)
        assert [in_pieces(bytes(content), encoding, window) for window in (1, 2, 3, 5)] == [expected] * 4
    assert refused or encoding in ("latin-1", "cp037")  # which have a character for every byte


def test_bytes_that_stay_the_same_are_not_copied() -> None:
    content = b"id,name\n1,Ann\n" * 9

    assert as_utf8(content, "cp1252", join_in_memory, window=5) is content


def test_small_pieces_are_put_together_and_encoded_back() -> None:
    text = "id,name\n1,Zoë\n" * 9
    small = (text.encode()[at : at + 1] for at in range(len(text.encode())))

    assert b"".join(encoded_pieces(coalesce(small, 4), "utf-16")) == text.encode("utf-16")


@pytest.mark.parametrize("least", [1, 50, 10_000])
def test_pieces_are_kept_in_a_private_file_from_a_size_on(tmp_path: Path, least: int) -> None:
    found = spool_pieces((b"0123456789" for _ in range(20)), tmp_path, min_bytes=least)

    assert bytes(found) == b"0123456789" * 20
    assert isinstance(found, bytes) is (least == 10_000)
    assert list(tmp_path.iterdir()) == []  # the file has no name
    assert spool_pieces(iter(()), tmp_path, min_bytes=least) == b""


def test_a_header_that_is_longer_than_what_is_kept_is_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roster_etl.engine.csv.decoded_pieces.HEAD", 16)
    monkeypatch.setattr("roster_etl.engine.csv.reader.HEAD", 16)
    names = tuple(f"Zoë{n}" for n in range(20))
    for content in (
        (",".join(names) + "\r\n1,2\r\n"),
        ("\n" * 40 + ",".join(names)),
        'Zoë,"' + "x" * 30 + '"\n1,2\n',
        "é,b\n1,2",
    ):
        encoded = content.encode("cp1252")
        assert read_header(encoded, encoding="cp1252") == read_csv(encoded, encoding="cp1252").header


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_passwords_are_blanked_in_what_lies_in_a_file_as_in_memory(tmp_path: Path, encoding: str) -> None:
    rows = "".join(f'{n},"pä,ss{n}",Zoë\n' if n % 7 else f"{n},x\n" for n in range(4000))
    content = f"id,Password,name\n{rows}".encode(encoding)
    mapped = blank_columns(
        content,
        lambda name: name == "Password",
        encoding=encoding,
        join=lambda pieces: spool_pieces(pieces, tmp_path, min_bytes=1),
    )

    assert mapped == blank_columns(content, lambda name: name == "Password", encoding=encoding)
    assert mapped is not None
    assert "pä" not in mapped.decode(encoding)
    assert mapped.decode(encoding).count("Zoë") == 3428


def test_a_mapped_file_in_a_legacy_encoding_is_converted_into_another_one(tmp_path: Path) -> None:
    content = ("id,name\n" + "1,Zoë\n" * 100).encode("cp1252")
    found = to_utf8(
        spool_pieces((content,), tmp_path, min_bytes=1), "cp1252", lambda pieces: spool_pieces(pieces, tmp_path, min_bytes=1)
    )

    assert not isinstance(found.content, bytes)  # type: ignore[union-attr]
    assert bytes(found.content).decode() == content.decode("cp1252")  # type: ignore[union-attr]
