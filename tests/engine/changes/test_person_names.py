"""What a person is called, from whatever is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roster_etl.engine.changes.person_names import derive_names, to_sortable_name


@pytest.mark.parametrize(
    ("full", "surname", "expected"),
    [
        ("Ann Lee", None, "Lee, Ann"),
        ("Plato", None, "Plato"),
        ("Ana Maria de la Cruz", None, "Cruz, Ana Maria de la"),
        ("Ana Maria de la Cruz", "de la Cruz", "de la Cruz, Ana Maria"),
        ("Cruz", "Cruz", "Cruz"),
        ("Martin King Jr.", None, "King, Martin Jr."),
        ("Martin King, Jr.", None, "King, Martin Jr."),
        ("Henry Tudor VIII", None, "VIII, Henry Tudor"),
        ("Louis Bell IV", None, "Bell, Louis IV"),
        ("Ann Vi", None, "Vi, Ann"),
        ("  Ann   Lee ", None, "Lee, Ann"),
    ],
)
def test_a_name_to_sort_by_has_the_surname_first_and_the_suffix_last(full: str, surname: str | None, expected: str) -> None:
    assert to_sortable_name(full, surname) == expected


def _named(given: dict[str, Any], before: dict[str, Any] | None = None) -> tuple[str, str, str, list[str]]:
    found = derive_names(given, before, "login")
    return found["full_name"], found["sortable_name"], found["short_name"], json.loads(found["derived"])


def test_a_given_name_is_not_derived_any_more() -> None:
    first = derive_names({"first_name": "Ann", "last_name": "Lee"}, None, "login")
    then = _named({"full_name": "Ann Lee", "sortable_name": "Lee, Ann", "short_name": "Annie"}, first)

    assert json.loads(first["derived"]) == ["full_name", "short_name", "sortable_name"]
    assert then == ("Ann Lee", "Lee, Ann", "Annie", [])


def test_first_and_last_name_give_the_name_to_sort_by_although_the_surname_has_several_words() -> None:
    assert _named({"first_name": "Ben", "last_name": "van der Berg"})[:2] == ("Ben van der Berg", "van der Berg, Ben")


def test_one_of_first_and_last_name_is_enough() -> None:
    assert _named({"last_name": "Lee"})[:2] == ("Lee", "Lee")


def test_a_known_short_name_stays_when_the_name_changes() -> None:
    before = {"full_name": "Ann Lee", "sortable_name": "Lee, Ann", "short_name": "Annie", "derived": "[]"}

    assert _named({"full_name": "Ann Smith"}, before)[:3] == ("Ann Smith", "Smith, Ann", "Annie")
