"""accounts.csv, as the document states it."""

from roster_etl.spec import Column, File, HeaderPattern, Status

ACCOUNTS = File(
    name="accounts",
    title="Accounts: the organization's units",
    source="accounts.csv",
    key=("account_id",),
    columns=(
        Column("account_id", required=True, note="The account's SIS id."),
        Column(
            "parent_account_id",
            sticky=True,
            note="The account above; blank means the root account, for a known account too. The column must be there.",
        ),
        Column("name", sticky=True, note="The account's name; needed for a new account."),
        Column(
            "status",
            strict=True,
            cell_format=Status(("active", "deleted")),
            note="Needed for a new account; blank leaves a known one as it is.",
        ),
        Column("integration_id", note="A second id of the account, unique among accounts."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("account_id", "parent_account_id")),
    required=False,
    note="A parent is in an earlier row, or in an earlier upload.",
)
