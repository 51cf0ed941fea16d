"""No file is read wrongly in silence: damage in every place of small files, and what the reader makes of each.

By default a part of the damages is tried (``tests/sampling.py``), with ``make faults`` every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.engine.csv.record_offsets import WINDOW
from tests.engine import reference
from tests.engine.readings import reading
from tests.engine.reference import Reading
from tests.sampling import ALL, every

pytestmark = pytest.mark.sampled
FILES = {
    "plain": b"id,name,note\n1,Ann,x\n22,Bo,\n3,Cy,zed\n",
    "quoted": 'id,nm,of\r\n"1","Smith, Jr.","a ""b"""\r\n2,"","on\r\n, o"\r\n"3",Zo\u00eb,""""\r\n'.encode(),
    "cells that look like records": b'id,nm,of\n1,"x\n2,Bo",y\n3,"z\n4,Di",""\n5,",","\n"\n6,"""a""",b\n',
    "all line ends, no last one": b'\xef\xbb\xbfid,nm,of\r1,"O\'B",\r\n\n22,"a\r\n1,A,x\r\n",NA\n4,"",","',
}
INSERTED = (b'"', b'""', b",", b"\n", b"\r", b"\0", b"\xef\xbb\xbf", b"\xff", b"a")
PUT_INSTEAD = (b'"', b",", b"\n", b"\xff")
STEP = 7  # no factor in common with the 15 damages of a place, the two windows, and the five letters of short texts


def single_damages(content: bytes) -> Iterator[bytes]:
    """Yield `content` with one byte dropped, doubled or replaced, or something inserted, for each place."""
    for i in range(len(content) + 1):
        head, byte, tail = content[:i], content[i : i + 1], content[i + 1 :]
        yield from (head + new + byte + tail for new in INSERTED)
        if byte:
            yield head + tail
            yield head + byte + byte + tail
            yield from (head + new + tail for new in PUT_INSTEAD)


def truncations_and_swaps(content: bytes) -> Iterator[bytes]:
    for i in range(len(content)):
        yield content[:i]
        yield content[:i] + content[i + 1 : i + 2] + content[i : i + 1] + content[i + 2 :]


@cache
def damaged_readings(name: str) -> list[tuple[bytes, Reading]]:
    """Return the damaged forms of a file with what the reader makes of each, by turns in one window and in many small ones."""
    texts = every(STEP, single_damages(FILES[name]))
    return [(text, reading(text, window=(WINDOW, 5)[i % 2])) for i, text in enumerate(texts)]


def test_a_part_of_the_damages_has_each_kind_of_them_in_each_window() -> None:
    assert gcd(STEP, 2 * (len(INSERTED) + 2 + len(PUT_INSTEAD))) == 1


def test_every_short_text_is_read_as_the_reference_reads_it() -> None:
    short, longer = (
        ["".join(letters) for length in lengths for letters in product('a,"\n\r', repeat=length)]
        for lengths in ((0, 1, 2, 3), (4,))
    )
    texts = [*short, *every(STEP, longer)]
    differing = [text for text in texts if reading(b"h,i\n" + text.encode()) != reference.read(b"h,i\n" + text.encode())]

    assert differing == []


@pytest.mark.parametrize("name", FILES)
def test_every_damaged_file_is_read_as_the_reference_reads_it(name: str) -> None:
    other = every(STEP, truncations_and_swaps(FILES[name]))
    readings = [*damaged_readings(name), *((text, reading(text, window=(WINDOW, 5)[i % 2])) for i, text in enumerate(other))]
    differing = [text for text, found in readings if found != reference.read(text)]

    assert differing == []


@pytest.mark.parametrize("name", FILES)
def test_without_a_finding_a_damage_changed_one_character_of_one_cell_or_nothing(name: str) -> None:
    truth = reference.read(FILES[name])
    wrong = []
    for text, found in damaged_readings(name):
        if not found.refused and not found.refused_records and not _one_character_apart(truth, found):
            wrong.append(text)

    assert wrong == []


@pytest.mark.parametrize("name", FILES)
def test_beside_findings_a_wrong_record_lies_only_next_to_the_record_that_was_torn_off_it(name: str) -> None:
    known = set(reference.read(FILES[name]).records.values())
    wrong = []
    for text, found in damaged_readings(name):
        if found.refused_records and not found.refused:
            beside = {row + step for row in found.refused_records for step in (-1, 1)}
            wrong += [text for row, cells in found.records.items() if cells not in known and row not in beside]

    assert wrong == []


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_a_prefix_but_for_its_last_cell_or_has_a_finding(name: str) -> None:
    truth = reference.read(FILES[name])
    wrong = []
    for size in range(len(FILES[name])):
        found = reading(FILES[name][:size])
        if found.refused or found.refused_records or not found.records:
            continue
        last = max(found.records)
        whole = all(found.records[row] == truth.records[row] for row in found.records if row != last)
        if not whole or found.records[last][:-1] != truth.records[last][:-1]:
            wrong.append(size)

    assert wrong == []


@settings(max_examples=150 if ALL else 50, deadline=None)
@given(
    rows=st.lists(st.lists(st.text(alphabet='ab,"\r\n\u00e9\0 ', max_size=4), min_size=3, max_size=3), min_size=1, max_size=6),
    quoted=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_whatever_is_written_by_the_rules_is_read_back(rows: list[list[str]], quoted: bool, line_end: str) -> None:
    content = line_end.join(",".join(_written(cell, quoted) for cell in row) for row in [["x", "y", "z"], *rows]).encode()
    found = reading(content)

    if content.count(0) > 2 and found.refused == "invalid_encoding":
        return  # NULs in every other place are what UTF-16 looks like: refused, not misread
    assert found.refused is None
    drawn = [all(not cell or reference.is_ruler(cell) for cell in row) for row in rows]
    assert list(found.records.values()) == [
        tuple(c or None for c in row) for row, is_drawn in zip(rows, drawn, strict=True) if not is_drawn
    ]


@settings(max_examples=250 if ALL else 80, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(
            [b"a", b"b", b",", b'"', b'""', b',"', b'",', b"\n", b"\r\n", b"\xc3\xa9", b"\xc3", b"id,nm\n", b"\xef\xbb\xbf"]
        ),
        max_size=40,
    ),
    window=st.sampled_from([3, 8, WINDOW]),
)
def test_whatever_comes_is_read_as_the_reference_reads_it(parts: list[bytes], window: int) -> None:
    content = b"id,nm\n" + b"".join(parts)

    assert reading(content, window=window) == reference.read(content)


def _written(cell: str, quoted: bool) -> str:
    plain = not quoted and not set(cell) & set(',"\r\n')
    return cell if plain else '"' + cell.replace('"', '""') + '"'


def _one_character_apart(truth: Reading, found: Reading) -> bool:
    """Tell whether at most one text of the two differs, by one character, and all others stand in the same order.

    Row numbers may differ: an inserted comma can make a row of commas only. A BOM that is not the first thing anymore
    stays in the first name.
    """
    if len(found.records) != len(truth.records) or len(found.header) != len(truth.header):
        return False
    pairs = [(one, other.replace("\ufeff", "")) for one, other in zip(truth.header, found.header, strict=True)]
    for before, after in zip(truth.records.values(), found.records.values(), strict=True):
        pairs += [(one or "", other or "") for one, other in zip(before, after, strict=True)]
    different = [(one, other) for one, other in pairs if one != other]
    return len(different) <= 1 and all(_near(one, other) for one, other in different)


def _near(one: str, other: str) -> bool:
    """Tell whether one inserted, dropped or replaced character makes `other` of `one`."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    ends = {(one[same + drop :], other[same + put :]) for drop, put in ((0, 1), (1, 0), (1, 1))}
    return any(rest == kept for rest, kept in ends)
