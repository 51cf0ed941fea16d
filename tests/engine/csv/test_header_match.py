"""Which column of an upload is which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roster_etl.engine.csv.header_match import Header, is_secret_column, match_header
from roster_etl.spec import Column, Family, File

PETS = File(
    name="pets",
    file_name="pets.csv",
    title="Pets",
    source="1",
    key=("Pet_id",),
    columns=(
        Column(name="Pet_id", required=True),
        Column(name="Tag", required=True, optional_if_option="tag_required"),
        Column(name="Name", aliases=("Pet.name",)),
    ),
    families=(Family(pattern="Owner_{n}_id", first=2, last=10), Family(pattern="Toy{n}", first=1, last=None)),
    extensions=("ext.",),
)


def _codes(header: Header) -> list[tuple[str, str, str | None]]:
    return [(finding.severity, finding.code, finding.field) for finding in header.findings]


def test_order_and_case_do_not_matter_and_the_specs_order_and_spelling_come_out() -> None:
    header = match_header(["NAME", "tag", "pet_ID"], PETS)

    assert list(header.positions.items()) == [("Pet_id", 2), ("Tag", 1), ("Name", 0)]
    assert (header.refused, header.findings) == (None, ())


def test_an_alias_is_the_column() -> None:
    assert match_header(["Pet_id", "Tag", "pet.NAME"], PETS).positions["Name"] == 2


def test_a_missing_required_column_refuses_the_file_and_names_the_nearest_column_that_fits_none() -> None:
    header = match_header(["Pet id", "Tag", "Name"], PETS)

    assert header.refused == "missing_column"
    assert _codes(header)[0] == ("file", "missing_column", "Pet_id")
    assert 'the column "Pet id" fits none, and may be meant' in header.findings[0].message


def test_a_column_that_is_the_formats_own_is_not_offered_for_a_missing_one_and_the_option_is_named() -> None:
    (finding,) = match_header(["Pet_id", "Name"], PETS).findings

    assert (finding.code, finding.field) == ("missing_column", "Tag")
    assert finding.message.endswith("If the export has no such column, set the option tag_required=false.")
    assert "fits none" not in finding.message


@pytest.mark.parametrize(
    "line",
    [
        ["17", "Name", "Okafor", "4 Elm Way"],
        ["Tag", "17", "Okafor"],
        ["17", "Okafor", "Pet_idd", "Name"],
        ["Pet_id", "Tag", "Name17", "Okafor", "Rex", "PIN"],
        ["17", "Okafor", "ext.Okafor", "Name"],
        ["Tag", "Tag", "ext.Okafor", "ext.Okafor", "Okafor"],
    ],
    ids=["a name", "a tag", "near", "glued", "extension", "twice"],
)
def test_a_first_line_that_may_hold_a_record_shows_none_of_its_cells(line: list[str]) -> None:
    header = match_header(line, PETS)
    told = " ".join(f"{finding.field} {finding.message}" for finding in header.findings)

    assert not [cell for cell in line if cell not in {"Name", "Tag", "Pet_id"} and cell in told]
    assert [f.field for f in header.findings if f.code == "unexpected_column"] == [None]


def test_all_missing_columns_are_named_at_once() -> None:
    assert _codes(match_header(["Name"], PETS)) == [("file", "missing_column", "Pet_id"), ("file", "missing_column", "Tag")]


def test_a_relaxed_column_may_be_missing() -> None:
    assert match_header(["Pet_id"], PETS, relaxed=frozenset({"Tag"})).refused is None


@pytest.mark.parametrize("header", [["Name", "Pet.name"], ["Name", "name"]])
def test_a_column_that_stands_twice_refuses_the_file(header: list[str]) -> None:
    matched = match_header(["Pet_id", "Tag", *header], PETS)

    assert matched.refused == "duplicate_column"
    assert _codes(matched) == [("file", "duplicate_column", "Name")]


def test_an_extension_that_stands_twice_refuses_the_file() -> None:
    assert _codes(match_header(["Pet_id", "Tag", "ext.a", "ext.a"], PETS)) == [("file", "duplicate_column", "ext.a")]


def test_extensions_keep_their_spelling_and_need_a_name() -> None:
    header = match_header(["Pet_id", "Tag", "Ext.Colour", "ext."], PETS)

    assert header.extensions == {"Ext.Colour": 2}
    assert _codes(header) == [("warning", "unexpected_column", "ext.")]


def test_an_unexpected_column_is_not_read_and_said_once() -> None:
    header = match_header(["Pet_id", "Tag", "Weight", "Weight", ""], PETS)

    assert list(header.positions) == ["Pet_id", "Tag"]
    assert _codes(header) == [("warning", "unexpected_column", "Weight"), ("warning", "unexpected_column", None)]


def test_a_name_with_a_control_character_is_no_extension_and_told_without_it() -> None:
    header = match_header(["Pet_id", "Tag", "ext.\x00a", "No\x00te\x1b"], PETS)

    assert header.extensions == {}
    assert [field for _, _, field in _codes(header)] == ["ext.a", "Note"]


def test_a_column_that_looks_like_a_password_is_not_taken_and_that_is_said() -> None:
    header = match_header(["Pet_id", "Tag", "ext.Pasword", "P\u200bIN"], PETS)

    assert (header.extensions, header.refused) == ({}, None)
    assert _codes(header) == [("warning", "unexpected_column", "ext.Pasword"), ("warning", "unexpected_column", "P\u200bIN")]
    assert "looks like a password" in header.findings[0].message


def test_a_column_of_the_format_is_secret_only_if_the_format_says_so() -> None:
    file = replace(PETS, columns=(*PETS.columns, Column(name="Pin"), Column(name="Chip code", secret=True)))

    assert [is_secret_column(name, file) for name in ("pin", "chip CODE", "Chipcode", "Name")] == [False, True, True, False]


def test_family_members_come_by_their_number_within_its_bounds() -> None:
    header = match_header(["Pet_id", "Tag", "Owner_10_id", "owner_2_ID", "Owner_1_id", "Owner_11_id", "Owner_02_id"], PETS)

    assert header.families["Owner_{n}_id"] == ("Owner_2_id", "Owner_10_id")
    assert [header.positions[name] for name in header.families["Owner_{n}_id"]] == [3, 2]
    assert [field for _, _, field in _codes(header)] == ["Owner_1_id", "Owner_11_id", "Owner_02_id"]


def test_a_family_without_bound_goes_on() -> None:
    assert match_header(["Pet_id", "Tag", "Toy120"], PETS).families["Toy{n}"] == ("Toy120",)


@pytest.mark.parametrize("relaxed", [frozenset(), frozenset({"Tag"})])
def test_a_first_line_without_any_known_name_is_no_header_and_none_of_its_cells_is_told(relaxed: frozenset[str]) -> None:
    header = match_header(["17", "Ada", "ada@example.org"], PETS, relaxed=relaxed)

    assert header.refused == "unrecognised_headers"
    assert _codes(header) == [("file", "unrecognised_headers", None)]


def test_a_fixed_order_is_kept_or_the_file_refused() -> None:
    assert match_header(["Pet_id", "Tag", "Name"], PETS, fixed_order=True).refused is None
    assert match_header(["Tag", "Pet_id", "Name"], PETS, fixed_order=True).refused == "column_order"


def test_each_published_order_is_kept_and_no_mixture_of_them() -> None:
    columns = tuple(Column(name=name) for name in ("Id", "Title", "Phone", "Room"))
    file = File(
        name="f",
        file_name="f.csv",
        title="F",
        source="1",
        key=("Id",),
        columns=columns,
        other_column_orders=(("Id", "Phone", "Title", "Room"),),
    )

    for header in (["Id", "Title", "Phone"], ["id", "phone", "x", "title", "Room"], ["Title", "Room"]):
        assert match_header(header, file, fixed_order=True).refused is None
    refused = match_header(["Phone", "Id", "Title"], file, fixed_order=True)
    assert refused.refused == "column_order"
    assert "expected: Id, Title, Phone, Room" in refused.findings[-1].message


@pytest.mark.parametrize(("sign", "words"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_other_separators_are_recognized_by_name(sign: str, words: str) -> None:
    (finding,) = match_header([sign.join(("Pet_id", "Tag", "Name"))], PETS).findings

    assert finding.code == "unrecognised_headers"
    assert f"separated by {words}, and the format separates them by commas" in finding.message


@pytest.mark.parametrize("header", [["sourcedId", "status", "name"], ["sourcedId", "status", "Pet_id"]])
def test_a_file_of_oneroster_is_recognized_by_name(header: list[str]) -> None:
    finding = match_header(header, PETS).findings[0]

    assert finding.severity == "file"
    assert "a file of OneRoster" in finding.message


def test_a_format_that_has_its_own_sourced_id_is_not_taken_for_another() -> None:
    own = replace(PETS, key=("sourcedId",), columns=(Column(name="sourcedId", required=True), *PETS.columns[1:]))

    assert "OneRoster" not in " ".join(finding.message for finding in match_header(["sourcedId", "Name"], own).findings)


EXACT = File(
    name="f",
    file_name="f.csv",
    title="F",
    source="1",
    key=("Id",),
    columns=(Column("Id", required=True), Column("Name", misspellings=("FullName",)), Column("Old", header_optional=True)),
    exact_case=True,
    ignored_columns=("Other",),
    extensions=("metadata.",),
)
SLIPS = [
    (("Id", "Name", "Old"), []),
    (("Id", "Name"), []),
    (("Id", "name"), [("wrong_case", "Name")]),
    (("Id", "FullName"), [("column_alias", "Name")]),
    (("Name", "Id"), [("column_order", None)]),
    (("Id", "Name", "Other"), [("ignored_value", "Other")]),
    (("Id", "Name", "Strange"), [("unexpected_column", "Strange")]),
    (("Id", "Name", ""), []),
]


@pytest.mark.parametrize(("header", "told"), SLIPS)
def test_where_spelling_counts_slips_are_told_and_refuse_a_strict_file(
    header: tuple[str, ...], told: list[tuple[str, str | None]]
) -> None:
    lenient, strict = match_header(header, EXACT), match_header(header, EXACT, strict=True)

    assert [(f.severity, f.code, f.field) for f in lenient.findings] == [("warning", *slip) for slip in told]
    assert [(f.severity, f.code, f.field) for f in strict.findings] == [("file", *slip) for slip in told]
    assert (lenient.refused, strict.refused) == (None, told[0][0] if told else None)


def test_a_strict_file_has_every_column_and_extensions_at_its_end() -> None:
    assert match_header(("Id",), EXACT).findings == ()
    assert match_header(("Id",), EXACT, strict=True).refused == "missing_column"
    assert match_header(("Id", "metadata.x", "Name"), EXACT).findings == ()
    assert match_header(("Id", "metadata.x", "Name"), EXACT, strict=True).refused == "column_order"
