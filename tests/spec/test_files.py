"""What a specification of a file refuses to say."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.spec import Column, CrossFeedMatch, File, Format, FormatError, Option, RowCondition, Status

WHERE = RowCondition(column="Role", values=("student",))


@pytest.mark.parametrize(
    "how",
    [
        {"required_where": WHERE},
        {"has_default": True},
        {"required": True, "required_where": WHERE, "has_default": True},
        {"required": True, "optional_if_option": "number_required", "required_where": WHERE},
    ],
)
def test_which_cells_are_required_is_said_of_a_required_column_once(how):
    with pytest.raises(ValueError, match="Column Number"):
        Column(name="Number", **how)


@pytest.mark.parametrize(
    ("how", "optional"),
    [
        ({}, True),
        ({"required": True}, False),
        ({"required": True, "required_where": WHERE}, True),
        ({"required": True, "has_default": True}, True),
        ({"required": True, "optional_if_option": "number_required"}, True),
    ],
)
def test_a_column_knows_whether_its_cells_may_be_empty(how, optional):
    assert Column(name="Number", **how).optional_cells is optional


def test_rows_are_chosen_by_values():
    with pytest.raises(ValueError, match="RowCondition: values of Role"):
        RowCondition(column="Role", values=())


@pytest.mark.parametrize("how", [{"deleted": WHERE}, {"columns": (Column(name="Id", required=True, required_where=WHERE),)}])
def test_rows_are_chosen_by_a_column_of_the_file(how):
    made = {"name": "f", "file_name": "f.csv", "title": "F", "source": "1", "key": ("Id",), "columns": (Column(name="Id"),)}

    with pytest.raises(ValueError, match="unknown columns Role"):
        File(**made | how)


def test_a_match_names_an_option_of_its_format_that_is_a_format():
    match = CrossFeedMatch(table="users", column="user_id", option="other")
    file = File(name="f", file_name="f.csv", title="F", source="1", key=("Id",), columns=(Column(name="Id", matches=match),))
    option = Option(name="other", default="", kind="format", optional=True, meaning="m")
    made = {"name": "x", "title": "X", "document": "d", "version": "1", "mode": "snapshot", "files": (file,)}

    assert Format(**made, options=(option,)).file("f") is file
    with pytest.raises(FormatError, match="x/f: Id needs an option other of kind format"):
        Format(**made)


@pytest.mark.parametrize("options", [(), ("Active",), (" active",)])
def test_a_status_has_words_in_lower_case(options):
    with pytest.raises(ValueError, match="Status"):
        Status(options=options)


COLUMNS = (Column(name="Id", required=True), Column(name="Name"))
SWITCH = Option(name="any_order", default="false", kind="switch", meaning="Any order.")


def _file(**how: Any) -> File:
    return File(**({"name": "f", "file_name": "f.csv", "title": "F", "source": "1", "key": ("Id",), "columns": COLUMNS} | how))


def test_a_published_order_names_each_column_once() -> None:
    assert _file(other_column_orders=(("Name", "Id"),)).other_column_orders
    for order in (("Name",), ("Name", "Id", "Id"), ("Name", "Other")):
        with pytest.raises(ValueError, match="order"):
            _file(other_column_orders=(order,))


def test_a_file_that_is_given_once_is_not_required_of_every_upload() -> None:
    assert _file(required=False, carried_forward=True).carried_forward
    with pytest.raises(ValueError, match="carried_forward"):
        _file(carried_forward=True)


def test_records_within_a_row_are_made_of_known_columns() -> None:
    with pytest.raises(ValueError, match="Other"):
        _file(record_groups=(("Name", "Other"),))


def test_the_option_that_relaxes_the_order_of_columns_exists() -> None:
    how: dict[str, Any] = {"name": "f", "title": "F", "document": "d", "version": "1", "mode": "snapshot", "files": (_file(),)}

    assert Format(**how, options=(SWITCH,), fixed_column_order=True, column_order_option="any_order")
    with pytest.raises(FormatError, match="any_order"):
        Format(**how, fixed_column_order=True, column_order_option="any_order")


@pytest.mark.parametrize(("how", "name"), [({}, "pupils.csv"), ({"file_name": "Pupils 1.CSV"}, "Pupils 1.CSV")])
def test_a_file_is_called_by_its_kind_unless_its_format_has_another_name_for_it(how, name):
    assert File(name="pupils", title="P", source="1", key=("Id",), columns=(Column(name="Id"),), **how).file_name == name
