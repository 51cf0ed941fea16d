"""Cells that are missing because a row of another file was rejected: which they are, through steps and expressions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.mapper import SourceFile, map_table
from roster_etl.engine.transform.unsure_cells import unsure_cells
from roster_etl.frames.arrow import REFUSED, unsure_name
from roster_etl.mapping.column_plan import Const, FirstOf, From, Lookup, Mapping, OnlyRows
from roster_etl.mapping.value_functions import joined
from roster_etl.spec import RowCondition
from tests.engine.transform.test_row_steps import _run, _table

PEOPLE = _table({"id": "a"}, {"id": "b"}, {"id": "c"})
ACCEPTED = Lookup(file="births", on="id", key="user", take={"born": "date"}, accepted=True)
STUDENT = Lookup(file="roles", on="id", key="user", take={"kind": "role"}, where=RowCondition(column="role", values=("student",)))


def unsure(step: Lookup, column: str, **files: pa.Table) -> list[bool]:
    rows = _run(step, PEOPLE, **files)[0]
    return rows.column(unsure_name(column)).to_pylist() if unsure_name(column) in rows.column_names else [False] * 3


def test_a_value_of_a_rejected_row_is_unsure_unless_an_accepted_row_has_one() -> None:
    births = _table({"user": "a", "date": "1"}, {"user": "b", "date": "2"}, {"user": "b", "date": "3"}, refused=(0, 1))

    assert unsure(ACCEPTED, "born", births=births) == [True, False, False]


@pytest.mark.parametrize(("word", "flagged"), [("student", True), ("scholarship-x", True), (None, True), ("teacher", False)])
def test_a_rejected_row_that_may_meet_the_condition_makes_its_value_unsure(word: str | None, flagged: bool) -> None:
    roles = _table({"user": "a", "role": word}, {"user": "b", "role": "teacher"}, refused=(0,))

    assert unsure(STUDENT, "kind", roles=roles) == [flagged, False, False]


def test_a_record_that_an_unsure_value_leaves_out_counts_as_seen() -> None:
    roles = _table({"user": "a", "role": "scholarship-x"}, {"user": "b", "role": "student"}, refused=(0,))
    rows = _run(STUDENT, PEOPLE, roles=roles)[0]

    left, findings = _run(OnlyRows(column="kind", values=("student",), code="not_a_student", message="x", given=("id",)), rows)

    assert left.select(["id", REFUSED]).to_pylist() == [{"id": "a", REFUSED: True}, {"id": "b", REFUSED: False}]
    assert findings == [("not_a_student", 4)]


def test_the_first_choice_that_has_a_value_is_sure() -> None:
    rows = pa.table({"own": ["x", None], "joined": pa.nulls(2, pa.string()), unsure_name("joined"): [True, True]})
    chosen = FirstOf(From("own"), From("joined", via=joined(" ")))

    assert unsure_cells(chosen, rows).to_pylist() == [False, True]  # type: ignore[union-attr]
    assert unsure_cells(Const("x"), rows) is None


def test_a_first_choice_that_lost_an_item_is_unsure_although_it_has_a_value() -> None:
    rows = pa.table({"terms": ["s1", "s1"], unsure_name("terms"): [True, False], "whole": ["y", "y"]})

    assert unsure_cells(FirstOf(From("terms"), From("whole")), rows).to_pylist() == [True, False]  # type: ignore[union-attr]


def test_a_mapped_table_names_the_records_with_unsure_values() -> None:
    births: dict[str, Any] = {"rows": _table({"user": "a", "date": "2015-01-02"}, refused=(0,)), "file_name": "births.csv"}
    mapping = Mapping(
        source="people",
        to="users",
        steps=(ACCEPTED,),
        columns={"user_kind": Const("user"), "user_id": From("id"), "first_name": From("born")},
    )
    files = {"people": SourceFile(rows=PEOPLE, file_name="people.csv"), "births": SourceFile(**births)}

    mapped = map_table(TABLES["users"], [mapping], files, {})

    assert {name: keys.to_pylist() for name, keys in mapped.unsure.items()} == {"first_name": ["user\x1fa"]}
    assert unsure_name("first_name") not in mapped.table.column_names
