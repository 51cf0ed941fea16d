"""How judged files become a canonical table."""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingABC
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from roster_etl.canonical.roster import RosterColumn, RosterTable
from roster_etl.engine.transform import mapper
from roster_etl.engine.transform.mapper import MappedTable, SourceFile, map_table
from roster_etl.frames import arrow
from roster_etl.frames.arrow import DELETED, REFUSED, ROW
from roster_etl.mapping.column_plan import (
    Const,
    FirstOf,
    From,
    FromTargets,
    IfOption,
    Mapping,
    MissingKey,
    OnlyRows,
    RowNumber,
    Unpivot,
)
from roster_etl.mapping.value_functions import coalesce, joined, parse_integer, parse_yes_no, recode
from tests.walking import accepted, found

PETS = RosterTable(
    name="pets",
    key=("kind", "pet_id"),
    optional_key=("kind",),
    comment="Pets",
    columns=(
        RosterColumn("kind", "text", ""),
        RosterColumn("pet_id", "text", ""),
        RosterColumn("name", "text", ""),
        RosterColumn("age", "integer", ""),
        RosterColumn("is_tame", "boolean", ""),
    ),
)


def _source(*cells: MappingABC[str, str | None], refused: tuple[int, ...] = (), extensions: tuple[str, ...] = ()) -> SourceFile:
    names = list(dict.fromkeys(("Id", *extensions, *(name for row in cells for name in row))))
    columns = {name: pa.array([row.get(name) for row in cells], pa.string()) for name in names}
    columns[ROW] = pa.array(range(2, len(cells) + 2), pa.int64())
    columns[REFUSED] = pa.array([place in refused for place in range(len(cells))], pa.bool_())
    return SourceFile(rows=pa.table(columns), file_name="in/pets.csv", extensions=extensions)


def _mapped(
    columns: MappingABC[str, Any], source: SourceFile, *, options: MappingABC[str, object] | None = None, **how: Any
) -> MappedTable:
    mapping = Mapping(source="pets", to="pets", columns={"pet_id": From("Id"), **columns}, **how)
    return map_table(PETS, [mapping], {"pets": source}, options or {})


def _values(name: str, expression: Any, *cells: MappingABC[str, str | None], **options: object) -> list[object]:
    rows = [{"Id": str(place), **row} for place, row in enumerate(cells)]
    return _mapped({name: expression}, _source(*rows), options=options).table.column(name).to_pylist()


def _derived(columns: MappingABC[str, Any], *cells: MappingABC[str, str | None], **options: object) -> list[list[str]]:
    rows = [{"Id": str(place), **row} for place, row in enumerate(cells)]
    return [json.loads(text) for text in _mapped(columns, _source(*rows), options=options).table.column("derived").to_pylist()]


def test_rows_that_do_not_tell_their_record_are_reported_where_the_mapping_says_so() -> None:
    source = _source({"Id": "1"}, {"Id": None}, {"Id": None}, refused=(2,))
    said = MissingKey(code="unnamed_row", field="Id", message="Whose is it?")

    reported = _mapped({}, source, missing_key=said)
    assert [row["pet_id"] for row in accepted(reported.table)] == ["1"]
    assert found(reported) == [("warning", "unnamed_row", 3, "Id")]
    assert found(_mapped({}, source)) == []


def test_a_constant_may_be_a_number() -> None:
    assert _values("age", Const(2), {}, {}) == [2, 2]


# ---- expressions


def test_a_value_comes_from_a_column_as_it_is() -> None:
    assert _values("name", From("Name"), {"Name": "=SUM(1)"}, {"Name": None}) == ["=SUM(1)", None]


def test_a_value_comes_from_columns_by_a_function_with_the_type_of_the_target() -> None:
    assert _values("age", From("Age", via=parse_integer), {"Age": "7"}, {"Age": "x"}) == [7, None]
    assert _values("is_tame", From("Tame", via=parse_yes_no), {"Tame": "Y"}, {"Tame": "N"}) == [True, False]
    assert _values("name", From("A", "B", via=joined(" ")), {"A": "x", "B": "y"}, {"B": "z"}) == ["x y", "z"]


def test_a_column_that_the_upload_lacks_is_empty() -> None:
    assert _values("name", From("Nowhere"), {}) == [None]
    assert _values("age", From("Nowhere", via=parse_integer), {}) == [None]


@pytest.mark.parametrize("others", [(), ({"A": "x"},)])
def test_what_a_function_says_of_nothing_does_not_depend_on_other_rows(others: tuple[dict[str, str], ...]) -> None:
    def or_other(*columns: pd.Series) -> pd.Series:
        return coalesce(*columns).fillna("other")

    assert _values("name", From("A", "B", via=or_other), *others, {"A": None})[-1] == "other"


def test_a_function_may_take_the_value_of_an_option() -> None:
    def marked(values: pd.Series, mark: object) -> pd.Series:
        return values + str(mark)

    assert _values("name", From("Name", via=marked, option="mark"), {"Name": "a"}, mark="!") == ["a!"]


def test_a_constant_stands_in_every_row() -> None:
    assert _values("is_tame", Const(True), {}, {}) == [True, True]


def test_a_value_may_come_from_target_columns() -> None:
    columns = {"name": From("Name"), "kind": FromTargets("name", via=recode({"Rex": "dog"}))}
    result = _mapped(columns, _source({"Id": "1", "Name": "Rex"}))

    assert result.table.column("kind").to_pylist() == ["dog"]


def test_the_first_of_several_that_has_a_value_counts_row_by_row() -> None:
    expression = FirstOf(From("A"), From("B", via=recode({"b": "B!"})), Const("none"))

    assert _values("name", expression, {"A": "a", "B": "b"}, {"B": "b"}, {"B": "x"}) == ["a", "B!", "none"]


def test_a_long_table_is_the_same_and_its_columns_of_one_value_take_the_memory_of_a_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = _source(*({"Id": str(number), "Name": f"n{number}"} for number in range(7)))
    columns = {"kind": Const("cat"), "name": From("Name")}
    short = _mapped(columns, source).table
    for module in (arrow, mapper):
        monkeypatch.setattr(module, "LONG", 3)
    long = _mapped(columns, source).table

    assert long.equals(short)
    for name in ("kind", "age", "source_file", "derived", "extensions"):
        assert len({chunk.buffers()[-1].address for chunk in long.column(name).chunks}) == 1


def test_steps_are_given_the_columns_that_the_mapping_names(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(mapper, "run_step", lambda _, rows, *__: seen.append(rows.column_names) or rows)
    cells = {"Id": "1", "Name": "a", "Kind": "cat", "Toy_1": "x", "Toy_2": "y", "Note": "n", "_edited Name": "b", "ext.a": "z"}
    steps = (OnlyRows(column="Kind", values=("cat",)), Unpivot(columns=(), family="Toy_{n}", value="toy", position="place"))
    _mapped({"name": From("Name")}, _source(cells, extensions=("ext.a",)), steps=steps)
    _mapped({"name": From("Name")}, _source(cells, extensions=("ext.a",)), steps=steps, extensions=True)

    marks = {ROW, REFUSED, DELETED, "_edited Name"}
    assert set(seen[0]) == {"Id", "Name", "Kind", "Toy_1", "Toy_2", *marks}
    assert set(seen[2]) == {"Id", "Name", "Kind", "Toy_1", "Toy_2", "ext.a", *marks}


def test_target_columns_can_be_one_of_the_choices() -> None:
    columns = {"kind": From("Kind"), "name": FirstOf(From("Name"), FromTargets("kind", via=lambda kind: kind + "?"))}
    result = _mapped(columns, _source({"Id": "1", "Kind": "cat", "Name": "Tom"}, {"Id": "2", "Kind": "dog"}))

    assert result.table.column("name").to_pylist() == ["Tom", "dog?"]
    assert result.table.column("derived").to_pylist() == ["[]", '["name"]']


def test_an_option_chooses_between_expressions() -> None:
    expression = IfOption(option="short", equals=True, then=From("A"), otherwise=From("B"))

    assert _values("name", expression, {"A": "a", "B": "b"}, short=True) == ["a"]
    assert _values("name", expression, {"A": "a", "B": "b"}, short=False) == ["b"]


# ---- derived columns, extensions, origin


def test_derived_columns_are_told_where_they_have_a_value() -> None:
    columns = {"name": From("Name", via=recode({"a": "A"}), derived=True), "is_tame": Const(True, derived=True)}

    assert _derived(columns, {"Name": "a"}, {"Name": "z"}, {}) == [["is_tame", "name"], ["is_tame"], ["is_tame"]]


def test_of_several_choices_the_one_that_counts_says_whether_it_is_derived() -> None:
    columns = {"name": FirstOf(From("A"), From("B", derived=True), From("C"))}

    assert _derived(columns, {"A": "a"}, {"B": "b"}, {"C": "c"}, {}) == [[], ["name"], [], []]


def test_a_derived_first_choice_without_a_value_is_not_derived() -> None:
    columns = {"name": FirstOf(From("A", derived=True), From("B"))}

    assert _derived(columns, {"A": "a"}, {"B": "b"}, {}) == [["name"], [], []]


def test_an_option_chooses_what_is_derived_too() -> None:
    columns = {"name": IfOption(option="o", equals=True, then=From("A", derived=True), otherwise=From("A"))}

    assert _derived(columns, {"A": "a"}, o=True) == [["name"]]
    assert _derived(columns, {"A": "a"}, o=False) == [[]]


def _extensions(source: SourceFile, *, wanted: bool = True) -> list[str]:
    return _mapped({}, source, extensions=wanted).table.column("extensions").to_pylist()


def test_extensions_go_along_as_json_blank_ones_left_out() -> None:
    cells = {"Id": "1", "ext.a": 'say "hi"\n', "ext.ü": "李"}, {"Id": "2", "ext.ü": "x"}, {"Id": "3"}

    assert [json.loads(text) for text in _extensions(_source(*cells, extensions=("ext.a", "ext.ü")))] == [
        {"ext.a": 'say "hi"\n', "ext.ü": "李"},
        {"ext.ü": "x"},
        {},
    ]


def test_the_order_of_extension_columns_makes_no_difference() -> None:
    cells = {"Id": "1", "ext.a": "1", "ext.b": "2"}

    assert _extensions(_source(cells, extensions=("ext.a", "ext.b"))) == _extensions(
        _source(cells, extensions=("ext.b", "ext.a"))
    )


def test_extensions_stay_where_the_mapping_does_not_take_them() -> None:
    assert _extensions(_source({"Id": "1", "ext.a": "x"}, extensions=("ext.a",)), wanted=False) == ["{}"]
    assert _extensions(_source({"Id": "1"})) == ["{}"]


def test_a_row_tells_where_it_came_from() -> None:
    row = _mapped({}, _source({"Id": "1"}, {"Id": "2"})).table.to_pylist()[1]

    assert (row["source_file"], row["source_row"]) == ("in/pets.csv", 3)
    assert list(row) == [
        "kind",
        "pet_id",
        "name",
        "age",
        "is_tame",
        "source_file",
        "source_row",
        "derived",
        "extensions",
        REFUSED,
        DELETED,
        "row_hash",
    ]


def test_steps_come_first() -> None:
    source = _source({"Id": "1", "Name": None}, {"Id": "2", "Name": "b"}, {"Id": "3", "Name": "b"})
    steps = (OnlyRows(column="Name"), RowNumber(by="Name", name="n"))

    assert _mapped({"age": From("n", via=parse_integer)}, source, steps=steps).table.column("age").to_pylist() == [1, 2]


# ---- keys


def test_a_row_without_its_key_is_no_record_unless_that_part_is_optional() -> None:
    table = _mapped({"kind": From("Kind")}, _source({"Id": None, "Kind": "cat"}, {"Id": "1", "Kind": None})).table

    assert table.column("pet_id").to_pylist() == ["1"]


def test_of_rows_with_one_key_the_first_accepted_counts() -> None:
    source = _source({"Id": "1", "Name": "a"}, {"Id": "1", "Name": "b"}, {"Id": "1", "Name": "c"}, {"Id": "2"}, refused=(0, 3))

    assert [(row["pet_id"], row["name"]) for row in accepted(_mapped({"name": From("Name")}, source).table)] == [("1", "b")]


def test_refused_rows_stay_so_that_their_records_are_seen() -> None:
    table = _mapped({}, _source({"Id": "1"}, {"Id": "1"}, {"Id": "2"}, refused=(0, 2))).table

    assert [(row["pet_id"], row[REFUSED]) for row in table.to_pylist()] == [("1", True), ("1", False), ("2", True)]


def test_keys_that_differ_in_an_empty_part_differ() -> None:
    source = _source({"Id": "1", "Kind": None}, {"Id": "1", "Kind": "cat"}, {"Id": "1"})

    assert _mapped({"kind": From("Kind")}, source).table.num_rows == 2


def test_where_merged_rows_disagree_the_first_counts_with_one_warning_a_record() -> None:
    source = _source(
        {"Id": "1", "Name": "a"},
        {"Id": "1", "Name": "b"},
        {"Id": "1", "Name": None},
        {"Id": "1", "Name": "a"},
        {"Id": "2", "Name": "x"},
        {"Id": "2", "Name": "y"},
        refused=(5,),
    )
    result = _mapped({"name": From("Name")}, source, merges=True)

    assert found(result) == [("warning", "conflicting_rows", 3, "Name")]
    assert result.findings.column("count").to_pylist() == [2]
    assert [row["name"] for row in accepted(result.table)] == ["a", "x"]


def test_a_table_that_is_only_compared_has_the_same_records_and_says_nothing_of_rows_that_disagree() -> None:
    source = _source({"Id": "1", "Name": "a"}, {"Id": "1", "Name": "b"}, {"Id": "2", "Name": "x"})
    mapping = Mapping(source="new", to="pets", columns={"pet_id": From("Id"), "name": From("Name")}, merges=True)
    told = map_table(PETS, [mapping], {"new": source}, {})
    result = map_table(PETS, [mapping], {"new": source}, {}, compared=True)

    assert found(told) == [("warning", "conflicting_rows", 3, "Name")]
    assert found(result) == []
    assert [row["name"] for row in result.table.to_pylist()] == [row["name"] for row in told.table.to_pylist()] == ["a", "x"]


def test_rows_cannot_disagree_about_what_was_derived() -> None:
    source = _source({"Id": "1"}, {"Id": "1"})
    result = _mapped(
        {"age": From("n", via=parse_integer, derived=True)}, source, merges=True, steps=(RowNumber(by="Id", name="n"),)
    )

    assert found(result) == []


def test_rows_that_are_not_merged_say_nothing() -> None:
    assert found(_mapped({"name": From("Name")}, _source({"Id": "1", "Name": "a"}, {"Id": "1", "Name": "b"}))) == []


def _both(first: SourceFile, second: SourceFile, **how: bool) -> MappedTable:
    mappings = [
        Mapping(source="new", to="pets", columns={"pet_id": From("Id"), "name": From("Name")}),
        Mapping(source="old", to="pets", columns={"pet_id": From("Id"), "name": From("Name")}, **how),
    ]
    return map_table(PETS, mappings, {"new": first, "old": second}, {})


def test_a_record_of_an_earlier_mapping_counts_and_the_other_is_a_collision() -> None:
    result = _both(_source({"Id": "1", "Name": "a"}), _source({"Id": "1", "Name": "b"}, {"Id": "2", "Name": "c"}))

    assert [(row["pet_id"], row["name"]) for row in result.table.to_pylist()] == [("1", "a"), ("2", "c")]
    assert result.collisions == 1


def test_a_mapping_that_yields_does_not_collide() -> None:
    assert _both(_source({"Id": "1"}), _source({"Id": "1"}), is_fallback=True).collisions == 0


def test_a_refused_record_gives_way_to_an_accepted_one_of_a_later_mapping() -> None:
    result = _both(_source({"Id": "1", "Name": "a"}, refused=(0,)), _source({"Id": "1", "Name": "b"}), is_fallback=True)

    assert [row["name"] for row in accepted(result.table)] == ["b"]
    assert result.collisions == 0


def test_no_rows_make_an_empty_table() -> None:
    result = _mapped({"name": From("Name")}, _source())

    assert (result.table.num_rows, result.findings.num_rows, result.collisions) == (0, 0, 0)
