"""admins.csv: users with a role in an account."""

from roster_etl.spec import Column, File, HeaderPattern, RequireAnyOf, Status

ADMINS = File(
    name="admins",
    title="Admins of accounts",
    source="admins.csv",
    key=("user_id", "account_id", "role", "role_id"),
    columns=(
        Column("user_id", required=True, note="The user; known and not deleted."),
        Column("account_id", note="The account; blank means the root account. The column must be there."),
        Column("role_id", note="The role by its id in the account's role list (option custom_roles)."),
        Column("role", note="The role by its name: AccountAdmin, or that of a custom role."),
        Column("status", required=True, cell_format=Status(("active", "deleted")), note="Of the role."),
        Column("root_account", unmapped="About other installations of the vendor.", note="For users of other installations."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("account_id", "user_id")),
    rules=(RequireAnyOf(columns=("role", "role_id")),),
    required=False,
)
