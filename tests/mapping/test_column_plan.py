"""What a mapping can say, and the lineage that follows from it."""

from __future__ import annotations

import pytest

from roster_etl.mapping.column_plan import (
    AnyRow,
    Computed,
    Const,
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
    OnlyMatched,
    RowNumber,
    Unpivot,
    identity_columns,
)
from roster_etl.mapping.value_functions import joined

MAPPING = Mapping(
    source="sections",
    to="sections",
    steps=(
        OnlyMatched(file="links", on="Id", code="no_enrollments", message=""),
        Lookup(file="teachers", on="T", key="Id", take={"last": "Name"}),
        MostCommon(name="grade", file="students", value="Grade", through="links", by="Id", member="S", codes={}, order=()),
        NullIfUniform(column="Grade", name="varied"),
        AnyRow(by="Id", column="Role", values=("x",), name="lead", file="admins"),
        NullIfConflicting(by="N", column="School", name="school"),
        ForEvery(column="School", value="all", file="schools", take="School_id", name="every"),
        Unpivot(columns=("T",), family="T_{n}", value="who", position="place"),
        RowNumber(by="Id", name="n"),
        Computed(name="course", columns=("Number", "Name"), via=joined(" ")),
    ),
    columns={
        "id": From("Id"),
        "name": FirstOf(From("last", "Period", via=joined(" ")), From("Name"), Const("none")),
        "slug": FromTargets("name", "id", via=joined("-")),
        "grade": IfOption(option="o", equals=True, then=From("grade"), otherwise=From("varied")),
        "lead": From("lead"),
        "school": From("school"),
        "every": From("every"),
        "who": From("who"),
        "place": From("place"),
        "n": From("n"),
        "course": From("course"),
    },
)


def test_the_lineage_of_a_column_is_what_it_is_made_of() -> None:
    reads = MAPPING.lineage()

    assert reads["id"] == (("sections", "Id"),)
    assert reads["name"] == (("teachers", "Name"), ("sections", "Period"), ("sections", "Name"))
    assert reads["slug"] == (*reads["name"], ("sections", "Id"))
    assert reads["grade"] == (("students", "Grade"), ("links", "S"), ("sections", "Grade"))
    assert reads["lead"] == (("sections", "Role"),)
    assert reads["school"] == (("sections", "School"),)
    assert reads["every"] == (("schools", "School_id"), ("sections", "School"))
    assert reads["who"] == (("sections", "T"), ("sections", "T_{n}"))
    assert reads["place"] == reads["n"] == ()
    assert reads["course"] == (("sections", "Number"), ("sections", "Name"))


def test_a_mapping_knows_its_files_its_own_first() -> None:
    assert MAPPING.files() == ("sections", "links", "teachers", "students", "admins", "schools")


@pytest.mark.parametrize(("sources", "how"), [((), {}), (("A", "B"), {}), (("A",), {"option": "o"})])
def test_several_columns_or_an_option_need_a_function(sources: tuple[str, ...], how: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        From(*sources, **how)


def test_identity_columns_are_key_columns_that_are_taken_unchanged_from_the_files_key() -> None:
    columns = {
        "kind": Const("student"),
        "user_id": From("Student_id"),
        "school": From("School_id"),
        "x": From("Id", via=joined("")),
    }
    mapping = Mapping(source="students", to="users", columns=columns)

    assert identity_columns(mapping, ("kind", "user_id", "school", "x", "y"), ("Student_id", "Id")) == {"user_id": "Student_id"}
