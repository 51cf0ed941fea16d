"""A written file is parsed again, and every cell is compared with what was to be written, however many pieces the parser makes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.engine.csv import arrow_columns
from roster_etl.engine.transform.mapper import SourceFile
from roster_etl.exports.build import BuiltFile
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import InMemory
from roster_etl.mapping.column_plan import From, Mapping, OnlyRows
from roster_etl.pipeline.exports.read_back import ReadBackFailed, _named_columns, compare_cells
from roster_etl.vendors import discover_vendors

ROWS = 500
BUILT = BuiltFile(
    name="people.csv",
    cells={
        "id": pa.array([f"u{n:04}" for n in range(ROWS)]),
        "name": pa.array(['Ann "Annie"', "O'Neil, Bo", None, "=1+1", "é"] * (ROWS // 5)),
        "note": pa.nulls(ROWS, pa.string()),
    },
)


@pytest.fixture(params=[1 << 22, 100], ids=["whole", "in pieces"])
def written(request, monkeypatch, tmp_path) -> Path:
    """A folder with the file, which is parsed at once, or some lines at a time."""
    monkeypatch.setattr(arrow_columns, "_BATCH_BYTES", request.param)
    (tmp_path / BUILT.name).write_bytes(b"".join(csv_bytes(BUILT.cells, "\r\n")))
    return tmp_path


def test_a_file_that_has_what_was_meant_is_read(written):
    raw = compare_cells(written, BUILT, InMemory())

    assert [column.to_pylist() for column in raw.table.columns] == [cells.to_pylist() for cells in BUILT.cells.values()]
    assert (raw.rows_read, raw.rows.to_pylist()) == (ROWS, list(range(2, ROWS + 2)))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"u0499,", b"u0498,", "another value in id"),
        (b"u0250,", b",", "another value in id"),
        (b"u0003,=1+1", b"u0003,'=1+1", "another value in name"),
        (b"u0002,,", b"u0002,,x", "another value in note"),
        (b"u0499,\xc3\xa9,\r\n", b"", "499 of 500 rows"),
        (b"u0499,\xc3\xa9,\r\n", b"u0499,\xc3\xa9,\r\nu0500,x,\r\n", "more than 500 rows"),
        (b"u0001,", b"u0001,,", "another value in id"),
        (b"id,name,note", b"id,note,name", "another header"),
    ],
)
def test_a_file_that_differs_anywhere_is_refused(written, old, new, what):
    path = written / BUILT.name
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))

    with pytest.raises(ReadBackFailed, match=what):
        compare_cells(written, BUILT, InMemory())


@pytest.mark.parametrize("left_out", [{"note"}, {"name", "note"}])
def test_a_file_with_fewer_columns_is_refused(written, left_out):
    cells = {name: column for name, column in BUILT.cells.items() if name not in left_out}
    (written / BUILT.name).write_bytes(b"".join(csv_bytes(cells, "\r\n")))

    with pytest.raises(ReadBackFailed, match="another header"):
        compare_cells(written, BUILT, InMemory())


@pytest.mark.parametrize("name", sorted(discover_vendors()))
def test_a_mapping_has_every_column_that_it_reads(name):
    """Rows are copied without the columns that their mapping does not name."""
    found = discover_vendors()[name]
    for mapping in found.mappings:
        file = found.format.file(mapping.source)
        columns = {column.name: ["x"] for column in file.columns}
        rows = pa.table({**columns, "Extra": ["x"], "_row": [2], "_refused": [False]})
        kept = _named_columns(mapping, SourceFile(rows=rows, file_name=file.file_name, extensions=("Extra",))).column_names

        read = {column for pairs in mapping.lineage().values() for source, column in pairs if source == mapping.source}
        assert read & {*columns} <= {*kept}
        assert {"_row", "_refused", *(["Extra"] if mapping.extensions else [])} <= {*kept}


def test_columns_that_no_step_or_cell_names_are_left_behind():
    mapping = Mapping(
        source="users", to="users", columns={"user_id": From("id")}, steps=(OnlyRows(column="role", values=("x",)),)
    )
    rows = pa.table({"id": ["1"], "role": ["x"], "other": ["y"], "Extra": ["z"], "_row": [2]})

    assert _named_columns(mapping, SourceFile(rows=rows, file_name="users.csv", extensions=("Extra",))).column_names == [
        "id",
        "role",
        "_row",
    ]
