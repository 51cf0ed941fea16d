"""How a column plan, and each of its steps, reads in a trace."""

from __future__ import annotations

from roster_etl.mapping.column_plan import AssignUnique, Const, FirstOf, From, FromTargets, IfOption, Lookup, Mapping
from roster_etl.mapping.combinators import if_first_given, looked_up, with_constants
from roster_etl.mapping.describe import describe_column, describe_expression
from roster_etl.mapping.value_functions import chained, derived_id, joined, range_low, recode
from roster_etl.spec import RowCondition

CODES = recode({"1": "01"})


def test_a_column_is_as_given_or_by_its_function() -> None:
    assert describe_expression(From("Last_name")) == "Last_name, as given"
    assert describe_expression(From("Grade", via=CODES)) == "recode(Grade)"
    assert describe_expression(From("A", "B", via=joined(" "))) == "joined(A, B)"
    assert describe_expression(Const(True)) == "always true"


def test_functions_put_together_are_told_apart() -> None:
    assert describe_expression(From("Low", via=chained(range_low, CODES))) == "recode(range_low(Low))"
    assert describe_expression(From("A", "B", via=if_first_given(derived_id("x")))) == "derived_id(A, B) where A is given"
    assert describe_expression(FromTargets("made", via=CODES)) == "recode(made)"
    assert describe_expression(From("A", via=with_constants(derived_id("x"), "", "b"))) == 'derived_id(A, "", "b")'
    assert describe_expression(From("A", via=looked_up, option="codes")) == "looked_up(A, option codes)"


def test_choices_are_told_in_order_and_options_choose_the_way() -> None:
    either = IfOption(option="scope", equals="district", then=FirstOf(From("A"), Const("x")), otherwise=From("B"))

    assert describe_expression(either) == "where scope is district: A, as given; else always x; otherwise: B, as given"
    assert describe_expression(either, {"scope": "school"}) == "B, as given"


def test_a_column_that_a_step_added_says_how() -> None:
    step = Lookup(file="teachers", on="Teacher_id", key="Teacher_id", take={"teacher_name": "Last_name"})
    mapping = Mapping(source="sections", to="sections", columns={"name": From("teacher_name")}, steps=(step,))

    assert (
        describe_column(mapping, "name")
        == "teacher_name, as given; teacher_name: Last_name of the row of teachers that Teacher_id names"
    )


def test_a_look_up_of_the_first_row_that_is_so_says_which() -> None:
    step = Lookup(
        file="seats", on="Id", key="Id", take={"teacher": "Person"}, where=RowCondition(column="Role", values=("teacher",))
    )
    mapping = Mapping(source="sections", to="sections", columns={"name": From("teacher")}, steps=(step,))

    assert describe_column(mapping, "name").endswith("teacher: Person of the first teacher among the rows of seats that Id names")


def test_a_value_that_one_record_claims_says_so() -> None:
    step = AssignUnique(take={"own": "Login", "stand_in": "Mail"}, code="login_taken", message="")
    mapping = Mapping(source="people", to="users", columns={"username": FirstOf(From("own"), From("stand_in"))}, steps=(step,))

    assert describe_column(mapping, "username") == (
        "own, as given; else stand_in, as given; own: Login, unless another record has it; "
        "stand_in: Mail, unless another record has it"
    )
    assert mapping.lineage()["username"] == (("people", "Login"), ("people", "Mail"))
