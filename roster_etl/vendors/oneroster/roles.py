"""roles.csv, as section 4.13 of the CSV Binding 1.2 states it; 1.1 has no such file."""

from roster_etl.spec import AtMostOne, Choice, Column, Date, File, Identity, NotBefore, Reference
from roster_etl.vendors.oneroster.codes import EXTENDED, ROLE_TYPES, ROLES
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

ROLES_FILE = File(
    name="roles",
    title="What users are, and where",
    source="4.13",
    columns=(
        *COMMON,
        Column(
            "userSourcedId",
            required=True,
            purge_with_person=True,
            references=Reference("users", "sourcedId", disambiguated_by=(("orgSourcedId", "primaryOrgSourcedId"),)),
            note="The user.",
        ),
        Column("roleType", required=True, cell_format=Choice((*ROLE_TYPES,)), note="Whether it is the user's main role there."),
        Column(
            "role", required=True, cell_format=Choice((*ROLES,), prefix=EXTENDED, code="unknown_role"), note="What the user is."
        ),
        Column("beginDate", cell_format=Date(pattern="YYYY-MM-DD"), note="The first day."),
        Column(
            "endDate",
            cell_format=Date(pattern="YYYY-MM-DD"),
            note="The day after the last one; with the option end_dates=inclusive the last one itself.",
        ),
        Column("orgSourcedId", required=True, references=Reference("orgs", "sourcedId"), note="The organization."),
        Column(
            "userProfileSourcedId",
            references=Reference("userProfiles", "sourcedId"),
            note="The login that the role is carried out with.",
        ),
    ),
    identity=Identity(columns=("userSourcedId", "orgSourcedId", "role")),
    rules=(
        NotBefore(column="endDate", other="beginDate", clear_both=True),
        AtMostOne(by=("userSourcedId", "orgSourcedId"), where=(("roleType", "primary"),), begin="beginDate", end="endDate"),
    ),
    **DATA_FILE,
)
