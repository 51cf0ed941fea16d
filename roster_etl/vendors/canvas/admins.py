"""admins.csv: users with a role in an account."""

from roster_etl.spec import AnyOf, Column, File, Signature, Status

ADMINS = File(
    name="admins",
    file_name="admins.csv",
    title="Admins of accounts",
    source="admins.csv",
    key=("user_id", "account_id", "role", "role_id"),
    columns=(
        Column(name="user_id", required=True, note="The user; known and not deleted."),
        Column(name="account_id", note="The account; blank means the root account. The column must be there."),
        Column(name="role_id", note="The role by its id in the account's role list (option custom_roles)."),
        Column(name="role", note="The role by its name: AccountAdmin, or that of a custom role."),
        Column(name="status", required=True, cell_format=Status(options=("active", "deleted")), note="Of the role."),
        Column(
            name="root_account", unmapped="About other installations of the vendor.", note="For users of other installations."
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("account_id", "user_id")),
    rules=(AnyOf(columns=("role", "role_id")),),
    required=False,
)
