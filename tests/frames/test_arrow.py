"""What a frame is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from roster_etl.frames import arrow
from roster_etl.frames.arrow import (
    FINDINGS,
    CodedColumn,
    combine_chunks,
    common_codes,
    findings_table,
    only_value,
    repeated,
    row_codes,
    rows_ascend,
    rows_in_order,
    shares_code,
    text_series,
    to_arrow_array,
    to_frame,
)
from roster_etl.spec.findings import Finding


def test_a_table_and_a_frame_are_the_same_data() -> None:
    table = pa.table({"a": ["x", None], "b": [1, 2]})

    assert pa.Table.from_pandas(to_frame(table), preserve_index=False).equals(table)
    assert to_frame(table)["a"].dtype == arrow.TEXT


@pytest.mark.parametrize("chunks", [[], [["a"]], [["a"], ["b", None]]])
def test_a_column_of_any_number_of_chunks_is_one_array(chunks: list[list[str | None]]) -> None:
    assert combine_chunks(pa.chunked_array(chunks, pa.string())).to_pylist() == [cell for chunk in chunks for cell in chunk]


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 7])
def test_a_value_is_repeated_in_every_row_and_takes_the_memory_of_one_piece(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "LONG", 3)
    column = pa.chunked_array([], pa.string()) if not rows else pa.table({"a": repeated(pa.scalar("x"), rows)})["a"]

    assert column.to_pylist() == ["x"] * rows
    assert len({chunk.buffers()[2].address for chunk in column.chunks}) <= 1
    assert repeated(pa.scalar("x"), rows).type == pa.string()


@pytest.mark.parametrize(
    ("chunks", "value"),
    [
        ([], None),
        ([["x", "x"], ["x"]], pa.scalar("x")),
        ([[None], [None, None]], pa.scalar(None, pa.string())),
        ([["x", "y"], ["x"]], None),
        ([["x", "y", "x"]], None),
        ([["x", None, "x"]], None),
        ([["x"], ["y"]], None),
    ],
)
def test_the_only_value_of_a_column(chunks: list[list[str | None]], value: pa.Scalar | None) -> None:
    found = only_value(pa.chunked_array(chunks, pa.string()))

    assert (found is None) == (value is None)
    assert value is None or value.equals(found)


def test_the_only_value_is_looked_for_in_every_piece_that_is_other_memory() -> None:
    piece = pa.array(["x", "x", "y", "x", "x"])

    assert only_value(pa.chunked_array([piece.slice(0, 2), piece.slice(3, 2)])) == pa.scalar("x")
    assert only_value(pa.chunked_array([piece.slice(0, 2), piece.slice(0, 4)])) is None
    assert only_value(pa.chunked_array([piece.slice(1, 2), piece.slice(3, 2)])) is None


def test_text_is_arrow_text() -> None:
    assert to_arrow_array(text_series(["a", None])).equals(pa.array(["a", None]))


def test_a_findings_table_has_a_row_a_finding_and_its_cause() -> None:
    made = [
        Finding(
            severity="reject", code="unknown_reference", message="m", file="a.csv", row=3, field="X", key="k", cause=("b.csv", 9)
        ),
        Finding(severity="info", code="trimmed", message="n", count=4),
    ]
    table = findings_table(made)

    assert table.schema.names == FINDINGS.names
    assert table.to_pylist()[0]["cause_file"] == "b.csv"
    assert [(row["row"], row["cause_row"], row["count"]) for row in table.to_pylist()] == [(3, 9, 1), (None, None, 4)]


def test_no_findings_make_an_empty_table() -> None:
    assert findings_table([]).equals(FINDINGS.empty_table())


def _groups(*columns: list[str | None]) -> list[list[int]]:
    codes = row_codes([pa.array(column, pa.string()) for column in columns])
    return sorted(np.flatnonzero(codes == code).tolist() for code in np.unique(codes))


def test_rows_have_one_code_where_all_cells_are_equal_and_missing_equals_missing() -> None:
    assert _groups(["a", "a", "b", None, None, ""], ["x", "x", "x", None, None, None]) == [[0, 1], [2], [3, 4], [5]]
    assert _groups(["a", "a"], ["b", "ab"]) == [[0], [1]]
    assert _groups([None, None]) == [[0, 1]]
    assert _groups([]) == []


def test_codes_of_many_columns_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [[str((row >> bit) & 1) for row in range(64)] for bit in range(6)]
    monkeypatch.setattr(arrow, "_MOST_CODES", 8)

    assert _groups(*columns) == [[row] for row in range(64)]


def test_rows_of_a_long_column_of_ids_are_told_apart_as_those_of_a_short_one(monkeypatch):
    monkeypatch.setattr(arrow, "_MANY", 4)
    monkeypatch.setattr(arrow, "_SOME", 2)
    ids = pa.array(["a", "b", "c", "d", "e"])

    assert len(set(row_codes([ids]).tolist())) == len(ids)
    again = row_codes([pa.array(["a", "b", "c", "a", "e"])]).tolist()
    assert again[0] == again[3]
    assert len(set(again)) == 4


def test_common_codes_are_equal_where_rows_of_two_tables_are():
    first, second = (pa.array(["a", "b", None]), pa.array([None, "b"])), (pa.array(["1", "2", "3"]), pa.array(["3", "1"]))
    one, other = common_codes([first, second], 3)

    assert other[0] == one[2]
    assert other[1] not in one.tolist()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("offset", [0, 3])
def test_codes_of_a_long_column_are_equal_where_cells_are(offset: int, together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [[None, "", "a", "b", "ab", "b a", "q", "ä", "1a"][(n * n + n // 3) % 9] for n in range(300)]
    columns = [pa.array(cells).slice(offset), pa.array(cells[::-1]).slice(offset)]
    expected = row_codes(columns)
    monkeypatch.setattr(arrow, "_CODED_AT_ONCE", 10)
    monkeypatch.setattr(arrow, "_repeats_often", lambda _: together)

    found = row_codes(columns)

    assert (
        len(set(zip(expected.tolist(), found.tolist(), strict=True))) == len(set(expected.tolist())) == len(set(found.tolist()))
    )
    for empty in (pa.array([None] * 20, pa.string()), pa.array([""] * 20)):
        assert len(set(row_codes([empty]).tolist())) == 1


@pytest.mark.parametrize(
    ("columns", "ascend"),
    [
        ([["a", "b", "c", "d"]], True),
        ([["a", "b", "c", "c"]], False),
        ([["a", "b", "d", "c"]], False),
        ([["x", "x", "a", "a"], ["a", "a", "b", "b"], ["1", "2", "1", "2"]], True),  # by the second and the third
        ([["x", "x", "a", "a"], ["a", "a", "b", "b"], ["1", "2", "1", "1"]], False),
        ([[None, "a", "b", "c"], ["a", "b", "c", "d"]], True),
        ([[None, "a", "b", "c"]], False),  # not known
        ([["b", "b", "a", "a"], ["2", "1", "2", "1"]], False),  # all differ, which is not seen
    ],
)
def test_rows_that_ascend_by_their_columns_in_some_order_all_differ(columns, ascend, monkeypatch):
    expected = _groups(*columns)
    for some in (2, 3, 1_000):
        monkeypatch.setattr(arrow, "_CODED_AT_ONCE", 2)
        monkeypatch.setattr(arrow, "_SOME", some)

        assert rows_ascend([pa.array(column, pa.string()) for column in columns]) is ascend
        assert _groups(*columns) == expected


@pytest.mark.parametrize(
    ("columns", "ordered"),
    [
        ([["a", "a", "b"], ["x", "y", "a"]], True),
        ([["a", "a", "b"], ["y", "x", "a"]], False),
        ([["a", "a", "b"], [None, None, None], ["x", "x", "a"]], True),  # equal rows, and a column without values
        ([["a", "b", "b"], ["x", None, "x"]], False),  # not known
        ([["a", "b", "a"]], False),
        ([[None, None, None]], True),
        ([[]], True),
    ],
)
def test_whether_rows_are_in_the_order_of_their_columns(columns, ordered, monkeypatch):
    for some in (1, 2, 1_000):
        monkeypatch.setattr(arrow, "_SOME", some)

        assert rows_in_order([pa.array(column, pa.string()) for column in columns]) is ordered


def test_whether_few_rows_ascend_is_not_looked_at():
    assert not rows_ascend([pa.array(["a", "b"])])


def test_no_rows_ascend(monkeypatch):
    monkeypatch.setattr("roster_etl.frames.arrow._CODED_AT_ONCE", 0)

    assert rows_ascend([pa.array([], pa.string()), pa.array([], pa.string())])


def test_a_long_column_is_coded_as_a_whole_only_if_its_cells_are_there_several_times() -> None:
    places = range(100_000)

    assert arrow._repeats_often(pa.array([str(place // 20) for place in places]))
    assert arrow._repeats_often(pa.array(np.random.default_rng(1).integers(0, 10_000, 100_000)).cast(pa.string()))
    assert arrow._repeats_often(pa.nulls(100_000, pa.string()))
    assert not arrow._repeats_often(pa.array([str(place) for place in places]))
    assert not arrow._repeats_often(pa.array([str(place // 2) for place in places]))


def test_who_shares_a_code() -> None:
    assert shares_code(np.array([5, 1, 5, 7, 1, 9])).tolist() == [True, True, True, False, True, False]
    assert shares_code(np.array([3, 1, 2])).tolist() == [False, False, False]
    assert shares_code(np.array([], dtype=np.int64)).tolist() == []


def test_who_shares_a_code_among_many_that_share_none() -> None:
    codes = np.array([7, *range(100, 200), 5, 7, 5, 5])

    assert np.flatnonzero(shares_code(codes)).tolist() == [0, 101, 102, 103, 104]


@pytest.fixture
def memory_pool():
    """Give the tests that follow the pool of before."""
    before = pa.default_memory_pool()
    yield
    pa.set_memory_pool(before)


@pytest.mark.usefixtures("memory_pool")
@pytest.mark.parametrize(("largest", "pool"), [(0, "system"), (64 << 20, "system"), ((64 << 20) + 1, "jemalloc")])
def test_only_an_import_of_small_files_keeps_freed_memory(largest: int, pool: str) -> None:
    arrow.use_jemalloc()
    arrow.use_memory_for(largest)

    assert pa.default_memory_pool().backend_name == pool


@pytest.mark.usefixtures("memory_pool")
@pytest.mark.parametrize("largest", [0, 1 << 40])
def test_once_its_rows_are_read_any_import_keeps_freed_memory_and_a_large_one_that_of_all_arrays(
    largest: int, monkeypatch
) -> None:
    told: list[dict[int, int]] = []
    monkeypatch.setattr(arrow, "_set_up_malloc", told.append)
    arrow.keep_freed_memory(largest)

    assert pa.default_memory_pool().backend_name == "system"
    (limits,) = told
    assert (limits[arrow._M_MMAP_MAX] == 0) == (largest > 0)
    assert limits.get(arrow._M_MMAP_THRESHOLD) == (None if largest else 32 << 20)


@pytest.mark.usefixtures("memory_pool")
def test_what_reads_a_large_file_after_a_small_one_returns_freed_memory_again() -> None:
    arrow.use_memory_for(0)
    arrow.use_memory_for(1 << 40)

    assert pa.default_memory_pool().backend_name == "jemalloc"


def test_the_last_of_the_different_cells_and_null_are_two_codes():
    coded = CodedColumn(pa.array(["y", None]), np.array([1, -1]), pa.array(["x", "y"]))
    codes = row_codes([pa.array(["a", "b"]), coded])

    assert codes[0] != codes[1]
