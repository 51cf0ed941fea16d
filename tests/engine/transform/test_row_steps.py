"""What each step makes of the rows of a file."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.engine.transform.row_steps import edited_name, family_members, run_step
from roster_etl.engine.validation.findings_builder import FindingsBuilder
from roster_etl.frames.arrow import ID_CONFLICT, REFUSED, ROW, unsure_name
from roster_etl.mapping.column_plan import (
    AnyGiven,
    AnyRow,
    AssignUnique,
    Computed,
    ForEvery,
    Lookup,
    MostCommon,
    NullIfConflicting,
    NullIfUniform,
    OnlyMatched,
    OnlyRows,
    RowNumber,
    SplitList,
    Step,
    Unpivot,
    WarnIfDifferent,
)
from roster_etl.mapping.value_functions import joined
from roster_etl.spec import RowCondition

Cells = Mapping[str, str | None]


def _table(*cells: Cells, refused: tuple[int, ...] = ()) -> pa.Table:
    """Return a judged file: `cells` as rows 2, 3, …; those of `refused` (0, 1, …) were refused."""
    names = list(dict.fromkeys(name for row in cells for name in row))
    columns = {name: pa.array([row.get(name) for row in cells], pa.string()) for name in names}
    columns[ROW] = pa.array(range(2, len(cells) + 2), pa.int64())
    columns[REFUSED] = pa.array([place in refused for place in range(len(cells))], pa.bool_())
    return pa.table(columns)


def _run(step: Step, rows: pa.Table, **files: pa.Table) -> tuple[pa.Table, list[tuple[str, int]]]:
    findings = FindingsBuilder("a.csv")
    result = run_step(step, rows, files, findings)
    return result, [(f["code"], f["row"]) for f in findings.table().to_pylist()]


def _column(step: Step, name: str, rows: pa.Table, **files: pa.Table) -> list[str | None]:
    return _run(step, rows, **files)[0].column(name).to_pylist()


def test_an_unknown_step_has_no_verb() -> None:
    with pytest.raises(TypeError):
        run_step("nonsense", _table({"A": "1"}), {}, FindingsBuilder("a.csv"))  # type: ignore[arg-type]


# ---- AnyGiven, Computed


def test_a_row_is_kept_for_any_of_the_columns() -> None:
    rows = _table({"A": "1", "B": None}, {"A": None, "B": "2"}, {"A": None, "B": None}, {"A": "3"}, refused=(3,))

    assert _column(AnyGiven(columns=("A", "B", "absent")), ROW, rows) == [2, 3, 5]
    assert _column(AnyGiven(columns=("absent",)), ROW, rows) == []


def test_a_computed_column_is_what_the_function_says_of_each_row() -> None:
    rows = _table({"A": "x", "B": "1"}, {"A": None, "B": "2"})

    assert _column(Computed(name="both", columns=("A", "B", "absent"), via=joined("-")), "both", rows) == ["x-1", "2"]


# ---- OnlyRows


def test_only_rows_with_a_value_are_kept_refused_ones_too() -> None:
    rows = _table({"A": "1"}, {"A": None}, {"A": "2"}, refused=(2,))

    assert _column(OnlyRows(column="A"), ROW, rows) == [2, 4]


def test_only_rows_with_one_of_the_values_are_kept() -> None:
    assert _column(OnlyRows(column="A", values=("x", "y")), "A", _table({"A": "x"}, {"A": "z"}, {"A": None})) == ["x"]


def test_rows_are_told_by_a_value_without_regard_to_case() -> None:
    assert _column(OnlyRows(column="A", values=("Student",)), ROW, _table({"A": "STUDENT"}, {"A": "teacher"})) == [2]


def test_no_row_is_kept_where_the_column_is_missing() -> None:
    assert _run(OnlyRows(column="B"), _table({"A": "1"}))[0].num_rows == 0


# ---- OnlyWith

WITH = OnlyMatched(file="partners", on="A", code="no_enrollments", message="m")


def test_rows_without_a_partner_are_left_out_and_told() -> None:
    result, findings = _run(WITH, _table({"A": "1"}, {"A": "2"}), partners=_table({"A": "1"}))

    assert result.column(ROW).to_pylist() == [2]
    assert findings == [("no_enrollments", 3)]


def test_rows_whose_partners_were_all_refused_are_seen_but_not_loaded() -> None:
    partners = _table({"A": "1"}, {"A": "2"}, {"A": "2"}, refused=(0, 1))
    result, findings = _run(WITH, _table({"A": "1"}, {"A": "2"}), partners=partners)

    assert result.column(REFUSED).to_pylist() == [True, False]
    assert findings == [("no_enrollments", 2)]


def test_a_refused_row_without_a_partner_is_not_told_again() -> None:
    assert _run(WITH, _table({"A": "1"}, refused=(0,)), partners=_table({"A": "2"}))[1] == []


def test_a_silent_step_tells_nothing() -> None:
    silent = OnlyMatched(file="partners", on="A", code="no_enrollments", message="m", report=False)

    assert _run(silent, _table({"A": "1"}), partners=_table({"A": "2"}))[1] == []


_KEYS = st.lists(st.tuples(st.sampled_from([None, "", "1", "2", "3"]), st.booleans()), max_size=6)


@given(_KEYS, _KEYS)
@settings(max_examples=200, deadline=None)
def test_a_row_is_seen_with_any_partner_and_loaded_with_an_accepted_one(
    own: list[tuple[str | None, bool]], others: list[tuple[str | None, bool]]
) -> None:
    rows, partners = (
        pa.table(
            {
                "A": pa.array([key for key, _ in some], pa.string()),
                ROW: pa.array(range(2, len(some) + 2), pa.int64()),
                REFUSED: pa.array([refused for _, refused in some], pa.bool_()),
            }
        )
        for some in (own, others)
    )
    seen, accepted = {key for key, _ in others}, {key for key, refused in others if not refused} - {None}

    result, findings = _run(WITH, rows, partners=partners)

    expected = [(place, refused or key not in accepted) for place, (key, refused) in enumerate(own, start=2) if key in seen]
    assert list(zip(result.column(ROW).to_pylist(), result.column(REFUSED).to_pylist(), strict=True)) == expected
    assert [row for _, row in findings] == [
        row for row, (key, refused) in enumerate(own, start=2) if not refused and key not in accepted
    ]


# ---- Unpivot

UNPIVOT = Unpivot(columns=("T",), family="T_{n}", value="who", position="place")


def test_each_value_becomes_a_row_the_declared_column_first_then_the_family_by_number() -> None:
    rows = _table({"T_10": "c", "T": "a", "T_2": "b"}, {"T_10": None, "T": "x", "T_2": None})
    result = _run(UNPIVOT, rows)[0].to_pylist()

    assert [(row[ROW], row["who"], row["place"]) for row in result] == [
        (2, "a", "1"),
        (3, "x", "1"),
        (2, "b", "2"),
        (2, "c", "3"),
    ]


def test_the_familys_own_columns_do_not_come_along() -> None:
    """Hundreds of them, each carried along for each, would cost their square."""
    made = _run(UNPIVOT, _table({"T": "a", "T_2": "b", "T_3": "c", "A": "1"}))[0]

    assert set(made.column_names) == {"T", "A", "who", "place", ROW, REFUSED}


def test_a_value_that_a_row_repeats_counts_once_in_its_first_place() -> None:
    result = _run(UNPIVOT, _table({"T": "a", "T_2": "a", "T_3": "b"}, {"T": "a"}))[0].to_pylist()

    assert [(row[ROW], row["who"], row["place"]) for row in result] == [(2, "a", "1"), (3, "a", "1"), (2, "b", "3")]


def test_no_value_no_row() -> None:
    assert _run(UNPIVOT, _table({"A": "1"}))[0].num_rows == 0
    assert _run(UNPIVOT, _table({"T": None}))[0].num_rows == 0


# ---- ForEvery

EVERY = ForEvery(column="S", value="all", file="schools", take="Id", name="one")


def test_a_row_for_all_becomes_one_for_each_accepted_record() -> None:
    result = _run(EVERY, _table({"S": "s9", "P": "ann"}, {"S": "all", "P": "bob"}), schools=_table({"Id": "s1"}, {"Id": "s2"}))[0]

    assert [(row["P"], row["S"], row["one"], row[REFUSED]) for row in result.to_pylist()] == [
        ("ann", "s9", None, False),
        ("bob", None, "s1", False),
        ("bob", None, "s2", False),
    ]


def test_what_a_row_for_all_says_of_a_refused_record_is_seen_not_loaded() -> None:
    schools = _table({"Id": "s1"}, {"Id": "s2"}, {"Id": "s1"}, {"Id": None}, refused=(0, 1, 3))
    result = _run(EVERY, _table({"S": "all"}), schools=schools)[0]

    assert sorted((row["one"], row[REFUSED]) for row in result.to_pylist()) == [("s1", False), ("s2", True)]


def test_a_refused_row_for_all_stays_refused() -> None:
    result = _run(EVERY, _table({"S": "all"}, refused=(0,)), schools=_table({"Id": "s1"}))[0]

    assert result.column(REFUSED).to_pylist() == [True]


# ---- Lookup

LOOKUP = Lookup(file="people", on="P", key="Id", take={"last": "Name", "age": "Age"})


def test_columns_of_another_file_are_looked_up() -> None:
    result = _run(
        LOOKUP, _table({"P": "2"}, {"P": "9"}, {"P": None}), people=_table({"Id": "1", "Name": "A"}, {"Id": "2", "Name": "B"})
    )[0]

    assert result.column("last").to_pylist() == ["B", None, None]
    assert result.column("age").to_pylist() == [None] * 3


def test_an_accepted_row_is_looked_up_before_a_refused_one_and_the_first_before_the_next() -> None:
    people = _table({"Id": "1", "Name": "A"}, {"Id": "1", "Name": "B"}, {"Id": "1", "Name": "C"}, refused=(0,))

    assert _column(LOOKUP, "last", _table({"P": "1"}), people=people) == ["B"]


def test_a_missing_value_is_not_looked_up_among_missing_ids() -> None:
    assert _column(LOOKUP, "last", _table({"P": None}), people=_table({"Id": None, "Name": "A"})) == [None]


# ---- MostCommon

COMMON = MostCommon(
    name="grade",
    file="students",
    value="Grade",
    through="links",
    by="Section",
    member="Student",
    codes={"Kindergarten": "KG", "9": "09", "09": "09", "10": "10"},
    order=("KG", "09", "10"),
)


def _links(*pairs: tuple[str, str], refused: tuple[int, ...] = ()) -> pa.Table:
    return _table(*({"Section": section, "Student": student} for section, student in pairs), refused=refused)


STUDENTS = _table(
    {"Student": "a", "Grade": "10"},
    {"Student": "b", "Grade": "9"},
    {"Student": "c", "Grade": "09"},
    {"Student": "d", "Grade": None},
    {"Student": "e", "Grade": "kindergarten"},
    {"Student": "f", "Grade": "K"},
    {"Student": "g", "Grade": "10"},
    refused=(6,),
)


@pytest.mark.parametrize(
    ("members_", "grade"),
    [
        ("abc", "09"),  # one code, two spellings
        ("ab", "09"),  # a tie goes to the first in order
        ("ad", "10"),  # no grade does not count
        ("df", None),  # neither does an unknown one
        ("ef", "KG"),
        ("bgg", "09"),  # nor do refused students
        ("z", None),
    ],
)
def test_the_most_common_value_is_that_of_accepted_members(members_: str, grade: str | None) -> None:
    links = _links(*(("s1", member) for member in members_))

    assert _column(COMMON, "grade", _table({"Section": "s1"}), students=STUDENTS, links=links) == [grade]


def test_the_most_common_value_is_told_group_by_group_and_refused_links_do_not_count() -> None:
    links = _links(("s1", "a"), ("s2", "b"), ("s1", "b"), ("s1", "c"), refused=(2, 3))

    assert _column(
        COMMON, "grade", _table({"Section": "s2"}, {"Section": "s1"}, {"Section": "s3"}), students=STUDENTS, links=links
    ) == [
        "09",
        "10",
        None,
    ]


def test_the_most_common_value_is_that_of_the_cells_as_stewards_edited_them() -> None:
    edited = STUDENTS.append_column(edited_name("Grade"), pa.array(["9", None, None, None, None, None, None], pa.string()))

    assert _column(COMMON, "grade", _table({"Section": "s1"}), students=edited, links=_links(("s1", "a"))) == ["09"]


def test_of_a_member_with_several_rows_the_first_counts() -> None:
    students = _table({"Student": "a", "Grade": "9"}, {"Student": "a", "Grade": "10"})

    assert _column(COMMON, "grade", _table({"Section": "s1"}), students=students, links=_links(("s1", "a"))) == ["09"]


def test_nothing_is_common_where_there_is_nothing() -> None:
    rows = _table({"Section": "s1"})

    assert _column(COMMON, "grade", rows, students=_table({"Student": "a"}), links=_links(("s1", "a"))) == [None]
    assert _column(COMMON, "grade", rows, students=STUDENTS.slice(0, 0), links=_links(("s1", "a")).slice(0, 0)) == [None]
    assert _column(COMMON, "grade", rows.slice(0, 0), students=STUDENTS, links=_links(("s1", "a"))) == []


# ---- Varied

VARIED = NullIfUniform(column="G", name="varied")


@pytest.mark.parametrize(
    ("given", "varied"),
    [
        (["9", "10"], ["9", "10"]),
        (["9", "9"], [None, None]),
        (["9"], ["9"]),
        (["9", None], ["9", None]),
        (["9", "9", None], [None, None, None]),
        ([], []),
    ],
)
def test_a_value_that_two_or_more_rows_all_have_says_nothing(given: list[str | None], varied: list[str | None]) -> None:
    assert _column(VARIED, "varied", _table({"G": None}, *({"G": value} for value in given)).slice(1)) == varied


def test_refused_rows_do_not_make_values_vary() -> None:
    assert _column(VARIED, "varied", _table({"G": "9"}, {"G": "9"}, {"G": "10"}, refused=(2,))) == [None, None, None]


def test_a_missing_column_does_not_vary() -> None:
    assert _column(VARIED, "varied", _table({"A": "1"})) == [None]


# ---- AnyRow

ANY = AnyRow(by="P", column="Role", values=("Tech Lead", "STL"), name="lead", file="old")
OLD = _table({"P": "x", "Role": None})


def test_one_row_with_the_value_marks_all_rows_of_the_group_whatever_the_case() -> None:
    rows = _table(
        {"P": "a", "Role": "stl"}, {"P": "a", "Role": None}, {"P": "b", "Role": "Principal"}, {"P": "c", "Role": "TECH LEAD"}
    )

    assert _column(ANY, "lead", rows, old=OLD) == ["Y", "Y", None, "Y"]


def test_rows_of_the_other_file_count_too() -> None:
    assert _column(ANY, "lead", _table({"P": "a", "Role": None}), old=_table({"P": "a", "Role": "STL"})) == ["Y"]
    assert _column(ANY, "lead", _table({"P": "a", "Role": None}), old=_table({"P": "a"})) == [None]


def test_a_refused_row_marks_itself_only() -> None:
    rows = _table({"P": "a", "Role": "STL"}, {"P": "a", "Role": None}, refused=(0,))

    assert _column(ANY, "lead", rows, old=OLD) == ["Y", None]


# ---- Numbered, Agreed


def test_rows_are_numbered_within_their_group() -> None:
    rows = _table({"P": "b"}, {"P": "a"}, {"P": "b"}, {"P": "b"}, {"P": "a"})

    assert _column(RowNumber(by="P", name="n"), "n", rows) == ["1", "1", "2", "3", "2"]
    assert _column(RowNumber(by="P", name="n"), "n", rows.slice(0, 0)) == []


def test_a_row_of_another_record_takes_no_place_among_those_of_its_id() -> None:
    rows = _table({"P": "1"}, {"P": "1"}, {"P": "1"}, refused=(0, 1))
    rows = rows.append_column(ID_CONFLICT, pa.array([True, False, False]))

    assert _column(RowNumber(by="P", name="n"), "n", rows) == ["1", "1", "2"]  # a broken row of the same record has a place


AGREED = NullIfConflicting(by="N", column="S", name="same")


def test_a_value_is_kept_where_the_rows_of_a_group_agree() -> None:
    rows = _table({"N": "1", "S": "x"}, {"N": "1", "S": "x"}, {"N": "2", "S": "x"}, {"N": "2", "S": "y"}, {"N": "3", "S": "z"})

    assert _column(AGREED, "same", rows) == ["x", "x", None, None, "z"]


def test_rows_without_a_group_keep_their_value() -> None:
    assert _column(AGREED, "same", _table({"N": None, "S": "x"}, {"N": None, "S": "y"})) == ["x", "y"]
    assert _column(AGREED, "same", _table({"S": "x"})) == ["x"]


def test_a_missing_value_disagrees_and_a_refused_row_does_not() -> None:
    assert _column(AGREED, "same", _table({"N": "1", "S": "x"}, {"N": "1", "S": None})) == [None, None]
    assert _column(AGREED, "same", _table({"N": "1", "S": "x"}, {"N": "1", "S": "y"}, refused=(1,))) == ["x", "y"]


def test_members_of_a_family_come_by_number() -> None:
    assert family_members("T_{n}_id", ["T_10_id", "X", "T_2_id", "T_x_id"]) == ["T_2_id", "T_10_id"]
    assert family_members(None, ["T_1_id"]) == []


# ---- Lookup of the first row that is so


def test_of_the_rows_that_are_so_the_first_accepted_one_is_looked_up() -> None:
    step = Lookup(file="seats", on="S", key="S", take={"teacher": "P"}, where=RowCondition(column="R", values=("teacher",)))
    seats = _table(
        {"S": "1", "P": "a", "R": "student"},
        {"S": "1", "P": "b", "R": "teacher"},
        {"S": "1", "P": "c", "R": "Teacher"},
        {"S": "1", "P": "d", "R": "teacher"},
        {"S": "2", "P": "e", "R": "student"},
        {"S": "3", "P": "f", "R": "teacher"},
        refused=(1, 5),
    )

    assert _column(step, "teacher", _table({"S": "1"}, {"S": "2"}, {"S": "3"}, {"S": None}), seats=seats) == [
        "c",
        None,
        None,
        None,
    ]


# ---- Claim

CLAIM = AssignUnique(take={"own": "Login", "stand_in": "Mail"}, code="login_taken", message="Taken.")


def _claimed(*cells: Cells, refused: tuple[int, ...] = ()) -> tuple[list[tuple[str | None, str | None]], list[tuple[str, int]]]:
    rows, findings = _run(CLAIM, _table(*cells, refused=refused))
    return list(zip(rows.column("own").to_pylist(), rows.column("stand_in").to_pylist(), strict=True)), findings


def test_the_first_column_with_a_value_keeps_it() -> None:
    claims, findings = _claimed({"Login": "a", "Mail": "m"}, {"Login": None, "Mail": "n"}, {"Login": None, "Mail": None})

    assert (claims, findings) == ([("a", None), (None, "n"), (None, None)], [])


def test_a_value_belongs_to_the_first_row_that_has_it_and_own_values_come_first() -> None:
    cells = [{"Login": login, "Mail": mail} for login, mail in ((None, "x"), ("x", "y"), ("x", "z"), (None, "y"), (None, "y"))]
    claims, findings = _claimed(*cells)

    assert claims == [(None, None), ("x", None), (None, None), (None, "y"), (None, None)]
    assert findings == [("login_taken", 2), ("login_taken", 4), ("login_taken", 6)]


def test_the_row_that_keeps_a_value_is_named_beside_those_that_do_not() -> None:
    findings = FindingsBuilder("pets.csv")
    table = _table(*({"Login": login, "Mail": None} for login in ("x", "y", "x", "y", "x")))
    run_step(CLAIM, table, {}, findings)

    assert findings.table().column("message").to_pylist() == [
        "Taken. Row 2 has it.",
        "Taken. Row 3 has it.",
        "Taken. Row 2 has it.",
    ]


def test_a_refused_row_claims_nothing_and_is_told_nothing() -> None:
    claims, findings = _claimed({"Login": "x", "Mail": "m"}, {"Login": "x", "Mail": "m"}, refused=(0,))

    assert (claims[1], findings) == (("x", None), [])


def test_a_claim_without_its_columns_is_empty() -> None:
    rows, findings = _run(CLAIM, _table({"Mail": "m"}, {"Mail": "m"}))

    assert (rows.column("own").to_pylist(), rows.column("stand_in").to_pylist()) == ([None, None], ["m", None])
    assert findings == [("login_taken", 3)]
    assert _run(CLAIM, _table({"Mail": "m"}).slice(0, 0))[0].num_rows == 0


# ---- Differs


def test_accepted_rows_whose_columns_differ_are_reported_and_kept() -> None:
    step = WarnIfDifferent(column="A", other="B", code="role_mismatch", message="Differs.")
    cells = [{"A": a, "B": b} for a, b in (("x", "y"), ("x", "X"), ("x", None), (None, "x"), ("x", "y"))]
    rows, findings = _run(step, _table(*cells, refused=(4,)))

    assert (rows.num_rows, findings) == (5, [("role_mismatch", 2)])


# ---- references that were left out because a row was rejected


def test_items_of_a_list_that_lost_one_are_at_unsure_places() -> None:
    rows = _table({"L": "b,c"}, {"L": "d"}).append_column(unsure_name("L"), pa.array([True, False]))
    split = _run(SplitList(column="L", value="v", position="p"), rows)[0]

    assert split.column("p").to_pylist() == ["1", "2", "1"]
    assert split.column(unsure_name("p")).to_pylist() == [True, True, False]


def test_a_cell_that_is_unsure_in_another_file_is_unsure_where_it_is_looked_up() -> None:
    rows = _table({"class": "c1"}, {"class": "c2"}, {"class": "c3"})
    classes = _table({"id": "c1", "term": None}, {"id": "c2", "term": "t"}).append_column(
        unsure_name("term"), pa.array([True, False])
    )
    looked = _run(Lookup(file="classes", on="class", key="id", take={"term": "term"}), rows, classes=classes)[0]

    assert looked.column(unsure_name("term")).to_pylist() == [True, False, False]
