"""The shape of frames: which columns, all of the declared type."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.validation.validate import empty_result
from roster_etl.orchestration.assets import frame_types
from roster_etl.orchestration.assets.frame_types import file_type, require_table, table_type
from roster_etl.vendors import vendor

CLEVER = vendor("clever").format
pytestmark = pytest.mark.filterwarnings("ignore:.*is currently in")


def check(kind: dg.DagsterType, value: object) -> bool:
    return bool(dg.check_dagster_type(kind, value).success)


@pytest.mark.parametrize("file", CLEVER.files, ids=lambda file: file.name)
def test_a_judged_file_has_its_shape_even_when_it_is_absent(file):
    assert check(file_type(CLEVER, file), empty_result(file).rows)


def test_a_required_column_must_be_there():
    file = CLEVER.file("students")

    assert not check(file_type(CLEVER, file), empty_result(file).rows.drop_columns("Student_id"))


def test_an_optional_column_may_be_absent():
    file = CLEVER.file("students")

    assert check(file_type(CLEVER, file), empty_result(file).rows.drop_columns("Middle_name"))


@pytest.mark.parametrize("kind", [pa.null(), pa.int64(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_cell_that_is_not_text_is_refused(kind: pa.DataType):
    file = CLEVER.file("schools")
    rows = empty_result(file).rows
    rows = rows.set_column(rows.schema.get_field_index("School_id"), "School_id", pa.array([], kind))

    assert not check(file_type(CLEVER, file), rows)


def test_the_row_number_and_the_mark_of_refused_rows_belong_to_the_shape():
    file = CLEVER.file("schools")
    rows = empty_result(file).rows

    assert not check(file_type(CLEVER, file), rows.drop_columns("_row"))
    assert not check(file_type(CLEVER, file), rows.drop_columns("_refused"))


def test_a_table_without_its_columns_is_refused():
    assert not check(table_type(TABLES["users"]), pa.table({}))
    assert not check(table_type(TABLES["users"]), "no frame")


def test_a_mapped_table_that_no_step_hands_on_is_checked_all_the_same():
    table = TABLES["users"]
    columns = {column.name: pa.array([], frame_types._TYPES[column.kind]) for column in frame_types._table_columns(table)}
    rows = pa.table(columns)
    require_table(table, rows)

    for wrong in (
        rows.drop_columns("row_hash"),
        rows.append_column("user_id", rows["user_id"]),
        rows.set_column(0, "user_kind", [pa.array([], pa.int64())]),
    ):
        with pytest.raises(dg.Failure, match="^users: "):
            require_table(table, wrong)


def test_a_table_that_fits_is_not_converted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frame_types, "to_frame", lambda _: pytest.fail("it was converted"))
    file = CLEVER.file("students")

    assert check(file_type(CLEVER, file), empty_result(file).rows)


def test_what_dagster_pandas_says_of_a_table_that_does_not_fit_is_told():
    file = CLEVER.file("students")
    rows = empty_result(file).rows.drop_columns("Student_id")

    found = dg.check_dagster_type(file_type(CLEVER, file), rows)
    assert "Student_id" in (found.description or "")


def test_a_column_that_stands_twice_is_refused():
    file = CLEVER.file("schools")
    rows = empty_result(file).rows

    assert not check(file_type(CLEVER, file), rows.append_column("School_id", rows["School_id"]))


def test_the_mark_of_deleted_rows_belongs_to_the_shape_of_files_whose_rows_can_say_so():
    format_ = vendor("mastery_connect").format
    file = format_.file("users")
    rows = empty_result(file).rows

    assert check(file_type(format_, file), rows)
    assert not check(file_type(format_, file), rows.drop_columns("_deleted"))
