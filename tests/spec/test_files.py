"""What a file's spec may not say."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.spec import Column, File, Format, FormatError, Option

COLUMNS = (Column(name="Id", required=True), Column(name="Name"))
SWITCH = Option(name="any_order", default="false", kind="switch", meaning="Any order.")


def _file(**how: Any) -> File:
    return File(**({"name": "f", "file_name": "f.csv", "title": "F", "source": "1", "key": ("Id",), "columns": COLUMNS} | how))


def test_a_published_order_names_each_column_once() -> None:
    assert _file(orders=(("Name", "Id"),)).orders
    for order in (("Name",), ("Name", "Id", "Id"), ("Name", "Other")):
        with pytest.raises(ValueError, match="order"):
            _file(orders=(order,))


def test_a_file_that_is_given_once_is_not_required_of_every_upload() -> None:
    assert _file(required=False, lasting=True).lasting
    with pytest.raises(ValueError, match="once"):
        _file(lasting=True)


def test_records_within_a_row_are_made_of_known_columns() -> None:
    with pytest.raises(ValueError, match="Other"):
        _file(records=(("Name", "Other"),))


def test_the_option_that_relaxes_the_order_of_columns_exists() -> None:
    how: dict[str, Any] = {"name": "f", "title": "F", "document": "d", "version": "1", "mode": "snapshot", "files": (_file(),)}

    assert Format(**how, options=(SWITCH,), fixed_column_order=True, column_order_option="any_order")
    with pytest.raises(FormatError, match="any_order"):
        Format(**how, fixed_column_order=True, column_order_option="any_order")
