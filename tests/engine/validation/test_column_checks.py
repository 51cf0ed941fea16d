"""Checks of a column that depend on the rest of the row, or on another feed."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.engine.validation.column_checks import FeedValues
from roster_etl.engine.validation.validate import ValidatedFile
from roster_etl.frames.arrow import REFUSED
from roster_etl.frames.similar_ids import SIMILAR
from roster_etl.spec import Choice, Column, CrossFeedMatch, Digits, File, RowCondition, Status, Unique
from tests.walking import found, judge, lines

PEOPLE = File(
    name="people",
    file_name="people.csv",
    title="People",
    source="1",
    key=("Id",),
    columns=(
        Column(name="Id", required=True, matches=CrossFeedMatch(table="users", column="user_id", option="other")),
        Column(
            name="Number",
            required=True,
            required_where=RowCondition(column="Role", values=("student",)),
            cell_format=Digits(),
            unique=Unique(),
        ),
        Column(name="Name", required=True, has_default=True),
        Column(name="Role", required=True, cell_format=Choice(options=("student", "teacher"), code="unknown_role")),
        Column(name="Status", required=True, cell_format=Status(options=("active", "deleted"))),
    ),
    deleted=RowCondition(column="Status", values=("deleted",)),
)


def _judge(*rows: str, known: tuple[str, ...] | None = None) -> ValidatedFile:
    others = {} if known is None else {"Id": FeedValues(source="canvas", values=pa.array(known))}
    return judge(PEOPLE, lines("Id,Number,Name,Role,Status", *rows), feed_values=others)


# ---- required in some rows


def test_a_cell_is_required_in_the_rows_that_the_spec_names() -> None:
    result = _judge("1,,a,student,active", "2,,b,teacher,active", "3,,c,Student,active")

    assert found(result) == [("reject", "missing_required", 2, "Number"), ("reject", "missing_required", 4, "Number")]


def test_a_broken_cell_refuses_its_row_where_it_is_required_and_is_emptied_elsewhere() -> None:
    result = _judge("1,x1,a,student,active", "2,x2,b,teacher,active")

    assert found(result) == [("reject", "bad_value", 2, "Number"), ("warning", "bad_value", 3, "Number")]
    assert result.rows["Number"].is_null().to_pylist() == [False, True]


def test_a_taken_value_refuses_its_row_where_it_is_required_and_is_emptied_elsewhere() -> None:
    result = _judge("1,7,a,student,active", "2,7,b,teacher,active", "3,7,c,student,active")

    assert found(result) == [("warning", "id_taken", 3, "Number"), ("reject", "id_taken", 4, "Number")]
    assert result.rows[REFUSED].to_pylist() == [False, False, True]
    assert [text.as_py() for text in result.findings.column("message")] == [
        "Number must be unique, and row 2 has this one, which keeps it. The value was left empty.",
        "Number must be unique, and row 2 has this one, which keeps it.",
    ]


def test_the_verdict_counts_the_rows_where_a_cell_is_required() -> None:
    result = _judge("1,,a,student,active", "2,,b,teacher,active", "3,7,c,student,active")
    counted = {line["rule"]: (line["judged"], line["failing"]) for line in result.verdicts.to_pylist()}

    assert (counted["Number: required"], counted["Number: present"]) == ((2, 1), (3, 2))


def test_a_column_that_some_rows_require_must_be_in_the_header() -> None:
    assert judge(PEOPLE, lines("Id,Name,Role,Status", "1,a,teacher,active")).refused == "missing_column"


# ---- made up for


def test_a_cell_that_is_made_up_for_may_be_empty_and_its_column_may_not_be_missing() -> None:
    assert found(_judge("1,7,,student,active")) == []
    assert judge(PEOPLE, lines("Id,Number,Role,Status", "1,7,teacher,active")).refused == "missing_column"


# ---- another word for what is wrong


def test_an_unknown_role_and_an_unknown_status_have_codes_of_their_own() -> None:
    result = _judge("1,7,a,pupil,active", "2,8,b,student,inactive")

    assert found(result) == [("reject", "unknown_role", 2, "Role"), ("reject", "bad_status", 3, "Status")]


# ---- another feed


def test_a_value_that_the_other_feed_lacks_is_doubtful_and_applies() -> None:
    result = _judge("1,7,a,student,active", "01,8,b,student,active", known=("1", "2"))

    assert found(result) == [("warning", "unknown_reference", 3, "Id")]
    assert result.findings.column("message")[0].as_py().endswith(SIMILAR)
    assert result.rows_accepted == 2


def test_rows_that_do_not_apply_are_not_compared() -> None:
    assert found(_judge("8,7,a,student,deleted", "9,,b,student,active", known=("1",))) == [
        ("reject", "missing_required", 3, "Number")
    ]


def test_nothing_is_compared_without_another_feed() -> None:
    assert found(_judge("1,7,a,student,active")) == []
