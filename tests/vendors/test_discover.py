"""How vendors are found."""

from __future__ import annotations

import pytest

from roster_etl.vendors import UnknownVendor, discover_vendors, vendor


def test_vendors_are_found_by_their_folders_without_the_template() -> None:
    assert "clever" in discover_vendors()
    assert not [name for name in discover_vendors() if name.startswith("_")]


def test_a_vendor_is_named_as_its_format_and_folder() -> None:
    assert all(name == found.format.name == found.folder().name for name, found in discover_vendors().items())


def test_an_option_that_names_a_format_takes_the_others_there_are() -> None:
    options = [
        (name, option) for name, found in discover_vendors().items() for option in found.format.options if option.kind == "format"
    ]

    assert options
    assert all({name, *option.choices} == set(discover_vendors()) and name not in option.choices for name, option in options)


def test_an_unknown_vendor_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownVendor) as error:
        vendor("clevr")

    assert error.value.code == "unknown_format"
    assert "clever" in str(error.value)
