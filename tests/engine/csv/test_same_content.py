"""Two files are the same where they have the same records, whatever the order of rows and columns."""

from __future__ import annotations

import pytest

from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.same_content import have_same_records

ONE = b"id,name\n1,Ana\n2,\n2,\n"


@pytest.mark.parametrize(
    "other",
    [ONE, b"id,name\n2,\n1,Ana\n2,\n", b"Name,ID\nAna,1\n,2\n,2\n", b'\xef\xbb\xbfid,name\r\n2,""\r\n2,\r\n"1","Ana"\r\n'],
    ids=["itself", "rows", "columns", "line ends"],
)
def test_order_case_of_headers_and_how_cells_are_quoted_make_no_difference(other: bytes) -> None:
    assert have_same_records(read_csv(ONE), read_csv(other))


@pytest.mark.parametrize(
    "other",
    [
        b"id,name\n1,Ana\n2,\n",
        b"id,name\n1,Ana\n1,Ana\n2,\n",
        b"id,name\n1,Ana\n2,\n02,\n",
        b"id,name\n1,ana\n2,\n2,\n",
        b"id,nick\n1,Ana\n2,\n2,\n",
        b"id,name,nick\n1,Ana,\n2,,\n2,,\n",
        b"id,name,name\n1,Ana,\n2,,\n2,,\n",
        b"id,name\n1,Ana\n2,\n2\n",
        b'id,name\n1,"Ana\n2,\n2,\n',
        b"",
    ],
    ids=["fewer", "others", "zeros", "case", "header", "wider", "twice", "damaged", "refused", "empty"],
)
def test_another_cell_column_or_number_of_rows_makes_another_file(other: bytes) -> None:
    assert not have_same_records(read_csv(ONE), read_csv(other))


def test_damaged_records_are_compared_too() -> None:
    damaged = read_csv(b"id,name\n1,Ana\n2\n")

    assert have_same_records(damaged, read_csv(b"id,name\n2\n1,Ana\n"))
    assert not have_same_records(damaged, read_csv(b"id,name\n1,Ana\n3\n"))


def test_two_empty_files_are_the_same() -> None:
    assert have_same_records(read_csv(b"id\n"), read_csv(b"id\n"))
