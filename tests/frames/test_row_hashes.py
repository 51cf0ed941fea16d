"""A record's hash, and the text that keys and hashes are made of."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.canonical.roster import RosterColumn, RosterTable
from roster_etl.frames.row_hashes import key_text, row_hash

# Stored hashes depend on these values, so a change here is a migration of every roster.

KINDS = RosterTable(
    name="kinds",
    key=("a",),
    comment="One column of every type",
    columns=(
        RosterColumn("a", "text", ""),
        RosterColumn("b", "integer", ""),
        RosterColumn("c", "float", ""),
        RosterColumn("d", "boolean", ""),
        RosterColumn("e", "date", ""),
        RosterColumn("f", "timestamp", ""),
    ),
)
FULL: dict[str, Any] = {
    "a": "O'Brien 李",
    "b": 7,
    "c": 3.75,
    "d": True,
    "e": date(2012, 8, 1),
    "f": datetime(2024, 8, 1, 5, tzinfo=UTC),
    "derived": '["a"]',
    "extensions": '{"ext.x": "1"}',
}
EMPTY: dict[str, Any] = dict.fromkeys(FULL) | {"a": "", "derived": "[]", "extensions": "{}"}


def _hash(*rows: MappingABC[str, Any]) -> list[int]:
    schema = pa.schema([*KINDS.arrow_schema, ("derived", pa.string()), ("extensions", pa.string()), ("source_row", pa.int64())])
    return row_hash(pa.Table.from_pylist([{"source_row": 1, **row} for row in rows], schema=schema), KINDS).to_pylist()


def test_hashes_are_what_they_always_were() -> None:
    assert _hash(FULL, EMPTY) == ["9c7dcdc30c1e24a3", "d246a6fa8beff505"]


def test_a_column_that_joined_later_counts_only_where_it_has_a_value() -> None:
    before = RosterTable("kinds", ("a",), KINDS.columns[:2], "Kinds")
    after = replace(before, columns=(*before.columns, RosterColumn("z", "text", "", added=True)))
    old = pa.table({"a": ["x", "y"], "b": [1, 2], "derived": ["[]", "[]"], "extensions": ["{}", "{}"]})
    new = old.append_column("z", pa.array([None, "given"], pa.string()))

    first, second = row_hash(new, after).to_pylist()

    assert first == row_hash(old, before)[0].as_py()
    assert second != row_hash(old, before)[1].as_py()


@pytest.mark.parametrize("name", FULL)
def test_every_business_column_counts_and_so_do_derived_and_extensions(name: str) -> None:
    other = EMPTY[name] if name != "derived" else "[]"

    assert _hash(FULL) != _hash({**FULL, name: other})


def test_where_a_row_came_from_does_not_count() -> None:
    assert _hash(FULL) == _hash({**FULL, "source_row": 99})


def test_an_empty_text_is_not_a_missing_one() -> None:
    assert _hash({**FULL, "a": ""}) != _hash({**FULL, "a": None})


def test_cells_do_not_run_together() -> None:
    one, other = ({**EMPTY, "a": a, "derived": d} for a, d in (("x1", "2"), ("x", "12")))

    assert _hash(one) != _hash(other)


def test_a_hash_does_not_depend_on_other_rows() -> None:
    assert _hash(EMPTY, FULL) == _hash(FULL, EMPTY)[::-1]
    assert _hash() == []


def test_keys_tell_missing_from_empty() -> None:
    table = pa.table({"a": ["x", "", None], "b": pa.array([1, 2, 3])})

    assert key_text(table, ("a", "b")).to_pylist() == ["x\x1f1", "\x1f2", "\x00\x1f3"]


@pytest.mark.parametrize("cells", [["ab", "abab", "ab"], ["a", "aa", "a"], ["ab", "cd", "ab"], ["", "a", ""]])
def test_a_column_with_the_same_cell_at_both_ends_is_not_taken_for_one_text(cells: list[str]) -> None:
    assert key_text(pa.table({"a": cells}), ("a",)).to_pylist() == cells


_CELLS = st.one_of(st.none(), st.sampled_from(["", "a", "b", "ab", "aa", "é"]))


@given(st.lists(st.tuples(_CELLS, _CELLS, st.sampled_from([None, True, False]), st.sampled_from([None, 0.0, -0.0])), max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_key_is_the_text_of_each_cell_whether_or_not_all_cells_of_a_column_are_the_same(rows: list[tuple[Any, ...]]) -> None:
    kinds = (pa.string(), pa.string(), pa.bool_(), pa.float64())
    columns = [pa.array([None, *(row[at] for row in rows), None], kind).slice(1, len(rows)) for at, kind in enumerate(kinds)]
    texts = [column.cast(pa.string()).to_pylist() for column in columns]

    found = key_text(pa.table(columns, names=["a", "b", "c", "d"]), ("a", "b", "c", "d")).to_pylist()

    assert found == ["\x1f".join("\x00" if cell is None else cell for cell in row) for row in zip(*texts, strict=True)]
