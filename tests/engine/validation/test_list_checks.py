"""Lists in one cell: what is read, what is dropped, and what refuses a row."""

from __future__ import annotations

import pytest

from roster_etl.engine.validation.validate import ReferencedFile
from roster_etl.frames.arrow import REFUSED
from roster_etl.spec import Choice, Column, File, Identifier, ListOf, Reference, SelfReference
from tests.walking import found, judge, lines, rows

TERMS = File(name="terms", file_name="terms.csv", title="Terms", source="1", key=("id",), columns=(Column("id", required=True),))


def _file(column: Column, *rules: SelfReference) -> File:
    columns = (Column("id", required=True), column)
    return File(name="f", file_name="f.csv", title="F", source="1", key=("id",), columns=columns, rules=rules)


@pytest.mark.parametrize(
    ("form", "cell", "expected", "codes"),
    [
        (ListOf(), '"a,b"', "a,b", []),
        (ListOf(), '" a, b,,c "', "a,b,c", ["trimmed", "trimmed"]),
        (ListOf(), '",,"', None, ["trimmed"]),
        (ListOf(), '"[""a""]"', None, ["list_mismatch"]),
        (ListOf(Choice(("x", "y"))), '"x,z"', "x", ["bad_value"]),
        (ListOf(Choice(("x", "y"))), "z", None, ["bad_value"]),
        (ListOf(Identifier()), '"ok,not ok"', "ok", ["bad_id"]),
        (ListOf(pairs=True), '"{State:1},{Local:a:b}"', "{State:1},{Local:a:b}", []),
        (ListOf(pairs=True), '"{ State : 1 }"', "{State:1}", ["trimmed"]),
        (ListOf(pairs=True), "State:1", "{State:1}", ["bad_value"]),
        (ListOf(pairs=True), "12345", None, ["list_mismatch"]),
        (ListOf(pairs=True), "{:1}", None, ["list_mismatch"]),
    ],
)
def test_a_list_is_read_as_its_items(form: ListOf, cell: str, expected: str | None, codes: list[str]) -> None:
    result = judge(_file(Column("items", cell_format=form)), lines("id,items", f"1,{cell}"))

    assert [finding[1] for finding in found(result)] == codes
    assert rows(result)[0].get("items") == expected


def test_an_item_that_names_nothing_is_dropped_and_a_required_list_with_none_left_refuses_its_row() -> None:
    terms = ReferencedFile(rows=judge(TERMS, lines("id", "s1", "s2")).rows, file_name="terms.csv")
    column = Column("terms", required=True, cell_format=ListOf(), references=Reference("terms", "id"))
    result = judge(_file(column), lines("id,terms", '1,"s1,s2"', '2,"s1,s9"', "3,s9"), {"terms": terms})

    assert found(result) == [("warning", "unknown_reference", 3, "terms"), ("reject", "unknown_reference", 4, "terms")]
    assert [(row.get("terms"), row[REFUSED]) for row in rows(result)][:2] == [("s1,s2", False), ("s1", False)]


def test_items_may_name_rows_of_their_own_file() -> None:
    rule = SelfReference(column="friends", key="id", loops=True)
    result = judge(_file(Column("friends", cell_format=ListOf()), rule), lines("id,friends", '1,"2,3"', "2,1"))

    assert found(result) == [("warning", "unknown_reference", 2, "friends")]
    assert [row.get("friends") for row in rows(result)] == ["2", "1"]


def test_a_strict_upload_refuses_what_is_only_told_otherwise() -> None:
    file = _file(Column("items", cell_format=ListOf(Choice(("x", "y")))))
    result = judge(file, lines("id,items", '1,"x,z"'), strict=True)

    assert found(result) == [("reject", "bad_value", 2, "items")]
