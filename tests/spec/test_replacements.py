"""Replace rules: which columns they may name, and how a rule is found."""

from __future__ import annotations

import pytest

from roster_etl.spec import Column, Family, File, Format, Reference, Unique
from roster_etl.spec.replacements import BadReplacements, check_replacements, replacement_codes

HOMES = File(name="homes", file_name="homes.csv", title="Homes", source="1", key=("home_id",), columns=(Column(name="home_id"),))
PETS = File(
    name="pets",
    file_name="pets.csv",
    title="Pets",
    source="2",
    key=("pet_id",),
    columns=(
        Column(name="pet_id"),
        Column(name="home_id", references=Reference(file="homes", column="home_id")),
        Column(name="chip", unique=Unique()),
        Column(name="size", aliases=("Pet.Size",)),
        Column(name="word", secret=True),
    ),
    families=(Family(pattern="home_{n}_id", first=2, last=None, references=Reference(file="homes", column="home_id")),),
    extensions=("ext.",),
)
FORMAT = Format(name="pets", title="Pets", document="d", version="1", mode="snapshot", files=(HOMES, PETS))


def test_columns_are_named_in_any_case_by_an_alias_or_as_an_extension() -> None:
    check_replacements(FORMAT, {" SIZE ": {"s": "S"}, "ext.Colour": {"b": "blue"}})
    check_replacements(FORMAT, {"pet.size": {"s": "S", "n/a": ""}})


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"sise": {}}, '"sise" is no column of the format; columns that can be named: size'),
        ({"ext.": {}}, '"ext." is no column'),
        ({"pet_id": {}}, '"pet_id" cannot be replaced: it is an id'),
        ({"home_id": {}}, '"home_id" cannot be replaced'),
        ({"home_2_id": {}}, '"home_2_id" cannot be replaced'),
        ({"chip": {}}, '"chip" cannot be replaced'),
        ({"word": {}}, '"word" cannot be replaced: it is an id, or is never read'),
        ({"size": {}, "Pet.Size": {}}, '"Pet.Size" is named twice'),
        ({"size": {" ": "S"}}, '"size" has a rule for the empty cell'),
        ({"size": {"s": "S", " S": "M"}}, '"size" has two rules for one value'),
    ],
)
def test_rules_that_could_not_do_what_they_say_are_refused(rules: dict[str, dict[str, str]], problem: str) -> None:
    with pytest.raises(BadReplacements) as error:
        check_replacements(FORMAT, rules)

    assert problem in error.value.message


def test_all_problems_are_told_at_once_and_no_value_is() -> None:
    with pytest.raises(BadReplacements) as error:
        check_replacements(FORMAT, {"sise": {}, "size": {"hush": "S", "HUSH": "M"}})

    assert "sise" in error.value.message
    assert "two rules" in error.value.message
    assert "hush" not in error.value.message.casefold()


def test_neither_case_nor_white_space_at_the_edges_counts() -> None:
    assert replacement_codes(PETS, "size", {"SIZE": {" Little ": " S "}}) == {"little": "S"}


def test_a_rule_under_an_alias_is_the_columns() -> None:
    assert replacement_codes(PETS, "size", {"pet.size": {"l": "L"}}) == {"l": "L"}


def test_an_extension_has_rules_of_its_own() -> None:
    assert replacement_codes(PETS, "ext.Colour", {"EXT.colour": {"b": "blue"}}) == {"b": "blue"}


@pytest.mark.parametrize("name", ["pet_id", "home_id", "home_2_id", "chip", "word", "other"])
def test_ids_and_what_is_never_read_have_no_rules(name: str) -> None:
    assert replacement_codes(PETS, name, {name: {"a": "b"}}) == {}
