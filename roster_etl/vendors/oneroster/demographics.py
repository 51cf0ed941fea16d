"""demographics.csv, as the CSV Binding states it (4.6 in 1.2; the same columns in 1.1)."""

from typing import Any

from roster_etl.spec import Choice, Column, Date, File, Identity, Reference
from roster_etl.vendors.oneroster.codes import EXTENDED, FLAGS, SEXES, SEXES_OF_1_1
from roster_etl.vendors.oneroster.common import DATA_FILE, DATE_LAST_MODIFIED, STATUS

RACE_COLUMNS = (
    "americanIndianOrAlaskaNative",
    "asian",
    "blackOrAfricanAmerican",
    "nativeHawaiianOrOtherPacificIslander",
    "white",
)
_FLAG = Choice((*FLAGS,))
_FIRST = (
    Column("sourcedId", required=True, references=Reference("users", "sourcedId"), note="The user's id."),
    STATUS,
    DATE_LAST_MODIFIED,
    Column("birthDate", cell_format=Date(pattern="YYYY-MM-DD"), note="Date of birth."),
)
_REST = (
    Column("americanIndianOrAlaskaNative", cell_format=_FLAG, note="Race; several may be true."),
    Column("asian", cell_format=_FLAG, note="Race; several may be true."),
    Column("blackOrAfricanAmerican", cell_format=_FLAG, note="Race; several may be true."),
    Column("nativeHawaiianOrOtherPacificIslander", cell_format=_FLAG, note="Race; several may be true."),
    Column("white", cell_format=_FLAG, note="Race; several may be true."),
    Column("demographicRaceTwoOrMoreRaces", cell_format=_FLAG, note="Whether there are two or more races."),
    Column("hispanicOrLatinoEthnicity", cell_format=_FLAG, note="Whether the person is Hispanic or Latino."),
    Column("countryOfBirthCode", note="Country of birth."),
    Column("stateOfBirthAbbreviation", note="State of birth."),
    Column("cityOfBirth", note="City of birth."),
    Column("publicSchoolResidenceStatus", note="Status of the residence for public schools."),
)
_SEX_NOTE = "The word as given is kept in sex; gender has the code."

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "demographics",
    "file_name": "demographics.csv",
    "title": "Birth, sex and race of users",
    "identity": Identity(columns=("birthDate", "sex")),
    **DATA_FILE,
}

DEMOGRAPHICS = File(
    source="4.6",
    columns=(*_FIRST, Column("sex", cell_format=Choice((*SEXES,), prefix=EXTENDED), note=_SEX_NOTE), *_REST),
    **_BOTH_VERSIONS,
)

DEMOGRAPHICS_OF_1_1 = File(
    source="1.1",
    columns=(*_FIRST, Column("sex", cell_format=Choice((*SEXES_OF_1_1,)), note=_SEX_NOTE), *_REST),
    **_BOTH_VERSIONS,
)
