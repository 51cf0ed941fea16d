"""Who may be whom: one to one, in the same school, and nobody where it is not clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.engine.planning.rename_detection import PROPOSALS, People, id_change_rows, propose_renames

Person = tuple[str, str, str | None, str | None, str | None, str | None]  # kind, id, first name, e-mail, birth date, school


def people(*rows: Person) -> People:
    def table(names: Sequence[str], values: Sequence[Sequence[Any]]) -> pa.Table:
        columns = list(zip(*values, strict=True)) if values else [[] for _ in names]
        return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})

    known = {row[:2]: row for row in rows}.values()
    return People(
        persons=table(
            ["user_kind", "user_id", "first_name", "last_name", "email"],
            [(k, i, name, name and "Lee", mail) for k, i, name, mail, *_ in known],
        ),
        born=table(["user_kind", "user_id", "birth_date"], [(k, i, born) for k, i, _, _, born, _ in known if born]),
        schools=table(["user_kind", "user_id", "organization_id"], [(k, i, school) for k, i, _, _, _, school in rows if school]),
    )


def found(gone: People, come: People) -> list[tuple[str, str, str]]:
    return [(row["old_id"], row["new_id"], row["by"]) for row in propose_renames(gone, come).to_pylist()]


def test_the_same_names_and_birth_date_in_the_same_school_are_proposed() -> None:
    gone = people(("student", "1", "Ann", None, "2010-05-01", "A"), ("student", "2", "Bob", None, "2010-05-02", "A"))
    come = people(("student", "9", "ANN", None, "2010-05-01", "A"), ("student", "8", "Cy", None, "2010-05-02", "A"))

    assert found(gone, come) == [("1", "9", "birth_date")]


def test_the_same_address_in_the_same_school_is_proposed() -> None:
    gone = people(("teacher", "1", "Ann", "ann@x.org", None, "A"))
    come = people(("teacher", "9", "Anna", "Ann@X.org", None, "A"))

    assert found(gone, come) == [("1", "9", "email")]


@pytest.mark.parametrize(
    "other",
    [
        ("student", "9", "Ann", "ann@x.org", "2010-05-01", "B"),
        ("teacher", "9", "Ann", "ann@x.org", "2010-05-01", "A"),
        ("student", "9", "Ann", None, "2010-05-02", "A"),
        ("student", "9", None, None, "2010-05-01", "A"),
        ("student", "9", "Ann", None, None, "A"),
    ],
)
def test_another_school_kind_or_birth_date_or_an_empty_cell_is_no_rename(other: Person) -> None:
    assert found(people(("student", "1", "Ann", None, "2010-05-01", "A")), people(other)) == []


def test_where_two_fit_one_nobody_is_proposed() -> None:
    one = ("student", "1", "Ann", None, "2010-05-01", "A")
    twins = (("student", "8", "Ann", None, "2010-05-01", "A"), ("student", "9", "Ann", None, "2010-05-01", "A"))

    assert found(people(one), people(*twins)) == []
    assert found(people(*twins), people(one)) == []


def test_names_that_say_one_and_an_address_that_says_another_say_nothing() -> None:
    gone = people(("student", "1", "Ann", "a@x.org", "2010-05-01", "A"))
    come = people(("student", "8", "Ann", None, "2010-05-01", "A"), ("student", "9", "Bea", "a@x.org", "2011-01-01", "A"))

    assert found(gone, come) == []


def test_a_person_of_two_schools_is_proposed_once() -> None:
    gone = people(("student", "1", "Ann", None, "2010-05-01", "A"), ("student", "1", "Ann", None, "2010-05-01", "B"))
    come = people(("student", "9", "Ann", None, "2010-05-01", "A"), ("student", "9", "Ann", None, "2010-05-01", "B"))

    assert found(gone, come) == [("1", "9", "birth_date")]


def test_an_address_that_a_school_shares_proposes_nobody() -> None:
    gone = people(*(("student", str(n), f"G{n}", "none@x.org", None, "A") for n in range(500)))
    come = people(*(("student", str(n), f"C{n}", "none@x.org", None, "A") for n in range(1000, 1500)))

    assert found(gone, come) == []


def test_nobody_gone_means_nothing_proposed() -> None:
    assert propose_renames(people(), people(("student", "9", "Ann", None, "2010-05-01", "A"))).num_rows == 0


def test_an_approved_rename_is_a_row_that_says_the_kind_of_person() -> None:
    proposals = pa.Table.from_pylist([{"user_kind": "student", "old_id": "1", "new_id": "9", "by": "email"}], schema=PROPOSALS)

    (row,) = id_change_rows(proposals).to_pylist()
    assert (row["entity"], row["old_id"], row["new_id"], row["extensions"]) == ("users", "1", "9", '{"user_kind": "student"}')
