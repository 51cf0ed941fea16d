"""One missing record that many rows name is one finding, with effects."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.engine.validation.missing_records import MAX_MISSING_RECORDS, MIN_ROWS, missing_record_number
from roster_etl.engine.validation.validate import ReferencedFile
from roster_etl.frames.arrow import FINDINGS
from roster_etl.spec import Column, File, Reference
from roster_etl.store.warehouse.ledger_write import number_findings
from tests.walking import judge, lines

HOMES = File(
    name="homes",
    file_name="homes.csv",
    title="Homes",
    source="1",
    key=("Home_id",),
    columns=(Column(name="Home_id", required=True),),
)
HOME = Reference(file="homes", column="Home_id")
PETS = File(
    name="pets",
    file_name="pets.csv",
    title="Pets",
    source="2",
    key=("Pet_id",),
    columns=(
        Column(name="Home_id", required=True, references=HOME),
        Column(name="Pet_id", required=True),
        Column(name="Vet", references=HOME),
    ),
)


def pets(*homes: str, vets: tuple[str, ...] = ()) -> pa.Table:
    """Return the findings about pets that live in `homes`."""
    known = {"homes": ReferencedFile(rows=judge(HOMES, lines("Home_id", "h1")).rows, file_name="in/homes.csv")}
    rows = [f"{home},p{n},{vets[n] if n < len(vets) else ''}" for n, home in enumerate(homes)]
    return judge(PETS, lines("Home_id,Pet_id,Vet", *rows), known, file_name="in/pets.csv").findings


def told(findings: pa.Table) -> list[tuple[str, str, int | None, int | None]]:
    return [(f["code"], f["file"], f["row"], f["cause_id"]) for f in number_findings(findings).to_pylist()]


def test_what_many_rows_name_is_one_finding_in_the_file_that_should_have_it() -> None:
    found = told(pets(*["secret-home"] * MIN_ROWS, "h1", "slip"))

    assert found[0] == ("missing_record", "in/homes.csv", None, None)
    assert found[1:] == [
        *(("unknown_reference", "in/pets.csv", row, 1) for row in range(2, MIN_ROWS + 2)),
        ("unknown_reference", "in/pets.csv", 8, None),
    ]


def test_a_few_rows_are_slips_of_the_pen() -> None:
    assert {code for code, *_ in told(pets(*["h9"] * (MIN_ROWS - 1)))} == {"unknown_reference"}


def test_two_missing_records_are_two_findings() -> None:
    found = told(pets(*["h8"] * MIN_ROWS, *["h9"] * (MIN_ROWS + 1)))

    assert [place for place in found if place[0] == "missing_record"] == [("missing_record", "in/homes.csv", None, None)] * 2
    causes = [cause for *_, cause in found if cause]
    assert sorted(causes.count(number) for number in set(causes)) == [MIN_ROWS, MIN_ROWS + 1]


def test_files_that_name_the_same_record_share_the_finding() -> None:
    both = pa.concat_tables([pets(*["h9"] * MIN_ROWS).cast(FINDINGS), pets(*["h9"] * MIN_ROWS).cast(FINDINGS)])
    found = told(both)

    assert [code for code, *_ in found].count("missing_record") == 1
    assert {cause for code, _, _, cause in found if code == "unknown_reference"} == {1}


def test_an_optional_reference_refuses_nothing_and_has_no_such_finding() -> None:
    found = told(pets(*["h1"] * MIN_ROWS, vets=("h9",) * MIN_ROWS))

    assert {code for code, *_ in found} == {"unknown_reference"}


def test_the_value_is_masked_and_the_number_of_findings_bounded() -> None:
    findings = pets(*[f"secret-home-{n}" for n in range(MAX_MISSING_RECORDS + 5) for _ in range(MIN_ROWS)])

    assert "secret-home" not in str(findings.to_pylist())
    assert findings["code"].to_pylist().count("missing_record") == MAX_MISSING_RECORDS


def test_a_place_is_no_row_and_the_same_each_time() -> None:
    assert missing_record_number(HOME, "h9") == missing_record_number(HOME, "h9") < 0
    assert missing_record_number(HOME, "h8") != missing_record_number(HOME, "h9")
    assert missing_record_number(Reference(file="homes", column="Other"), "h9") != missing_record_number(HOME, "h9")
