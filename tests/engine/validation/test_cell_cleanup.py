"""What is done to every cell before it is judged."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.engine.validation import cell_cleanup


def _trimmed(*values: str | None) -> tuple[list[str | None], list[bool]]:
    column, changed = cell_cleanup.trim(pa.array(values, pa.string()))
    return column.to_pylist(), changed.tolist()


def test_white_space_around_a_value_is_taken_off_and_noticed() -> None:
    assert _trimmed("a", " a", "a ", "\ta b\n", None) == (["a", "a", "a", "a b", None], [False, True, True, True, False])


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2009"])
def test_wider_spaces_are_white_space_too(space: str) -> None:
    assert _trimmed(f"{space}a{space}") == (["a"], [True])


@pytest.mark.parametrize("blank", [" ", "  \t ", "\u00a0", "\u3000 "])
def test_a_cell_of_white_space_is_empty_and_not_called_trimmed(blank: str) -> None:
    assert _trimmed(blank, "x") == ([None, "x"], [False, False])


@pytest.mark.parametrize("value", ["é", "李", "NA", "a  b", "=SUM(1)", "O'Brien", "\u200b"])
def test_other_values_stay_as_they_are(value: str) -> None:
    assert _trimmed(value, None) == ([value, None], [False, False])


@pytest.mark.parametrize("separator", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_a_separator_at_an_edge_is_a_control_character_and_no_white_space(separator: str) -> None:
    cells = [f"{separator}a", f"a{separator}", f" a{separator}", separator]

    assert _trimmed(*cells) == ([f"{separator}a", f"a{separator}", f"a{separator}", separator], [False, False, True, False])


def test_white_space_is_that_of_unicode() -> None:
    separators = set("\x1c\x1d\x1e\x1f")
    characters = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]

    column, _ = cell_cleanup.trim(pa.array(characters, pa.string()))

    cleared = {character for character, cell in zip(characters, column.to_pylist(), strict=True) if cell is None}
    assert cleared == {character for character in characters if character.isspace()} - separators


def test_a_part_of_a_longer_column_is_trimmed_by_itself() -> None:
    column, changed = cell_cleanup.trim(pa.array([" x", " b", "c", " "]).slice(1, 2))

    assert (column.to_pylist(), changed.tolist()) == (["b", "c"], [True, False])


@pytest.mark.parametrize("values", [[], [None, None]])
def test_an_empty_column_stays_empty(values: list[None]) -> None:
    assert _trimmed(*values) == (values, [False] * len(values))


def _control(*values: str | None) -> tuple[list[bool], list[bool]]:
    nul, other = cell_cleanup.control_characters(pa.array(values, pa.string()))
    return nul.tolist(), other.tolist()


def test_a_control_character_belongs_to_the_cell_that_it_begins_or_ends() -> None:
    assert _control("before", "\x01first", "last\x01", "", "after", "\x00", None, "\x7f") == (
        [False, False, False, False, False, True, False, False],
        [False, True, True, False, False, False, False, True],
    )


def test_a_nul_is_told_from_other_control_characters() -> None:
    assert _control("a\x00b", "a\x07b", "a\x7f", "ab", None, "a\tb") == (
        [True, False, False, False, False, False],
        [False, True, True, False, False, True],
    )


def test_a_line_break_inside_a_cell_is_no_control_character() -> None:
    assert _control("a\nb", "a\r\nb") == ([False, False], [False, False])


def test_control_characters_of_neighbours_do_not_count() -> None:
    nul, other = cell_cleanup.control_characters(pa.array(["\x00", "a", "\x07"]).slice(1, 1))

    assert (nul.tolist(), other.tolist()) == ([False], [False])


def test_length_is_counted_in_characters_and_an_empty_cell_has_none() -> None:
    column = pa.array(["xxxxx", "éééé", None, "ééééé", "x"])

    assert cell_cleanup.longer(column, 4).tolist() == [True, False, False, True, False]
    assert cell_cleanup.longer(column.slice(3), 4).tolist() == [True, False]
    assert cell_cleanup.longer(pa.nulls(2, pa.string()), 4).tolist() == [False, False]


@given(
    st.lists(st.sampled_from([None, "", "a", " a", "\x00", "b\x07", "c\nd", "\u00a0e ", "  "]), max_size=30), st.integers(0, 3)
)
@settings(max_examples=200, deadline=None)
def test_a_few_cells_of_a_long_column_are_trimmed_and_found_as_many_are(cells: list[str | None], offset: int) -> None:
    plain = ["plain"] * (64 * len(cells))
    column = pa.array([*cells, *plain], pa.string()).slice(offset)

    trimmed, changed = cell_cleanup.trim(column)
    nul, other = cell_cleanup.control_characters(column)

    for found, alone in zip((trimmed, changed, nul, other), (*_trimmed(*cells), *_control(*cells)), strict=True):
        expected = [*alone, *(plain if found is trimmed else [False] * len(plain))]
        assert found.tolist() == expected[offset:]
