"""Which rows of a file apply, which are refused, and what is doubtful."""

from __future__ import annotations

import json

import pytest

from roster_etl.engine.validation.validate import QUARANTINE, VERDICTS, ReferencedFile, ValidatedFile, empty_result
from roster_etl.frames.arrow import REFUSED, ROW
from roster_etl.spec import (
    Choice,
    Column,
    Date,
    Email,
    Family,
    File,
    NotBefore,
    Phone,
    Reference,
    RepeatedRows,
    RequiredTogether,
    Text,
    Unique,
)
from roster_etl.spec.rule_catalog import file_rules
from tests.walking import found, judge, lines, rows

HOMES = File(
    name="homes",
    file_name="homes.csv",
    title="Homes",
    source="1",
    key=("Home_id",),
    columns=(
        Column(name="Home_id", required=True),
        Column(name="Street", required=True, optional_if_option="street_required"),
        Column(name="Password", secret=True),
    ),
    extensions=("ext.",),
)
PETS = File(
    name="pets",
    file_name="pets.csv",
    title="Pets",
    source="2",
    key=("Pet_id",),
    columns=(
        Column(name="Home_id", required=True, references=Reference(file="homes", column="Home_id", also=("shelter",))),
        Column(name="Pet_id", required=True),
        Column(name="Mail", required=True, cell_format=Email(), unique=Unique()),
        Column(name="Chip", unique=Unique()),
        Column(name="Name", cell_format=Text(max_length=5)),
        Column(name="Lunch", cell_format=Choice(options=("F", "N"), fallback="N")),
        Column(name="Size", cell_format=Choice(options=("S", "L"))),
        Column(name="Born", cell_format=Date(pattern="MM/DD/YYYY")),
        Column(name="Died", cell_format=Date(pattern="MM/DD/YYYY")),
        Column(name="Vet", references=Reference(file="homes", column="Home_id")),
    ),
    families=(Family(pattern="Friend_{n}", first=1, last=3, references=Reference(file="homes", column="Home_id")),),
    rules=(NotBefore(column="Died", other="Born"),),
    extensions=("ext.",),
)
CLUBS = File(
    name="clubs",
    file_name="clubs.csv",
    title="Clubs, a row for each contact",
    source="3",
    key=("Club_id",),
    columns=(
        Column(name="Club_id", required=True),
        Column(name="Town"),
        Column(name="Number", unique=Unique()),
        Column(name="Contact"),
        Column(name="Kind"),
        Column(name="Phone", cell_format=Phone(lengths=(7,))),
    ),
    repeats=RepeatedRows(columns=("Contact", "Kind", "Phone")),
    rules=(RequiredTogether(columns=("Contact", "Kind", "Phone"), required=("Contact", "Kind")),),
)
VISITS = File(
    name="visits",
    file_name="visits.csv",
    title="Visits",
    source="4",
    key=("Home_id", "Pet_id"),
    columns=(
        Column(name="Home_id", required=True, references=Reference(file="homes", column="Home_id")),
        Column(name="Pet_id", required=True),
        Column(name="Person_mail", unique=Unique(per=("Pet_id",))),
    ),
)

HOME_ROWS = lines("Home_id,Street", "h1,Elm", "h2,Oak", "h3,")
PETS_HEADER = "Home_id,Pet_id,Mail"


def _homes() -> dict[str, ReferencedFile]:
    return {"homes": ReferencedFile(rows=judge(HOMES, HOME_ROWS).rows, file_name="in/homes.csv")}


def _pets(*records: str, header: str = PETS_HEADER) -> ValidatedFile:
    return judge(PETS, lines(header, *records), _homes())


def _line(result: ValidatedFile, rule: str) -> tuple[str, int, int]:
    line = next(line for line in result.verdicts.to_pylist() if line["rule"] == rule)
    return line["check"], line["judged"], line["failing"]


# ---- required and optional cells


def test_a_good_row_is_accepted_as_it_is() -> None:
    result = _pets("h1,007,a@b.org,NA", header=f"{PETS_HEADER},Name")

    assert found(result) == []
    assert rows(result) == [{"Home_id": "h1", "Pet_id": "007", "Mail": "a@b.org", "Name": "NA", ROW: 2, REFUSED: False}]
    assert (result.rows_read, result.rows_accepted, result.rows_rejected, result.refused) == (1, 1, 0, None)


def test_an_empty_required_cell_refuses_its_row_alone() -> None:
    result = _pets("h1,,a@b.org", "h1,p2,b@b.org")

    assert found(result) == [("reject", "missing_required", 2, "Pet_id")]
    assert [row[REFUSED] for row in rows(result)] == [True, False]
    assert (result.rows_accepted, result.rows_rejected) == (1, 1)


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    assert found(_pets(",p1,", "h1,p2,b@b.org")) == [
        ("reject", "missing_required", 2, "Home_id"),
        ("reject", "missing_required", 2, "Mail"),
    ]


def test_a_row_of_commas_is_read_and_says_nothing() -> None:
    result = _pets(",,", "h1,p2,b@b.org")

    assert found(result) == []
    assert (result.rows_read, result.rows_accepted, result.rows_rejected) == (2, 1, 0)


def test_a_broken_required_cell_refuses_its_row() -> None:
    assert found(_pets("h1,p1,nobody")) == [("reject", "invalid_email", 2, "Mail")]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("Name", "too long", "too_long"),
        ("Size", "M", "bad_value"),
        ("Born", "02/30/2020", "bad_date"),
        ("Vet", "h9", "unknown_reference"),
        ("Friend_2", "h9", "unknown_reference"),
    ],
)
def test_a_broken_optional_cell_is_left_empty_and_the_row_applies(column: str, cell: str, code: str) -> None:
    result = _pets(f"h1,p1,a@b.org,{cell}", header=f"{PETS_HEADER},{column}")

    assert found(result) == [("warning", code, 2, column)]
    assert column not in rows(result)[0]
    assert result.rows_accepted == 1


def test_an_unknown_option_may_stand_for_another_one() -> None:
    result = _pets("h1,p1,a@b.org,paid", "h1,p2,b@b.org,", header=f"{PETS_HEADER},Lunch")

    assert found(result) == [("warning", "bad_value", 2, "Lunch")]
    assert [row.get("Lunch") for row in rows(result)] == ["N", None]


def test_a_required_column_that_an_option_relaxed_may_be_empty_or_absent() -> None:
    relaxed = frozenset({"Street"})
    empty = judge(HOMES, lines("Home_id,Street", "h1,"), relaxed=relaxed)
    absent = judge(HOMES, lines("Home_id", "h1"), relaxed=relaxed)

    assert (found(empty), found(absent)) == ([], [])
    assert _line(empty, "Street: present") == _line(absent, "Street: present") == ("present", 1, 1)


# ---- white space and control characters


def test_trimming_is_told_for_each_cell() -> None:
    result = _pets(" h1,p1 ,a@b.org", "h1, p2,b@b.org")

    assert [(f["code"], f["row"], f["field"], f["count"]) for f in result.findings.to_pylist()] == [
        ("trimmed", 2, "Home_id", 1),
        ("trimmed", 2, "Pet_id", 1),
        ("trimmed", 3, "Pet_id", 1),
    ]
    assert [row["Pet_id"] for row in rows(result)] == ["p1", "p2"]


def test_a_required_cell_of_white_space_is_empty() -> None:
    assert found(_pets("h1, ,a@b.org")) == [("reject", "missing_required", 2, "Pet_id")]


def test_a_nul_in_a_required_cell_refuses_the_row_and_is_all_that_is_said() -> None:
    assert found(_pets("h1,p1,a\x00@b")) == [("reject", "control_character", 2, "Mail")]


def test_a_key_with_a_nul_is_no_key() -> None:
    result = _pets("h1,p\x001,a@b.org")

    assert found(result) == [("reject", "control_character", 2, "Pet_id")]
    assert "Pet_id" not in rows(result)[0]
    assert result.unidentified_records == (("h1", "a@b.org"),)


def test_a_nul_in_an_optional_cell_empties_it() -> None:
    result = _pets("h1,p1,a@b.org,x\x00y\x07", header=f"{PETS_HEADER},Name")

    assert found(result) == [("warning", "control_character", 2, "Name")]
    assert "Name" not in rows(result)[0]


def test_another_control_character_is_doubtful_and_kept() -> None:
    result = _pets("h1,p1,a@b.org,x\x07y", header=f"{PETS_HEADER},Name")

    assert found(result) == [("warning", "control_character", 2, "Name")]
    assert rows(result)[0]["Name"] == "x\x07y"


def test_extensions_are_kept_and_looked_at_for_control_characters() -> None:
    result = judge(HOMES, lines("Home_id,Street,ext.Colour", "h1,Elm,re\x00d", "h2,Elm, blue"))

    assert result.extensions == ("ext.Colour",)
    assert [row.get("ext.Colour") for row in rows(result)] == [None, "blue"]
    assert [f[1] for f in found(result)] == ["control_character", "trimmed"]


def test_a_secret_is_neither_judged_nor_kept() -> None:
    result = judge(HOMES, lines("Home_id,Street,Password", "h1,,s3cr\x00t"))

    assert "Password" not in result.rows.column_names
    assert found(result) == [("reject", "missing_required", 2, "Street")]
    assert "s3cr" not in str(result.quarantine.to_pylist())


# ---- replacements


def _replaced(text: str, **tables: dict[str, str]) -> ValidatedFile:
    return judge(PETS, lines(f"{PETS_HEADER},Size", text), _homes(), replacements=tables)


def test_a_districts_own_codes_are_read_as_it_says_before_anything_is_judged() -> None:
    result = _replaced("h1,p1,a@b.org, little ", Size={"Little": "S"})

    assert [f[1] for f in found(result)] == ["trimmed", "replaced"]
    assert rows(result)[0]["Size"] == "S"


def test_other_values_and_other_columns_stay() -> None:
    assert rows(_replaced("h1,S,a@b.org,L", size={"S": "L", "x": "S"}))[0] == {
        "Home_id": "h1", "Pet_id": "S", "Mail": "a@b.org", "Size": "L", ROW: 2, REFUSED: False
    }  # fmt: skip


def test_a_value_may_be_replaced_by_nothing() -> None:
    assert "Size" not in rows(_replaced("h1,p1,a@b.org,N/A", Size={"N/A": ""}))[0]


def test_replacements_are_counted_by_column_and_told_without_a_value() -> None:
    rules = {"Little": "S", "huge": "L", "S": "s", "tiny": "S"}
    result = _replaced("h1,p1,a@b.org,Little\nh1,p2,b@b.org,LITTLE\nh1,p3,c@b.org,S\nh1,p4,d@b.org,L", Size=rules)
    (finding,) = result.findings.to_pylist()

    assert [row["Size"] for row in rows(result)] == ["S", "S", "s", "L"]
    assert (finding["severity"], finding["code"], finding["row"], finding["field"]) == ("info", "replaced", None, "Size")
    assert (finding["count"], finding["key"]) == (3, None)
    assert finding["message"].endswith("(2 of 4 rules were used).")


def test_a_rule_that_changes_nothing_is_not_told() -> None:
    assert found(_replaced("h1,p1,a@b.org,S", Size={"s": "S", "x": "L"})) == []


def test_what_a_rule_puts_there_is_replaced_by_no_other_rule_and_judged_as_any_value() -> None:
    result = _replaced("h1,p1,a@b.org,a", Size={"a": "b", "b": "S"})

    assert [f[1] for f in found(result)] == ["bad_value", "replaced"]


def test_ids_are_never_replaced() -> None:
    result = _replaced("h1,p1,a@b.org,S", Home_id={"h1": "h3"}, Pet_id={"p1": "p9"})

    assert found(result) == []
    assert [(row["Home_id"], row["Pet_id"]) for row in rows(result)] == [("h1", "p1")]


def test_quarantine_keeps_what_was_sent() -> None:
    record = _replaced("h1,p1,nobody,little", Size={"little": "S"}).quarantine.to_pylist()[0]["record"]

    assert json.loads(record)["Size"] == "little"


# ---- references


def test_a_reference_to_a_refused_row_names_it_as_the_cause() -> None:
    result = _pets("h3,p1,a@b.org", "h9,p2,b@b.org")
    findings = result.findings.to_pylist()

    assert found(result) == [("reject", "unknown_reference", 2, "Home_id"), ("reject", "unknown_reference", 3, "Home_id")]
    assert [(f["cause_file"], f["cause_row"]) for f in findings] == [("in/homes.csv", 4), (None, None)]


def test_a_record_that_is_accepted_in_one_row_can_be_referred_to() -> None:
    homes = judge(HOMES, lines("Home_id,Street", "h1,", "h1,Elm"))
    result = judge(PETS, lines(PETS_HEADER, "h1,p1,a@b.org"), {"homes": ReferencedFile(rows=homes.rows, file_name="homes.csv")})

    assert found(result) == []


def test_ids_are_compared_with_case_and_zeros() -> None:
    assert [f[1] for f in found(_pets("H1,p1,a@b.org"))] == ["unknown_reference"]


def test_further_values_may_stand_for_a_reference() -> None:
    assert found(_pets("shelter,p1,a@b.org")) == []


# ---- rules over a row


def test_a_date_before_the_other_one_is_left_empty() -> None:
    result = _pets("h1,p1,a@b.org,1/2/2020,1/1/2020", "h1,p2,b@b.org,1/1/2020,1/1/2020", header=f"{PETS_HEADER},Born,Died")

    assert found(result) == [("warning", "bad_date", 2, "Died")]
    assert [row.get("Died") for row in rows(result)] == [None, "1/1/2020"]
    assert rows(result)[0]["Born"] == "1/2/2020"
    assert _line(result, "Died: not before Born") == ("not_before", 2, 1)


def test_dates_in_order_need_both_dates() -> None:
    assert found(_pets("h1,p1,a@b.org,,1/1/2020", header=f"{PETS_HEADER},Born,Died")) == []
    assert found(_pets("h1,p1,a@b.org,1/1/2020", header=f"{PETS_HEADER},Died")) == []


def test_what_is_needed_together_is_left_empty_together() -> None:
    result = judge(CLUBS, lines("Club_id,Contact,Kind,Phone", "c1,Ann,,5550107", "c2,Bob,family,", "c3,,,"))

    assert found(result) == [("warning", "missing_required", 2, "Kind")]
    assert [{k: row.get(k) for k in ("Contact", "Kind", "Phone")} for row in rows(result)] == [
        {"Contact": None, "Kind": None, "Phone": None},
        {"Contact": "Bob", "Kind": "family", "Phone": None},
        {"Contact": None, "Kind": None, "Phone": None},
    ]
    assert _line(result, "Contact, Kind: together") == ("together", 2, 1)


def test_what_is_needed_together_may_be_missing_from_the_header() -> None:
    result = judge(CLUBS, lines("Club_id,Contact", "c1,Ann"))

    assert found(result) == [("warning", "missing_required", 2, "Kind")]
    assert "Contact" not in rows(result)[0]
    assert found(judge(CLUBS, lines("Club_id", "c1"))) == []


def test_a_value_that_was_broken_is_not_there_for_the_rules() -> None:
    result = judge(CLUBS, lines("Club_id,Contact,Kind,Phone", "c1,,,12"))

    assert found(result) == [("warning", "bad_phone", 2, "Phone")]


# ---- keys


def test_an_exact_repeat_is_dropped_and_the_record_applies() -> None:
    result = judge(HOMES, lines("Home_id,Street", "h1,Elm", "h1,Elm", "h1,Elm"))

    assert found(result) == [("info", "duplicate_row", 3, "Home_id"), ("info", "duplicate_row", 4, "Home_id")]
    assert [row[ROW] for row in rows(result)] == [2]
    assert (result.rows_accepted, result.rows_rejected) == (3, 0)
    assert _line(result, "Home_id: unique") == ("key", 3, 0)


def test_a_different_row_with_a_known_key_is_refused_and_the_first_one_stands() -> None:
    result = judge(HOMES, lines("Home_id,Street", "h1,Elm", "h1,Oak"))

    assert found(result) == [("reject", "duplicate_key", 3, "Home_id")]
    assert [(row["Street"], row[REFUSED]) for row in rows(result)] == [("Elm", False), ("Oak", True)]
    assert _line(result, "Home_id: unique") == ("key", 2, 1)


def test_rows_that_differ_in_an_extension_or_an_empty_cell_are_different() -> None:
    text = lines("Home_id,Street,ext.a,ext.b", "h1,Elm,x,", "h1,Elm,y,", "h1,Elm,,x")

    assert [f[1] for f in found(judge(HOMES, text))] == ["duplicate_key", "duplicate_key"]


def test_a_refused_row_does_not_take_the_key() -> None:
    result = judge(HOMES, lines("Home_id,Street", "h1,", "h1,Oak"))

    assert found(result) == [("reject", "missing_required", 2, "Street")]
    assert [row[REFUSED] for row in rows(result)] == [True, False]


def test_ids_differ_by_case_and_leading_zeros() -> None:
    assert found(judge(HOMES, lines("Home_id,Street", "7,Elm", "007,Elm", "a,Elm", "A,Elm"))) == []


def test_a_key_of_several_columns_is_compared_as_a_whole() -> None:
    text = lines("Home_id,Pet_id", "h1,p1", "h1,p2", "h2,p1", "h1,p1")

    assert found(judge(VISITS, text, _homes())) == [("info", "duplicate_row", 5, "Home_id, Pet_id")]


# ---- repeated rows of one record


def test_rows_of_one_record_may_differ_in_the_repeated_columns() -> None:
    result = judge(CLUBS, lines("Club_id,Town,Contact,Kind", "c1,Rye,Ann,a", "c1,Rye,Bob,b"))

    assert found(result) == []
    assert result.rows_accepted == 2


def test_where_rows_of_one_record_disagree_the_first_counts_with_a_warning() -> None:
    result = judge(CLUBS, lines("Club_id,Town,Contact,Kind", "c1,Rye,Ann,a", "c1,Hay,Bob,b", "c2,Rye,Ann,a"))

    assert found(result) == [("warning", "conflicting_rows", 3, "Town")]
    assert [(row["Town"], row["Contact"], row[REFUSED]) for row in rows(result)] == [
        ("Rye", "Ann", False),
        ("Rye", "Bob", False),
        ("Rye", "Ann", False),
    ]
    assert _line(result, "Club_id: repeated rows agree") == ("repeats", 3, 1)


def test_a_row_that_disagrees_about_a_unique_value_takes_it_from_nobody() -> None:
    result = judge(CLUBS, lines("Club_id,Number,Contact,Kind", "c1,7,A,a", "c1,8,B,b", "c2,8,C,c"))

    assert found(result) == [("warning", "conflicting_rows", 3, "Number")]
    assert [row["Number"] for row in rows(result)] == ["7", "7", "8"]


def test_an_exact_repeat_of_a_repeated_row_is_dropped_too() -> None:
    text = lines("Club_id,Town,Contact,Kind", "c1,Rye,Ann,a", "c1,Rye,Bob,b", "c1,Rye,Bob,b", "c1,Rye,Ann,a", "c2,Rye,Ann,a")
    result = judge(CLUBS, text)

    assert found(result) == [("info", "duplicate_row", 4, "Club_id"), ("info", "duplicate_row", 5, "Club_id")]
    assert [row[ROW] for row in rows(result)] == [2, 3, 6]


# ---- unique columns


def test_a_unique_value_belongs_to_the_first_record_that_has_it() -> None:
    result = _pets("h1,p1,a@b.org,c1", "h1,p2,b@b.org,c1", "h1,p3,c@b.org,", "h1,p4,d@b.org,", header=f"{PETS_HEADER},Chip")

    assert found(result) == [("warning", "id_taken", 3, "Chip")]
    assert [row.get("Chip") for row in rows(result)] == ["c1", None, None, None]
    assert _line(result, "Chip: unique") == ("unique", 2, 1)


def test_a_required_unique_value_that_is_taken_refuses_the_row() -> None:
    result = _pets("h1,p1,a@b.org", "h1,p2,a@b.org")

    assert found(result) == [("reject", "id_taken", 3, "Mail")]


def test_a_refused_row_takes_no_unique_value() -> None:
    assert found(_pets("h9,p1,a@b.org", "h1,p2,a@b.org")) == [("reject", "unknown_reference", 2, "Home_id")]


def test_rows_of_one_record_share_a_unique_value() -> None:
    assert found(judge(CLUBS, lines("Club_id,Number,Contact,Kind", "c1,7,A,a", "c1,7,B,b"))) == []


def test_a_unique_value_may_belong_to_a_part_of_the_key() -> None:
    text = lines("Home_id,Pet_id,Person_mail", "h1,p1,x", "h2,p1,x", "h1,p2,x")

    assert found(judge(VISITS, text, _homes())) == [("warning", "id_taken", 4, "Person_mail")]


# ---- whole files


@pytest.mark.parametrize(("required", "severity"), [(True, "file"), (False, "warning")])
@pytest.mark.parametrize("text", ["", "Home_id,Street\n"])
def test_an_empty_file_is_no_statement(text: str, required: bool, severity: str) -> None:
    file = File(name="homes", file_name="homes.csv", title="", source="", key=HOMES.key, columns=HOMES.columns, required=required)
    result = judge(file, text)

    assert (result.refused, found(result)) == ("empty_file", [(severity, "empty_file", None, None)])
    assert _line(result, "file: header") == ("header", 1, 1)


def test_a_file_with_a_bad_header_is_refused_whole() -> None:
    result = judge(HOMES, lines("Street", "Elm"))

    assert (result.refused, result.rows_read, result.rows_accepted, result.rows_rejected) == ("missing_column", 1, 0, 1)
    assert (result.rows.num_rows, result.quarantine.num_rows, result.unidentified_records) == (0, 0, ())
    assert set(result.rows.column_names) == {"Home_id", "Street", "Password", ROW, REFUSED}


def test_a_file_that_cannot_be_read_is_refused_whole() -> None:
    result = judge(HOMES, 'Home_id,Street\nh1,"Elm\n')

    assert result.refused == "malformed_csv"
    assert result.findings.column("file").to_pylist() == ["homes.csv"]


def test_a_file_without_an_accepted_row_says_so() -> None:
    result = judge(HOMES, lines("Home_id,Street", "h1,", "h2,"))

    assert result.refused is None
    assert _line(result, "file: a row is accepted") == ("rows", 2, 2)
    assert _line(result, "file: rows refused") == ("refused", 2, 2)


def test_an_absent_file_has_the_columns_of_its_spec_and_no_rows() -> None:
    result = empty_result(HOMES)

    assert (result.rows.num_rows, result.rows_read, result.refused, result.findings.num_rows) == (0, 0, None, 0)
    assert {"Home_id", "Street", ROW, REFUSED} <= set(result.rows.column_names)
    assert (
        judge(PETS, lines(PETS_HEADER, "h1,p1,a@b.org"), {"homes": ReferencedFile(rows=result.rows, file_name="h")}).rows_accepted
        == 0
    )


@pytest.mark.parametrize("homes", [empty_result(HOMES), judge(HOMES, lines("Home_id,Street", "h1,", "h2,"))])
def test_of_a_file_without_an_accepted_row_it_is_said_once_that_others_need_it(homes: ValidatedFile) -> None:
    others = {"homes": ReferencedFile(rows=homes.rows, file_name="in/homes.csv")}
    text = lines(f"{PETS_HEADER},Vet", "h1,p1,a@b.org,h2", "h2,p2,b@b.org,", "shelter,p3,c@b.org,h1")
    result = judge(PETS, text, others)

    said = [f for f in result.findings.to_pylist() if f["code"] == "unknown_reference"]
    assert [(f["severity"], f["row"], f["field"], f["count"]) for f in said] == [
        ("reject", None, "Home_id", 2),
        ("warning", None, "Vet", 2),
    ]
    assert {(f["cause_file"], f["cause_row"]) for f in said} == {("in/homes.csv", None)}
    assert result.rows["_refused"].to_pylist() == [True, True, False]
    assert [(q["row"], q["code"]) for q in result.quarantine.to_pylist()] == [(2, "unknown_reference"), (3, "unknown_reference")]


# ---- what is left of refused rows


def test_a_refused_row_is_kept_in_quarantine_as_it_was_sent() -> None:
    result = _pets("h1,p1, bad ,李", header=f"{PETS_HEADER},Name")

    assert result.quarantine.schema == QUARANTINE
    assert [(q["file"], q["row"], q["code"], json.loads(q["record"])) for q in result.quarantine.to_pylist()] == [
        ("pets.csv", 2, "invalid_email", {"Home_id": "h1", "Pet_id": "p1", "Mail": " bad ", "Name": "李"})
    ]
    assert "李" in result.quarantine.column("record").to_pylist()[0]


def test_a_damaged_record_is_counted_and_kept_in_quarantine() -> None:
    result = _pets("h1,p1,a@b.org,more,cells", "h1,p2,b@b.org")

    assert found(result) == [("reject", "ragged_row", 2, None)]
    assert (result.rows_read, result.rows_accepted, result.rows_rejected) == (2, 1, 1)
    assert [(q["row"], q["code"]) for q in result.quarantine.to_pylist()] == [(2, "ragged_row")]
    assert _line(result, "file: rows refused") == ("refused", 2, 1)


def test_cells_of_a_damaged_record_are_not_kept_where_one_may_be_a_secret() -> None:
    result = judge(HOMES, lines("Home_id,Street,Password", "h1,Elm,x,s3cret", "h1,s3cret", "h2,Elm,y"))

    assert [q["code"] for q in result.quarantine.to_pylist()] == ["ragged_row", "ragged_row"]
    assert "s3cret" not in str(result.quarantine.to_pylist())


def test_records_whose_key_cannot_be_read_are_evidence() -> None:
    result = _pets("h1,,a@b.org", "h1,p2", "h9,p3,c@b.org")

    assert set(result.unidentified_records) == {("h1", "a@b.org"), ("h1", "p2")}


def test_a_row_counts_as_keyless_when_any_part_of_its_key_is_missing() -> None:
    result = judge(VISITS, lines("Home_id,Pet_id", "h1,", "h1,p1"), _homes())

    assert result.unidentified_records == (("h1",),)


def test_findings_name_rows_by_their_masked_key() -> None:
    result = _pets("h1,1234567,nobody")

    assert result.findings.column("key").to_pylist() == ["1••••67"]


def test_a_key_too_long_for_an_index_refuses_its_row_and_stays_seen() -> None:
    result = _pets(f"h1,{'p' * 255},a@b.org", f"h1,{'p' * 256},b@b.org")

    assert found(result) == [("reject", "too_long", 3, "Pet_id")]
    assert result.rows["_refused"].to_pylist() == [False, True]
    assert [len(cell) for cell in result.rows["Pet_id"].to_pylist()] == [255, 256]


def test_other_ids_and_cells_without_end_are_left_empty() -> None:
    header = f"{PETS_HEADER},Chip,ext.Note"
    result = _pets(f"h1,p1,a@b.org,{'c' * 256},{'n' * 65_536}", f"h1,p2,b@b.org,c,{'n' * 65_535}", header=header)

    assert sorted(found(result)) == [("warning", "too_long", 2, "Chip"), ("warning", "too_long", 2, "ext.Note")]
    assert result.rows["Chip"].is_null().to_pylist() == result.rows["ext.Note"].is_null().to_pylist() == [True, False]


def test_a_required_cell_without_end_refuses_its_row() -> None:
    result = judge(HOMES, lines("Home_id,Street", f"h1,{'s' * 65_536}"))

    assert found(result) == [("reject", "too_long", 2, "Street")]


# ---- verdicts


def test_every_promise_of_a_file_gets_a_line_when_all_its_columns_are_there() -> None:
    columns = [c.name for c in PETS.columns] + ["Friend_1", "Friend_2", "Friend_3"]
    result = _pets(",".join(["h1", "p1", "a@b.org", *[""] * 10]), header=",".join(columns))

    assert result.verdicts.schema == VERDICTS
    assert {line["rule"] for line in result.verdicts.to_pylist()} == {promise.name for promise in file_rules(PETS)}


def test_a_verdict_counts_what_was_judged_and_what_failed() -> None:
    result = _pets("h1,p1,a@b.org,S", "h1,p2,b@b.org,M", "h1,p3,c@b.org,", "h9,p4,,", header=f"{PETS_HEADER},Size")

    assert _line(result, "Size: form") == ("form", 2, 1)
    assert _line(result, "Size: present") == ("present", 4, 2)
    assert _line(result, "Mail: required") == ("required", 4, 1)
    assert _line(result, "Home_id: reference") == ("reference", 4, 1)
    assert _line(result, "file: header") == ("header", 1, 0)
    assert _line(result, "file: a row is accepted") == ("rows", 4, 0)
    assert _line(result, "file: rows refused") == ("refused", 4, 1)
    assert _line(result, "Pet_id: unique") == ("key", 3, 0)


# ---- records within a row

KIN = File(
    name="kin",
    file_name="kin.csv",
    title="Kin",
    source="4",
    key=("Id",),
    columns=(Column(name="Id", required=True), Column(name="Kin"), Column(name="Kin phone", cell_format=Phone(lengths=(10,)))),
    record_groups=(("Kin", "Kin phone"),),
)


def test_a_record_within_a_row_is_in_doubt_where_all_its_cells_broke() -> None:
    result = judge(KIN, lines("Id,Kin,Kin phone", "1,Ann,123", "2,,123", "3,,", "4,,5552345678"))

    assert [(f[1], f[2]) for f in found(result)] == [("bad_phone", 2), ("bad_phone", 3)]
    assert result.doubtful_keys.to_pylist() == [{"Id": "2"}]
