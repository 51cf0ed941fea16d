"""How a column plan reads."""

from __future__ import annotations

import pytest

from roster_etl.mapping.column_plan import (
    AnyRow,
    Computed,
    Const,
    Expression,
    FirstOf,
    ForEvery,
    From,
    FromTargets,
    IfOption,
    Lookup,
    Mapping,
    MostCommon,
    NullIfConflicting,
    NullIfUniform,
    RowNumber,
    Step,
    Unpivot,
)
from roster_etl.mapping.combinators import if_first_given, of_dates, or_else, us_day_start, with_us_dates
from roster_etl.mapping.describe import describe_column, describe_expression, describe_step
from roster_etl.mapping.value_functions import chained, derived_id, joined, range_low, recode
from roster_etl.vendors.clever import VENDOR


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (From("A"), "A, as given"),
        (From("A", via=recode({})), "recode(A)"),
        (From("A", via=chained(range_low, recode({}))), "recode(range_low(A))"),
        (From("A", via=us_day_start, option="zone"), "begins_us(A, option zone)"),
        (From("A", "B", via=if_first_given(joined(" "))), "joined(A, B) where A is given"),
        (From("A", "B", via=with_us_dates(derived_id("x"))), "derived_id(A, the day of B)"),
        (From("A", "B", via=of_dates(derived_id("x"))), "derived_id(no name, the day of A, the day of B)"),
        (FromTargets("x", via=joined(" ")), "joined(x)"),
        (Const(True), "always true"),
        (FirstOf(From("A"), Const("x")), "A, as given; else always x"),
        (
            IfOption(option="o", equals=True, then=From("A"), otherwise=From("B")),
            "where o is true: A, as given; otherwise: B, as given",
        ),
    ],
)
def test_an_expression_reads_as_what_it_does(expression: Expression, words: str) -> None:
    assert describe_expression(expression) == words


def test_with_the_options_in_force_only_the_chosen_way_is_told() -> None:
    expression = IfOption(option="o", equals=True, then=From("A"), otherwise=From("B"))

    assert [describe_expression(expression, {"o": value}) for value in (True, False)] == ["A, as given", "B, as given"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Lookup(file="people", on="P", key="Id", take={"x": "Name"}), "x: Name of the row of people that P names"),
        (
            MostCommon(name="x", file="f", value="V", through="t", by="B", member="M", codes={}, order=()),
            "x: the most common V among the f that t links to it",
        ),
        (NullIfUniform(column="C", name="x"), "x: C, unless all rows have the same"),
        (AnyRow(by="B", column="C", values=("a", "b"), name="x"), "x: whether a row of the same B has a or b in C"),
        (NullIfConflicting(by="B", column="C", name="x"), "x: C, where the rows of one B agree about it"),
        (Computed(name="x", columns=("A", "B", "C"), via=or_else(derived_id("c"))), "x: A, else derived_id(B, C)"),
        (ForEvery(column="C", value="all", file="f", take="T", name="x"), "x: each T of f, since C says all"),
        (Unpivot(columns=("A",), family="A_{n}", value="x", position="p"), "x: each of A, A_{n} in turn"),
        (Unpivot(columns=("A",), family=None, value="v", position="x"), "x: its place among the rows of the record"),
        (RowNumber(by="B", name="x"), "x: its place among the rows of the record"),
    ],
)
def test_a_step_reads_as_what_it_adds(step: Step, words: str) -> None:
    mapping = Mapping(source="s", to="t", columns={"c": From("x")}, steps=(step,))

    assert describe_step(mapping, "x") == words
    assert describe_step(mapping, "other") is None
    assert describe_column(mapping, "c") == f"x, as given; {words}"


def test_every_column_of_every_plan_can_be_said() -> None:
    said = [describe_column(mapping, target) for mapping in VENDOR.mappings for target in mapping.columns]

    assert [words for words in said if "<" in words or not words] == []
