"""Facts about finding records in bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.engine.csv import record_offsets
from roster_etl.engine.csv.record_offsets import QUOTE, WINDOW, Fault, read_record, scan_blocks


def records(content: bytes, window: int = WINDOW) -> list[bytes]:
    blocks = scan_blocks(content, 0, window=window)
    return [content[start:stop] for block in blocks for start, stop in zip(block.starts, block.stops, strict=True)]


@pytest.mark.parametrize("window", [1, 4, WINDOW])
def test_records_are_what_stands_between_line_ends_outside_quotes(window: int) -> None:
    assert records(b'a,b\r\n\r\n"x\n",1\r,,\n"\r\n"', window) == [b"a,b", b'"x\n",1', b",,", b'"\r\n"']


@pytest.mark.parametrize("window", [1, 4, WINDOW])
def test_commas_are_told_from_those_inside_quotes(window: int) -> None:
    content = b'a,"b,",c\nd"e,"f,"\n,\n'
    cells = [
        (int(count), block.commas[first : first + count - 1].tolist())
        for block in scan_blocks(content, 0, window=window)
        for first, count in zip(block.first, block.cells, strict=True)
    ]

    assert cells == [(3, [1, 6]), (2, [12]), (2, [18])]


@given(st.lists(st.sampled_from(list(b'ab,"\n\r')), min_size=1, max_size=60))
@settings(max_examples=300, deadline=None)
def test_few_quotes_are_looked_up_with_the_same_result_as_many(content: list[int]) -> None:
    part = np.array(content, dtype=np.uint8)

    few = record_offsets._outside_few_quotes(part, np.flatnonzero(part == QUOTE))
    many = record_offsets._outside_many_quotes(part, part == QUOTE)

    assert [few[0].tolist(), few[1].tolist(), few[2]] == [many[0].tolist(), many[1].tolist(), many[2]]


def test_commas_and_line_ends_in_few_quotes_are_no_separators() -> None:
    line = b"a" * 200 + b',"b,\n",c\n'

    assert records(line * 3) == [line[:-1]] * 3


def test_line_ends_behind_a_record_with_a_fault_are_no_record() -> None:
    assert records(b'a"b\n\n\n') == [b'a"b']


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\n"])
def test_line_ends_alone_are_no_records(content: bytes) -> None:
    assert records(content) == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'"a""b",\'c\'\n', None),
        (b'a"b\n', "stray_quote"),
        (b'a "b",c\n', "stray_quote"),
        (b'a "b,c" d\n', "stray_quote"),
        (b'ab"\n', "dangling_quote"),
        (b'a"b,c"d"\n', "dangling_quote"),
        (b'"a"b\n', "text_after_quote"),
        (b'"a" ,b\n', "text_after_quote"),
        (b'"a""\n', "open_quote"),
    ],
)
def test_faults_are_told_apart(content: bytes, fault: Fault | None) -> None:
    assert read_record(content, 0).fault == fault


def test_nothing_is_read_behind_a_fatal_fault() -> None:
    blocks = list(scan_blocks(b'a\n"b"c\nd\n', 0))

    assert [block.broken for block in blocks] == [None, "text_after_quote"]
