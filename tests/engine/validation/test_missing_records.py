"""One missing record that many rows name is one finding, with effects."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.engine.validation.missing_records import MANY, MOST, place_of
from roster_etl.engine.validation.validate import Judged
from roster_etl.frames.arrow import FINDINGS
from roster_etl.spec import Column, File, Reference
from roster_etl.store.warehouse.ledger_write import numbered
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
    known = {"homes": Judged(frame=judge(HOMES, lines("Home_id", "h1")).frame, file_name="in/homes.csv")}
    rows = [f"{home},p{n},{vets[n] if n < len(vets) else ''}" for n, home in enumerate(homes)]
    return judge(PETS, lines("Home_id,Pet_id,Vet", *rows), known, file_name="in/pets.csv").findings


def told(findings: pa.Table) -> list[tuple[str, str, int | None, int | None]]:
    return [(f["code"], f["file"], f["row"], f["cause_id"]) for f in numbered(findings).to_pylist()]


def test_what_many_rows_name_is_one_finding_in_the_file_that_should_have_it() -> None:
    found = told(pets(*["secret-home"] * MANY, "h1", "slip"))

    assert found[0] == ("missing_record", "in/homes.csv", None, None)
    assert found[1:] == [
        *(("unknown_reference", "in/pets.csv", row, 1) for row in range(2, MANY + 2)),
        ("unknown_reference", "in/pets.csv", 8, None),
    ]


def test_a_few_rows_are_slips_of_the_pen() -> None:
    assert {code for code, *_ in told(pets(*["h9"] * (MANY - 1)))} == {"unknown_reference"}


def test_two_missing_records_are_two_findings() -> None:
    found = told(pets(*["h8"] * MANY, *["h9"] * (MANY + 1)))

    assert [place for place in found if place[0] == "missing_record"] == [("missing_record", "in/homes.csv", None, None)] * 2
    causes = [cause for *_, cause in found if cause]
    assert sorted(causes.count(number) for number in set(causes)) == [MANY, MANY + 1]


def test_files_that_name_the_same_record_share_the_finding() -> None:
    both = pa.concat_tables([pets(*["h9"] * MANY).cast(FINDINGS), pets(*["h9"] * MANY).cast(FINDINGS)])
    found = told(both)

    assert [code for code, *_ in found].count("missing_record") == 1
    assert {cause for code, _, _, cause in found if code == "unknown_reference"} == {1}


def test_an_optional_reference_refuses_nothing_and_has_no_such_finding() -> None:
    found = told(pets(*["h1"] * MANY, vets=("h9",) * MANY))

    assert {code for code, *_ in found} == {"unknown_reference"}


def test_the_value_is_masked_and_the_number_of_findings_bounded() -> None:
    findings = pets(*[f"secret-home-{n}" for n in range(MOST + 5) for _ in range(MANY)])

    assert "secret-home" not in str(findings.to_pylist())
    assert findings["code"].to_pylist().count("missing_record") == MOST


def test_a_place_is_no_row_and_the_same_each_time() -> None:
    assert place_of(HOME, "h9") == place_of(HOME, "h9") < 0
    assert place_of(HOME, "h8") != place_of(HOME, "h9")
    assert place_of(Reference(file="homes", column="Other"), "h9") != place_of(HOME, "h9")
