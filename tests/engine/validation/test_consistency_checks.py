"""Cells that must agree with others: what is told, what is cleared, and what refuses a row."""

from __future__ import annotations

from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile
from roster_etl.frames.arrow import unsure_name
from roster_etl.spec import (
    AllowedOnlyWhere,
    AtMostOne,
    Column,
    Date,
    File,
    ListOf,
    Reference,
    ReferencedRecordType,
    RowRule,
    SameLength,
    SelfReference,
    WithinPeriods,
)
from tests.walking import found, judge, lines, rows

_DAY = Date(pattern="YYYY-MM-DD")


def _file(rule: RowRule, *columns: Column, name: str = "f") -> File:
    every = (Column("id", required=True), *columns)
    return File(name=name, file_name=f"{name}.csv", title="F", source="1", key=("id",), columns=every, rules=(rule,))


def _other(text: str, *names: str) -> ReferencedFile:
    columns = (Column("id", required=True), *(Column(name, cell_format=ListOf()) for name in names))
    file = File(name="o", file_name="o.csv", title="O", source="1", key=("id",), columns=columns)
    return ReferencedFile(rows=judge(file, text).rows, file_name="o.csv")


def test_lists_that_belong_together_are_equally_long() -> None:
    file = _file(SameLength(columns=("a", "b")), Column("a", cell_format=ListOf()), Column("b", cell_format=ListOf()))

    assert found(judge(file, lines("id,a,b", '1,"x,y","1,2"', '2,"x,y",1', "3,x,"))) == [("warning", "list_mismatch", 3, "a, b")]


def test_a_loop_of_parents_refuses_its_rows_and_no_others() -> None:
    file = _file(SelfReference(column="parent", key="id"), Column("parent"))
    text = lines("id,parent", "a,b", "b,c", "c,a", "d,a", "e,e", "f,", "g,f", "h,nowhere")

    assert found(judge(file, text)) == [
        ("reject", "loop", 2, "parent"),
        ("reject", "loop", 3, "parent"),
        ("reject", "loop", 4, "parent"),
        ("reject", "loop", 6, "parent"),
        ("warning", "unknown_reference", 9, "parent"),
    ]


def test_a_record_of_another_type_is_told_and_kept() -> None:
    rule = ReferencedRecordType(column="school", file="o", key="id", type_column="type", expected=("school",))
    result = judge(
        _file(rule, Column("school")),
        lines("id,school", "1,s", "2,d", "3,"),
        {"o": _other(lines("id,type", "s,School", "d,district"), "type")},
    )

    assert found(result) == [("warning", "type_mismatch", 3, "school")]
    assert rows(result)[1]["school"] == "d"


def test_one_at_a_time_is_the_main_one() -> None:
    rule = AtMostOne(by=("class",), where=(("role", "teacher"), ("main", "true")), begin="from", end="to")
    columns = (Column("class"), Column("role"), Column("main"), Column("from", cell_format=_DAY), Column("to", cell_format=_DAY))
    text = lines(
        "id,class,role,main,from,to",
        "1,a,teacher,true,2026-08-01,2026-12-01",
        "2,a,teacher,true,2026-12-01,",
        "3,b,teacher,TRUE,,",
        "4,b,teacher,true,2026-08-01,",
        "5,b,student,true,,",
        "6,c,teacher,true,,",
    )

    assert found(judge(_file(rule, *columns), text)) == [
        ("warning", "several_primary", 4, "main"),
        ("warning", "several_primary", 5, "main"),
    ]


def test_a_cell_without_a_meaning_in_its_row_is_ignored() -> None:
    file = _file(AllowedOnlyWhere(column="main", of="role", values=("teacher",)), Column("main"), Column("role"))
    result = judge(file, lines("id,main,role", "1,true,teacher", "2,true,student", "3,,student"))

    assert found(result) == [("info", "ignored_value", 3, "main")]
    assert [row.get("main") for row in rows(result)] == ["true", None, None]


def test_dates_outside_all_terms_of_the_class_are_told() -> None:
    rule = WithinPeriods(
        begin="from",
        end="to",
        column="class",
        file="o",
        key="id",
        periods="terms",
        period_file="t",
        period_key="id",
        start="start",
        finish="end",
    )
    columns = (Column("class"), Column("from", cell_format=_DAY), Column("to", cell_format=_DAY))
    others = {
        "o": _other(lines("id,terms", 'c,"s1,s2"', "n,"), "terms"),
        "t": _other(lines("id,start,end", "s1,2026-08-01,2026-12-01", "s2,2027-01-01,2027-06-01"), "start", "end"),
    }
    text = lines(
        "id,class,from,to", "1,c,2026-08-01,2027-06-01", "2,c,2026-07-31,", "3,c,,2027-06-02", "4,n,2020-01-01,", "5,c,,"
    )

    assert found(judge(_file(rule, *columns), text, others)) == [
        ("warning", "outside_term", 3, "from, to"),
        ("warning", "outside_term", 4, "from, to"),
    ]


def _unsure(result: ValidatedFile, column: str) -> list[bool]:
    name = unsure_name(column)
    return result.rows.column(name).to_pylist() if name in result.rows.column_names else [False] * result.rows.num_rows


def _message(result: ValidatedFile, row: int) -> str:
    (found_,) = [finding["message"] for finding in result.findings.to_pylist() if finding["row"] == row]
    return str(found_)


def test_a_parent_that_was_merely_rejected_is_unsure_and_an_unknown_one_is_not() -> None:
    file = _file(SelfReference(column="parent", key="id"), Column("parent"), Column("name", required=True))
    result = judge(file, lines("id,parent,name", "a,,", "b,a,B", "c,nowhere,C"))

    assert _unsure(result, "parent") == [False, True, False]
    assert _message(result, 3) == "No accepted row of the file has this id. A known record keeps the value that it has."
    assert _message(result, 4) == "No accepted row of the file has this id. The value was left empty."


def test_an_item_that_was_merely_rejected_makes_its_list_unsure() -> None:
    file = _file(SelfReference(column="agents", key="id"), Column("agents", cell_format=ListOf()), Column("name", required=True))
    result = judge(file, lines("id,agents,name", "a,,", 'b,"a,c",B', "c,nowhere,C"))

    assert _unsure(result, "agents") == [False, True, False]
    assert [row.get("agents") for row in rows(result)] == [None, "c", None]


def _of_schools(*schools: str) -> ValidatedFile:
    """Return classes with a school each, s1, s2 and s9, where the file of schools has these rows; one without a name is rejected."""
    file = File(
        name="o",
        file_name="o.csv",
        title="O",
        source="1",
        key=("id",),
        columns=(Column("id", required=True), Column("name", required=True)),
    )
    other = ReferencedFile(rows=judge(file, lines("id,name", *schools)).rows, file_name="o.csv")
    classes = File(
        name="f",
        file_name="f.csv",
        title="F",
        source="1",
        key=("id",),
        columns=(Column("id", required=True), Column("school", references=Reference("o", "id"))),
    )
    return judge(classes, lines("id,school", "1,s1", "2,s2", "3,s9"), {"o": other})


def test_a_reference_to_a_rejected_row_of_another_file_is_unsure() -> None:
    result = _of_schools("s1,", "s2,Two")

    assert _unsure(result, "school") == [True, False, False]
    assert [row.get("school") for row in rows(result)] == [None, "s2", None]


def test_where_no_row_of_the_other_file_was_accepted_all_references_are_unsure() -> None:
    result = _of_schools("s1,", "s2,")

    assert _unsure(result, "school") == [True, True, True]
    assert [row.get("school") for row in rows(result)] == [None, None, None]
    (finding,) = result.findings.to_pylist()
    assert (finding["severity"], finding["count"]) == ("warning", 3)
    assert finding["message"].endswith(" Known records keep the values that they have.")
