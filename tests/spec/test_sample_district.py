"""What the sample districts share: hard names and ids, classes, and the making of a next day."""

from __future__ import annotations

from random import Random

from roster_etl.spec.sample_district import (
    CLASS_SIZE,
    FIRST_NAMES,
    LAST_NAMES,
    Level,
    NextDay,
    classes,
    places_of,
    school_name,
    student_id,
    student_name,
)
from roster_etl.spec.sample_types import SampleChange

LEVELS = (Level(kind="Primary", grades=("1", "2"), courses=("Math",)), Level(kind="High", grades=("9",), courses=("Art",)))


def test_the_first_students_have_every_name_and_ids_that_look_like_numbers():
    names = [student_name(n, Random(1)) for n in range(max(len(FIRST_NAMES), len(LAST_NAMES)))]

    assert {first for first, _ in names} >= set(FIRST_NAMES)
    assert {last for _, last in names} >= set(LAST_NAMES)
    assert [student_id(n, "S") for n in range(4)] == ["007", "7", "1E5", "S1001"]


def test_schools_take_turns_in_their_levels_and_get_a_number_once_names_are_used_up():
    assert places_of(["a", "b", "c"], LEVELS) == [("a", "1"), ("a", "2"), ("b", "9"), ("c", "1"), ("c", "2")]
    assert [school_name(n, ("Oak",), "High") for n in (0, 1)] == ["Oak High", "Oak High 1"]


def test_a_grade_is_split_into_classes():
    pupils = [{"grade": "1"}] * (CLASS_SIZE + 1) + [{"grade": "2"}]

    assert [(grade, group, len(members)) for grade, group, members in classes(LEVELS[0], pupils, "grade")] == [
        ("1", 1, CLASS_SIZE),
        ("1", 2, 1),
        ("2", 1, 1),
    ]


def test_nobody_is_chosen_twice_for_the_next_day():
    day = NextDay({}, Random(1), (str(n) for n in range(300)))
    *groups, rest = day.choose(2, spare=1)

    assert [len(group) for group in (*groups, rest)] == [3, 3, 1]
    assert len({one for group in (*groups, rest) for one in group}) == 7


def test_the_next_day_changes_a_copy_and_lists_what_changed():
    today = {"people": [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}], "links": [{"person": "1"}]}
    day = NextDay(today, Random(1), ["1", "2"])
    day.remove(["1"], {"people": "id", "links": "person"}, "left")
    day.rename(["2"], "people", "id", "name")
    day.set_cell("people", "id", "2", "id", "3")
    day.note("created", "links", 0, "are new")

    assert day.result() == (
        {"people": [{"id": "3", "name": "B-Rivera"}], "links": []},
        (
            SampleChange(kind="removed", file="people", count=1, what="left"),
            SampleChange(kind="updated", file="people", count=1, what="have a new last name"),
        ),
    )
    assert len(today["people"]) == 2
