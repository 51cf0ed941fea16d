"""How a file of an export is built."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from roster_etl.exports.build import build_file
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import OutColumn, OutFile


@pytest.mark.parametrize(("how", "written"), [({}, ["a", "b", "c"]), ({"key": ("courses.name",)}, ["c", "a", "b"])])
def test_a_file_has_the_rows_of_its_table_in_the_order_of_their_key_unless_it_says_otherwise(how, written):
    table = pa.table({"course_id": ["b", "c", "a"], "name": ["3", "1", "2"]})
    work = ExportTables({"courses": table}, "0612", "Lincoln", "UTC", dt.datetime(2026, 9, 1, tzinfo=dt.UTC), {})
    file = OutFile("courses.csv", table="courses", columns=(OutColumn("id", value="courses.course_id"),), **how)

    assert build_file(work, file, "keep").cells["id"].to_pylist() == written
