"""Which sections are now what others were."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.engine.planning.replaced_sections import IDENTITY, exchanged_classes, exchanged_sections

NAMES = ("section_id", *IDENTITY)


def sections(*rows: str) -> pa.Table:
    cells = [row.split(",") for row in rows]
    return pa.table({name: pa.array([row[at] or None for row in cells], pa.string()) for at, name in enumerate(NAMES)})


def exchanged(before: pa.Table, after: pa.Table) -> list[str]:
    return list(exchanged_sections(before, after).column("section_id").to_pylist())


MATH, ART, BIO = "m,e1,t1,Math,1,P1", "a,e1,t1,Art,2,P2", "b,e1,t1,Biology,3,P3"


def test_two_sections_whose_ids_were_swapped_and_three_whose_ids_slipped_are_told() -> None:
    before = sections(f"x1,{MATH}", f"x2,{ART}", f"x3,{BIO}")

    assert exchanged(before, sections(f"x1,{ART}", f"x2,{MATH.upper()}")) == ["x1", "x2"]
    assert exchanged(before, sections(f"x3,{MATH}", f"x1,{ART}", f"x2,{BIO}")) == ["x3", "x1", "x2"]


def test_a_section_that_only_changes_or_becomes_like_one_that_stays_is_not() -> None:
    before = sections(f"x1,{MATH}", f"x2,{ART}")

    assert exchanged(before, sections(f"x1,{BIO}")) == []
    assert exchanged(before, sections(f"x1,{ART}")) == []  # x2 does not change
    assert exchanged(before, sections(f"x1,{ART}", f"x2,{BIO}")) == ["x1"]


def test_what_several_sections_were_tells_none_of_them() -> None:
    before = sections(f"x1,{MATH}", f"x2,{MATH}", f"x3,{ART}")

    assert exchanged(before, sections(f"x1,{ART}", f"x2,{ART}", f"x3,{MATH}")) == ["x1", "x2"]
    assert exchanged(sections(f"x1,{MATH}", f"x2,{MATH}"), sections(f"x1,{ART}", f"x2,{BIO}")) == []


def classes(**students: str) -> dict[str, frozenset[str]]:
    return {section: frozenset(words) for section, words in students.items()}


def test_whole_classes_that_change_places_are_told_and_a_few_students_are_not() -> None:
    both, abc, acb = {"x1", "x2"}, classes(x1="abc", x2="def"), classes(x1="def", x2="abc")
    assert exchanged_classes(abc, acb, both) == {"x1", "x2"}
    assert exchanged_classes(abc, classes(x1="defg", x2="abc"), both) == {"x2"}
    assert exchanged_classes(classes(x1="ab", x2="de"), classes(x1="de", x2="ab"), both) == set()
    assert exchanged_classes(classes(x1="abc"), classes(x2="abc"), {"x1"}) == set()  # a class that goes on in a new section
    assert exchanged_classes(classes(x1="abc"), classes(x2="abc"), both) == {"x2"}  # x2 loses fewer than are compared
