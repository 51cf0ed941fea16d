"""accounts.csv, as the section "ACCOUNTS CSV" of the document states it."""

from roster_etl.spec import Column, CrossFeedMatch, File, Identity, RowCondition, Status
from roster_etl.vendors.mastery_connect.codes import DELETED, STATUS_OPTIONS

ACCOUNTS = File(
    name="accounts",
    title="Schools",
    source="ACCOUNTS CSV",
    key=("account_id",),
    columns=(
        Column(
            "account_id",
            required=True,
            matches=CrossFeedMatch(table="organizations", column="organization_id", option="match_source"),
            note="The school's id. Where the district uses Canvas, it must be the id of the account there.",
        ),
        Column("name", required=True, note="The school's name."),
        Column(
            "status",
            required=True,
            cell_format=Status(STATUS_OPTIONS),
            unmapped="It is only used to detect deleted schools: these have no current version.",
            note="Whether the school is active or deleted.",
        ),
    ),
    identity=Identity(columns=("name",)),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every school of the district.",
)
