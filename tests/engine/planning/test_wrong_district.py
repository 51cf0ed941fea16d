"""Whether an upload looks like the district's own."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.engine.planning.wrong_district import count_same_people, detect_foreign_upload

SCHEMA = pa.schema(
    [
        ("user_kind", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("email", pa.string()),
        ("birth_date", pa.date32()),
    ]
)


def person(number: int, **cells: Any) -> dict[str, Any]:
    born = datetime.date(2010, 1, 1) + datetime.timedelta(days=number)
    return {"user_kind": "student", "first_name": "Ann", "last_name": f"Name{number}", "birth_date": born, **cells}


def people(numbers: range, **cells: Any) -> pa.Table:
    return pa.Table.from_pylist([person(number, **cells) for number in numbers], schema=SCHEMA)


def test_an_upload_with_few_ids_in_common_is_another_districts() -> None:
    assert detect_foreign_upload(people(range(95)), people(range(500, 600)), current=100) == "another_district"
    assert detect_foreign_upload(people(range(90)), people(range(500, 600)), current=100) is None


def test_the_same_people_under_other_ids_are_renumbered() -> None:
    assert detect_foreign_upload(people(range(100)), people(range(50, 150)), current=100) == "renumbered"
    assert detect_foreign_upload(people(range(40)), people(range(20, 60)), current=1000) == "renumbered"
    assert detect_foreign_upload(people(range(40)), people(range(21, 61)), current=1000) is None


def test_a_handful_tells_nothing() -> None:
    assert detect_foreign_upload(people(range(19)), people(range(19)), current=19) is None
    assert detect_foreign_upload(people(range(100)), people(range(19)), current=100) is None


def test_twenty_tell_enough() -> None:
    assert detect_foreign_upload(people(range(20)), people(range(20)), current=20) == "renumbered"
    assert detect_foreign_upload(people(range(20)), people(range(500, 600)), current=20) == "another_district"
    assert detect_foreign_upload(people(range(100)), people(range(500, 520)), current=100) == "another_district"


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        ({}, 3),
        ({"last_name": "Other"}, 0),
        ({"first_name": "ANN"}, 3),
        ({"user_kind": "teacher"}, 0),
        ({"birth_date": None}, 0),
        ({"first_name": None}, 0),
    ],
)
def test_people_are_the_same_by_names_and_date_of_birth(cells: dict[str, Any], count: int) -> None:
    assert count_same_people(people(range(3)), people(range(3), **cells)) == count


def test_people_are_the_same_by_their_address() -> None:
    mail, other = {"email": "a@example.org"}, {"email": "A@Example.org", "last_name": "Wed", "birth_date": None}

    assert count_same_people(people(range(1), **mail), people(range(1), **other)) == 1
    assert count_same_people(people(range(1), birth_date=None), people(range(1), birth_date=None)) == 0
