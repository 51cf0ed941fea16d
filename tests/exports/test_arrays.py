"""Where arrays are in memory, and the bytes under them, also of a part of an array."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.exports import arrays
from roster_etl.exports.arrays import byte_pieces, same_memory
from roster_etl.exports.cells import may_break

TEXT = pa.array(["ab", "é", None, "", "cde", "f"])


def test_parts_of_one_array_are_in_different_places() -> None:
    assert same_memory([TEXT.slice(1, 2)], [TEXT.slice(1, 2)])
    assert not same_memory([TEXT.slice(1, 2)], [TEXT.slice(2, 2)])
    assert not same_memory([TEXT.slice(1, 2)], [TEXT.slice(1, 3)])
    assert not same_memory([TEXT], [TEXT, TEXT])


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_all_bytes_of_a_part_are_given_out(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_PIECE", size)

    assert b"".join(byte_pieces(TEXT)) == "abécdef".encode()
    assert b"".join(byte_pieces(TEXT.slice(1, 4))) == "écde".encode()
    assert list(byte_pieces(TEXT.slice(0, 0))) == []


def test_a_line_break_is_seen_in_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_PIECE", 2)

    assert may_break(pa.array(["abcd", "e\nf", "ghij"]))
    assert not may_break(pa.array(["abcd", "ef", "ghij"]))
