"""People who take the place of others under their ids."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.engine.planning.replaced_people import renamed_people, replaced_people

PERSONS = pa.schema([(name, pa.string()) for name in ("user_kind", "user_id", "first_name", "last_name", "email")])
BORN = pa.schema([("user_kind", pa.string()), ("user_id", pa.string()), ("birth_date", pa.date32())])
DAY, OTHER_DAY = datetime.date(2014, 1, 2), datetime.date(2012, 2, 2)
ADA = {"first_name": "Ada", "last_name": "Abel", "email": "ada@example.org", "birth_date": DAY}
BO = {"first_name": "Bo", "last_name": "Brand", "email": "bo@example.org", "birth_date": OTHER_DAY}
TWIN = ADA | {"first_name": "Ida", "email": "ida@example.org"}
NOTHING = {"email": None, "birth_date": None}

People = dict[str, dict[str, Any]]


def replaced(before: People, after: People) -> tuple[list[str], list[str]]:
    """Return the ids of strangers, and of people who moved."""
    (known, born), (told, born_now) = (_tables(side) for side in (before, after))
    found = replaced_people(*renamed_people(known, told), born, born_now)
    strangers, moved = (sorted(rows.column("user_id").to_pylist()) for rows in (found.strangers, found.moved))
    return strangers, moved


def _tables(people: People) -> tuple[pa.Table, pa.Table]:
    rows = [{"user_kind": "student", "user_id": id_, **cells} for id_, cells in people.items()]
    persons = pa.Table.from_pylist(rows, schema=PERSONS)
    return persons, pa.Table.from_pylist([row for row in rows if row["birth_date"]], schema=BORN)


@pytest.mark.parametrize("lacks", [{}, NOTHING], ids=["all cells", "names only"])
def test_ids_that_were_swapped_between_twins_are_told_on_both(lacks: dict[str, Any]) -> None:
    ada, twin = ADA | lacks, TWIN | lacks

    assert replaced({"s1": ada, "s2": twin}, {"s2": ada, "s1": twin, "s3": BO}) == ([], ["s1", "s2"])


def test_ids_that_slipped_by_a_row_are_told_and_the_one_that_is_new_is_a_stranger() -> None:
    before = {"s1": ADA, "s2": TWIN, "s3": BO}
    new = {"first_name": "Cy", "last_name": "Cole", "email": None, "birth_date": None}

    assert replaced(before, {"s1": new, "s2": ADA, "s3": TWIN}) == (["s1"], ["s2", "s3"])


@pytest.mark.parametrize(
    "kept",
    [
        {"first_name": "ADÁ"},
        {"last_name": "Brand Abel"},
        {"first_name": "Abel", "last_name": "Ada"},
        {"email": "Ada@example.org"},
        {"birth_date": DAY},
    ],
    ids=["first name", "one of two last names", "names in the other columns", "e-mail address", "date of birth"],
)
def test_one_thing_that_stays_is_enough_for_the_same_person(kept: dict[str, Any]) -> None:
    assert replaced({"s1": ADA}, {"s1": BO | kept}) == ([], [])


@pytest.mark.parametrize("lacks", ["before", "after", "both"])
def test_what_one_side_does_not_have_is_no_likeness(lacks: str) -> None:
    before = ADA | (NOTHING if lacks != "after" else {})
    after = BO | (NOTHING if lacks != "before" else {})

    assert replaced({"s1": before}, {"s1": after}) == (["s1"], [])


def test_a_new_record_and_one_without_any_name_replace_nobody() -> None:
    assert replaced({"s1": ADA | {"first_name": None, "last_name": None}}, {"s1": BO, "s2": ADA}) == ([], [])
