"""Which records the cells of rows describe."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.frames.described_records import match_described

NAMES = ("first", "last", "mail")
ANA, BO, TWIN = ("Ana", "Díaz", "ana@x.org"), ("Bo", "Brandt", None), ("Ana", "Diaz", None)


def cells(*people: tuple[str | None, ...]) -> pa.Table:
    return pa.table([pa.array(column, pa.string()) for column in zip(*people, strict=True)], names=NAMES)


@pytest.mark.parametrize(
    ("row", "described"),
    [
        (("Ana", "Díaz", "ana@x.org"), [0]),
        (("ANA", "diaz", None), [0, 2]),  # either of them
        (("Ana", "Diaz", "other@x.org"), [2]),  # of two with this name, the one that it does not contradict
        (("Ana", "Brandt", "other@x.org"), []),  # more differs than agrees
        (("Bo", None, None), []),  # one cell names nobody
        (("Bo", "Brandt", "bo@x.org"), [1]),
        ((None, None, None), []),
    ],
)
def test_a_row_describes_the_records_that_agree_best(row: tuple[str | None, ...], described: list[int]) -> None:
    rows, records = match_described(cells(row), cells(ANA, BO, TWIN))

    assert (rows.tolist(), records.tolist()) == ([0] * len(described), described)


def test_a_record_with_one_cell_is_described_by_it() -> None:
    assert match_described(pa.table({"name": ["elm"]}), pa.table({"name": ["Oak", "Elm"]}))[1].tolist() == [1]


def test_a_cell_that_very_many_records_share_selects_none() -> None:
    role, name = ["student"] * 5000, [f"Name {n}" for n in range(5000)]

    rows, records = match_described(pa.table({"role": role, "name": name[::-1]}), pa.table({"role": role, "name": name}))

    assert records.tolist() == [4999 - row for row in rows.tolist()]
    assert len(rows) == 5000


def test_nothing_is_compared_with_nothing() -> None:
    assert match_described(cells(ANA).slice(0, 0), cells(BO))[0].tolist() == []
