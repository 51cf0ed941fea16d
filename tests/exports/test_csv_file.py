"""The bytes of a file are those that Python's own writer makes, whichever columns have no value."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from roster_etl.exports import arrays, csv_file
from roster_etl.exports.csv_file import csv_bytes

CELLS = {
    "id": ["1", "2", "3"],
    "none": [None, None, None],
    "some": [None, "x, y", 'say "so"'],
    "odd": ["é", "a\nb", "c\rd"],
}


def expected(columns: list[list[str | None]], names: list[str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([cell or "" for cell in row] for row in zip(*columns, strict=True))
    return out.getvalue().encode()


@pytest.mark.parametrize("piece", [1, 3, 1 << 18])
@pytest.mark.parametrize(
    "names",
    [
        ["id", "none"], ["none", "id"], ["none", "none"], ["none", "none", "none"], ["id", "none", "none", "some"], ["none", "none", "odd"],
        ["some", "none", "odd", "none", "none"], ["id"], ["some"], ["none"],
    ],
)  # fmt: skip
def test_a_column_without_values_is_as_empty_as_its_cells(names, piece, monkeypatch):
    monkeypatch.setattr(arrays, "_PIECE", piece)
    columns = [CELLS[name] for name in names]
    header = [f"{name}{at}" for at, name in enumerate(names)]
    sliced = {name: pa.array(["before", *cells], pa.string()).slice(1) for name, cells in zip(header, columns, strict=True)}

    assert b"".join(csv_bytes(sliced, "\r\n")) == expected(columns, header)


def test_what_was_read_for_a_batch_of_rows_is_given_back_before_the_next(monkeypatch):
    monkeypatch.setattr(csv_file, "BATCH", 2)
    released = []
    pieces = csv_bytes({"id": pa.array(["1", "2", "3"])}, "\n", lambda: released.append(1))

    assert [(piece, len(released)) for piece in pieces] == [(b"id\n", 0), (b"1\n2\n", 0), (b"3\n", 1)]
    assert len(released) == 2
